/**
 * How far a time on disk may lie ahead, in milliseconds: the clocks of machines
 * that share a disk differ a little. What is beyond was written by a wrong clock.
 */
export const MAX_SKEW_MS = 300_000;

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
