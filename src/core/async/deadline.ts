import { DownloadTimeoutError } from "../api/errors.ts";
import { startIdleTimer, startTimer } from "./timer.ts";

/** Looks at the clock within the shorter limit, so that a hold counts as an eighth of it at most. */
const LOOKS = 8;

/** A timer that is later than this means that the event loop was held, in milliseconds. */
const SLACK_MS = 20;

/**
 * Reports a download that takes too long, or brings no byte for too long.
 *
 * Time in which no byte could be read does not count: while the event loop is held, or
 * the process stopped, bytes wait in the socket. A hold as long as the idle limit begins
 * that limit anew.
 */
export class Deadline {
  readonly #idleMs: number;
  readonly #totalMs: number;
  readonly #lookMs: number;
  readonly #onTimeout: (error: DownloadTimeoutError) => void;
  #stopTimer = () => {};
  #lookedAt = performance.now();
  #silentMs = 0;
  #runMs = 0;
  #paused = false;
  #hasFired = false;

  /**
   * Starts both clocks.
   *
   * @param idleMs The longest time without a byte, in milliseconds; may be infinite.
   * @param totalMs The longest time in all, in milliseconds; may be infinite.
   * @param onTimeout Called with the error that names the limit; once, unless `alive()`
   * is called after it.
   */
  constructor(
    idleMs: number,
    totalMs: number,
    onTimeout: (error: DownloadTimeoutError) => void,
  ) {
    this.#idleMs = idleMs;
    this.#totalMs = totalMs;
    this.#lookMs = Math.ceil(Math.min(idleMs, totalMs) / LOOKS);
    this.#onTimeout = onTimeout;
    this.#watch(this.#lookMs);
  }

  /** Starts the idle clock anew: a byte has come. */
  alive(): void {
    this.#advance();
    this.#silentMs = 0;
    if (!this.#hasFired) return;
    this.#hasFired = false;
    this.#watch(this.#lookMs);
  }

  /** Stops the idle clock while readers or the disk hold the download back. */
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
    this.#stopTimer();
  }

  /** Counts the time since the last look; true when the event loop was held. */
  #advance(): boolean {
    const now = performance.now();
    const passedMs = now - this.#lookedAt;
    this.#lookedAt = now;
    const isHeld = passedMs >
      this.#lookMs + Math.max(this.#lookMs, SLACK_MS);
    const countedMs = isHeld ? this.#lookMs : passedMs;
    this.#runMs += countedMs;
    this.#silentMs += countedMs;
    const isAnew = isHeld && passedMs >= this.#idleMs;
    if (isAnew || this.#paused) this.#silentMs = 0;
    return isHeld;
  }

  // A single timer looks again and again: a timer for each chunk would cost more than
  // the chunk. A paused download can't time out, so its timer must not keep the process
  // alive.
  #watch(waitMs: number): void {
    const start = this.#paused ? startIdleTimer : startTimer;
    this.#stopTimer = start(waitMs, () => this.#look());
  }

  #look(): void {
    const isHeld = this.#advance();
    const idleLeftMs = this.#idleMs - this.#silentMs;
    const totalLeftMs = this.#totalMs - this.#runMs;
    const leftMs = Math.min(idleLeftMs, totalLeftMs);
    // After a hold, let bytes that wait in the socket come first.
    if (isHeld || leftMs >= this.#lookMs) return this.#watch(this.#lookMs);
    if (leftMs > 0) return this.#watch(leftMs);
    const [limitMs, kind] = totalLeftMs <= 0
      ? [this.#totalMs, "total"] as const
      : [this.#idleMs, "idle"] as const;
    this.#hasFired = true;
    this.#onTimeout(new DownloadTimeoutError(limitMs, kind));
  }
}
