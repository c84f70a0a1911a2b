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
 * The disk counts as slow after three slow operations with fewer fast ones than `weight`
 * between them: each slow one adds `weight`, each fast one takes 1 away. A slow operation
 * among many fast ones rather means that another process had the processor: counting it
 * made a put on a busy machine three times as dear (measured: 250 to 340 µs of CPU in
 * place of 500 to 2,200 at 10 runnable threads a core).
 */
const SLOW = { weight: 32, above: 64 };

/**
 * How long the disk then counts as slow, in milliseconds: at first briefly, since
 * any process is held up at times; twice as long each time until an operation is
 * fast.
 */
const SLOW_FOR_MS = { min: 1_000, max: 32_000 };

/** Chooses between synchronous and asynchronous operations on a disk. */
export class IoMode {
  #slowUntil = -Infinity;
  #slowness = 0;
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
      else {
        // Here and not in a method: every operation of the disk takes this way.
        this.#slowForMs = 0;
        if (this.#slowness > 0) this.#slowness--;
      }
    }
  }

  #tookLong(now: number): void {
    const { weight, above } = SLOW;
    const slowness = this.#slowness + weight;
    this.#slowness = Math.min(slowness, above);
    if (slowness <= above) return;
    const { min, max } = SLOW_FOR_MS;
    this.#slowForMs = Math.min(Math.max(2 * this.#slowForMs, min), max);
    this.#slowUntil = now + this.#slowForMs;
  }
}
