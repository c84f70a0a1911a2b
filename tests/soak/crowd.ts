import type { MediaCache } from "../../mod.ts";
import { Caller, type World } from "./caller.ts";
import { endsInTime } from "./ends_in_time.ts";

/** Callers that use one cache at the same time. */
export class Crowd {
  readonly #world: World;
  readonly #callers: Caller[];
  readonly #running: Promise<unknown>;

  /** Starts this many callers; they call until the signal is aborted. */
  constructor(world: World, callers: number) {
    this.#world = world;
    this.#callers = Array.from({ length: callers }, () => new Caller(world));
    this.#running = Promise.all(this.#callers.map((caller) => caller.run()));
  }

  /** Waits until all callers have ended, and closes the cache in any case. */
  async end(cache: MediaCache): Promise<void> {
    const hasEnded = await endsInTime(this.#running);
    if (!hasEnded) this.#tellStuck(cache);
    if (await endsInTime(cache.close({ abort: !hasEnded }))) return;
    this.#world.tally.wrong("the cache does not close");
  }

  #tellStuck(cache: MediaCache): void {
    const { tally } = this.#world;
    for (const { doing } of this.#callers) {
      if (doing !== "it has ended") tally.wrong(`does not end: ${doing}`);
    }
    for (const { url, phase, received, total } of cache.inFlight()) {
      tally.wrong(`in flight: ${url} ${phase} ${received} of ${total}`);
    }
  }
}
