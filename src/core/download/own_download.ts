import { fileBody, type OnServed } from "../bodies/stored_body.ts";
import { answerOf } from "./answer.ts";
import type { MediaFacts } from "../bodies/cached_media.ts";
import { type ChunkSource, chunkSource } from "../bodies/chunk_source.ts";
import { uncodedBody } from "./coded_body.ts";
import { Deadline } from "../async/deadline.ts";
import { type BodyEnvironment, DownloadBody } from "./download_body.ts";
import type { Downloader, DownloadInfo } from "../api/download.ts";
import { IncompleteBodyError, TooLargeError } from "../api/errors.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import type {
  EntryEventBase,
  FailedEvent,
  MissEvent,
  StoredEvent,
  UncachedEvent,
} from "../api/events.ts";
import { errorFacts } from "../text/failure_reason.ts";
import { replaceExtension, withFittingExtension } from "../text/filename.ts";
import type { GifConversion } from "../gif/gif_conversion.ts";
import type { GifPlan } from "../gif/gif_plan.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { Source } from "./source.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { Counters } from "../api/stats.ts";
import type { Tee } from "../bodies/tee.ts";
import { startIdleTimer } from "../async/timer.ts";
import { Pacer } from "../async/pacer.ts";
import { TypeGate, type TypeVerdict } from "./type_gate.ts";

/**
 * How long a download must run before it tells other processes what it is, in
 * milliseconds. To tell takes longer than most bodies need to come, and those who
 * follow one that ends sooner find its entry.
 */
const DESCRIBE_AFTER_MS = 10;

/** What the runs of a cache share. */
export interface RunEnvironment extends BodyEnvironment {
  /** GIF to MP4; undefined when it is off. */
  readonly gifs: GifConversion | undefined;
  /** Where events go. */
  readonly hub: EventHub;
  /** What is counted. */
  readonly counters: Counters;
  /** Told how many bytes a reader was handed. */
  readonly onServed: OnServed;
  /** Whether all that lies in the directory is known. */
  isWhole(): boolean;
}

/** What every caller is given once the type is certain. */
export interface Handout {
  /** Type and name. */
  readonly facts: MediaFacts;
  /** Bytes in all, where known. */
  readonly size: number | undefined;
  /** Holds the bytes for one more Media. */
  readonly body: () => MediaBody;
}

/** What a run asks and tells of its callers. */
export interface RunCallers {
  /** Whether the body shall still be stored. */
  wanted(): boolean;
  /** The type is certain. */
  onHandout(handout: Handout): void;
  /** A chunk has come. */
  onProgress(received: number, total: number | undefined): void;
  /** The last reader has left. */
  onAbandoned(): void;
  /** Later callers must start a download of their own. */
  onUncached(): void;
  /** The download is over, and what could be stored is. */
  onEnded(): void;
}

/** The steps of one download: ask, receive, convert, commit. */
export class DownloadRun {
  readonly #env: RunEnvironment;
  readonly #callers: RunCallers;
  readonly #url: string;
  readonly #key: string;
  readonly #controller: AbortController;
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  #phase: DownloadInfo["phase"] = "waiting";
  #source: Source | undefined;
  #claimed: StagedFile | undefined;
  #body: DownloadBody | undefined;
  #isHandedOut = false;
  #stopTimer: (() => void) | undefined;
  #conversion: string | undefined;

  /** Runs nothing yet. */
  constructor(
    env: RunEnvironment,
    url: string,
    key: string,
    controller: AbortController,
    callers: RunCallers,
  ) {
    this.#env = env;
    this.#url = url;
    this.#key = key;
    this.#controller = controller;
    this.#callers = callers;
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    return {
      key: this.#key,
      url: this.#url,
      mimetype: this.#isHandedOut ? this.#source?.mimetype : undefined,
      filename: this.#source?.filename,
      received: this.received,
      total: this.#source?.size,
      startedAt: this.#startedAt,
      phase: this.#phase,
    };
  }

  /** The tee, once there is something to read. */
  get tee(): Tee | undefined {
    return this.#body?.tee;
  }

  /** Bytes received so far. */
  get received(): number {
    return this.tee?.received ?? 0;
  }

  /** Whether other processes follow it. */
  get isFollowed(): boolean {
    return this.#body?.isFollowed ?? false;
  }

  /**
   * Downloads; true when the body is on disk.
   *
   * @param claimed Where to stage the body, if there is a file for it yet.
   */
  async run(
    downloader: Downloader,
    callerUrl: string,
    claimed: StagedFile | undefined,
  ): Promise<boolean> {
    this.#claimed = claimed;
    const { idleTimeoutMs, timeoutMs } = this.#env.options;
    const onTimeout = (error: Error) => this.#controller.abort(error);
    const deadline = new Deadline(idleTimeoutMs, timeoutMs, onTimeout);
    try {
      const source = await this.#ask(downloader, callerUrl);
      deadline.alive();
      const plan = await this.#receive(source, deadline);
      deadline.stop();
      const stored = plan && await this.#finishVideo(source, plan);
      return stored ?? await this.#finish(source);
    } finally {
      deadline.stop();
    }
  }

  /**
   * Ends the body with an error.
   *
   * @param isFailure Whether the error counts as a failure: `abort()` makes none.
   */
  fail(error: unknown, isFailure: boolean): void {
    this.tee?.fail(error);
    // Just before the event: the Monitor of the router tells by it what was counted.
    if (isFailure) this.#env.counters.failures++;
    const { received } = this;
    this.#emit({ type: "failed", error, ...errorFacts(error), received });
  }

  /** Lets others download the URL, while this download goes on. */
  async giveUp(): Promise<void> {
    const staged = this.#body?.staged ?? this.#claimed;
    if (staged) await this.#env.claims.giveUp(this.#key, staged);
  }

  /** Removes the names of what was not committed. */
  async discardNames(): Promise<void> {
    await this.#body?.discardNames();
    await this.#claimed?.close();
    this.#claimed = undefined;
  }

  /** Gives back what was not committed. */
  async discard(): Promise<void> {
    await this.#body?.discard();
  }

  async #ask(downloader: Downloader, url: string): Promise<Source> {
    const { signal } = this.#controller;
    this.#phase = "downloading";
    try {
      return this.#source = await answerOf(downloader, { url, signal });
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
    answer: Source,
    deadline: Deadline,
  ): Promise<GifPlan | undefined> {
    const { signal } = this.#controller;
    let chunks = chunkSource(answer.body, true);
    const onAbort = () => {
      chunks.cancel(signal.reason);
      // A push may wait for readers, who have left or will be slow to.
      this.#body?.tee.fail(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const uncoded = await uncodedBody(chunks, answer, () => deadline.alive());
      signal.throwIfAborted();
      chunks = uncoded.chunks;
      const source = this.#source = uncoded.source;
      const { maxDownloadBytes } = this.#env.options;
      if (source.size !== undefined && source.size > maxDownloadBytes) {
        throw new TooLargeError(maxDownloadBytes, { declared: source.size });
      }
      const claimed = this.#claimed;
      this.#claimed = undefined;
      this.#body = await DownloadBody.open(
        this.#env,
        this.#key,
        { ...source, url: this.#url },
        claimed,
        {
          onServed: this.#env.onServed,
          onAbandoned: () => this.#callers.onAbandoned(),
          onUncached: (reason) => {
            this.#callers.onUncached();
            this.#emit({ type: "uncached", reason });
            this.#callers.onAbandoned();
          },
        },
      );
      // All callers may have left before it turned out that nothing is stored.
      this.#callers.onAbandoned();
      const plan = await this.#pump(source, this.#body, chunks, deadline);
      signal.throwIfAborted();
      return plan;
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
    const gate = new TypeGate(this.#env.gifs);
    try {
      await this.#pumpAll(source, body, chunks, deadline, gate);
    } finally {
      this.#stopTimer?.();
    }
    if (source.size !== undefined && this.received !== source.size) {
      throw new IncompleteBodyError(this.received, source.size);
    }
    if (this.#isHandedOut) return undefined;
    const verdict = gate.end();
    if (verdict.type === "convert") return verdict.plan;
    this.#decide(verdict, source, body);
    return undefined;
  }

  async #pumpAll(
    source: Source,
    body: DownloadBody,
    chunks: ChunkSource,
    deadline: Deadline,
    gate: TypeGate,
  ): Promise<void> {
    const { signal } = this.#controller;
    const pacer = new Pacer();
    for (;;) {
      const chunk = await chunks.next();
      signal.throwIfAborted();
      if (chunk === undefined) return;
      deadline.alive();
      this.#count(chunk.length, source.size);
      await body.push(chunk, deadline);
      signal.throwIfAborted();
      if (!this.#isHandedOut) {
        this.#decide(await gate.push(chunk, body.tee.cached), source, body);
        if (this.#isHandedOut) this.#describeLater(source, body);
      }
      this.#callers.onProgress(this.received, source.size);
      if (pacer.due) await pacer.yield();
    }
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
        this.#env.gifs?.kept(this.#url, this.#key, verdict.reason);
      }
    }
    const { mimetype, filename } = this.#source ?? source;
    this.#hand({
      facts: { key: this.#key, url: this.#url, mimetype, filename },
      size: body.tee.size,
      body: () => body.tee.body(),
    });
  }

  /** Tells other processes what comes, unless all has come by then. */
  #describeLater({ size }: Source, body: DownloadBody): void {
    if (this.received === size) return;
    this.#stopTimer = startIdleTimer(DESCRIBE_AFTER_MS, () => {
      const { mimetype = "", filename = "" } = this.#source ?? {};
      body.describe({ mimetype, filename, size });
    });
  }

  #hand(handout: Handout): void {
    this.#isHandedOut = true;
    this.#callers.onHandout(handout);
  }

  /** Commits what was received. */
  async #finish(source: Source): Promise<boolean> {
    const body = this.#body;
    if (body === undefined) return false;
    if (!this.#isHandedOut) this.#decide({ type: "gif" }, source, body);
    this.#phase = "storing";
    // Readers see the end when the entry is there, but don't wait for a scan.
    if (!this.#env.isWhole()) body.tee.complete();
    const { mimetype, filename } = this.#source ?? source;
    const stored = await body.commit({
      url: this.#url,
      mimetype,
      filename,
      ...(this.#conversion !== undefined && { conversion: this.#conversion }),
    }, () => this.#callers.wanted());
    if (stored) this.#tellStored(mimetype, filename, this.received);
    this.#callers.onEnded();
    body.tee.complete();
    return stored;
  }

  /** Converts what was received, and commits the video; undefined when it stays a GIF. */
  async #finishVideo(
    source: Source,
    plan: GifPlan,
  ): Promise<boolean | undefined> {
    const { writer, files, gifs, onServed } = this.#env;
    const { signal } = this.#controller;
    const url = this.#url;
    const key = this.#key;
    const { received } = this;
    const body = this.#body;
    const gif = body?.whole;
    if (gifs === undefined || body === undefined || gif === undefined) return;
    this.#phase = "converting";
    const mimetype = "video/mp4";
    const filename = replaceExtension(source.filename, ".mp4");
    const job = { url, key, gif, size: received, plan, filename };
    const video = await gifs.convert(job, signal);
    if (typeof video === "string") {
      signal.throwIfAborted();
      this.#decide({ type: "gif", reason: video }, source, body);
      return undefined;
    }
    this.#phase = "storing";
    const { staged, size, sha256, reservation } = video;
    const committed = await writer.commitEntry({
      staged,
      size,
      description: {
        url,
        mimetype,
        filename,
        ...(sha256 !== undefined && { sha256 }),
        sourceMimetype: "image/gif",
        sourceSize: received,
      },
      wanted: () => this.#callers.wanted(),
    });
    const file = committed ?? await files.adoptStaged(staged);
    reservation.release();
    if (committed !== undefined) this.#tellStored(mimetype, filename, size);
    this.#hand({
      facts: { key, url, mimetype, filename },
      size,
      body: () => fileBody(files, file, size, onServed),
    });
    this.#callers.onEnded();
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

  #tellStored(mimetype: string, filename: string, size: number): void {
    const durationMs = performance.now() - this.#started;
    const body = { mimetype, filename, size, durationMs };
    this.#emit({ type: "stored", source: "download", ...body });
  }

  #emit(event: RunEvent): void {
    const url = this.#url;
    const key = this.#key;
    this.#env.hub.emit({ ...event, url, key });
  }
}

/** Events about one URL, without what the run adds to each. */
type RunEvent =
  | Omit<MissEvent, keyof EntryEventBase>
  | Omit<StoredEvent, keyof EntryEventBase>
  | Omit<UncachedEvent, keyof EntryEventBase>
  | Omit<FailedEvent, keyof EntryEventBase>;
