import type { Lookup } from "../entries/lookup.ts";
import type { MediaFacts } from "../bodies/cached_media.ts";
import { Deadline } from "../async/deadline.ts";
import type { BodyEnvironment } from "./download_body.ts";
import type { DownloadInfo } from "../api/download.ts";
import { MediaCacheError, TooLargeError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { FollowedBody } from "../sharing/followed_body.ts";
import type { GrowingBodyEvents } from "../bodies/growing_body.ts";
import type {
  FollowedDescription,
  FollowedFacts,
} from "../disk/staged_description.ts";
import { startTimer } from "../async/timer.ts";

/** How often to look, in milliseconds: readers are at most 50 behind. */
const LOOK_MS = 20;

/** How often in a row a look may fail: what fails once often does not fail again. */
const MAX_FAILURES = 3;

/** What following needs of the cache. */
export interface FollowEnvironment extends BodyEnvironment {
  /** Finds entries. */
  readonly lookup: Lookup;
}

/** What following asks and tells of its callers. */
export interface FollowCallers extends Omit<GrowingBodyEvents, "onFault"> {
  /** The type is certain. */
  onHandout(facts: MediaFacts, body: FollowedBody): void;
  /** Bytes have come. */
  onProgress(received: number, total: number | undefined): void;
}

/** How following ends: all bytes are there, or nobody writes them any more. */
export type FollowEnd = "whole" | "lost";

/** Follows the download of a URL that another process runs. */
export class FollowRun {
  readonly #env: FollowEnvironment;
  readonly #url: string;
  readonly #key: string;
  readonly #file: DiskFile;
  readonly #description: FollowedDescription;
  readonly #callers: FollowCallers;
  readonly #startedAt = Date.now();
  #facts: FollowedFacts | undefined;
  #body: FollowedBody | undefined;
  #received = 0;
  #failures = 0;

  /** Follows nothing yet; `file` is the staged file, open. */
  constructor(
    env: FollowEnvironment,
    url: string,
    key: string,
    file: DiskFile,
    callers: FollowCallers,
  ) {
    this.#env = env;
    this.#url = url;
    this.#key = key;
    this.#file = file;
    this.#callers = callers;
    this.#description = env.claims.follow(key, file);
  }

  /** How far it has come. */
  get info(): DownloadInfo {
    return {
      key: this.#key,
      url: this.#url,
      mimetype: this.#facts?.mimetype,
      filename: this.#facts?.filename,
      received: this.#received,
      total: this.#facts?.size,
      startedAt: this.#startedAt,
      phase: this.#facts === undefined ? "waiting" : "downloading",
    };
  }

  /** The body, once its type is certain. */
  get body(): FollowedBody | undefined {
    return this.#body;
  }

  /**
   * Follows to the end.
   *
   * @throws The signal's reason, or an error that says why it can't go on.
   */
  async run(controller: AbortController): Promise<FollowEnd> {
    const { idleTimeoutMs, timeoutMs } = this.#env.options;
    const { signal } = controller;
    let isSilent = false;
    const deadline = new Deadline(idleTimeoutMs, timeoutMs, (error) => {
      // Nobody has a byte yet: a download of our own may fare better.
      if (error.kind === "idle" && this.#body === undefined) isSilent = true;
      else controller.abort(error);
    });
    try {
      for (;;) {
        signal.throwIfAborted();
        const end = await this.#tryLook(deadline);
        if (end !== undefined) return end;
        if (isSilent) return "lost";
        await this.#pause(signal);
      }
    } finally {
      deadline.stop();
    }
  }

  /** Whether it has become an entry, which it does as soon as it is whole. */
  async stored(signal: AbortSignal): Promise<boolean> {
    const { claims, lookup } = this.#env;
    for (let isLast = false;;) {
      const isOver = !this.#isAlive() ||
        !await claims.isCurrent(this.#key, this.#file);
      if (await lookup.isStored(this.#url, this.#file.inode)) return true;
      if (isLast || signal.aborted) return false;
      // Its sidecar may come a moment after its name has gone.
      isLast = isOver;
      await this.#pause(signal);
    }
  }

  /** Gives back what readers do not hold. */
  end(): void {
    this.#description.close();
    if (this.#body === undefined) this.#file.close();
    else this.#body.letGo();
  }

  /** Sees how it goes, unless the disk fails for once. */
  async #tryLook(deadline: Deadline): Promise<FollowEnd | undefined> {
    try {
      // Asked first, so that nothing that was written before is missed.
      const isAlive = this.#isAlive();
      const isWhole = await this.#look(deadline);
      const isLost = !isWhole && (!isAlive || await this.#isOver());
      this.#failures = 0;
      return isWhole ? "whole" : isLost ? "lost" : undefined;
    } catch (error) {
      if (error instanceof MediaCacheError) throw error;
      this.#env.errors.report("follow a download", error);
      if (++this.#failures >= MAX_FAILURES) throw error;
    }
    return undefined;
  }

  /** Sees what has come; true when all has. */
  async #look(deadline: Deadline): Promise<boolean> {
    const facts = this.#facts = await this.#description.read();
    const { size } = await this.#file.facts();
    const { maxDownloadBytes } = this.#env.options;
    if (facts?.size !== undefined && facts.size > maxDownloadBytes) {
      throw new TooLargeError(maxDownloadBytes, { declared: facts.size });
    }
    if (size > maxDownloadBytes) {
      throw new TooLargeError(maxDownloadBytes, { received: size });
    }
    if (facts !== undefined) {
      this.#body ??= this.#hand(facts);
      if (facts.whole) this.#body.completeAt(facts.size ?? size);
      else this.#body.grow(size);
    }
    // Also bytes that nobody may have yet are a sign of life.
    if (size > this.#received) {
      this.#received = size;
      deadline.alive();
      this.#callers.onProgress(size, facts?.size);
    }
    return facts?.whole ?? false;
  }

  /** Whether somebody still holds the lock of the one who writes. */
  #isAlive(): boolean {
    const isFree = this.#file.tryLock(true);
    if (isFree) this.#file.unlock();
    return !isFree;
  }

  /** Whether it ended without a word about what it is. */
  async #isOver(): Promise<boolean> {
    if (this.#body !== undefined) return false;
    return !await this.#env.claims.isCurrent(this.#key, this.#file);
  }

  #hand({ mimetype, filename, size }: FollowedFacts): FollowedBody {
    const { errors } = this.#env;
    const body = new FollowedBody(this.#file, size, {
      onServed: (bytes) => this.#callers.onServed(bytes),
      onAbandoned: () => this.#callers.onAbandoned(),
      onFault: (error) => errors.report("read a download", error),
    });
    const facts = { key: this.#key, url: this.#url, mimetype, filename };
    this.#callers.onHandout(facts, body);
    return body;
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        stop();
        signal.removeEventListener("abort", go);
        resolve();
      };
      const stop = startTimer(LOOK_MS, go);
      signal.addEventListener("abort", go);
    });
  }
}
