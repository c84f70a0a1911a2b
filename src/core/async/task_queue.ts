/** Runs tasks one after the other. */
export class TaskQueue {
  #isBusy = false;
  readonly #waiting = new Set<() => void>();

  /**
   * Runs a task after all earlier tasks have ended, and passes its outcome on.
   * Synchronous up to the first wait of the task if no other task runs.
   */
  async run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#isBusy) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    this.#isBusy = true;
    try {
      const result = task();
      return result instanceof Promise ? await result : result;
    } finally {
      this.#next();
    }
  }

  /** Hands the turn to the first waiter: a freed turn could go to a later task. */
  #next(): void {
    for (const start of this.#waiting) {
      this.#waiting.delete(start);
      return start();
    }
    this.#isBusy = false;
  }
}
