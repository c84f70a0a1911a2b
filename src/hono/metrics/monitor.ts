import type { FailedEvent, MediaCacheEvent } from "../../core/api/events.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { FailureCounts } from "./failure_counts.ts";
import { History } from "./history.ts";
import { Observations } from "./observations.ts";
import { RecentEvents } from "./recent_events.ts";
import { UseCounter } from "./use_counter.ts";

/**
 * Watches a cache for its routers, and keeps what the stats do not hold. All of
 * it is bounded.
 */
export class Monitor {
  /** Durations and sizes. */
  readonly observations: Observations = new Observations();
  /** The stats over time. */
  readonly history: History;
  /** The last events. */
  readonly events: RecentEvents = new RecentEvents();
  /** Downloads that failed, by reason. */
  readonly failures: FailureCounts = new FailureCounts();
  /** Hits by entry. */
  readonly uses: UseCounter = new UseCounter();
  readonly #cache: MediaCache;
  /** `stats().failures` at the last failed download. */
  #failures: number;

  /** Watches a cache as long as the cache lives. */
  constructor(cache: MediaCache) {
    this.#cache = cache;
    this.#failures = cache.stats().failures;
    this.history = new History(() => cache.stats());
    cache.subscribe((event) => this.#take(event));
  }

  #take(event: MediaCacheEvent): void {
    this.observations.observe(event);
    this.events.add(event);
    this.history.look();
    if (event.type === "failed") this.#takeFailure(event);
    if (event.type === "hit") this.uses.add(event.key);
    if (event.type === "evicted" || event.type === "deleted") {
      this.uses.delete(event.key);
    }
  }

  /**
   * Counts the failures that the cache counts, so without aborted downloads.
   */
  #takeFailure(event: FailedEvent): void {
    const { failures } = this.#cache.stats();
    if (failures > this.#failures) this.failures.add(event);
    this.#failures = failures;
  }
}

// The routers of a cache share its monitor: a cache can't tell that a
// router is gone. A closed cache sends no events, so nothing has to be stopped.
const monitors = new WeakMap<MediaCache, Monitor>();

/** Returns the monitor of a cache. */
export function monitorOf(cache: MediaCache): Monitor {
  let monitor = monitors.get(cache);
  if (monitor === undefined) {
    monitor = new Monitor(cache);
    monitors.set(cache, monitor);
  }
  return monitor;
}
