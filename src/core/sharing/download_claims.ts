import { descriptionName, downloadName } from "../disk/file_names.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { type FileSystem, isNotFound, isTaken } from "../disk/file_system.ts";
import {
  FollowedDescription,
  StagedDescription,
  type StagedFacts,
} from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";

/** How often to try again when others come and go at the same moment. */
const MAX_TRIES = 16;

/** What became of the wish to download a URL. */
export type Claim =
  /** The download is ours; its staged file is locked. */
  | { readonly staged: StagedFile }
  /** Another process downloads it; this is its staged file, open. */
  | { readonly followed: DiskFile };

/**
 * Who downloads a URL, among all processes that share the directory: the one that
 * holds the lock of the staged file of that name. The kernel gives the lock back
 * when a process dies, so that a name without a lock is free to take.
 */
export class DownloadClaims {
  readonly #fs: FileSystem;
  readonly #store: PairStore;
  readonly #mayStage: boolean;
  /** Claims that are being given up. */
  readonly #leaving = new Map<string, Promise<void>>();

  /** Claims nothing yet. Who may not stage can only follow. */
  constructor(fs: FileSystem, store: PairStore, mayStage: boolean) {
    this.#fs = fs;
    this.#store = store;
    this.#mayStage = mayStage;
  }

  /**
   * Claims the download of `key`, or finds who has it; undefined when neither can
   * be: without locks a running download looks like a leftover.
   *
   * @throws The file system's error.
   */
  async claim(key: string): Promise<Claim | undefined> {
    await this.#store.prepare();
    const path = this.#bodyPath(key);
    await this.#leaving.get(path);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.#fs.refusals.has("flock")) return undefined;
      const staged = this.#mayStage ? await this.#stage(path) : undefined;
      if (staged !== undefined) return { staged };
      const followed = await this.#look(key, path);
      if (followed !== undefined) return { followed };
      if (!this.#mayStage) return undefined;
    }
    return undefined;
  }

  /** The description of a download that is followed. */
  follow(key: string, file: DiskFile): FollowedDescription {
    const path = this.#descriptionPath(key);
    return new FollowedDescription(this.#fs, path, file.inode);
  }

  /**
   * Tells those who follow what the body is. If that fails they wait for the end.
   *
   * @throws The file system's error.
   */
  async describe(
    key: string,
    staged: StagedFile,
    facts: StagedFacts,
  ): Promise<void> {
    if (staged.path !== this.#bodyPath(key)) return;
    const path = this.#descriptionPath(key);
    try {
      await staged.describe(async () => {
        const { inode } = await staged.file.facts();
        return await StagedDescription.create(this.#fs, path, facts, inode);
      });
    } catch (error) {
      // One that is being given up may still have the name.
      if (!isTaken(error)) throw error;
    }
  }

  /** Whether a download that is followed still has its name. */
  async isCurrent(key: string, file: DiskFile): Promise<boolean> {
    const facts = await this.#fs.facts(this.#bodyPath(key));
    return facts?.inode === file.inode;
  }

  /** Gives up the claim: it goes on under names that nobody else looks for. */
  async giveUp(key: string, staged: StagedFile): Promise<void> {
    const { path } = staged;
    if (path !== this.#bodyPath(key)) return;
    const leaving = staged.rename(async (from) => {
      const to = this.#store.sparePath(key);
      await this.#fs.rename(from, to);
      return to;
    });
    this.#leaving.set(path, leaving);
    await leaving;
    if (this.#leaving.get(path) === leaving) this.#leaving.delete(path);
  }

  #bodyPath(key: string): string {
    return this.#store.path(downloadName(key));
  }

  #descriptionPath(key: string): string {
    return this.#store.path(descriptionName(key));
  }

  async #stage(path: string): Promise<StagedFile | undefined> {
    let file: DiskFile;
    try {
      file = await this.#store.create(path);
    } catch (error) {
      if (isTaken(error)) return undefined;
      throw error;
    }
    try {
      const isLocked = file.tryLock();
      if (this.#fs.refusals.has("flock")) await this.#fs.remove(path);
      // Somebody may have taken it for a dead one's before it was locked.
      else if (isLocked && (await file.facts()).names > 0) {
        return this.#store.staged(path, file);
      }
    } catch (error) {
      await this.#fs.remove(path).catch(() => {});
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** The staged file of that name, if it has a living owner; else it is removed. */
  async #look(key: string, path: string): Promise<DiskFile | undefined> {
    if (!await this.#fs.exists(path)) return undefined;
    let file: DiskFile;
    try {
      file = await this.#fs.open(path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    try {
      if (!file.tryLock()) return file;
      const mayRemove = this.#mayStage && !this.#fs.refusals.has("flock");
      // Its name may be that of a living download by now.
      if (mayRemove && await this.isCurrent(key, file)) {
        await this.#fs.remove(this.#descriptionPath(key));
        await this.#fs.remove(path);
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }
}
