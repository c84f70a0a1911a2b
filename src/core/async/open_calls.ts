import { CacheClosedError } from "../api/errors.ts";

/** Calls that use the disk, so that closing can wait until none does any more. */
export class OpenCalls {
  #running = 0;
  #ended: PromiseWithResolvers<void> | undefined;

  /** Runs a call; its outcome is passed on. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await call();
    } finally {
      if (--this.#running === 0) this.#ended?.resolve();
    }
  }

  /** Throws when somebody waits for the end: for calls that take long. */
  check(): void {
    if (this.#ended !== undefined) throw new CacheClosedError();
  }

  /** Waits until no call runs. Nobody may begin one meanwhile. */
  async end(): Promise<void> {
    this.#ended ??= Promise.withResolvers();
    if (this.#running > 0) await this.#ended.promise;
  }
}
