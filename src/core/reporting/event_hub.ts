import { callSafely } from "./call_safely.ts";
import type { MediaCacheEvent, MediaCacheListener } from "../api/events.ts";
import { formatEvent } from "../api/format_event.ts";

/** Kinds of event that an operator must hear of although nobody listens. */
const WARNINGS: ReadonlySet<MediaCacheEvent["type"]> = new Set([
  "conversionUnavailable",
  "degraded",
  "diskError",
  "skipped",
]);

/** An event before the hub stamps the time. */
export type UnstampedEvent = MediaCacheEvent extends infer Each
  ? Each extends MediaCacheEvent ? Omit<Each, "time"> : never
  : never;

/** Stamps events with the time, and hands them to their listeners. */
export class EventHub {
  readonly #listeners = new Set<MediaCacheListener>();
  readonly #warned = new Set<string>();
  readonly #warns: boolean;

  /** A hub that warns on the console unless it is given a listener. */
  constructor(onEvent: MediaCacheListener | undefined) {
    this.#warns = onEvent === undefined;
    if (onEvent !== undefined) this.#listeners.add(onEvent);
  }

  /** Whether anybody listens; hot paths make no event otherwise. */
  get listening(): boolean {
    return this.#listeners.size > 0;
  }

  /** Adds a listener; the function returned takes it away again. */
  subscribe(listener: MediaCacheListener): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const subscription: MediaCacheListener = (event) => listener(event);
    this.#listeners.add(subscription);
    return () => {
      this.#listeners.delete(subscription);
    };
  }

  /** Tells every listener. An error of a listener reaches nobody else. */
  emit(unstamped: UnstampedEvent): void {
    if (!this.#warns && !this.listening) return;
    // The members of an event and its time make an event again.
    const event = { time: Date.now(), ...unstamped } as MediaCacheEvent;
    for (const listener of [...this.#listeners]) {
      callSafely(() => listener(event));
    }
    if (!this.#warns || !WARNINGS.has(event.type)) return;
    // Each operation that is refused costs something else.
    const kind = event.type === "degraded" ? event.operation : event.type;
    if (!this.#warned.has(kind)) {
      this.#warned.add(kind);
      // deno-lint-ignore no-console -- the one place where the library speaks: a fault that nobody listens for
      console.warn(formatEvent(event));
    }
  }
}
