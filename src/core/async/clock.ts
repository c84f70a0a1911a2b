/**
 * How far a time on disk may lie in the future, in milliseconds: the clocks of
 * machines that share a disk differ a little. A later time is a wrong clock's.
 */
export const MAX_SKEW_MS = 300_000;

/** A microsecond, in milliseconds. */
const STEP_MS = 0.001;

/** A wall clock whose answers always increase, also when the system's clock is set back. */
export class Clock {
  #last = -Infinity;

  /** Now, in milliseconds since the epoch. */
  tick(): number {
    const now = Date.now();
    return this.#last = now > this.#last ? now : this.#last + STEP_MS;
  }
}
