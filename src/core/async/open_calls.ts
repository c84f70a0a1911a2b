import { CacheClosedError } from "../api/errors.ts";

/** Counts the calls that use the disk, so that `close()` can wait for their end. */
export class OpenCalls {
  #running = 0;
  #ended: PromiseWithResolvers<void> | undefined;

  /** Runs a call and passes its outcome on. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await call();
    } finally {
      if (--this.#running === 0) this.#ended?.resolve();
    }
  }

  /**
   * Lets a long call stop early.
   *
   * @throws {CacheClosedError} If `end()` waits for the calls to end.
   */
  check(): void {
    if (this.#ended !== undefined) throw new CacheClosedError();
  }

  /** Waits until no call runs. The caller sees to it that none begins meanwhile. */
  async end(): Promise<void> {
    this.#ended ??= Promise.withResolvers();
    if (this.#running > 0) await this.#ended.promise;
  }
}
