import type { GetOrDownloadOptions } from "../api/call_options.ts";
import type { Entry } from "../catalog/entry.ts";
import type { CallerLink } from "../download/caller_links.ts";
import type { CheckedEntry } from "../entries/hits.ts";
import {
  type Freshness,
  type FreshnessLimits,
  freshnessOf,
  type FreshnessTimes,
} from "./freshness.ts";
import { Revalidation, type RevalidationParts } from "./revalidation.ts";

/** The options of a caller, completed by those of the cache. */
export type CheckOptions = GetOrDownloadOptions & {
  readonly maxAgeMs: number;
};

/** The last checks of an entry. */
type CheckTimes = Pick<FreshnessTimes, "validatedAt" | "failedAt">;

/** The times of an entry that was never checked. */
const UNCHECKED: CheckTimes = { validatedAt: undefined, failedAt: undefined };

/** Judges how old entries are, and asks the origin about those that are too old, each once at a time. */
export class Revalidations {
  readonly #parts: RevalidationParts;
  /**
   * The last checks of known entries: most hits need no look at a note, and an origin that
   * fails is not asked at each call.
   */
  readonly #checks = new WeakMap<Entry, CheckTimes>();
  /** The running checks by key. */
  readonly #running = new Map<string, Revalidation>();
  #hasEnded = false;

  constructor(parts: RevalidationParts) {
    this.#parts = parts;
  }

  /** Whether an entry is older than the `maxAgeMs` of the cache. */
  async isStale(entry: Entry): Promise<boolean> {
    const { maxAgeMs, staleWhileRevalidateMs } = this.#parts.options;
    if (maxAgeMs === undefined) return false;
    const limits = { maxAgeMs, staleWhileRevalidateMs };
    return await this.#judge(entry, limits) !== "fresh";
  }

  /**
   * Asks the origin about an entry that is too old, if it is to be asked now, and waits for
   * the answer unless the entry may serve meanwhile.
   *
   * @param link The caller's link, by which the origin is asked.
   * @throws The reason of the caller's signal.
   */
  async check(
    entry: Entry,
    link: CallerLink,
    options: CheckOptions,
  ): Promise<CheckedEntry> {
    const { readOnly, ...ofCache } = this.#parts.options;
    const {
      maxAgeMs,
      staleWhileRevalidateMs = ofCache.staleWhileRevalidateMs,
    } = options;
    const limits = { maxAgeMs, staleWhileRevalidateMs };
    const freshness = await this.#judge(entry, limits);
    if (freshness === "fresh") return freshness;
    if (freshness === "deferred" || readOnly || this.#hasEnded) return "stale";
    let running = this.#running.get(entry.key);
    // No request is made by a link whose failure is remembered.
    const hasFailed = running === undefined &&
      this.#parts.failures?.find(link.url) !== undefined;
    if (hasFailed) return "stale";
    if (freshness === "usable") {
      if (running === undefined) {
        running = this.#start(entry, link);
        running.goBehind(options.accept);
      }
      return "stale";
    }
    running ??= this.#start(entry, link);
    try {
      const { result } = await running.wait(options, link);
      if (result === "replaced") return result;
      return result === "failed" ? "stale" : "fresh";
    } catch {
      options.signal?.throwIfAborted();
      // The check waits for this caller, which is the downloader of the URL.
      return "stale";
    }
  }

  /** The running check of a key. */
  find(key: string): Revalidation | undefined {
    return this.#running.get(key);
  }

  /** Ends all checks: all entries were deleted. */
  detachAll(): void {
    for (const running of this.#running.values()) running.detach();
  }

  /** Ends all checks with an error; their callers get the old bytes. */
  abort(reason: unknown): void {
    for (const running of this.#running.values()) running.abort(reason);
  }

  /** Starts no further check, and waits for those that run. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    const running = [...this.#running.values()];
    await Promise.all(running.map(({ ended }) => ended));
  }

  /** Judges an entry by what is remembered, and by its note only where that says stale. */
  async #judge(entry: Entry, limits: FreshnessLimits): Promise<Freshness> {
    const { key, storedAt } = entry;
    const judge = () =>
      freshnessOf({ storedAt, ...this.#checksOf(entry) }, limits, Date.now());
    const freshness = judge();
    if (freshness === "fresh" || freshness === "deferred") return freshness;
    const note = await this.#parts.notes.read(key);
    const validatedAt = note?.validatedAt;
    const now = this.#checksOf(entry);
    // Another process has confirmed the bytes, or this one during the look.
    if (validatedAt !== undefined && validatedAt !== now.validatedAt) {
      this.#checks.set(entry, { validatedAt, failedAt: undefined });
    }
    return judge();
  }

  #checksOf(entry: Entry): CheckTimes {
    return this.#checks.get(entry) ?? UNCHECKED;
  }

  #start(entry: Entry, link: CallerLink): Revalidation {
    const { key } = entry;
    const { validatedAt } = this.#checksOf(entry);
    const running = new Revalidation(this.#parts, entry, validatedAt, link);
    this.#running.set(key, running);
    running.ended.then((end) => {
      // Ended first, so that a caller that comes at once finds the times.
      this.#running.delete(key);
      const { result, validatedAt } = end;
      this.#checks.set(
        entry,
        result === "failed"
          ? { ...this.#checksOf(entry), failedAt: Date.now() }
          : { validatedAt, failedAt: undefined },
      );
      running.release(end);
    });
    return running;
  }
}
