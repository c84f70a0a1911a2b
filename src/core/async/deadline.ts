import { startIdleTimer, startTimer } from "./timer.ts";

/** Looks at the clock within the shorter limit, so that a hold counts as an eighth of it at most. */
const LOOKS = 8;

/** A timer that is later than this means that the event loop was held, in milliseconds. */
const SLACK_MS = 20;

/** Called with the limit that has passed, and its length in milliseconds. */
export type OnTimeout = (kind: "idle" | "total", limitMs: number) => void;

/**
 * Limits how long a task is silent, and how long it takes.
 *
 * Time in which nothing could be read does not count: while the event loop is held, or
 * the process stopped, bytes wait in the socket. A hold as long as the idle limit begins
 * that limit anew.
 */
export class Deadline {
  /** Whether time counts for the limit in all. */
  countsTotal = true;
  readonly #idleMs: number;
  readonly #totalMs: number;
  readonly #lookMs: number;
  readonly #onTimeout: OnTimeout;
  readonly #isHeldBack: () => boolean;
  #stopTimer = () => {};
  #lookedAt = performance.now();
  #dueAt = Infinity;
  #silentMs = 0;
  #runMs = 0;
  #paused = false;
  #isExtended = false;
  #hasFired = false;

  /**
   * Starts both clocks.
   *
   * @param idleMs The longest time without a byte, in milliseconds; may be infinite.
   * @param totalMs The longest time in all, in milliseconds; may be infinite.
   * @param onTimeout Called once, unless `alive()` is called after it.
   * @param isHeldBack Asked at each look: whether the task waits for the cache, which
   * starts the idle clock anew.
   */
  constructor(
    idleMs: number,
    totalMs: number,
    onTimeout: OnTimeout,
    isHeldBack: () => boolean = () => false,
  ) {
    this.#idleMs = idleMs;
    this.#totalMs = totalMs;
    this.#lookMs = Math.ceil(Math.min(idleMs, totalMs) / LOOKS);
    this.#onTimeout = onTimeout;
    this.#isHeldBack = isHeldBack;
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

  /** The time left of the limit in all, in milliseconds. */
  get leftMs(): number {
    this.#advance();
    return this.#totalMs - this.#runMs;
  }

  /** Stops both clocks. */
  stop(): void {
    this.#stopTimer();
  }

  /** Counts the time since the last look; true when the event loop was held. */
  #advance(): boolean {
    const now = performance.now();
    const isHeld = now > this.#dueAt + SLACK_MS;
    const heldMs = isHeld ? now - this.#dueAt : 0;
    const countedMs = Math.max(0, now - heldMs - this.#lookedAt);
    this.#lookedAt = now;
    if (this.countsTotal) this.#runMs += countedMs;
    this.#silentMs += countedMs;
    const isAnew = heldMs > 0 && heldMs + countedMs >= this.#idleMs;
    if (isAnew || this.#paused) this.#silentMs = 0;
    return isHeld;
  }

  // A single timer looks again and again: a timer for each chunk would cost more than
  // the chunk. A paused download can't time out, so its timer must not keep the process
  // alive.
  #watch(waitMs: number): void {
    const start = this.#paused ? startIdleTimer : startTimer;
    this.#dueAt = performance.now() + waitMs;
    this.#stopTimer = start(waitMs, () => this.#look());
  }

  #look(): void {
    const isHeld = this.#advance();
    if (this.#isHeldBack()) this.#silentMs = 0;
    const idleLeftMs = this.#idleMs - this.#silentMs;
    const totalLeftMs = this.#totalMs - this.#runMs;
    const leftMs = Math.min(idleLeftMs, totalLeftMs);
    // After a hold, let bytes that wait in the socket come first; once, or a loop that is
    // held again and again would never time out.
    const isExtended = leftMs <= 0 && isHeld && !this.#isExtended;
    this.#isExtended = isExtended;
    if (isExtended) return this.#watch(this.#lookMs);
    if (leftMs > 0) return this.#watch(Math.min(leftMs, this.#lookMs));
    this.#hasFired = true;
    // No timer runs now, so that none can be late.
    this.#dueAt = Infinity;
    if (totalLeftMs <= 0) this.#onTimeout("total", this.#totalMs);
    else this.#onTimeout("idle", this.#idleMs);
  }
}
