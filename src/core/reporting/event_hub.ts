import { callSafely } from "./call_safely.ts";
import type { MediaCacheEvent, MediaCacheListener } from "../api/events.ts";
import { formatEvent } from "../api/format_event.ts";

/** Kinds of event that are printed where nobody listens. */
const WARNINGS: ReadonlySet<MediaCacheEvent["type"]> = new Set([
  "conversionUnavailable",
  "degraded",
  "diskError",
  "remoteDown",
  "skipped",
]);

/** An event to which the hub adds the time. */
export type UnstampedEvent = MediaCacheEvent extends infer Each
  ? Each extends MediaCacheEvent ? Omit<Each, "time"> : never
  : never;

/** Stamps events with the time, and hands them to their listeners. */
export class EventHub {
  /** Whether there is a listener. Hot paths create no event without a listener. */
  listening: boolean;
  readonly #listeners = new Set<MediaCacheListener>();
  readonly #warned = new Set<string>();
  readonly #warns: boolean;

  /**
   * Creates a hub, which prints warnings on the console if it has no `onEvent`.
   */
  constructor(onEvent: MediaCacheListener | undefined) {
    this.#warns = onEvent === undefined;
    this.listening = onEvent !== undefined;
    if (onEvent !== undefined) this.#listeners.add(onEvent);
  }

  /** Adds a listener. The returned function removes it. */
  subscribe(listener: MediaCacheListener): () => void {
    if (typeof listener !== "function") {
      throw new TypeError(
        `Cannot subscribe: listener must be a function: received ${typeof listener}`,
      );
    }
    // A new function each time, so that a listener may subscribe twice.
    const subscription: MediaCacheListener = (event) => listener(event);
    this.#listeners.add(subscription);
    this.listening = true;
    return () => {
      this.#listeners.delete(subscription);
      this.listening = this.#listeners.size > 0;
    };
  }

  /**
   * Sends an event to every listener. An error of a listener reaches nobody
   * else.
   */
  emit(unstamped: UnstampedEvent): void {
    if (!this.#warns && !this.listening) return;
    // The members of an event and its time make an event again.
    const event = { time: Date.now(), ...unstamped } as MediaCacheEvent;
    // A downloader's error may hold the URL: printing the event must not print it.
    if (event.type === "failed") {
      Object.defineProperty(event, "error", { enumerable: false });
    }
    for (const listener of [...this.#listeners]) {
      callSafely(() => listener(event));
    }
    if (!this.#warns || !WARNINGS.has(event.type)) return;
    // Each refused operation has another cost, so each is a kind of its own.
    const kind = event.type === "degraded" ? event.operation : event.type;
    if (!this.#warned.has(kind)) {
      this.#warned.add(kind);
      // deno-lint-ignore no-console -- the one place where the library speaks: a fault that nobody listens for
      console.warn(formatEvent(event));
    }
  }
}
