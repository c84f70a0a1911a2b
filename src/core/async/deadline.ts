import { DownloadTimeoutError } from "../api/errors.ts";
import { startIdleTimer, startTimer } from "./timer.ts";

/** How often the clock is looked at within the shorter limit: a hold counts as an eighth of it at most. */
const LOOKS = 8;

/** How late a timer may be before the event loop counts as held, in milliseconds. */
const SLACK_MS = 20;

/**
 * Ends a download that takes too long, or falls silent.
 *
 * Time in which nobody could have read does not count: while the event loop is
 * held, or the process stopped, bytes wait in the socket. A hold that lasts as long
 * as the limit of silence begins that limit anew.
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

  /** Starts both clocks. */
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

  /** A byte has come. */
  alive(): void {
    this.#advance();
    this.#silentMs = 0;
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

  // A timer for each chunk would cost more than the chunk, so one timer looks again
  // and again. While readers hold the download back nothing will end it, so that the
  // timer must not keep the process alive.
  #watch(waitMs: number): void {
    const start = this.#paused ? startIdleTimer : startTimer;
    this.#stopTimer = start(waitMs, () => this.#look());
  }

  #look(): void {
    const isHeld = this.#advance();
    const idleLeftMs = this.#idleMs - this.#silentMs;
    const totalLeftMs = this.#totalMs - this.#runMs;
    const leftMs = Math.min(idleLeftMs, totalLeftMs);
    // After a hold the bytes that wait in the socket come first.
    if (isHeld || leftMs >= this.#lookMs) return this.#watch(this.#lookMs);
    if (leftMs > 0) return this.#watch(leftMs);
    const [limitMs, kind] = totalLeftMs <= 0
      ? [this.#totalMs, "total"] as const
      : [this.#idleMs, "idle"] as const;
    this.#onTimeout(new DownloadTimeoutError(limitMs, kind));
  }
}
