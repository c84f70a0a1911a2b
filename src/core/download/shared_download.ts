import type { DownloadInfo } from "../api/download.ts";
import type { GetOrDownloadOptions } from "../api/call_options.ts";
import { DownloadTimeoutError, MediaCacheError } from "../api/errors.ts";
import type { Media } from "../api/media.ts";
import { keyOf } from "../text/key.ts";
import { errorFacts } from "../text/failure_reason.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { CachedMedia, type MediaFacts } from "../bodies/cached_media.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { Claim } from "../sharing/download_claims.ts";
import type { CallerLink } from "./caller_links.ts";
import { Callers } from "./callers.ts";
import type {
  DownloadListener,
  DownloadParts,
  DownloadTask,
  Handout,
} from "./download_parts.ts";
import { ClaimTurns } from "./claim_turns.ts";
import { FollowDeadline } from "./follow_deadline.ts";
import { FollowedDownload } from "./followed_download.ts";
import { handOutEntry } from "./hand_out_entry.ts";
import { OwnDownload } from "./own_download.ts";

/** The present origin of the bytes of a download. */
type Origin =
  /** None yet: the download waits for a slot, or looks for a process that downloads the URL. */
  | { readonly is: "waiting" }
  /** The caller's downloader. */
  | { readonly is: "own"; readonly download: OwnDownload }
  /** The download of another process. */
  | { readonly is: "followed"; readonly download: FollowedDownload }
  /** None any more: for callers the download has ended. */
  | { readonly is: "over" };

/** A claim after which the caller's downloader runs. */
type OwnClaim = Exclude<Claim, { role: "follow" }>;

/** A running download of a URL, shared by all its callers. */
export class SharedDownload implements DownloadListener {
  /** The canonical URL. */
  readonly url: string;
  /** The key of the URL. */
  readonly key: string;
  /** Resolves at the end: whether the body is on disk. Never rejects. */
  readonly stored: Promise<boolean>;
  /** The callers that share the download. */
  readonly callers: Callers<{ facts: MediaFacts; body: MediaBody }>;
  /** Whether the body is still to be stored. */
  mayStore = true;
  /** The most retries that a caller wants. */
  retries = 0;
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #turns: ClaimTurns;
  readonly #onUnjoinable: () => void;
  #origin: Origin = { is: "waiting" };
  #handout: Handout | undefined;
  /** The last followed download that was lost: its Media without a byte read wait for the next handout. */
  #lost: FollowedDownload | undefined;
  /** The time limits for downloads of other processes; set when the first is followed. */
  #followDeadline: FollowDeadline | undefined;
  /** Whether `abort()` was called: by `close()`, or because all callers have left. */
  #isAborted = false;
  /** Whether the download goes on only for other processes. */
  #isKept = false;
  /** The `put()` calls that wait for the end. */
  #puts = 0;

  /**
   * Starts the download.
   *
   * @param url The canonical URL.
   * @param link The link of the caller that starts the download.
   * @param onUnjoinable Called once later callers must start a download of their own, at
   * the latest at the end.
   */
  constructor(
    parts: DownloadParts,
    url: string,
    link: CallerLink,
    onUnjoinable: () => void,
  ) {
    this.url = url;
    this.key = keyOf(url);
    this.#parts = parts;
    this.#turns = new ClaimTurns(parts, url, this.key);
    this.#onUnjoinable = onUnjoinable;
    this.#task = {
      url,
      key: this.key,
      startedAt: Date.now(),
      started: performance.now(),
      controller: new AbortController(),
      slot: parts.slots.add(() => this.#endAbandoned()),
      link,
      phase: "waiting",
      listener: this,
    };
    this.callers = new Callers(parts, this.#task);
    this.stored = this.#run();
  }

  /** Whether the download runs, for callers. */
  get isRunning(): boolean {
    return this.#origin.is !== "over";
  }

  /** The facts and the progress of the download. */
  get info(): DownloadInfo {
    if ("download" in this.#origin) return this.#origin.download.info;
    const { url, key, startedAt } = this.#task;
    const unknown = { mimetype: undefined, filename: undefined };
    const none = { received: 0, total: undefined };
    return { key, url, ...unknown, ...none, startedAt, phase: "waiting" };
  }

  /**
   * Waits until the type is certain, and makes a Media of the body.
   *
   * @param options The options of the caller; without `accept` it accepts all types.
   * @param link The caller's link, tried if the origin refuses those before; none for a
   * caller that knows the key alone.
   * @throws {MediaCacheError} If the download waits for the caller.
   * @throws The error of the download, or the reason of the caller's signal.
   */
  async join(options: GetOrDownloadOptions, link?: CallerLink): Promise<Media> {
    const leave = this.callers.join(options, link);
    if (link !== this.#task.link) this.#countJoin();
    const { accept, signal, retries = this.#parts.options.retries } = options;
    this.retries = Math.max(this.retries, retries);
    try {
      const result = this.callers
        .wait(options, link, () => this.#endIfUnneeded());
      // The type or the body of a download that runs may be known already.
      if (accept !== undefined && "download" in this.#origin) {
        const { type } = this.#origin.download;
        if (type !== undefined) this.refuse(type);
      }
      if (this.#handout !== undefined) this.onHandout(this.#handout);
      const { facts, body } = await result;
      if (signal?.aborted) {
        body.release();
        throw signal.reason;
      }
      const { stored } = this;
      const origin = { body, source: "download", stored } as const;
      return new CachedMedia(facts, origin, this.#parts.lifetime, signal);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /**
   * Waits for the end, as `put()` does.
   *
   * @throws {MediaCacheError} If the download waits for the caller.
   */
  async ended(): Promise<void> {
    const leave = this.#parts.slots.enter(this.#task.slot, "put");
    this.#puts++;
    await this.stored;
    leave?.();
  }

  /** Counts and reports a caller that joins a running download. */
  #countJoin(): void {
    this.#parts.counters.coalesced++;
    this.#tellJoined();
  }

  /** Goes on for the readers, and stores nothing. */
  detach(): void {
    this.mayStore = false;
    this.#onUnjoinable();
    this.#giveUp();
    this.#endIfUnneeded();
  }

  /** Ends the download with an error. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    this.#task.controller.abort(reason);
  }

  /** Counts the bytes that a reader was handed. */
  onServed(bytes: number): void {
    this.#parts.counters.bytesServed += bytes;
  }

  /** Reports that the staged file can't be read. */
  onFault(error: unknown): void {
    this.#parts.errors.report("read a download", error);
  }

  /** Picks the link of another caller if the origin refuses one; else throws the error. */
  onRefused(link: CallerLink, error: unknown): CallerLink {
    const next = this.callers.nextLink(link, error);
    if (next === undefined) {
      // The link of a caller that joined after this look would never be tried.
      this.#onUnjoinable();
      throw error;
    }
    return next;
  }

  /** Refuses a type to the callers that don't accept it, and ends the download if none does. */
  refuse(mimetype: string): void {
    const refusal = this.callers.refusalOf(mimetype);
    // Ended first, so that no caller joins it any more.
    if (refusal !== undefined) this.end(refusal);
    this.callers.refuse(mimetype);
  }

  /** Hands the body to all waiting callers: its type is certain. */
  onHandout(handout: Handout): void {
    this.#lost?.succeed(handout);
    this.#lost = undefined;
    this.#handout = handout;
    const { facts } = handout;
    this.callers.resolve(() => ({ facts, body: handout.body() }));
  }

  /** Reports the progress to callers. */
  onProgress(received: number, total: number | undefined): void {
    this.callers.progress(received, total);
    // The processes that the download was kept for may have left, too.
    if (this.#isKept) this.#endIfUnneeded();
  }

  /** Reports that the body is not stored: later callers start a download of their own. */
  onUncached(reason: string): void {
    const { url, key } = this;
    this.#onUnjoinable();
    this.#parts.remote?.giveBack(key, this.#task.controller.signal);
    this.#parts.hub.emit({ type: "uncached", reason, url, key });
    this.#endIfUnneeded();
  }

  /** Ends the download if it need not finish: the last reader has left. */
  onAbandoned(): void {
    this.#endIfUnneeded();
  }

  /** Ends the download if its last caller or reader has left and it need not finish. */
  #endIfUnneeded(): void {
    const origin = this.#origin;
    const body = "download" in origin ? origin.download.body : undefined;
    const bodies = [body, this.#lost?.body].filter((each) => each);
    const isRead = bodies.length === 0
      ? this.#handout !== undefined
      : bodies.some((each) => each?.idle === false);
    if (isRead || this.callers.count > 0) return;
    const { slots, options } = this.#parts;
    if (this.#puts === 0) slots.abandon(this.#task.slot);
    const own = origin.is === "own" ? origin.download : undefined;
    const isPointless = !this.mayStore || own?.isUncached === true;
    if (isPointless || options.whenAbandoned === "abort") this.#endAbandoned();
  }

  /** Ends an abandoned download; false if it goes on for other processes. */
  #endAbandoned(): boolean {
    const origin = this.#origin;
    this.#isKept = origin.is === "own" && origin.download.isFollowed;
    if (this.#isKept) return false;
    this.end(new DOMException("The download was abandoned", "AbortError"));
    return true;
  }

  /** Ends the download with an error, and lets nobody join it or wait for its claim. */
  end(reason: unknown): void {
    this.#onUnjoinable();
    this.#giveUp();
    this.abort(reason);
  }

  /** Ends the download for callers: everything is received, and stored if possible. */
  onEnded(): void {
    this.#origin = { is: "over" };
    this.callers.endProgress();
    this.#onUnjoinable();
  }

  async #run(): Promise<boolean> {
    const { slots } = this.#parts;
    const { slot, controller } = this.#task;
    try {
      for (;;) {
        if (!slots.tryTake(slot)) await slots.wait(slot, controller.signal);
        const claim = await this.#turns.claim(this.mayStore);
        if (claim.role !== "follow") return await this.#download(claim);
        slots.leave(slot);
        const stored = await this.#follow(claim.file);
        if (stored !== undefined) return stored;
      }
    } catch (error) {
      return await this.#fail(error, undefined);
    } finally {
      slots.leave(slot);
      this.#followDeadline?.stop();
    }
  }

  /** Runs the downloader, unless another process has stored the URL since the lookup. */
  async #download(claim: OwnClaim): Promise<boolean> {
    const { claims, lookup, store } = this.#parts;
    const before = await store.bodyIdentity(this.key);
    if (claim.role === "lead" && before !== undefined) {
      const opened = await lookup.openSettled(this.url);
      if (opened !== undefined) {
        await claim.staged.close();
        claims.end(this.key, claim);
        return await handOutEntry(this.#parts, this, opened);
      }
    }
    const download = new OwnDownload(this.#parts, this.#task, claim, before);
    this.#origin = { is: "own", download };
    // A deletion during the claim found none to give up.
    if (!this.mayStore) download.giveUp();
    try {
      return await download.run();
    } catch (error) {
      return await this.#fail(error, download);
    } finally {
      await download.close();
    }
  }

  /**
   * Hands the callers the bytes that another process downloads.
   *
   * @returns Whether the bytes are stored in the end; undefined if they come no more and
   * callers still want them.
   */
  async #follow(file: DiskFile): Promise<boolean | undefined> {
    const { errors, lookup, options } = this.#parts;
    const isFirst = this.#followDeadline === undefined;
    const deadline = this.#followDeadline ??= new FollowDeadline(
      options,
      this.#task.controller,
    );
    const download = new FollowedDownload(
      this.#parts,
      this.#task,
      file,
      deadline,
    );
    this.#origin = { is: "followed", download };
    // Counted for the first followed process alone; for each later one there is an event.
    if (isFirst) this.#countJoin();
    else this.#tellJoined();
    let lost: unknown;
    try {
      const end = await download.run();
      if ("isStored" in end) {
        this.onEnded();
        download.close();
        return end.isStored;
      }
      lost = end.lost;
    } catch (error) {
      const { aborted } = this.#task.controller.signal;
      if (aborted || error instanceof MediaCacheError) {
        await this.#fail(error, download);
        download.close();
        return false;
      }
      errors.report("follow a download", error);
      this.#turns.followNobody();
      lost = error;
    }
    this.#lose(download, lost);
    const opened = await lookup.open(this.url);
    if (opened !== undefined) {
      return await handOutEntry(this.#parts, this, opened);
    }
    const hasCallers = this.callers.count > 0 ||
      this.#lost?.body?.idle === false;
    if (!hasCallers) {
      this.onEnded();
      return false;
    }
    if (lost instanceof DownloadTimeoutError && lost.kind === "idle") {
      await this.#turns.takeOver(file.identity);
    }
    return undefined;
  }

  /** Fails the Media with bytes read of a lost body; the others wait for the next handout. */
  #lose(download: FollowedDownload, error: unknown): void {
    download.body?.lose(error);
    if (download.body !== undefined) {
      this.#handout = undefined;
      this.#lost = download;
    }
    this.#origin = { is: "waiting" };
    download.close();
  }

  async #fail(
    error: unknown,
    download: OwnDownload | FollowedDownload | undefined,
  ): Promise<false> {
    const { hub, counters } = this.#parts;
    const { url, key, info: { received } } = this;
    const isFailure = !this.#isAborted;
    // Ended first, so that a caller that tries again at once starts a new download.
    this.onEnded();
    await download?.fail(error);
    this.#lost?.fail(error);
    // Counted right before the event: the router's Monitor compares them.
    if (isFailure) counters.failures++;
    const facts = errorFacts(error);
    hub.emit({ type: "failed", url, key, error, ...facts, received });
    this.callers.reject(error);
    return false;
  }

  /** Gives up the claim: other processes and later callers may download the URL anew. */
  #giveUp(): void {
    if (this.#origin.is === "own") this.#origin.download.giveUp();
  }

  #tellJoined(): void {
    const { url, key, info: { received } } = this;
    this.#parts.hub.emit({ type: "joined", url, key, received });
  }
}
