import type {
  Download,
  DownloadContext,
  DownloadInfo,
} from "../api/download.ts";
import { DownloadTimeoutError } from "../api/errors.ts";
import { Deadline } from "../async/deadline.ts";
import type { Claim } from "../sharing/download_claims.ts";
import { type ChunkSource, chunkSource } from "../bodies/chunk_source.ts";
import type { Tee } from "../bodies/tee.ts";
import { errorFacts } from "../text/failure_reason.ts";
import { type ReceivedPart, restHeaders } from "../text/partial_content.ts";
import { refusedStatusOf } from "../text/refused_status.ts";
import type { CallerLink } from "./caller_links.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import { BodyReceiver, type Received } from "./receive_body.ts";
import { runDownloader, type Source, toRest, toSource } from "./source.ts";
import { type Break, ContinuedBody, type Rest } from "./continued_body.ts";
import { isPassing, retryWaitMs } from "./retry_wait.ts";
import { ObjectDownload } from "./object_download.ts";
import { pauseAttempts } from "./attempt_pause.ts";
import { withBeat } from "./with_beat.ts";
import { ReceivedCommit } from "./commit_received.ts";

/** The download of a URL by its downloader, or of its object of the remote tier: ask, receive, store. */
export class OwnDownload {
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #claim: Claim;
  readonly #before: number | undefined;
  readonly #receiver: BodyReceiver;
  /** The link whose downloader is called. */
  #link: CallerLink;
  /** The calls of downloaders so far. */
  #attempts = 0;
  /** Whether the downloader has looked at its headers: else it can't ask for a part. */
  #sendsHeaders = false;

  /**
   * @param claim The claim of this process; with the role "lead" it has a staged file.
   * @param before The identity of the .dat when the URL was claimed, if there was one.
   */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    claim: Claim,
    before: number | undefined,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#link = task.link;
    this.#claim = claim;
    this.#before = before;
    const claimed = claim.role === "lead" ? claim.staged : undefined;
    this.#receiver = new BodyReceiver(parts, task, claimed);
  }

  /** The facts and the progress of the download. */
  get info(): DownloadInfo {
    const { source, received, isHandedOut } = this.#receiver;
    const { key, url, startedAt, phase } = this.#task;
    return {
      key,
      url,
      mimetype: isHandedOut ? source?.mimetype : undefined,
      filename: source?.filename,
      received,
      total: source?.size,
      startedAt,
      phase,
    };
  }

  /** The type of what the origin sends, once it is certain. */
  get type(): string | undefined {
    const { type, source, isHandedOut } = this.#receiver;
    return type ?? (isHandedOut ? source?.mimetype : undefined);
  }

  /** The tee, once there is one; a body that came whole has none. */
  get body(): Tee | undefined {
    return this.#receiver.body?.tee;
  }

  /** Whether the body goes to its readers alone. */
  get isUncached(): boolean {
    return this.#receiver.isUncached;
  }

  /** Whether other processes follow the download. */
  get isFollowed(): boolean {
    return this.#claim.role === "lead" &&
      this.#claim.staged.description?.isFollowed === true;
  }

  /**
   * Asks the remote tier, if there is one, and else runs the downloader. Stores the body;
   * true when it is on disk.
   */
  async run(): Promise<boolean> {
    const { slots, remote } = this.#parts;
    const { key, controller: { signal } } = this.#task;
    let isStored = false;
    try {
      const received = await slots.run(
        this.#task.slot,
        () => this.#receive(),
      );
      const commit = new ReceivedCommit(
        this.#parts,
        this.#task,
        this.#receiver,
        this.#isOutdated,
      );
      return isStored = await commit.run(received);
    } finally {
      if (remote !== undefined) remote.ended(key, signal, isStored);
    }
  }

  /** Gives up the claim: other downloads of the URL may begin, and this one goes on. */
  giveUp(): void {
    const claim = this.#claim;
    const { key, controller } = this.#task;
    if (claim.role === "lead") this.#parts.claims.giveUp(key, claim);
    // Other hosts would wait for an object that does not come.
    this.#parts.remote?.giveBack(key, controller.signal);
  }

  /** Ends the body with an error. */
  fail(error: unknown): Promise<void> {
    if (this.#attempts > 0) this.#remember(error);
    // Known by its name: the core does not load `guard()`.
    if (errorFacts(error).name === "ForbiddenAddressError") {
      this.#parts.counters.addressesRefused++;
    }
    return this.#receiver.fail(error);
  }

  /** Discards a body that was not stored, and ends the claim. */
  async close(): Promise<void> {
    await this.#receiver.close();
    const claim = this.#claim;
    if (claim.role === "lead") this.#parts.claims.end(this.#task.key, claim);
  }

  /** Receives the body of an object, or runs the downloader and receives its body, within the time limits. */
  async #receive(): Promise<Received> {
    const { idleTimeoutMs, timeoutMs } = this.#parts.options;
    const { slots, remote } = this.#parts;
    const { controller, slot, key, revalidated } = this.#task;
    if (revalidated !== undefined) remote?.begin(key, controller.signal);
    // An object of the remote tier is no newer than the entry.
    const object = revalidated === undefined && remote !== undefined
      ? new ObjectDownload(this.#parts, this.#task, this.#receiver, remote)
      : undefined;
    const found = await object?.find();
    const deadline = new Deadline(
      idleTimeoutMs,
      timeoutMs,
      (kind, limitMs) =>
        controller.abort(new DownloadTimeoutError(limitMs, kind)),
      () => slots.isHeldBack(slot),
    );
    try {
      const received = found &&
        await object?.receive(found, deadline, async () => {
          const answer = await this.#ask(deadline);
          return { answer, chunks: this.#chunksOf(answer, deadline) };
        });
      if (received !== undefined) return received;
      return await this.#receiveAnswer(deadline);
    } finally {
      deadline.stop();
    }
  }

  /** Runs the downloader and receives its body; anew if that breaks and may be retried. */
  async #receiveAnswer(deadline: Deadline): Promise<Received> {
    const receiver = this.#receiver;
    for (;;) {
      const answer = await this.#ask(deadline);
      const chunks = this.#chunksOf(answer, deadline);
      try {
        return await receiver.receive(answer, chunks, deadline);
      } catch (error) {
        if (!await this.#mayRetry(error, deadline)) throw error;
        await receiver.restart();
      }
    }
  }

  /** The bytes of an answer; they go on where they stopped if the origin tells their version. */
  #chunksOf(
    { body, size, validator }: Source,
    deadline: Deadline,
  ): ChunkSource {
    const chunks = chunkSource(body, true, size);
    if (validator === undefined || !this.#sendsHeaders) return chunks;
    return new ContinuedBody(
      chunks,
      size,
      (broken) => this.#askForRest({ ...broken, validator }, deadline),
    );
  }

  /**
   * Asks for the rest of a body that broke: at once for the first time, later after a wait.
   *
   * @returns The rest; undefined if it can't be had.
   * @throws A failure that may pass.
   */
  async #askForRest(
    part: Break & ReceivedPart,
    deadline: Deadline,
  ): Promise<Rest | undefined> {
    const { asked, fruitless, failure } = part;
    const waitMs = asked === 0
      ? 0
      : retryWaitMs(failure, fruitless, deadline.leftMs);
    if (waitMs === undefined) return undefined;
    const { counters } = this.#parts;
    try {
      return await this.#withBeat(async () => {
        if (waitMs > 0) await this.#pause(waitMs, deadline);
        deadline.alive();
        const rest = await this.#call(
          () => restHeaders(part),
          (result) => toRest(result, part),
          (error) => {
            // Other failures are none of the link.
            if (refusedStatusOf(error) === undefined) throw error;
            this.#useNextLink(error);
          },
        );
        deadline.alive();
        if (rest === undefined) return undefined;
        counters.resumed++;
        this.#receiver.resumed++;
        return rest;
      });
    } catch (error) {
      if (isPassing(error)) throw error;
      return undefined;
    }
  }

  /** Runs the downloader of a link, or of the next link if the origin refuses it. */
  async #ask(deadline: Deadline): Promise<Source> {
    const { url, key, started } = this.#task;
    const isFirst = this.#attempts === 0;
    this.#task.phase = "downloading";
    let source: Source | undefined;
    try {
      source = await this.#call(
        () => new Headers(this.#task.revalidated?.conditions),
        toSource,
        async (error) => {
          if (!await this.#mayRetry(error, deadline)) this.#useNextLink(error);
          deadline.alive();
        },
      );
      deadline.alive();
      // The rest of an object that was handed out keeps its type and name.
      if (!this.#receiver.isHandedOut) this.#receiver.source = source;
      return source;
    } finally {
      const { hub } = this.#parts;
      const isTold = isFirst && this.#task.revalidated === undefined;
      if (isTold && hub.listening) {
        hub.emit({
          type: "miss",
          url,
          key,
          mimetype: source?.mimetype,
          filename: source?.filename,
          size: source?.size,
          durationMs: performance.now() - started,
        });
      }
    }
  }

  /**
   * Calls the downloader of the present link, again after each failure that `onFailure` takes.
   *
   * @param read Reads its result.
   * @throws The error of `onFailure`, or the signal's reason.
   */
  async #call<T>(
    headers: () => Headers,
    read: (result: Response | Download, url: string) => T,
    onFailure: (error: unknown) => void | Promise<void>,
  ): Promise<T> {
    const { slot, controller: { signal } } = this.#task;
    const countRefresh = () => void this.#parts.counters.refreshed++;
    for (;;) {
      const { url, downloader } = this.#link;
      const attempt = this.#attempts++;
      this.#sendsHeaders = false;
      const use = () => {
        this.#sendsHeaders = true;
        return headers();
      };
      let made: Headers | undefined;
      const context: DownloadContext = {
        url,
        signal,
        attempt,
        countRefresh,
        get headers() {
          return made ??= use();
        },
      };
      slot.isAsking = true;
      try {
        return await runDownloader(downloader, context, read);
      } catch (error) {
        signal.throwIfAborted();
        slot.isAsking = false;
        await onFailure(error);
        signal.throwIfAborted();
      } finally {
        slot.isAsking = false;
      }
    }
  }

  /** Goes on with the link of another caller if the origin refuses one; else throws the error. */
  #useNextLink(error: unknown): void {
    // Callers that have just left still have their links in the list.
    this.#task.controller.signal.throwIfAborted();
    const next = this.#task.listener.onRefused(this.#link, error);
    this.#remember(error);
    this.#link = next;
  }

  /**
   * Remembers the failure of the present link, unless the cache or its callers have ended the
   * download. After a deletion the link is to be asked for anew.
   */
  #remember(error: unknown): void {
    const { key, controller: { signal }, listener } = this.#task;
    const isEnded = signal.aborted &&
      !(signal.reason instanceof DownloadTimeoutError);
    if (isEnded || !listener.mayStore) return;
    this.#parts.failures?.add(this.#link.url, key, error);
  }

  /**
   * Waits before another attempt; false if the error is final, callers have bytes, or nobody
   * wants the download any more.
   */
  async #mayRetry(error: unknown, deadline: Deadline): Promise<boolean> {
    const { listener, slot, controller: { signal } } = this.#task;
    const receiver = this.#receiver;
    const isWanted = slot.isWanted || this.isFollowed;
    const isOver = signal.aborted || receiver.isHandedOut || !isWanted ||
      receiver.retried >= listener.retries || !isPassing(error);
    if (isOver) return false;
    const waitMs = retryWaitMs(error, receiver.retried, deadline.leftMs);
    if (waitMs === undefined) return false;
    receiver.retried++;
    this.#parts.counters.retried++;
    await this.#withBeat(() => this.#pause(waitMs, deadline));
    return true;
  }

  #pause(waitMs: number, deadline: Deadline): Promise<void> {
    return pauseAttempts(
      this.#parts,
      this.#task,
      this.#receiver,
      waitMs,
      deadline,
    );
  }

  /** Runs a task during which no bytes come, and shows other processes that this one lives. */
  #withBeat<T>(task: () => Promise<T>): Promise<T> {
    const { staged, stagedFacts } = this.#receiver;
    return withBeat(this.#parts, this.#task, staged, stagedFacts, task);
  }

  /**
   * Whether the body must not be stored any more: the entry has changed since the claim,
   * or the claim was revoked by a deletion.
   */
  readonly #isOutdated = async (): Promise<boolean> => {
    const { claims, store } = this.#parts;
    const { key } = this.#task;
    const now = await store.bodyIdentity(key);
    // Where there is no .dat any more, the commit replaces nothing.
    if (now !== undefined && now !== this.#before) return true;
    return this.#claim.role === "lead" &&
      !await claims.isCurrent(key, this.#claim.identity);
  };
}
