import { fileBody } from "../bodies/stored_body.ts";
import { callSafely } from "../reporting/call_safely.ts";
import { CachedMedia, type MediaFacts } from "../bodies/cached_media.ts";
import type { GetOrDownloadOptions } from "../api/call_options.ts";
import {
  DownloadRun,
  type Handout,
  type RunEnvironment,
} from "./own_download.ts";
import type { Claim } from "../sharing/download_claims.ts";
import type { Downloader, DownloadInfo } from "../api/download.ts";
import { MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { fitsSidecar } from "../disk/sidecar.ts";
import { type FollowEnvironment, FollowRun } from "./followed_download.ts";
import type { FollowedBody } from "../sharing/followed_body.ts";
import { keyOf } from "../text/key.ts";
import type { Lifetime } from "../bodies/lease.ts";
import type { Media } from "../api/media.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { OpenEntry } from "../entries/entry_opener.ts";
import type { Semaphore } from "../async/semaphore.ts";
import { Waiters } from "../async/waiters.ts";

/** What all downloads of a cache share. */
export interface DownloadEnvironment extends RunEnvironment, FollowEnvironment {
  /** The downloads that may run at a time. */
  readonly slots: Semaphore;
  /** The cache. */
  readonly lifetime: Lifetime;
}

/** One running download of one URL, and all its callers. */
export class DownloadJob {
  /** The canonical URL. */
  readonly url: string;
  /** Its key. */
  readonly key: string;
  /** Whether the body is on disk in the end. Never rejects. */
  readonly stored: Promise<boolean>;
  readonly #env: DownloadEnvironment;
  readonly #onUnjoinable: () => void;
  readonly #controller = new AbortController();
  readonly #waiters = new Waiters<{ facts: MediaFacts; body: MediaBody }>();
  readonly #watchers = new Set<GetOrDownloadOptions>();
  readonly #run: DownloadRun;
  #follow: FollowRun | undefined;
  #lost: { facts: MediaFacts; body: FollowedBody } | undefined;
  #handout: Handout | undefined;
  /** When the job began, or was last given bytes by another process. */
  #heard = performance.now();
  #isDetached = false;
  #isOver = false;
  /** Whether `abort()` was called: by `close()`, or because all callers have left. */
  #isAborted = false;
  /** Whether only other processes want what this one downloads. */
  #isKept = false;
  #hasJoined = false;
  /** Whether the disk lets us follow others. */
  #canFollow = true;

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
    this.#run = new DownloadRun(env, url, this.key, this.#controller, {
      wanted: () => !this.#isDetached,
      onHandout: (handout) => this.#handOut(handout),
      onProgress: (received, total) => this.#progress(received, total),
      onAbandoned: () => this.#left(),
      onUncached: onUnjoinable,
      onEnded: () => this.#end(),
    });
    this.stored = this.#start(downloader, callerUrl);
  }

  /** Whether it still runs, as callers see it. */
  get isRunning(): boolean {
    return !this.#isOver;
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    return this.#follow?.info ?? this.#run.info;
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

  /** Counts and tells of a caller who joins what others have begun. */
  joined(): void {
    this.#env.counters.coalesced++;
    this.#tellJoined();
  }

  #tellJoined(): void {
    const { hub } = this.#env;
    const { url, key, info: { received } } = this;
    hub.emit({ type: "joined", url, key, received });
  }

  /** Its readers go on, but nothing will be stored. */
  detach(): void {
    this.#isDetached = true;
    this.#onUnjoinable();
    this.#run.giveUp();
    this.#left();
  }

  /** Ends it with an error. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    this.#controller.abort(reason);
  }

  async #start(downloader: Downloader, callerUrl: string): Promise<boolean> {
    try {
      for (;;) {
        const result = await this.#downloadOrFind(downloader, callerUrl);
        if (typeof result === "boolean") return result;
        const stored = await this.#followOther(result);
        if (stored !== undefined) return stored;
      }
    } catch (error) {
      const isFailure = !this.#isAborted;
      // Over first, so that a caller who tries again at once starts a download.
      this.#end();
      await this.#run.discardNames();
      this.#run.fail(error, isFailure);
      this.#follow?.body?.fail(error);
      this.#lost?.body.fail(error);
      this.#waiters.reject(error);
      return false;
    } finally {
      await this.#run.discard();
      this.#follow?.end();
    }
  }

  /** Downloads, unless another process does, whose staged file is returned. */
  async #downloadOrFind(
    downloader: Downloader,
    callerUrl: string,
  ): Promise<boolean | DiskFile> {
    const release = await this.#env.slots.acquire(this.#controller.signal);
    try {
      const claim = await this.#claim();
      if (claim !== undefined && "followed" in claim) return claim.followed;
      const staged = claim?.staged;
      const opened = staged && await this.#env.lookup.openSettled(this.url);
      if (opened !== undefined) {
        await staged?.close();
        return this.#handOutEntry(opened);
      }
      return await this.#run.run(downloader, callerUrl, staged);
    } finally {
      release();
    }
  }

  async #claim(): Promise<Claim | undefined> {
    const { options, claims, errors } = this.#env;
    // Who has waited for others in vain for so long waits no more.
    const isPatient = performance.now() - this.#heard < options.idleTimeoutMs;
    if (this.#isDetached || !isPatient || !this.#canFollow) return undefined;
    // No process can store it, so that there is nobody to follow.
    const { url } = this;
    if (!fitsSidecar({ url, mimetype: "", filename: "" })) return undefined;
    try {
      return await claims.claim(this.key);
    } catch (error) {
      // The download goes on, without the disk if it must.
      errors.report("claim a download", error);
    }
    return undefined;
  }

  /** Gives all callers the entry that another process has just stored. */
  #handOutEntry({ entry, file }: OpenEntry): true {
    const { files, onServed } = this.#env;
    this.#handOut({
      facts: entry,
      size: entry.size,
      body: () => fileBody(files, file, entry.size, onServed),
    });
    this.#end();
    file.release(true);
    return true;
  }

  /**
   * Gives the callers what another process downloads. Whether it is stored in the
   * end; undefined when nobody writes it any more, and somebody still wants it.
   */
  async #followOther(file: DiskFile): Promise<boolean | undefined> {
    const { errors, lookup, onServed } = this.#env;
    const follow = this.#follow = new FollowRun(
      this.#env,
      this.url,
      this.key,
      file,
      {
        onServed,
        onAbandoned: () => this.#left(),
        onHandout: (facts, body) => {
          const { size } = body;
          this.#handOut({ facts, size, body: () => body.body() });
        },
        onProgress: (received, total) => {
          this.#heard = performance.now();
          this.#progress(received, total);
        },
      },
    );
    // Its first caller joins once, however often others begin anew.
    if (this.#hasJoined) this.#tellJoined();
    else this.joined();
    this.#hasJoined = true;
    let lost: unknown = new MediaCacheError(
      "Cannot read media: the process that downloaded it has ended",
    );
    try {
      const end = await follow.run(this.#controller);
      if (end === "whole") return await this.#finishFollowing(follow, file);
    } catch (error) {
      const { signal } = this.#controller;
      if (signal.aborted || error instanceof MediaCacheError) throw error;
      errors.report("follow a download", error);
      this.#canFollow = false;
      lost = error;
    }
    this.#lose(follow.body, lost);
    follow.end();
    const opened = await lookup.open(this.url);
    if (opened !== undefined) return this.#handOutEntry(opened);
    const isWanted = this.#waiters.count > 0 || this.#lost?.body.idle === false;
    if (isWanted) return undefined;
    this.#end();
    return false;
  }

  async #finishFollowing(follow: FollowRun, file: DiskFile): Promise<boolean> {
    const { errors, lookup, files, store } = this.#env;
    const stored = await follow.stored(this.#controller.signal)
      .catch((error) => {
        errors.report("follow a download", error);
        return false;
      });
    // From here on it is known here, too.
    if (stored) (await lookup.open(this.url))?.file.release(true);
    const path = store.datPath(this.key);
    const isStored = await lookup.isStored(this.url, file.inode);
    const shared = files.adopt(path, file.inode, file);
    shared.hold(true);
    // In this moment readers change over: the file is read by itself no more.
    follow.body?.share(shared, files.claim(shared));
    if (!isStored) await files.rescue(path);
    shared.release(true);
    this.#end();
    return stored;
  }

  /** Some callers have only a part, if any, of what can't be followed any more. */
  #lose(body: FollowedBody | undefined, error: unknown): void {
    const facts = this.#handout?.facts;
    if (body === undefined || facts === undefined) return;
    this.#handout = undefined;
    this.#lost = { facts, body };
    body.lose(error);
  }

  /** Lets those go on who were handed no byte by a process that has ended. */
  #succeed({ facts, size, body }: Handout): void {
    const lost = this.#lost;
    if (lost === undefined) return;
    this.#lost = undefined;
    // What was told of it must hold.
    const isSame = facts.mimetype === lost.facts.mimetype &&
      facts.filename === lost.facts.filename &&
      (lost.body.size === undefined || lost.body.size === size);
    if (isSame) return lost.body.succeed(body);
    lost.body.fail(
      new MediaCacheError(
        "Cannot read media: it was downloaded anew, and its type, name or length is another now",
      ),
    );
  }

  #handOut(handout: Handout): void {
    const { facts } = handout;
    this.#succeed(handout);
    this.#handout = handout;
    this.#waiters.resolve(() => ({ facts, body: handout.body() }));
  }

  #progress(received: number, total: number | undefined): void {
    for (const { onProgress, signal } of this.#watchers) {
      if (signal?.aborted) continue;
      callSafely(() => onProgress?.({ received, total }));
    }
    // Those who kept it may have left, too.
    if (this.#isKept) this.#left();
  }

  /** Somebody has left: perhaps nobody waits and nobody reads any more. */
  #left(): void {
    const { tee } = this.#run;
    const bodies = [tee, this.#follow?.body, this.#lost?.body];
    const isAbandoned = this.#waiters.count === 0 &&
      bodies.every((body) => body?.idle ?? true) &&
      (this.#handout === undefined || bodies.some((body) => body?.idle));
    if (!isAbandoned) return;
    const isPointless = this.#isDetached || tee?.cached === false;
    const isUnwanted = isPointless ||
      this.#env.options.whenAbandoned === "abort";
    if (!isUnwanted) return;
    this.#isKept = this.#run.isFollowed;
    if (this.#isKept) return;
    // It takes a while to end, and nobody may join it any more.
    this.#onUnjoinable();
    this.#run.giveUp();
    this.abort(new DOMException("The download was abandoned", "AbortError"));
  }

  #end(): void {
    this.#isOver = true;
    this.#watchers.clear();
    this.#onUnjoinable();
  }
}
