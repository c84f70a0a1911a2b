import type { MediaCacheEvent } from "../../core/api/events.ts";

const MAX_EVENTS = 30;

/** An event of the list. Consecutive hits are one item. */
export interface RecentEvent {
  /** The event; the last of several hits. */
  readonly event: MediaCacheEvent;
  /** Number of hits in the item, else 1. */
  readonly count: number;
}

/** The last events of a cache. */
export class RecentEvents {
  readonly #events: RecentEvent[] = [];

  /** Returns the events, newest first. */
  list(): RecentEvent[] {
    return this.#events.toReversed();
  }

  /** Adds an event, and drops the oldest above the limit. */
  add(event: MediaCacheEvent): void {
    const last = this.#events.at(-1);
    if (event.type === "hit" && last?.event.type === "hit") {
      this.#events[this.#events.length - 1] = { event, count: last.count + 1 };
      return;
    }
    this.#events.push({ event, count: 1 });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }
}
