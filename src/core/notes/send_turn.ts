import type { AsyncLocalStorage } from "node:async_hooks";
import { MediaCacheError } from "../api/errors.ts";

/** How a turn ended, for the calls that waited for it. */
export type TurnEnd =
  /** There is a handle. */
  | { readonly handle: string }
  /** The media was sent and has no handle: the others upload at once, and don't wait. */
  | "sent"
  /** The media could not be had: the others try that together. */
  | "unavailable"
  /** The upload failed, or its handle is outdated: the next call has its turn. */
  | "over";

/** A call in the task of a turn that waits for another turn. */
interface NestedCall {
  readonly turn: SendTurn;
}

/** Tells which turn's download or upload runs; made with the first one. */
let tasks: AsyncLocalStorage<SendTurn> | undefined;

/**
 * The turn of a call of `sendOnce()` to look for the handle, and to download and upload where
 * there is none. Disposal ends it with "over" unless it has ended.
 *
 * Calls in that task wait for turns in their turn. A call that closes a circle is refused: it
 * would wait for ever. `AsyncLocalStorage` outlives the task, so a call counts until its turn
 * is over. A circle that leads through a download which another call has begun is not seen,
 * and ends by `idleTimeoutMs`.
 */
export class SendTurn implements Disposable {
  /** Settles when the turn is over. */
  readonly ended: Promise<TurnEnd>;
  readonly #settle: (end: TurnEnd) => void;
  readonly #onEnd: () => void;
  /** The calls of its task. */
  readonly #calls = new Set<NestedCall>();
  readonly #begun: Disposable | undefined;
  #isOver = false;

  /** @param onEnd Called when the turn is over, at the latest with its disposal. */
  constructor(onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<TurnEnd>();
    this.ended = promise;
    this.#settle = resolve;
    this.#onEnd = onEnd;
    this.#begun = this.#callBy(SendTurn.#caller());
  }

  /**
   * Notes that a call waits for the turn until the result is disposed, if the call is one of
   * another turn's task.
   *
   * @throws {MediaCacheError} If the turn waits for that other turn.
   */
  enter(): Disposable | undefined {
    const caller = SendTurn.#caller();
    if (caller !== undefined && this.#waitsFor(caller)) {
      throw new MediaCacheError(
        "Cannot send: an upload must not wait for itself: " +
          "received a URL and place whose upload waits for this one",
      );
    }
    return this.#callBy(caller);
  }

  /** Runs the download and upload of the turn; calls in it are nested. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (tasks === undefined) {
      const { AsyncLocalStorage } = await import("node:async_hooks");
      tasks ??= new AsyncLocalStorage();
    }
    return await tasks.run(this, task);
  }

  /** Ends the turn. Idempotent. */
  end(end: TurnEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#begun?.[Symbol.dispose]();
    this.#onEnd();
    this.#settle(end);
  }

  /** Ends the turn with "over", unless it has ended. */
  [Symbol.dispose](): void {
    this.end("over");
  }

  /** The turn whose task calls, unless it is over. */
  static #caller(): SendTurn | undefined {
    const turn = tasks?.getStore();
    return turn === undefined || turn.#isOver ? undefined : turn;
  }

  #callBy(caller: SendTurn | undefined): Disposable | undefined {
    if (caller === undefined) return undefined;
    const call = { turn: this };
    caller.#calls.add(call);
    return { [Symbol.dispose]: () => void caller.#calls.delete(call) };
  }

  /** Whether this turn is another one, or waits for it by the calls of tasks. */
  #waitsFor(other: SendTurn): boolean {
    const seen = new Set<SendTurn>([this]);
    for (const each of seen) {
      for (const { turn } of each.#calls) if (!turn.#isOver) seen.add(turn);
    }
    return seen.has(other);
  }
}
