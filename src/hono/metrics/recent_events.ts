import type { MediaCacheEvent } from "../../core/api/events.ts";

const MAX_EVENTS = 30;

/** An event as it is listed: hits in a row are one item. */
export interface RecentEvent {
  /** The event; of several hits the last. */
  readonly event: MediaCacheEvent;
  /** How many it stands for. */
  readonly count: number;
}

/** The last events of a cache. */
export class RecentEvents {
  readonly #events: RecentEvent[] = [];

  /** Newest first. */
  list(): RecentEvent[] {
    return this.#events.toReversed();
  }

  /** Adds an event, and forgets the oldest one above the limit. */
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
