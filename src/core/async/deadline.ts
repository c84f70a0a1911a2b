import { DownloadTimeoutError } from "../api/errors.ts";
import { startIdleTimer, startTimer } from "./timer.ts";

/** Ends a download that takes too long, or falls silent. */
export class Deadline {
  readonly #idleMs: number;
  readonly #onTimeout: (error: DownloadTimeoutError) => void;
  readonly #stopTotal: () => void;
  #stopIdle = () => {};
  #lastByte = 0;
  #paused = false;

  /** Starts both clocks. */
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

  /** A byte has come. */
  alive(): void {
    this.#lastByte = performance.now();
  }

  /** The download is held back by us, so its silence is not its fault. */
  pause(): void {
    this.#paused = true;
  }

  /** It may go on. */
  resume(): void {
    this.#paused = false;
    this.alive();
  }

  /** Stops both clocks. */
  stop(): void {
    this.#stopTotal();
    this.#stopIdle();
  }

  // One timer that looks again when bytes have come: setting a new one for each
  // chunk would cost more than the chunk. While readers hold the download back
  // nothing will end it, so it must not keep the process alive.
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
