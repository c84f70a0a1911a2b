import type { CommitRequest, EntryWriter } from "../entries/entry_writer.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { DownloadClaims } from "../sharing/download_claims.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import { CROWDED, TOO_LARGE, URL_TOO_LONG } from "../disk/staging_budget.ts";
import type { Deadline } from "../async/deadline.ts";
import { BodyDigest, maxHashedBytes } from "../bodies/digest.ts";
import type { StagedFacts } from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import { fitsSidecar, formatSidecar, type Sidecar } from "../disk/sidecar.ts";
import { MediaCacheError } from "../api/errors.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { Reservation, StagingBudget } from "../disk/staging_budget.ts";
import type { Source } from "./source.ts";
import { Tee } from "../bodies/tee.ts";
import type { GrowingBodyEvents } from "../bodies/growing_body.ts";

/** What a body needs of the cache. */
export interface BodyEnvironment {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The files of the directory. */
  readonly store: PairStore;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Which process downloads what. */
  readonly claims: DownloadClaims;
  /** Makes bodies entries. */
  readonly writer: EntryWriter;
  /** Where failures go. */
  readonly errors: DiskErrors;
  /** The budget of staged bytes. */
  readonly staging: StagingBudget;
}

/** What a body tells its download. */
export interface BodyEvents
  extends Pick<GrowingBodyEvents, "onServed" | "onAbandoned"> {
  /** It can't be stored; it goes on for its readers alone. */
  onUncached(reason: string): void;
}

/** The body of one download: its tee, its staged file, and its share of the budget. */
export class DownloadBody {
  readonly #env: BodyEnvironment;
  readonly #events: BodyEvents;
  readonly #tee: Tee;
  readonly #staged: StagedFile | undefined;
  readonly #reservation: Reservation | undefined;
  readonly #key: string;
  readonly #digest: BodyDigest;

  private constructor(
    env: BodyEnvironment,
    key: string,
    events: BodyEvents,
    size: number | undefined,
    staged: StagedFile | undefined,
    reservation: Reservation | undefined,
  ) {
    this.#env = env;
    this.#key = key;
    this.#events = events;
    this.#staged = staged;
    this.#reservation = reservation;
    this.#tee = new Tee(size, staged?.file, {
      onServed: events.onServed,
      onAbandoned: events.onAbandoned,
      onFault: (error) => env.errors.report("read a download", error),
    });
    this.#digest = new BodyDigest(
      maxHashedBytes("download", env.options),
      size,
    );
  }

  /**
   * Stages a body of `key`, or lets it go uncached where that can't be.
   *
   * @param source What is known of the body, and why it must not be stored, if so.
   * @param claimed The file to stage it in, if there is one yet.
   */
  static async open(
    env: BodyEnvironment,
    key: string,
    source:
      & Pick<Source, "mimetype" | "filename" | "size" | "uncachedReason">
      & {
        readonly url: string;
      },
    claimed: StagedFile | undefined,
    events: BodyEvents,
  ): Promise<DownloadBody> {
    const { size } = source;
    const uncached = async (reason: string) => {
      if (claimed !== undefined) await claimed.close();
      events.onUncached(reason);
      return new DownloadBody(env, key, events, size, undefined, undefined);
    };
    const { maxEntryBytes, readOnly } = env.options;
    if (readOnly) return uncached("the cache is read-only");
    if (maxEntryBytes === 0) return uncached("the cache may store nothing");
    if (!fitsSidecar(source)) return uncached(URL_TOO_LONG);
    if (source.uncachedReason !== undefined) {
      return uncached(source.uncachedReason);
    }
    if (size !== undefined && size > maxEntryBytes) return uncached(TOO_LARGE);
    const reservation = env.staging.reserve(size ?? 0);
    if (reservation === undefined) return uncached(CROWDED);
    try {
      const staged = claimed ?? await env.store.stage(key);
      return new DownloadBody(env, key, events, size, staged, reservation);
    } catch (error) {
      reservation.release();
      env.errors.report("stage a download", error);
      const isUnusable = error instanceof MediaCacheError;
      return uncached(isUnusable ? UNUSABLE : DISK_FAILED);
    }
  }

  /** The tee that readers join. */
  get tee(): Tee {
    return this.#tee;
  }

  /** The file that the bytes were staged in, if any. */
  get staged(): StagedFile | undefined {
    return this.#staged;
  }

  /** The file that all bytes were staged in; undefined when they were not. */
  get whole(): StagedFile | undefined {
    return this.#tee.cached ? this.#staged : undefined;
  }

  /** Takes the next chunk. Waits for readers only when the body is uncached. */
  async push(
    chunk: Uint8Array<ArrayBuffer>,
    deadline: Deadline,
  ): Promise<void> {
    if (this.#tee.cached) {
      const uncachedReason = this.#uncachedReason(chunk.length);
      if (uncachedReason === undefined) {
        // Before the readers have it, who might do to it what they must not.
        this.#digest.update(chunk);
        try {
          return await this.#tee.push(chunk);
        } catch (error) {
          this.#env.errors.report("write a download", error);
          await this.#uncache(DISK_FAILED);
        }
      } else {
        await this.#uncache(uncachedReason);
      }
    }
    deadline.pause();
    try {
      await this.#tee.push(chunk);
    } finally {
      deadline.resume();
    }
  }

  /** Whether other processes follow it. */
  get isFollowed(): boolean {
    return this.#staged?.description?.isFollowed ?? false;
  }

  /** Tells other processes what the body is. */
  async describe(facts: StagedFacts): Promise<void> {
    if (this.#staged === undefined || !this.#tee.cached) return;
    const { claims, errors } = this.#env;
    try {
      await claims.describe(this.#key, this.#staged, facts);
    } catch (error) {
      // It has failed since, and was closed.
      if (error instanceof Deno.errors.BadResource) return;
      // The download itself does not need it.
      errors.report("describe a download", error);
    }
  }

  /** Makes the staged bytes an entry; false when they can't be. */
  async commit(
    description: CommitRequest["description"],
    wanted: () => boolean,
  ): Promise<boolean> {
    const { writer, files } = this.#env;
    const size = this.#tee.received;
    if (this.#staged === undefined || !this.#tee.cached || size === 0) {
      return false;
    }
    const file = await writer.commitEntry({
      staged: this.#staged,
      size,
      description: { ...description, ...this.#digest.member() },
      wanted,
    });
    if (file === undefined) {
      await this.#tellWhole({ ...description, size, ts: Date.now() / 1000 });
      return false;
    }
    this.#reservation?.release();
    this.#tee.share(file, files.claim(file));
    file.release(true);
    return true;
  }

  /** Removes the names of what was not committed. */
  async discardNames(): Promise<void> {
    await this.#staged?.discard();
  }

  /** Gives back what was not committed; readers keep the open file. */
  async discard(): Promise<void> {
    const { files } = this.#env;
    if (this.#staged === undefined) return;
    try {
      if (this.#tee.needsFile) {
        const file = await files.adoptStaged(this.#staged);
        this.#tee.share(file, files.claim(file));
        file.release(true);
      } else {
        await this.#staged.discard();
      }
    } finally {
      // Not before: one may still have been on its way.
      this.#staged.description?.close();
      // Not before its name is gone, for which a slow disk takes a while.
      this.#reservation?.release();
    }
    this.#tee.letGo();
  }

  /** Tells those who follow that they have all, although it is no entry. */
  async #tellWhole(sidecar: Sidecar): Promise<void> {
    try {
      await this.#staged?.description?.complete(formatSidecar(sidecar), false);
    } catch {
      // They will see that it is lost.
    }
  }

  #uncachedReason(bytes: number): string | undefined {
    const { maxEntryBytes } = this.#env.options;
    if (this.#tee.received + bytes > maxEntryBytes) return TOO_LARGE;
    return this.#reservation?.write(bytes) ? undefined : CROWDED;
  }

  async #uncache(reason: string): Promise<void> {
    this.#tee.uncache();
    this.#events.onUncached(reason);
    // Only the name goes: readers that lag behind still read the open file.
    if (this.#staged === undefined) return;
    await this.#staged.discard();
    // Those who follow can't have the rest.
    this.#staged.description?.close();
    this.#staged.unlock();
  }
}

const DISK_FAILED = "the disk failed";
const UNUSABLE = "the directory can't be used";
