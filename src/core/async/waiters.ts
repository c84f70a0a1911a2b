/** Callers that wait for the same result; each may stop waiting alone. */
export class Waiters<T> {
  readonly #waiting = new Set<PromiseWithResolvers<T>>();

  /** How many callers wait. */
  get count(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for the result.
   *
   * @param signal Ends the wait of this caller: rejects with the signal's reason.
   * @param onLeave Called when the signal has ended the wait.
   */
  async wait(
    signal: AbortSignal | undefined,
    onLeave: () => void,
  ): Promise<T> {
    const waiter = Promise.withResolvers<T>();
    const leave = () => {
      if (!this.#waiting.delete(waiter)) return;
      waiter.reject(signal?.reason);
      onLeave();
    };
    this.#waiting.add(waiter);
    if (signal?.aborted) leave();
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await waiter.promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Resolves each wait with a result of its own, made by `make`. */
  resolve(make: () => T): void {
    for (const { resolve } of this.#waiting) resolve(make());
    this.#waiting.clear();
  }

  /** Rejects each wait. */
  reject(error: unknown): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}
