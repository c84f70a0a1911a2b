import { UnacceptableTypeError } from "../api/errors.ts";
import type { Media } from "../api/media.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { Counters } from "../api/stats.ts";
import {
  CachedMedia,
  type Hit,
  type Lifetime,
} from "../bodies/cached_media.ts";
import type { Entry } from "../catalog/entry.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { isInRanges } from "../text/media_ranges.ts";
import type { Lookup } from "./lookup.ts";
import type { Peek } from "./peek.ts";

/** The answer to a caller that wants an entry younger than its `maxAgeMs`. */
export type CheckedEntry =
  /** The bytes of the entry are young enough, or were confirmed. */
  | "fresh"
  /** The bytes are older, and serve all the same. */
  | "stale"
  /** Other bytes have taken their place. */
  | "replaced";

/** The parts of the cache that {@linkcode Hits} works on. */
export interface HitParts {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** Finds entries. */
  readonly lookup: Lookup;
  /** Looks at entries and changes nothing. */
  readonly peek: Peek;
  /** Whether an entry is older than the `maxAgeMs` of the cache. */
  readonly isStale: (entry: Entry) => Promise<boolean>;
  /** Emits events. */
  readonly hub: EventHub;
  /** The counters of the cache. */
  readonly counters: Counters;
  /** The lifetime of the cache. */
  readonly lifetime: Lifetime;
}

/** Hands out the media of entries, counts the hits, and tells which are stale. */
export class Hits {
  readonly #parts: HitParts;
  readonly #assertOpen: () => void;

  /** @param assertOpen Throws if the cache is closed. */
  constructor(parts: HitParts, assertOpen: () => void) {
    this.#parts = parts;
    this.#assertOpen = assertOpen;
  }

  /**
   * Finds the entry of a URL, whatever its age. Returns no promise where `Lookup.locate()`
   * does not, unless ages are to be judged.
   *
   * @throws {CacheClosedError} If the cache was closed during the lookup.
   * @throws The reason of the signal.
   */
  get(url: string, signal?: AbortSignal): MaybePromise<Media | undefined> {
    const { hub, lookup, options } = this.#parts;
    const start = hub.listening ? performance.now() : 0;
    const found = lookup.locate(url);
    if (options.maxAgeMs === undefined && !(found instanceof Promise)) {
      return found && this.#hand(found, start, signal);
    }
    return this.#getLater(found, start, signal);
  }

  /**
   * Finds the entry of a URL that is young enough, or that the origin confirms, or that
   * serves all the same; or the entry of the bytes that have taken its place.
   *
   * @param check Judges the entry by the caller's `maxAgeMs`, and asks the origin if need
   * be. Rejects by the signal alone.
   * @throws {CacheClosedError} If the cache was closed meanwhile.
   * @throws The reason of the signal.
   */
  async getChecked(
    url: string,
    check: (entry: Entry) => Promise<CheckedEntry>,
    signal?: AbortSignal,
  ): Promise<Media | undefined> {
    const { lookup, counters, lifetime } = this.#parts;
    const start = performance.now();
    const hit = await lookup.locate(url);
    if (hit === undefined) return undefined;
    const checked = await check(hit.entry)
      // The next line tells the reason of the signal.
      .catch(() => "stale" as const);
    this.#recheck(hit, signal);
    if (checked !== "replaced") {
      const isStale = checked === "stale";
      if (isStale) counters.stale++;
      return this.#hand({ ...hit, isStale }, start, signal);
    }
    hit.body.release();
    // Look at its files again: another process may have replaced them just now, within the
    // time for which the trust rule needs no look.
    hit.entry.seenAtMs = 0;
    const now = await lookup.locate(url);
    if (now === undefined) return undefined;
    this.#recheck(now, signal);
    counters.misses++;
    const origin = { ...now, source: "download" } as const;
    return new CachedMedia(now.entry, origin, lifetime, signal);
  }

  /** Finds the entry of a key, and leaves no trace. */
  async peek(key: string): Promise<Media | undefined> {
    const { peek, lifetime } = this.#parts;
    const hit = await peek.hit(key);
    if (hit === undefined) return undefined;
    const isStale = await this.#isStale(hit.entry);
    this.#recheck(hit);
    return new CachedMedia(hit.entry, { ...hit, isStale }, lifetime);
  }

  /**
   * Gives a media back unless the caller accepts the type that the origin has sent.
   *
   * @throws {UnacceptableTypeError} If it does not.
   */
  async assertAccepted(
    media: Media,
    accept: readonly string[],
  ): Promise<void> {
    const { peek, counters } = this.#parts;
    const type = media.entry && await peek.sourceType(media.entry);
    if (type === undefined || isInRanges(type, accept)) return;
    await media[Symbol.asyncDispose]();
    counters.unacceptable++;
    throw new UnacceptableTypeError(type, accept);
  }

  async #getLater(
    found: MaybePromise<Hit | undefined>,
    start: number,
    signal?: AbortSignal,
  ): Promise<Media | undefined> {
    const hit = await found;
    if (hit === undefined) return undefined;
    const isStale = this.#parts.options.maxAgeMs !== undefined &&
      await this.#isStale(hit.entry);
    this.#recheck(hit, signal);
    return this.#hand(isStale ? { ...hit, isStale } : hit, start, signal);
  }

  async #isStale(entry: Entry): Promise<boolean> {
    const { options, isStale } = this.#parts;
    return options.maxAgeMs !== undefined && await isStale(entry);
  }

  /** Counts a hit, and makes its Media. */
  #hand(hit: Hit, start: number, signal?: AbortSignal): Media {
    const { hub, counters, lifetime } = this.#parts;
    const { entry, source } = hit;
    counters.hits++;
    if (hub.listening) {
      const { url, key, mimetype, filename, size } = entry;
      const durationMs = performance.now() - start;
      const facts = { url, key, mimetype, filename, size, source, durationMs };
      hub.emit({ type: "hit", ...facts });
    }
    return new CachedMedia(entry, hit, lifetime, signal);
  }

  /** Throws, and gives the hit back, if the cache was closed or the call aborted meanwhile. */
  #recheck({ body }: Hit, signal?: AbortSignal): void {
    try {
      this.#assertOpen();
      signal?.throwIfAborted();
    } catch (error) {
      body.release();
      throw error;
    }
  }
}
