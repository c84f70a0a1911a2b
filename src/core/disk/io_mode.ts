/*
 * An asynchronous file operation in Deno is a hop to another thread: opening,
 * reading and closing 10 KiB takes 133 µs that way and 10 µs synchronously. So
 * every operation is synchronous as long as the disk answers at once, and
 * asynchronous for a while after one took longer than a blink; callers `await`
 * either way.
 */

/** A result that is there already, or will be. */
export type MaybePromise<T> = T | Promise<T>;

/** An operation above this many milliseconds makes the disk a slow one, … */
const SLOW_MS = 10;

/**
 * … if it is not the only one within this time, in milliseconds. One alone says
 * more of the processor, which was given to somebody else in its midst: that
 * made downloads on a busy machine three times as slow.
 */
const SLOW_AGAIN_MS = 1_000;

/**
 * How long a disk counts as slow after a slow operation, in milliseconds: at first
 * briefly, since any process is held up once in a while; then twice as long each
 * time, for as long as no operation is fast.
 */
const SLOW_FOR_MS = { min: 1_000, max: 32_000 };

/** How a disk is asked: synchronously while it is fast. */
export class IoMode {
  #slowUntil = -Infinity;
  #lastSlow = -Infinity;
  #slowForMs = 0;

  /** Runs the synchronous form of an operation, or the other on a slow disk. */
  run<T>(sync: () => T, async: () => Promise<T>): MaybePromise<T> {
    const start = performance.now();
    if (start < this.#slowUntil) return async();
    try {
      return sync();
    } finally {
      const end = performance.now();
      if (end - start > SLOW_MS) this.#tookLong(end);
      else this.#slowForMs = 0;
    }
  }

  #tookLong(now: number): void {
    const isAlone = this.#slowForMs === 0 &&
      now - this.#lastSlow > SLOW_AGAIN_MS;
    this.#lastSlow = now;
    if (isAlone) return;
    const { min, max } = SLOW_FOR_MS;
    this.#slowForMs = Math.min(Math.max(2 * this.#slowForMs, min), max);
    this.#slowUntil = now + this.#slowForMs;
  }
}
