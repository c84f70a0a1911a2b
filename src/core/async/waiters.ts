/** Callers that wait for the same thing, each of whom may give up alone. */
export class Waiters<T> {
  readonly #waiting = new Set<PromiseWithResolvers<T>>();

  /** How many wait. */
  get count(): number {
    return this.#waiting.size;
  }

  /** Waits. Rejects with the signal's reason; `onLeave` is called then. */
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

  /** Gives each one what `make` makes for it. */
  resolve(make: () => T): void {
    for (const { resolve } of this.#waiting) resolve(make());
    this.#waiting.clear();
  }

  /** Tells each one why there is nothing to wait for. */
  reject(error: unknown): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}
