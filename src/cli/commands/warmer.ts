import type { MediaCacheEvent } from "../../core/api/events.ts";
import { keyOf } from "../../core/text/key.ts";
import type { Media } from "../../core/api/media.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { describeFailure, downloadOverHttp } from "../call/http_download.ts";
import type { ListedUrl } from "../call/url_list.ts";

/** The outcome of one URL. */
export interface Outcome extends ListedUrl {
  /** SHA-256 of the URL, with `canonicalUrl` of the canonical one. */
  readonly key: string;
  /**
   * Whether the URL was downloaded, was stored before, or could not be stored.
   */
  readonly result: "stored" | "present" | "failed";
  /** Why it failed, without a URL. */
  readonly reason?: string;
  /** The stored media. */
  readonly media?: Pick<Media, "mimetype" | "filename" | "size">;
}

/** Options of {@linkcode warm}. */
export interface WarmOptions {
  /** The function of the cache, if it has one. */
  readonly canonicalUrl?: ((url: string) => string) | undefined;
  /** The most downloads at a time. */
  readonly concurrency: number;
  /** Aborts all downloads; URLs that have not ended then have no outcome. */
  readonly signal: AbortSignal;
  /**
   * Called for each outcome. The downloader of that URL takes no other before
   * it resolves.
   */
  readonly onOutcome: (outcome: Outcome) => Promise<void>;
}

/** Downloads the URLs of a list that a cache does not hold. */
export async function warm(
  cache: MediaCache,
  urls: readonly ListedUrl[],
  options: WarmOptions,
): Promise<void> {
  const { concurrency, onOutcome, canonicalUrl = (url) => url } = options;
  const reasons = new Reasons();
  const unsubscribe = cache.subscribe(reasons.onEvent);
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const onAbort = () => void cache.close({ abort: true });
  signal.addEventListener("abort", onAbort, { once: true });
  const queue = urls.values();
  const work = async () => {
    // All workers share one iterator: each takes the next URL when it is free.
    for (const listed of queue) {
      if (signal.aborted) return;
      const key = keyOf(canonicalUrl(listed.url.toWellFormed()));
      const outcome = await fetchOne(cache, listed, key, reasons);
      if (signal.aborted && outcome.result === "failed") return;
      await onOutcome(outcome);
    }
  };
  const stopAll = (error: unknown) => {
    broken.abort();
    throw error;
  };
  try {
    await Promise.all(
      Array.from({ length: concurrency }, () => work().catch(stopAll)),
    );
  } finally {
    signal.removeEventListener("abort", onAbort);
    unsubscribe();
  }
}

async function fetchOne(
  cache: MediaCache,
  listed: ListedUrl,
  key: string,
  reasons: Reasons,
): Promise<Outcome> {
  const { url } = listed;
  try {
    const media = await cache.getOrDownload(url, downloadOverHttp);
    // Without a reader the download goes on into the cache, or ends if it
    // can't.
    await media[Symbol.asyncDispose]();
    if (media.source !== "download") {
      return { ...listed, key, result: "present", media };
    }
    if (await media.stored) return { ...listed, key, result: "stored", media };
    const reason = media.size === 0
      ? "not stored: it is empty"
      : reasons.take(key) ?? "not stored";
    return { ...listed, key, result: "failed", reason };
  } catch (error) {
    return { ...listed, key, result: "failed", reason: describeFailure(error) };
  }
}

/**
 * Reasons why downloads were not stored, by key: a Media does not tell them.
 */
class Reasons {
  readonly #reasons = new Map<string, string>();

  readonly onEvent = (event: MediaCacheEvent): void => {
    // The first reason counts: an uncached download that nobody reads then ends
    // by an abort.
    if (event.type === "uncached" && !this.#reasons.has(event.key)) {
      this.#reasons.set(event.key, `not stored: ${event.reason}`);
    } else if (event.type === "failed" && !this.#reasons.has(event.key)) {
      this.#reasons.set(event.key, describeFailure(event.error));
    }
  };

  /** Returns and forgets the reason of a download that has ended. */
  take(key: string): string | undefined {
    const reason = this.#reasons.get(key);
    this.#reasons.delete(key);
    return reason;
  }
}
