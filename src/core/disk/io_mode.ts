/*
 * An asynchronous file operation in Deno is a hop to another thread: to open, read
 * and close 10 KiB takes 133 µs that way, and 10 µs synchronously (measured). So
 * operations are synchronous while the disk is fast, and asynchronous for a while
 * after slow ones; callers `await` either way.
 */

/** A result, or the promise of a result. */
export type MaybePromise<T> = T | Promise<T>;

/** An operation that takes longer than this is slow, in milliseconds. */
const SLOW_MS = 10;

/**
 * The disk counts as slow after two slow operations within this time, in
 * milliseconds. A single one rather means that another process had the processor:
 * counting it made downloads on a busy machine three times as slow (measured).
 */
const SLOW_AGAIN_MS = 1_000;

/**
 * How long the disk then counts as slow, in milliseconds: at first briefly, since
 * any process is held up at times; twice as long each time until an operation is
 * fast.
 */
const SLOW_FOR_MS = { min: 1_000, max: 32_000 };

/** Chooses between synchronous and asynchronous operations on a disk. */
export class IoMode {
  #slowUntil = -Infinity;
  #lastSlow = -Infinity;
  #slowForMs = 0;

  /** Whether operations are asynchronous now. */
  get isSlow(): boolean {
    return performance.now() < this.#slowUntil;
  }

  /**
   * Runs the synchronous form of an operation, or the asynchronous on a slow disk; both
   * with `args`, so that no caller makes a function for each operation.
   */
  run<A extends unknown[], T>(
    sync: (...args: A) => T,
    deferred: (...args: A) => Promise<T>,
    ...args: A
  ): MaybePromise<T> {
    const start = performance.now();
    if (start < this.#slowUntil) return deferred(...args);
    try {
      return sync(...args);
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
