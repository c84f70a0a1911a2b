import { assertAttached } from "../bodies/body_data.ts";
import type { Deadline } from "../async/deadline.ts";
import { Pacer } from "../async/pacer.ts";
import { startIdleTimer } from "../async/timer.ts";
import { IncompleteBodyError, TooLargeError } from "../api/errors.ts";
import { errorFacts } from "../text/failure_reason.ts";
import { sniffedType, UNNAMED_TYPE_REGEXP } from "../text/sniffed_type.ts";
import { withFittingExtension } from "../text/filename.ts";
import type { StagedFacts, StagedPause } from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { MediaFacts } from "../bodies/cached_media.ts";
import {
  type ChunkSource,
  replayed,
  wholeChunk,
} from "../bodies/chunk_source.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import { isGif } from "../gif/gif_scanner.ts";
import type { GifPlan } from "../gif/gif_plan.ts";
import { uncodedBody } from "./coded_body.ts";
import { DownloadBody } from "./download_body.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import type { RemoteSource, Source } from "./source.ts";
import { stageBody, type StagingPlace } from "./stage_body.ts";
import { TypeGate, type TypeVerdict } from "./type_gate.ts";

/**
 * A download is described for other processes after this time, in milliseconds. To
 * write the description takes longer than to receive most bodies, and a follower of a
 * shorter download finds its entry.
 */
const DESCRIBE_AFTER_MS = 10;

/** A body that came whole, not handed out yet, and its place on disk. */
export interface WholeReceived {
  /** The chunk, for its readers: they and its source may change or detach it. */
  readonly chunk: Uint8Array<ArrayBuffer>;
  /** A copy of the chunk, for disk and RAM. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The place on disk. */
  readonly place: StagingPlace;
}

/** The result of receiving, before it is stored. */
export type Received =
  | WholeReceived
  /** A body that is handed out, unless it is a GIF to be converted, with its plan. */
  | { readonly body: DownloadBody; readonly plan: GifPlan | undefined };

/** Receives the body of a download, and hands it out as soon as its type is certain. */
export class BodyReceiver {
  /** The facts of the body, once the downloader has answered. */
  source: Source | undefined;
  /** The body with its tee; undefined for a body that came whole. */
  body: DownloadBody | undefined;
  /** The bytes received so far. */
  received = 0;
  /**
   * The type of what the origin sends, once it is certain; undefined for a named type
   * that no caller had to be asked about.
   */
  type: string | undefined;
  /** How often the body has gone on after a break. */
  resumed = 0;
  /** How often the download has begun anew after a failure. */
  retried = 0;
  /** Whether the callers have the body. */
  isHandedOut = false;
  /** Why a GIF that could have been converted stays one. */
  conversion: string | undefined;
  /** Whether the object of the remote tier must not be replaced by this body. */
  keepsObject = false;
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  #claimed: StagedFile | undefined;
  #place: StagingPlace | undefined;
  /** Whether the first bytes tell the type, since the downloader has named none. */
  #isUnnamed = false;
  #isRefused = false;
  #stopTimer: (() => void) | undefined;

  /** Stages the body in `claimed`, if there is one. */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    claimed: StagedFile | undefined,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#claimed = claimed;
  }

  /** Whether the body goes to its readers alone. */
  get isUncached(): boolean {
    return this.#isRefused || this.body?.tee.cached === false;
  }

  /** The staged file that other processes may follow. */
  get staged(): StagedFile | undefined {
    const { body } = this;
    return body === undefined
      ? this.#place?.staged ?? this.#claimed
      : body.staged;
  }

  /** The facts of the staged body for followers, once the type is certain. */
  get stagedFacts(): StagedFacts | StagedPause {
    if (!this.isHandedOut) return "waiting";
    const { mimetype = "", filename = "", size } = this.source ?? {};
    return { mimetype, filename, size };
  }

  /**
   * Receives the whole body of a downloader's answer.
   *
   * @param answer The facts of the body.
   * @param body Its bytes.
   * @throws {IncompleteBodyError} If the body is not as long as declared.
   * @throws {TooLargeError} If the body is above `maxDownloadMb`.
   * @throws The error of the source, or the signal's reason.
   */
  async receive(
    answer: Source,
    body: ChunkSource,
    deadline: Deadline,
  ): Promise<Received> {
    const { signal } = this.#task.controller;
    const { remote } = answer;
    let chunks = body;
    const onAbort = () => {
      chunks.cancel(signal.reason);
      // Failed here, too: a push may wait for readers that are slow or have left. The
      // names go first: with the file its lock is released.
      this.body?.fail(signal.reason, errorFacts(signal.reason).name);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      let source = answer;
      if (answer.codings?.length) {
        const onChunk = () => deadline.alive();
        const uncoded = await uncodedBody(chunks, answer, onChunk);
        signal.throwIfAborted();
        ({ chunks, source } = uncoded);
        this.source = source;
      }
      this.#isUnnamed = this.#parts.options.sniff &&
        UNNAMED_TYPE_REGEXP.test(source.mimetype);
      this.#assertAllowed(source.size ?? 0);
      if (remote !== undefined) this.#takeFacts(remote);
      await this.#stage(source);
      const { whole, rest } = await this.#tryWhole(source, chunks);
      signal.throwIfAborted();
      if (whole !== undefined) return whole;
      chunks = rest;
      const place = this.#place;
      const body = this.body = new DownloadBody(
        this.#parts,
        this.#task,
        source.size,
        place,
        remote?.sha256,
      );
      const plan = await this.#pump(source, body, chunks, deadline);
      signal.throwIfAborted();
      return { body, plan };
    } catch (error) {
      // Not awaited: a source may take its time, and callers wait for the error.
      chunks.cancel(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Forgets a body that no caller has, since its source has broken: another source takes
   * its place.
   */
  async restart(): Promise<void> {
    const { body } = this;
    const place = this.#place;
    this.#isRefused = false;
    this.body =
      this.#place =
      this.type =
      this.conversion =
        undefined;
    this.received = 0;
    if (body?.tee.cached === false) {
      await body.fail(new Error("Cannot download: its source broke"), "Error");
      await body.close();
      return;
    }
    if (place === undefined) return;
    place.reservation.release();
    try {
      await place.staged.file.truncate(0);
      this.#claimed = place.staged;
    } catch {
      // The next body is staged in a file of its own.
      await place.staged.close();
    }
  }

  /** Hands the body out, if the type is certain and no conversion follows. */
  decide(verdict: TypeVerdict | undefined, body: DownloadBody): void {
    if (verdict === undefined || verdict.type === "convert") return;
    if (
      verdict.type === "labelled" && this.#task.listener.callers.isSelective
    ) {
      this.#settle(this.source?.mimetype ?? "");
    }
    if (verdict.type === "sniffed") this.#rename(verdict.mimetype);
    if (verdict.type === "gif") {
      this.#rename("image/gif");
      this.conversion = verdict.reason;
      if (verdict.reason !== undefined) {
        const { url, key } = this.#task;
        this.#parts.gifs?.kept(url, key, verdict.reason);
      }
    }
    const { tee } = body;
    this.hand({}, tee.size, () => tee.body());
  }

  /** Takes the facts of an object that bytes don't tell. */
  #takeFacts({ original, conversion }: RemoteSource): void {
    this.conversion = conversion;
    if (original !== undefined) this.#settle(original.sourceMimetype);
  }

  /** Takes the type that the bytes have told, and a name with an extension of that type. */
  #rename(mimetype: string): void {
    this.#settle(mimetype);
    if (this.source === undefined) return;
    const filename = withFittingExtension(this.source.filename, mimetype);
    this.source = { ...this.source, mimetype, filename };
  }

  /**
   * Settles the type of what the origin sends, and refuses it to callers.
   *
   * @throws {UnacceptableTypeError} If no caller accepts it.
   */
  #settle(mimetype: string): void {
    if (this.type !== undefined) return;
    this.type = mimetype;
    if (this.#isUnnamed && !UNNAMED_TYPE_REGEXP.test(mimetype)) {
      this.#parts.counters.sniffed++;
    }
    const { listener, controller } = this.#task;
    if (listener.callers.isSelective) listener.refuse(mimetype);
    controller.signal.throwIfAborted();
  }

  /** Hands a body out; `facts` replace those of the source. */
  hand(
    facts: Partial<Pick<MediaFacts, "mimetype" | "filename">>,
    size: number | undefined,
    body: () => MediaBody,
  ): void {
    const { url, key, listener } = this.#task;
    const { mimetype = "", filename = "" } = { ...this.source, ...facts };
    this.isHandedOut = true;
    if (this.source?.remote !== undefined) {
      this.#tellRemoteHit(mimetype, filename, size ?? 0);
    }
    listener.onHandout({ facts: { key, url, mimetype, filename }, size, body });
  }

  #tellRemoteHit(mimetype: string, filename: string, size: number): void {
    const { hub, remote } = this.#parts;
    const { url, key, started } = this.#task;
    // Counted right before the event: the router's Monitor compares them.
    if (remote !== undefined) remote.counters.hits++;
    const durationMs = performance.now() - started;
    const facts = { url, key, mimetype, filename, size, durationMs };
    if (hub.listening) hub.emit({ type: "remoteHit", ...facts });
  }

  /** Ends the body with an error, after its files have lost their names. */
  async fail(error: unknown): Promise<void> {
    await this.body?.fail(error, errorFacts(error).name);
    await this.#discard();
  }

  /** Discards a body that was not stored. */
  async close(): Promise<void> {
    await this.body?.close();
    await this.#discard();
  }

  /** Discards a place that no body has taken. */
  async #discard(): Promise<void> {
    const place = this.body === undefined ? this.#place : undefined;
    await (place?.staged ?? this.#claimed)?.close();
    place?.reservation.release();
    this.#place = this.#claimed = undefined;
  }

  async #stage(source: Source): Promise<void> {
    const claimed = this.#claimed;
    this.#claimed = undefined;
    const place = await stageBody(this.#parts, this.#task, source, claimed);
    if (typeof place !== "string") {
      this.#place = place;
      return;
    }
    this.#isRefused = true;
    this.#task.listener.onUncached(place);
  }

  /**
   * Receives a body that comes in a single chunk and may enter RAM. Such a body needs no
   * tee: it is handed out from RAM.
   */
  async #tryWhole(
    { size, mimetype }: Source,
    chunks: ChunkSource,
  ): Promise<{ whole?: Received; rest: ChunkSource }> {
    const { gifs, catalog } = this.#parts;
    const { listener } = this.#task;
    const place = this.#place;
    const mayTry = place !== undefined && size !== undefined &&
      catalog.memory.admits(size);
    if (!mayTry) return { rest: chunks };
    const { chunk, rest } = await wholeChunk(chunks, size);
    if (chunk === undefined) return { rest };
    assertAttached(chunk);
    const mayConvert = gifs !== undefined && isGif(chunk);
    if (mayConvert || !place.reservation.write(size)) {
      return { rest: replayed([chunk], rest) };
    }
    this.#count(size, size);
    const sniffed = this.#isUnnamed ? sniffedType(chunk) : undefined;
    if (sniffed !== undefined) this.#rename(sniffed);
    else if (listener.callers.isSelective) this.#settle(mimetype);
    // The place belongs to the result from here on.
    this.#place = undefined;
    const bytes = new Uint8Array(chunk);
    return { whole: { chunk, bytes, place }, rest };
  }

  /** Pumps the body into its tee; returns the plan if it is a GIF to be converted. */
  async #pump(
    source: Source,
    body: DownloadBody,
    chunks: ChunkSource,
    deadline: Deadline,
  ): Promise<GifPlan | undefined> {
    const isKept = source.remote?.conversion !== undefined;
    const gifs = isKept ? undefined : this.#parts.gifs;
    const gate = new TypeGate(gifs, this.#isUnnamed);
    try {
      await this.#pumpAll(source, body, chunks, deadline, gate);
    } finally {
      this.#stopTimer?.();
    }
    if (source.size !== undefined && this.received !== source.size) {
      throw new IncompleteBodyError(this.received, source.size);
    }
    if (this.isHandedOut) return undefined;
    const verdict = gate.end();
    if (verdict.type === "convert") return verdict.plan;
    this.decide(verdict, body);
    return undefined;
  }

  async #pumpAll(
    { size, remote }: Source,
    body: DownloadBody,
    chunks: ChunkSource,
    deadline: Deadline,
    gate: TypeGate,
  ): Promise<void> {
    const { controller: { signal }, listener } = this.#task;
    const pacer = new Pacer();
    for (;;) {
      const chunk = await chunks.next();
      signal.throwIfAborted();
      if (chunk === undefined) return;
      deadline.alive();
      assertAttached(chunk);
      this.#parts.slots.hear(this.#task.slot);
      this.#count(chunk.length, size);
      await body.push(chunk, deadline);
      signal.throwIfAborted();
      // The origin can't complete a video that was made of its GIF: only a whole one is
      // handed out.
      if (!this.isHandedOut && remote?.original === undefined) {
        // No reader has the chunk yet, so only its source can have detached it.
        assertAttached(chunk);
        this.decide(await gate.push(chunk, body.tee.cached), body);
        if (this.isHandedOut) this.#describeLater(body);
        else if (gate.isGif) this.#settle("image/gif");
      }
      listener.onProgress(this.received, size);
      if (pacer.due) await pacer.yield();
    }
  }

  /** Describes the body for other processes after a while, unless it is complete. */
  #describeLater(body: DownloadBody): void {
    if (this.received === this.source?.size) return;
    this.#stopTimer = startIdleTimer(DESCRIBE_AFTER_MS, () => {
      body.describe(this.stagedFacts);
    });
  }

  #count(bytes: number, expected: number | undefined): void {
    if (this.source?.remote === undefined) {
      this.#parts.counters.bytesDownloaded += bytes;
    }
    this.received += bytes;
    this.#assertAllowed(this.received, true);
    if (expected !== undefined && this.received > expected) {
      throw new IncompleteBodyError(this.received, expected);
    }
  }

  #assertAllowed(bytes: number, hasCome = false): void {
    const { maxDownloadBytes } = this.#parts.options;
    if (bytes <= maxDownloadBytes) return;
    const found = hasCome ? { received: bytes } : { declared: bytes };
    throw new TooLargeError(maxDownloadBytes, found);
  }
}
