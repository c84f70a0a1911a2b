import { Deadline } from "../async/deadline.ts";
import { Waiters } from "../async/waiters.ts";
import type { DownloadInfo } from "../api/download.ts";
import type { Downloader } from "../api/download.ts";
import type { GetOrDownloadOptions } from "../api/call_options.ts";
import { MediaCacheError } from "../api/errors.ts";
import type { Media } from "../api/media.ts";
import { callSafely } from "../reporting/call_safely.ts";
import { keyOf } from "../text/key.ts";
import { errorFacts } from "../text/failure_reason.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { fitsSidecar } from "../disk/sidecar.ts";
import { CachedMedia, type MediaFacts } from "../bodies/cached_media.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import { fileBody } from "../bodies/stored_body.ts";
import type { Claim } from "../sharing/download_claims.ts";
import type { OpenEntry } from "../entries/entry_opener.ts";
import type {
  DownloadListener,
  DownloadParts,
  DownloadTask,
  Handout,
} from "./download_parts.ts";
import { FollowedDownload } from "./followed_download.ts";
import { OwnDownload } from "./own_download.ts";

/** Where the bytes of a download come from at the moment. */
type Origin =
  /** Nowhere yet: it waits for a slot, or looks for a process that downloads the URL. */
  | { readonly is: "waiting" }
  /** Its downloader. */
  | { readonly is: "own"; readonly download: OwnDownload }
  /** Another process. */
  | { readonly is: "followed"; readonly download: FollowedDownload }
  /** All has come, as callers see it. */
  | { readonly is: "over" };

/** A claim of which the bytes come from the downloader. */
type OwnClaim = Exclude<Claim, { role: "follow" }>;

/** No other process is asked. */
const UNSHARED: Claim = { role: "none" };

/** One running download of one URL, and all its callers. */
export class SharedDownload implements DownloadListener {
  /** The canonical URL. */
  readonly url: string;
  /** Its key. */
  readonly key: string;
  /** Whether the body is on disk in the end. Never rejects. */
  readonly stored: Promise<boolean>;
  /** Whether the body shall still be stored. */
  isWanted = true;
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #onUnjoinable: () => void;
  readonly #waiters = new Waiters<{ facts: MediaFacts; body: MediaBody }>();
  readonly #watchers = new Set<GetOrDownloadOptions>();
  #origin: Origin = { is: "waiting" };
  #handout: Handout | undefined;
  /** A followed download that was lost: Media without a byte of it wait for the next handout. */
  #lost: FollowedDownload | undefined;
  /** Runs from the first look at another process on. */
  #patience: Deadline | undefined;
  /** Whether other processes may be followed: false once they were silent for too long. */
  #mayFollow = true;
  /** Whether `abort()` was called: by `close()`, or because all callers have left. */
  #isAborted = false;
  /** Whether only other processes want the body. */
  #isKept = false;

  /**
   * Starts the download.
   *
   * @param url The canonical URL.
   * @param callerUrl The URL for the downloader.
   * @param onUnjoinable Called when later callers must start a download of their
   * own, at the end at the latest.
   */
  constructor(
    parts: DownloadParts,
    url: string,
    callerUrl: string,
    downloader: Downloader,
    onUnjoinable: () => void,
  ) {
    this.url = url;
    this.key = keyOf(url);
    this.#parts = parts;
    this.#onUnjoinable = onUnjoinable;
    this.#task = {
      url,
      key: this.key,
      startedAt: Date.now(),
      started: performance.now(),
      controller: new AbortController(),
      listener: this,
    };
    this.stored = this.#run(downloader, callerUrl);
  }

  /** Whether it still runs, as callers see it. */
  get isRunning(): boolean {
    return this.#origin.is !== "over";
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    if ("download" in this.#origin) return this.#origin.download.info;
    const { url, key, startedAt } = this.#task;
    const unknown = { mimetype: undefined, filename: undefined };
    const none = { received: 0, total: undefined };
    return { key, url, ...unknown, ...none, startedAt, phase: "waiting" };
  }

  /** Waits until the type is certain, and gives a Media of the body. */
  async join(options: GetOrDownloadOptions): Promise<Media> {
    const { signal } = options;
    if (options.onProgress !== undefined) this.#watchers.add(options);
    const { facts, body } = this.#handout !== undefined
      ? { facts: this.#handout.facts, body: this.#handout.body() }
      : await this.#waiters.wait(signal, () => this.onAbandoned());
    if (signal?.aborted) {
      body.release();
      throw signal.reason;
    }
    const { lifetime } = this.#parts;
    const { stored } = this;
    const traits = { source: "download", stored, lifetime, signal } as const;
    return new CachedMedia(facts, body, traits);
  }

  /** Counts and tells of a caller who joins a download that others have begun. */
  joined(): void {
    this.#parts.counters.coalesced++;
    this.#tellJoined();
  }

  /** Its readers go on, but nothing will be stored. */
  detach(): void {
    this.isWanted = false;
    this.#onUnjoinable();
    this.#giveUp();
    this.onAbandoned();
  }

  /** Ends it with an error. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    this.#task.controller.abort(reason);
  }

  /** A reader was handed bytes. */
  onServed(bytes: number): void {
    this.#parts.onServed(bytes);
  }

  /** The staged file could not be read. */
  onFault(error: unknown): void {
    this.#parts.errors.report("read a download", error);
  }

  /** The type is certain: all who wait go on. */
  onHandout(handout: Handout): void {
    const { facts } = handout;
    this.#lost?.succeed(handout);
    this.#lost = undefined;
    this.#handout = handout;
    this.#waiters.resolve(() => ({ facts, body: handout.body() }));
  }

  /** Bytes have come. */
  onProgress(received: number, total: number | undefined): void {
    if (this.#origin.is === "followed") this.#patience?.alive();
    for (const { onProgress, signal } of this.#watchers) {
      if (signal?.aborted) continue;
      callSafely(() => onProgress?.({ received, total }));
    }
    // The processes that the download was kept for may have left, too.
    if (this.#isKept) this.onAbandoned();
  }

  /** Later callers must start a download of their own, and this one may be for nobody. */
  onUncached(reason: string): void {
    const { url, key } = this;
    this.#onUnjoinable();
    this.#parts.hub.emit({ type: "uncached", reason, url, key });
    this.onAbandoned();
  }

  /** A caller or a reader has left: ends the download if nobody wants it any more. */
  onAbandoned(): void {
    const origin = this.#origin;
    const body = "download" in origin ? origin.download.body : undefined;
    const bodies = [body, this.#lost?.body].filter((each) => each);
    const isRead = bodies.length === 0
      ? this.#handout !== undefined
      : bodies.some((each) => each?.idle === false);
    if (isRead || this.#waiters.count > 0) return;
    const own = origin.is === "own" ? origin.download : undefined;
    const isPointless = !this.isWanted || own?.isUncached === true;
    const isUnwanted = isPointless ||
      this.#parts.options.whenAbandoned === "abort";
    if (!isUnwanted) return;
    this.#isKept = own?.isFollowed === true;
    if (this.#isKept) return;
    // It takes a while to end, and nobody may join it any more.
    this.#onUnjoinable();
    this.#giveUp();
    this.abort(new DOMException("The download was abandoned", "AbortError"));
  }

  /** All has come, and what could be stored is. */
  onEnded(): void {
    this.#origin = { is: "over" };
    this.#watchers.clear();
    this.#onUnjoinable();
  }

  async #run(downloader: Downloader, callerUrl: string): Promise<boolean> {
    const { slots } = this.#parts;
    try {
      for (;;) {
        const release = await slots.acquire(this.#task.controller.signal);
        let file: DiskFile;
        try {
          const claim = await this.#claim();
          if (claim.role !== "follow") {
            return await this.#download(claim, downloader, callerUrl);
          }
          file = claim.file;
        } finally {
          release();
        }
        const stored = await this.#follow(file);
        if (stored !== undefined) return stored;
      }
    } catch (error) {
      return await this.#fail(error, undefined);
    } finally {
      this.#patience?.stop();
    }
  }

  /** Finds out which process downloads the URL. */
  async #claim(): Promise<Claim> {
    const { claims, errors } = this.#parts;
    const { url, key } = this;
    if (!this.isWanted || !this.#mayFollow) return UNSHARED;
    // No process can store it, so that there is nobody to follow.
    if (!fitsSidecar({ url, mimetype: "", filename: "" })) return UNSHARED;
    try {
      return await claims.claim(key);
    } catch (error) {
      // The download goes on, without the disk if it must.
      errors.report("claim a download", error);
    }
    return UNSHARED;
  }

  /** Downloads here, unless another process has stored the URL since the lookup. */
  async #download(
    claim: OwnClaim,
    downloader: Downloader,
    callerUrl: string,
  ): Promise<boolean> {
    const { claims, lookup } = this.#parts;
    const before = await lookup.bodyOf(this.key);
    if (claim.role === "lead" && before !== undefined) {
      const opened = await lookup.openSettled(this.url);
      if (opened !== undefined) {
        await claim.staged.close();
        claims.end(this.key, claim);
        return this.#handOutEntry(opened);
      }
    }
    const download = new OwnDownload(this.#parts, this.#task, claim, before);
    this.#origin = { is: "own", download };
    try {
      return await download.run(downloader, callerUrl);
    } catch (error) {
      return await this.#fail(error, download);
    } finally {
      await download.close();
    }
  }

  /**
   * Gives the callers the bytes that another process downloads. Whether they are
   * stored in the end; undefined when they come no more, and somebody wants them.
   */
  async #follow(file: DiskFile): Promise<boolean | undefined> {
    const { errors, lookup } = this.#parts;
    const download = new FollowedDownload(this.#parts, this.#task, file);
    this.#origin = { is: "followed", download };
    // The first caller joins once, however often other processes begin anew.
    if (this.#patience === undefined) this.joined();
    else this.#tellJoined();
    this.#patience ??= this.#wait();
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
      this.#mayFollow = false;
      lost = error;
    }
    this.#lose(download, lost);
    const opened = await lookup.open(this.url);
    if (opened !== undefined) return this.#handOutEntry(opened);
    const isWanted = this.#waiters.count > 0 ||
      this.#lost?.body?.idle === false;
    if (isWanted) return undefined;
    this.onEnded();
    return false;
  }

  /** Watches how long other processes are silent. */
  #wait(): Deadline {
    const { idleTimeoutMs, timeoutMs } = this.#parts.options;
    return new Deadline(idleTimeoutMs, timeoutMs, (error) => {
      const origin = this.#origin;
      if (error.kind === "total") this.#task.controller.abort(error);
      this.#mayFollow = false;
      if (origin.is === "followed") origin.download.lose(error);
    });
  }

  /** Some Media have only a part, if any, of a body that can't be followed any more. */
  #lose(download: FollowedDownload, error: unknown): void {
    download.body?.lose(error);
    if (download.body !== undefined) {
      this.#handout = undefined;
      this.#lost = download;
    }
    this.#origin = { is: "waiting" };
    download.close();
  }

  /** Gives all callers the entry that another process has just stored. */
  #handOutEntry({ entry, file }: OpenEntry): true {
    const { files, onServed } = this.#parts;
    this.onHandout({
      facts: entry,
      size: entry.size,
      body: () => fileBody(files, file, entry.size, onServed),
    });
    this.onEnded();
    file.release(true);
    return true;
  }

  async #fail(
    error: unknown,
    download: OwnDownload | FollowedDownload | undefined,
  ): Promise<false> {
    const { hub, counters } = this.#parts;
    const { url, key, info: { received } } = this;
    const isFailure = !this.#isAborted;
    // Over first, so that a caller who tries again at once starts a download.
    this.onEnded();
    await download?.fail(error);
    this.#lost?.fail(error);
    // Just before the event: the Monitor of the router tells by it what was counted.
    if (isFailure) counters.failures++;
    const facts = errorFacts(error);
    hub.emit({ type: "failed", url, key, error, ...facts, received });
    this.#waiters.reject(error);
    return false;
  }

  /** Lets other processes and later callers download the URL, while this one goes on. */
  #giveUp(): void {
    if (this.#origin.is === "own") this.#origin.download.giveUp();
  }

  #tellJoined(): void {
    const { url, key, info: { received } } = this;
    this.#parts.hub.emit({ type: "joined", url, key, received });
  }
}
