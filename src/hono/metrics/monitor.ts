import type { FailedEvent, MediaCacheEvent } from "../../core/api/events.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { FailureCounts } from "./failure_counts.ts";
import { History } from "./history.ts";
import { Observations } from "./observations.ts";
import { RecentEvents } from "./recent_events.ts";
import { UseCounter } from "./use_counter.ts";

/** What a router knows of a cache beyond its stats, all of it bounded. */
export class Monitor {
  /** Times and sizes. */
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
  /** How many failures the cache had counted at the last one. */
  #failures: number;

  /** Watches a cache for as long as that lives. */
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

  /** Counts what the cache counts: not what was ended because nobody wants it. */
  #takeFailure(event: FailedEvent): void {
    const { failures } = this.#cache.stats();
    if (failures > this.#failures) this.failures.add(event);
    this.#failures = failures;
  }
}

// One for each cache, however many routers it has: a cache has no way to tell
// that a router is gone, and a closed one tells no events, so nothing is left
// to be stopped.
const monitors = new WeakMap<MediaCache, Monitor>();

/** The monitor of a cache. */
export function monitorOf(cache: MediaCache): Monitor {
  let monitor = monitors.get(cache);
  if (monitor === undefined) {
    monitor = new Monitor(cache);
    monitors.set(cache, monitor);
  }
  return monitor;
}
