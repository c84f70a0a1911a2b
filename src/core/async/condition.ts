/** A condition variable: callers wait for the next change of it. */
export class Condition {
  #next: PromiseWithResolvers<void> | undefined;

  /** Waits for the next `notifyAll()`. */
  wait(): Promise<void> {
    return (this.#next ??= Promise.withResolvers()).promise;
  }

  /** Ends all waits that have begun. */
  notifyAll(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
