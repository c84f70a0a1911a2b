import { CachedMedia, type MediaFacts } from "./cached_media.ts";
import { type ChunkSource, chunkSource } from "./chunk_source.ts";
import { Deadline } from "./deadline.ts";
import { type BodyEnvironment, DownloadBody } from "./download_body.ts";
import type { Download, Downloader } from "./downloader.ts";
import { IncompleteBodyError, TooLargeError } from "./errors.ts";
import type { EventHub } from "./event_hub.ts";
import { replaceExtension, withFittingExtension } from "./filename.ts";
import type { GifConversion, StagedVideo } from "./gif_conversion.ts";
import type { GifDecision, GifPlan } from "./gif_plan.ts";
import type {
  DownloadInfo,
  DownloadProgress,
  GetOrDownloadOptions,
} from "./download_info.ts";
import { keyOf } from "./key.ts";
import type { Lifetime } from "./lease.ts";
import type { Media } from "./media.ts";
import type { MediaBody } from "./media_body.ts";
import { type Source, toSource } from "./response.ts";
import type { Semaphore } from "./semaphore.ts";
import type { Counters } from "./stats.ts";
import { Turns } from "./turns.ts";
import { Waiters } from "./waiters.ts";

/** What all downloads of a cache share. */
export interface DownloadEnvironment extends BodyEnvironment {
  /** The downloads that may run at a time. */
  readonly slots: Semaphore;
  /** GIF to MP4; undefined when it is off. */
  readonly gifs: GifConversion | undefined;
  /** Where events go. */
  readonly hub: EventHub;
  /** What is counted. */
  readonly counters: Counters;
  /** The cache. */
  readonly lifetime: Lifetime;
}

/** What every caller is given once the type is certain. */
interface Ready {
  readonly facts: MediaFacts;
  readonly body: () => MediaBody;
}

/** One running download of one URL, for all its callers. */
export class DownloadJob {
  /** The canonical URL. */
  readonly url: string;
  /** Its key. */
  readonly key: string;
  /** Whether the body is on disk in the end. Never rejects. */
  readonly stored: Promise<boolean>;
  readonly #env: DownloadEnvironment;
  readonly #onUnjoinable: () => void;
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  readonly #controller = new AbortController();
  readonly #waiters = new Waiters<{ facts: MediaFacts; body: MediaBody }>();
  readonly #listeners = new Set<(progress: DownloadProgress) => void>();
  #phase: DownloadInfo["phase"] = "waiting";
  #detached = false;
  #source: Source | undefined;
  #body: DownloadBody | undefined;
  #ready: Ready | undefined;
  #conversion: string | undefined;

  /**
   * Starts the download.
   *
   * @param onUnjoinable Called when later callers must start one of their own,
   * at the end at the latest.
   */
  constructor(
    env: DownloadEnvironment,
    url: string,
    callerUrl: string,
    downloader: Downloader,
    onUnjoinable: () => void,
  ) {
    this.#env = env;
    this.url = url;
    this.key = keyOf(url);
    this.#onUnjoinable = onUnjoinable;
    this.stored = this.#run(downloader, callerUrl);
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    return {
      key: this.key,
      url: this.url,
      mimetype: this.#source?.mimetype,
      filename: this.#source?.filename,
      received: this.received,
      total: this.#source?.size,
      startedAt: this.#startedAt,
      phase: this.#phase,
    };
  }

  /** Bytes received so far. */
  get received(): number {
    return this.#body?.tee.received ?? 0;
  }

  /** Waits until the type is certain, and gives a Media of the body. */
  async join(options: GetOrDownloadOptions): Promise<Media> {
    const { signal, onProgress } = options;
    if (onProgress !== undefined) {
      this.#listeners.add(onProgress);
      signal?.addEventListener("abort", () => {
        this.#listeners.delete(onProgress);
      }, { once: true });
    }
    const { facts, body } = this.#ready !== undefined
      ? { facts: this.#ready.facts, body: this.#ready.body() }
      : await this.#waiters.wait(signal, () => this.#left());
    const { stored } = this;
    const { lifetime } = this.#env;
    if (signal?.aborted) {
      body.release();
      throw signal.reason;
    }
    return new CachedMedia(facts, body, {
      source: "download",
      stored,
      lifetime,
      signal,
    });
  }

  /** Its readers go on, but nothing will be stored. */
  detach(): void {
    this.#detached = true;
    this.#onUnjoinable();
    this.#left();
  }

  /** Ends it with an error. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  async #run(downloader: Downloader, callerUrl: string): Promise<boolean> {
    const { slots } = this.#env;
    try {
      const release = await slots.acquire(this.#controller.signal);
      try {
        return await this.#download(downloader, callerUrl);
      } finally {
        release();
      }
    } catch (error) {
      this.#fail(error);
      return false;
    } finally {
      this.#listeners.clear();
      this.#onUnjoinable();
      await this.#body?.discard();
    }
  }

  async #download(downloader: Downloader, callerUrl: string): Promise<boolean> {
    const { idleTimeoutMs, timeoutMs } = this.#env.options;
    const onTimeout = (error: Error) => this.abort(error);
    const deadline = new Deadline(idleTimeoutMs, timeoutMs, onTimeout);
    try {
      const source = await this.#ask(downloader, callerUrl);
      const plan = await this.#receive(source, deadline);
      deadline.stop();
      return await this.#finish(source, plan);
    } finally {
      deadline.stop();
    }
  }

  /** Runs the downloader, and reads what it gives. */
  async #ask(downloader: Downloader, callerUrl: string): Promise<Source> {
    this.#phase = "downloading";
    const { signal } = this.#controller;
    try {
      const answer = (async () =>
        await downloader({ url: callerUrl, signal }))();
      const result = await orAborted(answer, signal);
      this.#source = toSource(result, callerUrl);
      return this.#source;
    } finally {
      this.#env.hub.emit({
        type: "miss",
        time: Date.now(),
        url: this.url,
        key: this.key,
        mimetype: this.#source?.mimetype,
        filename: this.#source?.filename,
        size: this.#source?.size,
        durationMs: performance.now() - this.#started,
      });
    }
  }

  /** Pumps the body into the tee; returns the plan of a GIF to be converted. */
  async #receive(
    source: Source,
    deadline: Deadline,
  ): Promise<GifPlan | undefined> {
    const { signal } = this.#controller;
    const chunks = chunkSource(source.body);
    const onAbort = () => chunks.cancel(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const { maxDownloadBytes } = this.#env.options;
      if (source.size !== undefined && source.size > maxDownloadBytes) {
        throw new TooLargeError(maxDownloadBytes, { declared: source.size });
      }
      const body = await DownloadBody.open(this.#env, this.key, source.size, {
        onServed: (bytes) => this.#env.counters.bytesServed += bytes,
        onAbandoned: () => this.#left(),
        onUncached: (reason) => this.#uncached(reason),
      });
      this.#body = body;
      return await this.#pump(source, body, chunks, deadline);
    } catch (error) {
      await chunks.cancel(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #pump(
    source: Source,
    body: DownloadBody,
    chunks: ChunkSource,
    deadline: Deadline,
  ): Promise<GifPlan | undefined> {
    const { signal } = this.#controller;
    const scanner = this.#env.gifs?.scanner();
    const turns = new Turns();
    for (;;) {
      const chunk = await chunks.next();
      signal.throwIfAborted();
      if (chunk === undefined) break;
      deadline.alive();
      this.#count(chunk.length, source.size);
      const starts = this.#ready === undefined;
      const decision = starts ? scanner?.push(chunk) : undefined;
      await body.push(chunk, deadline);
      signal.throwIfAborted();
      if (starts) await this.#tryStart(source, body, decision);
      this.#progress(source.size);
      if (turns.due) await turns.next();
    }
    if (source.size !== undefined && this.received !== source.size) {
      throw new IncompleteBodyError(this.received, source.size);
    }
    if (this.#ready !== undefined) return undefined;
    const decision = scanner?.end();
    if (decision?.action === "convert") return decision.plan;
    await this.#tryStart(source, body, decision);
  }

  /** Lets the callers go on as soon as the type is certain. */
  async #tryStart(
    source: Source,
    body: DownloadBody,
    decision: GifDecision | undefined,
  ): Promise<void> {
    const { gifs } = this.#env;
    if (gifs === undefined) return this.#start(source, body);
    if (decision?.action === "keep") {
      if (decision.reason === "not-a-gif") return this.#start(source, body);
      return this.#keepGif(source, body, decision.reason);
    }
    if (this.received < MAGIC_BYTES) return;
    // It begins as a GIF does, and callers wait only if there is a conversion to come.
    if (!body.tee.cached) return this.#keepGif(source, body, undefined);
    if (!await gifs.available()) this.#keepGif(source, body, undefined);
  }

  #keepGif(
    source: Source,
    body: DownloadBody,
    reason: string | undefined,
  ): void {
    const mimetype = "image/gif";
    const filename = withFittingExtension(source.filename, mimetype);
    this.#source = { ...source, mimetype, filename };
    if (reason !== undefined) {
      this.#conversion = reason;
      this.#env.gifs?.kept(this.url, this.key, reason);
    }
    this.#start(this.#source, body);
  }

  #start({ mimetype, filename }: Source, { tee }: DownloadBody): void {
    this.#hand({
      facts: { key: this.key, url: this.url, mimetype, filename },
      body: () => tee.body(),
    });
  }

  #hand(ready: Ready): void {
    const { facts } = ready;
    this.#ready = ready;
    this.#waiters.resolve(() => ({ facts, body: ready.body() }));
  }

  /** Commits what was received, converted if need be. */
  async #finish(source: Source, plan: GifPlan | undefined): Promise<boolean> {
    const { tiers } = this.#env;
    const { signal } = this.#controller;
    const body = this.#body;
    if (body === undefined) return false;
    if (plan !== undefined) {
      const video = await this.#convert(source, body, plan);
      signal.throwIfAborted();
      if (typeof video !== "string") {
        return await this.#finishVideo(video, body);
      }
      this.#keepGif(source, body, video);
    }
    this.#phase = "storing";
    // Readers see the end when the entry is there, but don't wait for a scan.
    if (!tiers.loaded) body.tee.complete();
    const { mimetype, filename } = this.#source ?? source;
    const stored = await body.commit({
      url: this.url,
      mimetype,
      filename,
      ...(this.#conversion !== undefined && { conversion: this.#conversion }),
    }, () => !this.#detached);
    if (stored) this.#stored(mimetype, filename, this.received);
    this.#onUnjoinable();
    body.tee.complete();
    return stored;
  }

  #convert(
    source: Source,
    body: DownloadBody,
    plan: GifPlan,
  ): Promise<StagedVideo | string> {
    this.#phase = "converting";
    const { gifs } = this.#env;
    const path = body.stagedPath;
    if (gifs === undefined || path === undefined) {
      return Promise.resolve("the download is not stored");
    }
    const filename = replaceExtension(source.filename, ".mp4");
    const { url, key, received: size } = this;
    const job = { url, key, path, size, plan, filename };
    return gifs.convert(job, this.#controller.signal);
  }

  async #finishVideo(video: StagedVideo, body: DownloadBody): Promise<boolean> {
    const { tiers } = this.#env;
    const { url, key } = this;
    const { staged, size, filename, reservation } = video;
    this.#phase = "storing";
    const mimetype = "video/mp4";
    const committed = await tiers.commit(staged, size, {
      url,
      mimetype,
      filename,
      sourceMimetype: "image/gif",
      sourceSize: this.received,
    }, () => !this.#detached);
    const file = committed ?? await tiers.adoptUnstored(staged);
    reservation.release();
    if (committed !== undefined) this.#stored(mimetype, filename, size);
    this.#hand({
      facts: { key, url, mimetype, filename },
      body: () => tiers.sharedBody(file, size),
    });
    this.#onUnjoinable();
    file.release(true);
    body.tee.complete();
    return committed !== undefined;
  }

  #count(bytes: number, expected: number | undefined): void {
    const received = this.received + bytes;
    this.#env.counters.bytesDownloaded += bytes;
    const { maxDownloadBytes } = this.#env.options;
    if (received > maxDownloadBytes) {
      throw new TooLargeError(maxDownloadBytes, { received });
    }
    if (expected !== undefined && received > expected) {
      throw new IncompleteBodyError(received, expected);
    }
  }

  #progress(total: number | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener({ received: this.received, total });
      } catch {
        // One caller's fault must not fail the download of all.
      }
    }
  }

  /** Nobody waits and nobody reads any more. */
  #left(): void {
    const isAbandoned = this.#waiters.count === 0 &&
      (this.#ready === undefined || this.#body?.tee.idle === true);
    if (!isAbandoned) return;
    const pointless = this.#detached || this.#body?.tee.cached === false;
    if (pointless || this.#env.options.whenAbandoned === "abort") {
      this.abort(new DOMException("The download was abandoned", "AbortError"));
    }
  }

  #uncached(reason: string): void {
    const { url, key } = this;
    this.#onUnjoinable();
    this.#env.hub.emit({
      type: "uncached",
      time: Date.now(),
      url,
      key,
      reason,
    });
  }

  #stored(mimetype: string, filename: string, size: number): void {
    this.#env.hub.emit({
      type: "stored",
      time: Date.now(),
      url: this.url,
      key: this.key,
      mimetype,
      filename,
      size,
      source: "download",
      durationMs: performance.now() - this.#started,
    });
  }

  #fail(error: unknown): void {
    const { url, key, received } = this;
    // First, so that a caller who tries again at once starts a download.
    this.#onUnjoinable();
    this.#body?.tee.fail(error);
    this.#waiters.reject(error);
    const time = Date.now();
    this.#env.hub.emit({ type: "failed", time, url, key, error, received });
  }
}

/** The bytes that tell a GIF from anything else. */
const MAGIC_BYTES = 6;

/** Waits for a downloader, but no longer than until the signal. */
async function orAborted(
  answer: Promise<Response | Download>,
  signal: AbortSignal,
): Promise<Response | Download> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  let late = true;
  try {
    const result = await Promise.race([answer, aborted]);
    late = false;
    return result;
  } finally {
    signal.removeEventListener("abort", onAbort);
    // An answer that comes too late must not keep its connection.
    if (late) answer.then(discard, () => {});
  }
}

async function discard(result: Response | Download): Promise<void> {
  try {
    await chunkSource(toSource(result, "").body).cancel(undefined);
  } catch {
    // It was none that could hold a connection.
  }
}
