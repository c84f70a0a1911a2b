import { CachedMedia } from "./cached_media.ts";
import type { Downloader } from "./downloader.ts";
import type { DownloadInfo, GetOrDownloadOptions } from "./download_info.ts";
import { type DownloadEnvironment, DownloadJob } from "./download_job.ts";
import { type EntryInfo, infoOf } from "./entry.ts";
import { CacheClosedError } from "./errors.ts";
import { EventHub } from "./event_hub.ts";
import type { MediaCacheListener } from "./events.ts";
import { GifConversion } from "./gif_conversion.ts";
import { KEY_REGEXP, keyOf } from "./key.ts";
import type { Media } from "./media.ts";
import { type MediaCacheOptions, resolveOptions } from "./options.ts";
import { type PutData, type PutOptions, Putter } from "./putter.ts";
import { Semaphore } from "./semaphore.ts";
import { Staging } from "./staging.ts";
import { type CacheStats, Counters, snapshot } from "./stats.ts";
import { startTimer } from "./timer.ts";
import { Tiers } from "./tiers.ts";
import type { VerifyOptions, VerifyReport } from "./verify.ts";

/** How long `close()` waits for running downloads, in milliseconds. */
const CLOSE_TIMEOUT_MS = 10_000;

const STORED: Promise<boolean> = Promise.resolve(true);

/** Options of {@linkcode MediaCache.close}. */
export interface CloseOptions {
  /**
   * Whether running downloads end at once.
   *
   * @default {false}
   */
  abort?: boolean;
  /**
   * How long they may go on otherwise, in milliseconds.
   *
   * @default {10000}
   */
  timeoutMs?: number;
}

export class MediaCache implements AsyncDisposable {
  readonly #options;
  readonly #hub: EventHub;
  readonly #counters = new Counters();
  readonly #tiers: Tiers;
  readonly #staging: Staging;
  readonly #putter: Putter;
  readonly #env: DownloadEnvironment;
  readonly #jobs = new Set<DownloadJob>();
  readonly #joinable = new Map<string, DownloadJob>();
  readonly #lifetime = { closed: false };
  #closing: Promise<void> | undefined;

  constructor(options: MediaCacheOptions = {}) {
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#hub = new EventHub(resolved.onEvent);
    this.#tiers = new Tiers(resolved, this.#hub, this.#counters);
    this.#staging = new Staging(resolved.maxEntryBytes);
    const shared = {
      options: resolved,
      tiers: this.#tiers,
      staging: this.#staging,
      hub: this.#hub,
      counters: this.#counters,
    };
    this.#putter = new Putter(shared);
    this.#env = {
      ...shared,
      slots: new Semaphore(resolved.maxConcurrentDownloads),
      gifs: resolved.gifToMp4 && new GifConversion(resolved.gifToMp4, shared),
      lifetime: this.#lifetime,
    };
  }

  static async open(options: MediaCacheOptions = {}): Promise<MediaCache> {
    const cache = new MediaCache(options);
    await cache.ensureLoaded();
    return cache;
  }

  async ensureLoaded(): Promise<void> {
    this.#assertOpen();
    await this.#tiers.load();
  }

  async get(url: string | URL): Promise<Media | undefined> {
    return await this.#get(this.#canonical(url));
  }

  async getByKey(key: string): Promise<Media | undefined> {
    this.#assertOpen();
    if (typeof key !== "string") {
      throw new TypeError(
        `Cannot get media: key must be a string: received ${typeof key}`,
      );
    }
    if (!KEY_REGEXP.test(key)) return undefined;
    const url = await this.#tiers.urlOf(key);
    return url === undefined ? undefined : await this.#get(url);
  }

  async has(url: string | URL): Promise<boolean> {
    return await this.#tiers.has(this.#canonical(url));
  }

  async put(
    url: string | URL,
    data: PutData,
    mimetype: string,
    filename: string,
    options: PutOptions = {},
  ): Promise<boolean> {
    const canonical = this.#canonical(url);
    for (;;) {
      const running = this.#joinable.get(canonical);
      if (running === undefined) break;
      await running.stored;
    }
    this.#assertOpen();
    return await this.#putter.put(canonical, data, mimetype, filename, options);
  }

  async getOrDownload(
    url: string | URL,
    downloader: Downloader,
    options: GetOrDownloadOptions = {},
  ): Promise<Media> {
    const canonical = this.#canonical(url);
    if (typeof downloader !== "function") {
      throw new TypeError(
        `Cannot download: downloader must be a function: received ${typeof downloader}`,
      );
    }
    options.signal?.throwIfAborted();
    let job = this.#joinable.get(canonical);
    if (job === undefined) {
      const media = await this.#get(canonical, options.signal);
      if (media !== undefined) return media;
      options.signal?.throwIfAborted();
      this.#assertOpen();
      // Another caller may have started it during the lookup.
      job = this.#joinable.get(canonical);
    }
    this.#counters.misses++;
    if (job === undefined) {
      job = this.#start(canonical, String(url), downloader);
    } else this.#joined(job);
    return await job.join(options);
  }

  async *entries(): AsyncIterableIterator<EntryInfo> {
    this.#assertOpen();
    await this.#tiers.load().catch((error) =>
      this.#tiers.diskError("list the directory", error)
    );
    for (const entry of this.#tiers.catalog.list()) yield infoOf(entry);
  }

  inFlight(): DownloadInfo[] {
    return [...this.#jobs].map((job) => job.info);
  }

  async delete(url: string | URL): Promise<boolean> {
    const canonical = this.#canonical(url);
    this.#joinable.get(canonical)?.detach();
    return await this.#tiers.delete(canonical);
  }

  async clear(): Promise<void> {
    this.#assertOpen();
    for (const job of this.#jobs) job.detach();
    await this.#tiers.clear();
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen();
    return await this.#tiers.verify(options);
  }

  stats(): CacheStats {
    const { catalog, orphanBytes } = this.#tiers;
    const { entries, totalBytes, memory } = catalog;
    return snapshot(this.#counters, {
      entries,
      entriesInMemory: memory.count,
      totalBytes,
      maxBytes: this.#options.maxBytes,
      memoryBytes: memory.bytes,
      stagedBytes: this.#staging.bytes,
      orphanBytes,
      inFlight: this.#jobs.size,
    });
  }

  subscribe(listener: MediaCacheListener): () => void {
    return this.#hub.subscribe(listener);
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (options.abort) this.#abortAll();
    return this.#closing ??= this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
  async #get(url: string, signal?: AbortSignal): Promise<Media | undefined> {
    this.#assertOpen();
    const start = performance.now();
    const located = await this.#tiers.locate(url);
    if (located === undefined) return undefined;
    const { entry, body, source } = located;
    this.#counters.hits++;
    if (this.#hub.listening) {
      const { key, mimetype, filename, size } = entry;
      const time = Date.now();
      const durationMs = performance.now() - start;
      const facts = { url, key, mimetype, filename, size, source, durationMs };
      this.#hub.emit({ type: "hit", time, ...facts });
    }
    const lifetime = this.#lifetime;
    const options = { source, stored: STORED, lifetime, signal };
    return new CachedMedia(entry, body, options);
  }

  #start(url: string, callerUrl: string, downloader: Downloader): DownloadJob {
    const job = new DownloadJob(this.#env, url, callerUrl, downloader, () => {
      if (this.#joinable.get(url) === job) this.#joinable.delete(url);
    });
    this.#joinable.set(url, job);
    this.#jobs.add(job);
    job.stored.finally(() => this.#jobs.delete(job));
    return job;
  }

  #joined({ url, key, received }: DownloadJob): void {
    this.#counters.coalesced++;
    const time = Date.now();
    this.#hub.emit({ type: "joined", time, url, key, received });
  }

  #canonical(url: string | URL): string {
    this.#assertOpen();
    if (typeof url !== "string" && !(url instanceof URL)) {
      throw new TypeError(
        `Cannot look up media: url must be a string or a URL: received ${typeof url}`,
      );
    }
    const given = String(url);
    const { canonicalUrl } = this.#options;
    if (canonicalUrl === undefined) return given;
    const canonical: unknown = canonicalUrl(given);
    if (typeof canonical === "string") return canonical;
    throw new TypeError(
      `Cannot look up media: canonicalUrl must return a string: received ${typeof canonical}`,
    );
  }

  #assertOpen(): void {
    if (this.#lifetime.closed) throw new CacheClosedError();
  }

  #abortAll(): void {
    for (const job of this.#jobs) job.abort(new CacheClosedError());
  }

  async #close(timeoutMs: number): Promise<void> {
    const jobs = [...this.#jobs].map((job) => job.stored);
    this.#lifetime.closed = true;
    const stopTimer = startTimer(timeoutMs, () => this.#abortAll());
    await Promise.all(jobs);
    stopTimer();
    await this.#tiers.close();
  }
}
