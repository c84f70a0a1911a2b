import type { DownloadContext } from "../../core/api/download.ts";
import { HttpStatusError } from "../../core/api/errors.ts";
import type { MediaCacheEvent } from "../../core/api/events.ts";
import { errorFacts } from "../../core/text/failure_reason.ts";
import { keyOf } from "../../core/text/key.ts";
import type { Media } from "../../core/api/media.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import { reasonOf } from "../call/failures.ts";
import type { ListedUrl } from "../call/url_list.ts";

/** What became of one URL. */
export interface Outcome extends ListedUrl {
  /** SHA-256 of the URL. */
  readonly key: string;
  /** Whether it was downloaded, was there already, or could not be stored. */
  readonly result: "stored" | "present" | "failed";
  /** Why it failed; may hold no URL. */
  readonly reason?: string;
  /** What is stored now. */
  readonly media?: Pick<Media, "mimetype" | "filename" | "size">;
}

/** How URLs are fetched. */
export interface WarmOptions {
  /** How many downloads may run at a time. */
  readonly concurrency: number;
  /** Ends all downloads, after which those that have not ended have no outcome. */
  readonly signal: AbortSignal;
  /** Told of each outcome; the URL's turn lasts until it resolves. */
  readonly onOutcome: (outcome: Outcome) => Promise<void>;
}

/** Downloads what a cache lacks of a list of URLs. */
export async function warm(
  cache: MediaCache,
  urls: readonly ListedUrl[],
  options: WarmOptions,
): Promise<void> {
  const { concurrency, onOutcome } = options;
  const reasons = new Reasons();
  const unsubscribe = cache.subscribe(reasons.onEvent);
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const onAbort = () => void cache.close({ abort: true });
  signal.addEventListener("abort", onAbort, { once: true });
  const queue = urls.values();
  const work = async () => {
    // One iterator for all: who is free takes the next.
    for (const listed of queue) {
      if (signal.aborted) return;
      const outcome = await fetchOne(cache, listed, reasons);
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
  reasons: Reasons,
): Promise<Outcome> {
  const { url } = listed;
  const key = keyOf(url.toWellFormed());
  try {
    const media = await cache.getOrDownload(url, download);
    // Nobody reads it: the download goes on into the cache, or ends if it can't.
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
    return { ...listed, key, result: "failed", reason: explain(error) };
  }
}

async function download({ url, signal }: DownloadContext): Promise<Response> {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new TypeError("not an http or https URL");
  }
  const { host } = new URL(url);
  // Asked for without a prompt, which nobody would see among progress bars.
  if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") {
    throw new Error(`missing --allow-net=${host}`);
  }
  return await fetch(url, { signal });
}

/** Why downloads were not stored, by key: what a Media alone does not tell. */
class Reasons {
  readonly #reasons = new Map<string, string>();

  readonly onEvent = (event: MediaCacheEvent): void => {
    // The first reason counts: what goes uncached, and is not read, ends by abort.
    if (event.type === "uncached" && !this.#reasons.has(event.key)) {
      this.#reasons.set(event.key, `not stored: ${event.reason}`);
    } else if (event.type === "failed" && !this.#reasons.has(event.key)) {
      this.#reasons.set(event.key, explain(event.error));
    }
  };

  /** The reason of a download that has ended. */
  take(key: string): string | undefined {
    const reason = this.#reasons.get(key);
    this.#reasons.delete(key);
    return reason;
  }
}

function explain(error: unknown): string {
  if (error instanceof HttpStatusError) return `HTTP ${error.status}`;
  const message = reasonOf(error);
  // The message of fetch() says no more than that it failed; the code says why.
  const { code } = errorFacts(error);
  return code === undefined ? message : `${message}: ${code}`;
}
