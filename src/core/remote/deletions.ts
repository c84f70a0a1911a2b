import type { ResolvedRemote } from "../api/remote_option.ts";
import { startIdleTimer, startTimer } from "../async/timer.ts";
import type { RemoteCalls } from "./remote_calls.ts";

/** The most keys that are remembered for another attempt; the newest are kept. */
const MAX_PENDING = 1_024;

/** The time until a deletion that failed is tried again, in milliseconds. */
const RETRY_MS = 5_000;

/** The time until a deletion that was refused is tried again, in milliseconds: a person must
 * change the permissions. */
const REFUSED_RETRY_MS = 60_000;

/**
 * Deletes objects, and tries again after failures. What has not succeeded when the process
 * ends is lost.
 */
export class Deletions {
  readonly #remote: ResolvedRemote;
  readonly #calls: RemoteCalls;
  readonly #before: (key: string) => Promise<void>;
  /** The keys whose objects are still to be deleted, the oldest first. */
  readonly #pending = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  #stopTimer: (() => void) | undefined;
  /** Whether the last attempt was refused. */
  #isRefused = false;
  #isClosed = false;

  /** @param before Ends the upload of a key, which would store its object again. */
  constructor(
    remote: ResolvedRemote,
    calls: RemoteCalls,
    before: (key: string) => Promise<void>,
  ) {
    this.#remote = remote;
    this.#calls = calls;
    this.#before = before;
  }

  /** Whether the object of a key is still to be deleted. */
  has(key: string): boolean {
    return this.#pending.has(key);
  }

  /** Deletes the object of a key, soon or later. */
  add(key: string): void {
    this.hold(key);
    if (!this.#isClosed) this.#attempt(key);
  }

  /** Notes that the object of a key is to be deleted: `add()` follows. */
  hold(key: string): void {
    if (this.#isClosed) return;
    this.#pending.delete(key);
    this.#pending.add(key);
    for (const oldest of this.#pending) {
      if (this.#pending.size <= MAX_PENDING) break;
      this.#pending.delete(oldest);
    }
  }

  /** Deletes the object of a key, and waits for that for at most the time of a lookup. */
  async delete(key: string): Promise<void> {
    this.add(key);
    const { lookupTimeoutMs } = this.#remote.limits;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = startTimer(lookupTimeoutMs, resolve);
    try {
      await Promise.race([this.settled(key), promise]);
    } finally {
      stop();
    }
  }

  /**
   * Deletes the object of a key no more: an upload takes its place.
   *
   * @returns Whether it was still to be deleted.
   */
  forget(key: string): boolean {
    return this.#pending.delete(key);
  }

  /** Waits for the attempt that runs, of one key or of all. */
  async settled(key?: string): Promise<void> {
    if (key !== undefined) return await this.#running.get(key);
    await Promise.all(this.#running.values());
  }

  /** Tries once more what has failed, unless the tier is down. */
  async drain(): Promise<void> {
    await this.settled();
    await this.#retry();
  }

  /** Forgets what has failed. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#pending.clear();
  }

  #attempt(key: string): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const attempt = this.#delete(key).finally(() => {
      this.#running.delete(key);
      this.#retryLater();
    });
    this.#running.set(key, attempt);
    return attempt;
  }

  async #delete(key: string): Promise<void> {
    const { tier, limits: { lookupTimeoutMs: timeoutMs } } = this.#remote;
    await this.#before(key);
    let isRefused = false;
    const outcome = await this.#calls.run(
      (limit) => tier.delete(key, limit),
      { timeoutMs, isBackground: true, onRefused: () => isRefused = true },
    );
    this.#isRefused = isRefused;
    if (typeof outcome !== "string") this.#pending.delete(key);
    // Behind the others, which the tier may let go.
    else if (isRefused && this.#pending.delete(key)) this.#pending.add(key);
  }

  #retryLater(): void {
    if (this.#stopTimer !== undefined || this.#isClosed) return;
    if (this.#pending.size === 0) return;
    const retryMs = this.#isRefused ? REFUSED_RETRY_MS : RETRY_MS;
    this.#stopTimer = startIdleTimer(retryMs, () => {
      this.#stopTimer = undefined;
      this.#retry();
    });
  }

  async #retry(): Promise<void> {
    for (const key of [...this.#pending]) {
      if (!this.#calls.admits) break;
      if (!this.#pending.has(key)) continue;
      await this.#attempt(key);
      if (this.#isRefused) break;
    }
    this.#retryLater();
  }
}
