import { DownloadTimeoutError } from "../api/errors.ts";
import { startIdleTimer, startTimer } from "./timer.ts";

/** Reports a download that takes too long, or brings no byte for too long. */
export class Deadline {
  readonly #idleMs: number;
  readonly #onTimeout: (error: DownloadTimeoutError) => void;
  readonly #stopTotal: () => void;
  #stopIdle = () => {};
  #lastByte = 0;
  #paused = false;

  /**
   * Starts both clocks.
   *
   * @param idleMs The longest time without a byte, in milliseconds.
   * @param totalMs The longest time in all, in milliseconds; may be infinite.
   * @param onTimeout Called once for each clock that runs out.
   */
  constructor(
    idleMs: number,
    totalMs: number,
    onTimeout: (error: DownloadTimeoutError) => void,
  ) {
    this.#idleMs = idleMs;
    this.#onTimeout = onTimeout;
    this.#stopTotal = startTimer(totalMs, () => {
      onTimeout(new DownloadTimeoutError(totalMs, "total"));
    });
    this.alive();
    this.#watch(idleMs);
  }

  /** Starts the idle clock anew: a byte has come. */
  alive(): void {
    this.#lastByte = performance.now();
  }

  /** Stops the idle clock while readers hold the download back. */
  pause(): void {
    this.#paused = true;
  }

  /** Starts the idle clock again. */
  resume(): void {
    this.#paused = false;
    this.alive();
  }

  /** Stops both clocks. */
  stop(): void {
    this.#stopTotal();
    this.#stopIdle();
  }

  // A single timer that reads `#lastByte` when it fires: a new timer for each chunk
  // would cost more than the chunk. A paused download can't time out, so its timer
  // must not keep the process alive.
  #watch(waitMs: number): void {
    const start = this.#paused ? startIdleTimer : startTimer;
    this.#stopIdle = start(waitMs, () => {
      if (this.#paused) return this.#watch(this.#idleMs);
      const left = this.#idleMs - (performance.now() - this.#lastByte);
      if (left > 0) return this.#watch(left);
      this.#onTimeout(new DownloadTimeoutError(this.#idleMs, "idle"));
    });
  }
}
