/** One microsecond, in milliseconds. */
const STEP_MS = 0.001;

/** The wall clock, but no two answers are the same and none goes back. */
export class Clock {
  #last = -Infinity;

  /** Now, in milliseconds since the epoch. */
  tick(): number {
    const now = Date.now();
    return this.#last = now > this.#last ? now : this.#last + STEP_MS;
  }
}
