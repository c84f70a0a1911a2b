/** Wakes all who wait for the next change. */
export class Bell {
  #next: PromiseWithResolvers<void> | undefined;

  /** Waits for the next ring. */
  wait(): Promise<void> {
    return (this.#next ??= Promise.withResolvers()).promise;
  }

  /** Wakes those who wait now. */
  ring(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
