import { answerOf } from "./answer.ts";
import { CachedMedia, type MediaFacts } from "./cached_media.ts";
import { type ChunkSource, chunkSource } from "./chunk_source.ts";
import { Deadline } from "./deadline.ts";
import { type BodyEnvironment, DownloadBody } from "./download_body.ts";
import type { DownloadInfo, GetOrDownloadOptions } from "./download_info.ts";
import type { Downloader } from "./downloader.ts";
import { IncompleteBodyError, TooLargeError } from "./errors.ts";
import type { EventHub } from "./event_hub.ts";
import type {
  EntryEventBase,
  FailedEvent,
  MissEvent,
  StoredEvent,
  UncachedEvent,
} from "./events.ts";
import { replaceExtension, withFittingExtension } from "./filename.ts";
import type { GifConversion } from "./gif_conversion.ts";
import type { GifPlan } from "./gif_plan.ts";
import { keyOf } from "./key.ts";
import type { Lifetime } from "./lease.ts";
import type { Media } from "./media.ts";
import type { MediaBody } from "./media_body.ts";
import type { Source } from "./response.ts";
import type { Semaphore } from "./semaphore.ts";
import type { Counters } from "./stats.ts";
import { Turns } from "./turns.ts";
import { TypeGate, type TypeVerdict } from "./type_gate.ts";
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
interface Handout {
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
  readonly #watchers = new Set<GetOrDownloadOptions>();
  #phase: DownloadInfo["phase"] = "waiting";
  #detached = false;
  #source: Source | undefined;
  #body: DownloadBody | undefined;
  #handout: Handout | undefined;
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
    const { signal } = options;
    if (options.onProgress !== undefined) this.#watchers.add(options);
    const { facts, body } = this.#handout !== undefined
      ? { facts: this.#handout.facts, body: this.#handout.body() }
      : await this.#waiters.wait(signal, () => this.#left());
    if (signal?.aborted) {
      body.release();
      throw signal.reason;
    }
    const { lifetime } = this.#env;
    const { stored } = this;
    const traits = { source: "download", stored, lifetime, signal } as const;
    return new CachedMedia(facts, body, traits);
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
      this.#watchers.clear();
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
      const stored = plan && await this.#finishVideo(source, plan);
      return stored ?? await this.#finish(source);
    } finally {
      deadline.stop();
    }
  }

  async #ask(downloader: Downloader, callerUrl: string): Promise<Source> {
    this.#phase = "downloading";
    const { signal } = this.#controller;
    try {
      this.#source = await answerOf(downloader, { url: callerUrl, signal });
      return this.#source;
    } finally {
      this.#emit({
        type: "miss",
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
    const onAbort = () => {
      chunks.cancel(signal.reason);
      // A push may wait for readers, who have left or will be slow to.
      this.#body?.tee.fail(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const { maxDownloadBytes } = this.#env.options;
      if (source.size !== undefined && source.size > maxDownloadBytes) {
        throw new TooLargeError(maxDownloadBytes, { declared: source.size });
      }
      this.#body = await DownloadBody.open(this.#env, this.key, source.size, {
        onServed: (bytes) => this.#env.counters.bytesServed += bytes,
        onAbandoned: () => this.#left(),
        onUncached: (reason) => {
          this.#onUnjoinable();
          this.#emit({ type: "uncached", reason });
          this.#left();
        },
      });
      // All callers may have left before it turned out that nothing is stored.
      this.#left();
      return await this.#pump(source, this.#body, chunks, deadline);
    } catch (error) {
      // Not awaited: a source may take its time, and callers wait for the error.
      chunks.cancel(error);
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
    const gate = new TypeGate(this.#env.gifs);
    const turns = new Turns();
    for (;;) {
      const chunk = await chunks.next();
      signal.throwIfAborted();
      if (chunk === undefined) break;
      deadline.alive();
      this.#count(chunk.length, source.size);
      await body.push(chunk, deadline);
      signal.throwIfAborted();
      if (this.#handout === undefined) {
        this.#decide(await gate.push(chunk, body.tee.cached), source, body);
      }
      this.#progress(source.size);
      if (turns.due) await turns.next();
    }
    if (source.size !== undefined && this.received !== source.size) {
      throw new IncompleteBodyError(this.received, source.size);
    }
    if (this.#handout !== undefined) return undefined;
    const verdict = gate.end();
    if (verdict.type === "convert") return verdict.plan;
    this.#decide(verdict, source, body);
  }

  /** Lets the callers go on as soon as the type is certain. */
  #decide(
    verdict: TypeVerdict | undefined,
    source: Source,
    body: DownloadBody,
  ): void {
    if (verdict === undefined || verdict.type === "convert") return;
    if (verdict.type === "gif") {
      const mimetype = "image/gif";
      const filename = withFittingExtension(source.filename, mimetype);
      this.#source = { ...source, mimetype, filename };
      this.#conversion = verdict.reason;
      if (verdict.reason !== undefined) {
        this.#env.gifs?.kept(this.url, this.key, verdict.reason);
      }
    }
    const { mimetype, filename } = this.#source ?? source;
    this.#hand({
      facts: { key: this.key, url: this.url, mimetype, filename },
      body: () => body.tee.body(),
    });
  }

  #hand(handout: Handout): void {
    const { facts } = handout;
    this.#handout = handout;
    this.#waiters.resolve(() => ({ facts, body: handout.body() }));
  }

  /** Commits what was received. */
  async #finish(source: Source): Promise<boolean> {
    const body = this.#body;
    if (body === undefined) return false;
    if (this.#handout === undefined) {
      this.#decide({ type: "gif" }, source, body);
    }
    this.#phase = "storing";
    // Readers see the end when the entry is there, but don't wait for a scan.
    if (!this.#env.tiers.loaded) body.tee.complete();
    const { mimetype, filename } = this.#source ?? source;
    const stored = await body.commit({
      url: this.url,
      mimetype,
      filename,
      ...(this.#conversion !== undefined && { conversion: this.#conversion }),
    }, () => !this.#detached);
    if (stored) this.#tellStored(mimetype, filename, this.received);
    this.#onUnjoinable();
    body.tee.complete();
    return stored;
  }

  /** Converts what was received, and commits the video; undefined when it stays a GIF. */
  async #finishVideo(
    source: Source,
    plan: GifPlan,
  ): Promise<boolean | undefined> {
    const { tiers, gifs } = this.#env;
    const { signal } = this.#controller;
    const { url, key, received } = this;
    const body = this.#body;
    const path = body?.stagedPath;
    if (gifs === undefined || body === undefined || path === undefined) return;
    this.#phase = "converting";
    const mimetype = "video/mp4";
    const filename = replaceExtension(source.filename, ".mp4");
    const job = { url, key, path, size: received, plan, filename };
    const video = await gifs.convert(job, signal);
    signal.throwIfAborted();
    if (typeof video === "string") {
      this.#decide({ type: "gif", reason: video }, source, body);
      return undefined;
    }
    this.#phase = "storing";
    const { staged, size, reservation } = video;
    const committed = await tiers.commit({
      staged,
      size,
      description: {
        url,
        mimetype,
        filename,
        sourceMimetype: "image/gif",
        sourceSize: received,
      },
      wanted: () => !this.#detached,
    });
    const file = committed ?? await tiers.adoptUnstored(staged);
    reservation.release();
    if (committed !== undefined) this.#tellStored(mimetype, filename, size);
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
    for (const { onProgress, signal } of this.#watchers) {
      if (signal?.aborted) continue;
      try {
        onProgress?.({ received: this.received, total });
      } catch {
        // One caller's fault must not fail the download of all.
      }
    }
  }

  /** Somebody has left: perhaps nobody waits and nobody reads any more. */
  #left(): void {
    const isAbandoned = this.#waiters.count === 0 &&
      (this.#handout === undefined || this.#body?.tee.idle === true);
    if (!isAbandoned) return;
    const isPointless = this.#detached || this.#body?.tee.cached === false;
    if (isPointless || this.#env.options.whenAbandoned === "abort") {
      this.abort(new DOMException("The download was abandoned", "AbortError"));
    }
  }

  #fail(error: unknown): void {
    // First, so that a caller who tries again at once starts a download.
    this.#onUnjoinable();
    this.#body?.tee.fail(error);
    this.#waiters.reject(error);
    this.#emit({ type: "failed", error, received: this.received });
  }

  #tellStored(mimetype: string, filename: string, size: number): void {
    const durationMs = performance.now() - this.#started;
    const body = { mimetype, filename, size, durationMs };
    this.#emit({ type: "stored", source: "download", ...body });
  }

  #emit(event: JobEvent): void {
    const { url, key } = this;
    this.#env.hub.emit({ ...event, time: Date.now(), url, key });
  }
}

/** Events about one URL, without what the job adds to each. */
type JobEvent =
  | Omit<MissEvent, keyof EntryEventBase>
  | Omit<StoredEvent, keyof EntryEventBase>
  | Omit<UncachedEvent, keyof EntryEventBase>
  | Omit<FailedEvent, keyof EntryEventBase>;
