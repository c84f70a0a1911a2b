import { CacheClosedError } from "../api/errors.ts";
import { startIdleTimer } from "./timer.ts";
import { Pacer } from "./pacer.ts";

/**
 * Paces background work. While no call waits for an outcome, the work takes at
 * most half of the time and never keeps the process alive.
 */
export class Background extends Pacer {
  #waiting = 0;
  #stopped = false;
  #wake: (() => void) | undefined;

  /** Whether the work must end. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * Gives the event loop a turn.
   *
   * @throws {CacheClosedError} If the work must end.
   */
  override async yield(): Promise<void> {
    if (!this.#stopped && this.#waiting === 0) await this.#pause();
    if (this.#stopped) throw new CacheClosedError();
    await super.yield();
  }

  /** Waits for an outcome of the work, which runs without pauses meanwhile. */
  async awaited<T>(outcome: Promise<T>): Promise<T> {
    this.#waiting++;
    this.#wake?.();
    try {
      return await outcome;
    } finally {
      this.#waiting--;
    }
  }

  /** Makes the next `yield()` throw, which ends the work. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = startIdleTimer(0, resolve);
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
    stopTimer();
  }
}
