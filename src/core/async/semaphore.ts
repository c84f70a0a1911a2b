/** Lets a limited number of callers go on at the same time, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param permits How many callers may go on at the same time. */
  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Waits for a turn.
   *
   * @param signal Ends the wait.
   * @returns A function that ends the turn; call it once.
   * @throws {unknown} The signal's reason, if it is or becomes aborted before the turn.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    return () => this.#release();
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const enter = () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    };
    const leave = () => {
      this.#waiting.delete(enter);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    this.#waiting.add(enter);
    return promise;
  }

  /** Hands the turn to the first waiter: a freed turn could go to a later caller. */
  #release(): void {
    for (const enter of this.#waiting) {
      this.#waiting.delete(enter);
      return enter();
    }
    this.#free++;
  }
}
