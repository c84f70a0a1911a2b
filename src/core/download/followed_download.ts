import type { DownloadInfo } from "../api/download.ts";
import { MediaCacheError, TooLargeError } from "../api/errors.ts";
import { startWait } from "../async/timer.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type {
  FollowedDescription,
  FollowedFacts,
} from "../disk/staged_description.ts";
import type { MediaFacts } from "../bodies/cached_media.ts";
import { FollowedBody } from "../sharing/followed_body.ts";
import type { DownloadParts, DownloadTask, Handout } from "./download_parts.ts";
import type { FollowDeadline } from "./follow_deadline.ts";

/** The time between two looks at the file (ms), so that readers are at most 50 ms behind. */
const LOOK_MS = 20;

/** The most failed looks in a row before following ends: most disk faults pass. */
const MAX_FAILURES = 3;

/** The end of following: complete and stored or not, or lost with a reason. */
export type FollowEnd =
  | { readonly isStored: boolean }
  | { readonly lost: unknown };

/**
 * Follows the download of a URL in another process: looks at the staged file and its
 * description, until the body is complete or its writer has gone.
 */
export class FollowedDownload {
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #file: DiskFile;
  readonly #deadline: FollowDeadline;
  readonly #description: FollowedDescription;
  #facts: FollowedFacts | undefined;
  #handed: MediaFacts | undefined;
  #body: FollowedBody | undefined;
  #received = 0;
  #writtenMs: number | undefined;
  #failures = 0;
  #lost: { reason: unknown } | undefined;

  /**
   * @param file The open staged file of the other process, which is taken over.
   * @param deadline The time limits, told of each sign of life.
   */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    file: DiskFile,
    deadline: FollowDeadline,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#file = file;
    this.#deadline = deadline;
    this.#description = parts.claims.follow(task.key, file);
  }

  /** The facts and the progress of the download. */
  get info(): DownloadInfo {
    const { key, url, startedAt } = this.#task;
    return {
      key,
      url,
      mimetype: this.#facts?.mimetype,
      filename: this.#facts?.filename,
      received: this.#received,
      total: this.#facts?.size,
      startedAt,
      phase: this.#description.pause === "converting"
        ? "converting"
        : this.#facts === undefined
        ? "waiting"
        : this.#facts.isComplete || this.#facts.size === this.#received
        ? "storing"
        : "downloading",
    };
  }

  /** The type of what the origin sends, once it is certain. */
  get type(): string | undefined {
    return this.#facts?.mimetype;
  }

  /** The body, once its type is certain. */
  get body(): FollowedBody | undefined {
    return this.#body;
  }

  /**
   * Follows the download to its end.
   *
   * @throws {TooLargeError} If the body is above `maxDownloadMb`.
   * @throws The signal's reason, or the file system's error.
   */
  async run(): Promise<FollowEnd> {
    const { signal } = this.#task.controller;
    this.#deadline.alive(this);
    for (;;) {
      signal.throwIfAborted();
      const isWhole = await this.#tryLook();
      if (isWhole) return { isStored: await this.#finish() };
      if (this.#lost !== undefined) return { lost: this.#lost.reason };
      await startWait(LOOK_MS, signal).ended;
    }
  }

  /** Makes `run()` end as lost: the bytes come no more, or not soon enough. */
  lose(reason: unknown): void {
    this.#lost ??= { reason };
  }

  /** Lets each Media without a byte read go on with the download that took this one's place. */
  succeed({ facts, size, body }: Handout): void {
    const lost = this.#body;
    const { mimetype, filename } = this.#handed ?? facts;
    // The facts that callers were given must hold for the new body, too.
    const isSame = facts.mimetype === mimetype && facts.filename === filename &&
      (lost?.size === undefined || lost.size === size);
    if (isSame) return lost?.succeed(body);
    lost?.fail(
      new MediaCacheError(
        "Cannot read media: it was downloaded anew, and its type, name or length is another now",
      ),
    );
  }

  /** Ends the body with an error. */
  fail(error: unknown): void {
    this.#body?.fail(error);
  }

  /** Closes the files that no reader needs. Idempotent. */
  close(): void {
    this.#description.close();
    if (this.#body === undefined) this.#file.close();
    else this.#body.letGo();
  }

  /** Looks at the files; true when the body is complete. Passes over a few disk faults. */
  async #tryLook(): Promise<boolean> {
    try {
      // Asked before the look, which then sees all that a dead writer has written.
      const isAlive = this.#isAlive();
      const isWhole = await this.#look();
      this.#failures = 0;
      if (isWhole) return true;
      if (!isAlive || await this.#isOver()) this.lose(this.#lossError());
    } catch (error) {
      if (error instanceof MediaCacheError) throw error;
      // A download that was ended during the look is no fault of the disk.
      this.#task.controller.signal.throwIfAborted();
      this.#parts.errors.report("follow a download", error);
      if (++this.#failures >= MAX_FAILURES) throw error;
    }
    return false;
  }

  /** Takes in new bytes and facts; true when the body is complete. */
  async #look(): Promise<boolean> {
    const facts = this.#facts = await this.#description.read();
    const { size } = await this.#file.facts();
    const { maxDownloadBytes } = this.#parts.options;
    if (facts?.size !== undefined && facts.size > maxDownloadBytes) {
      throw new TooLargeError(maxDownloadBytes, { declared: facts.size });
    }
    if (size > maxDownloadBytes) {
      throw new TooLargeError(maxDownloadBytes, { received: size });
    }
    if (facts !== undefined) {
      this.#body ??= this.#hand(facts);
      if (facts.isComplete) this.#body.completeAt(facts.size ?? size);
      else this.#body.grow(size);
    }
    const { writtenMs } = this.#description;
    const hasGrown = size > this.#received;
    // Bytes before the type is certain count as progress, too.
    if (hasGrown) this.#received = size;
    if (hasGrown || writtenMs !== this.#writtenMs) this.#deadline.alive(this);
    this.#writtenMs = writtenMs;
    if (hasGrown) this.#task.listener.onProgress(size, facts?.size);
    return facts?.isComplete ?? false;
  }

  #hand({ mimetype, filename, size }: FollowedFacts): FollowedBody {
    const { key, url, listener, controller } = this.#task;
    if (listener.callers.isSelective) listener.refuse(mimetype);
    controller.signal.throwIfAborted();
    const body = new FollowedBody(this.#file, size, listener);
    const facts = this.#handed = { key, url, mimetype, filename };
    listener.onHandout({ facts, size, body: () => body.body() });
    return body;
  }

  /** Waits for the entry, and lets the readers go on with its file; false if it was not stored. */
  async #finish(): Promise<boolean> {
    const { errors, lookup, peek, files, store } = this.#parts;
    const { url, key, controller } = this.#task;
    const stored = await this.#becomesEntry(controller.signal)
      .catch((error) => {
        errors.report("follow a download", error);
        return false;
      });
    // Open the entry, so that this cache knows it, too.
    if (stored) (await lookup.open(url))?.file.release(true);
    const path = store.datPath(key);
    const isStored = await peek.isStored(url, this.#file.identity);
    const shared = files.adopt(path, this.#file.identity, this.#file);
    shared.hold(true);
    // The readers change over to the shared file here.
    this.#body?.share(shared, files.holdUnread(shared));
    if (!isStored) await files.rescue(path);
    shared.release(true);
    return stored;
  }

  /** Waits until the staged file is an entry; false when its writer has ended without one. */
  async #becomesEntry(signal: AbortSignal): Promise<boolean> {
    const { peek } = this.#parts;
    for (let isLast = false;;) {
      const isOver = !this.#isAlive() || !await this.#isCurrent();
      if (await peek.isStored(this.#task.url, this.#file.identity)) {
        return true;
      }
      if (isLast || signal.aborted) return false;
      // Look once more: the sidecar comes a moment after the .part name is gone.
      isLast = isOver;
      await startWait(LOOK_MS, signal).ended;
    }
  }

  /** Whether the writer still holds its lock. */
  #isAlive(): boolean {
    const isFree = this.#file.tryLock(true);
    if (isFree) this.#file.unlock();
    return !isFree;
  }

  /**
   * Whether the download ended before its type was known, or will not be stored and nobody
   * reads it: callers of a check want what is stored.
   */
  async #isOver(): Promise<boolean> {
    const isUnread = this.#body === undefined ||
      this.#task.revalidated !== undefined;
    return isUnread && !await this.#isCurrent();
  }

  #isCurrent(): Promise<boolean> {
    const { claims } = this.#parts;
    return claims.isCurrent(this.#task.key, this.#file.identity);
  }

  /** Why the writer has gone: by the description, else its process has died. */
  #lossError(): MediaCacheError {
    const ending = this.#facts?.ending;
    return new MediaCacheError(
      ending === undefined
        ? "Cannot read media: the process that downloaded it has ended"
        : `Cannot read media: its download in another process ${ending}`,
    );
  }
}
