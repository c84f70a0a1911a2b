import { classify, descriptionName, downloadName } from "../disk/file_names.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { type FileSystem, isNotFound, isTaken } from "../disk/file_system.ts";
import {
  FollowedDescription,
  StagedDescription,
  type StagedFacts,
} from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";

/** Tries to claim a URL while other processes take and leave it at the same moment. */
const MAX_TRIES = 16;

/** The claim of the process that downloads: its staged file is locked, and others follow. */
export interface Lead {
  readonly role: "lead";
  /** The file for the body. */
  readonly staged: StagedFile;
  /** The identity of the staged file. */
  readonly inode: number;
}

/** The result of a claim: which process downloads the URL. */
export type Claim =
  | Lead
  /** Another process downloads; `file` is its staged file, open. */
  | { readonly role: "follow"; readonly file: DiskFile }
  /** No process can be told: without locks a running download looks like a leftover. */
  | { readonly role: "none" };

const NONE: Claim = { role: "none" };

/**
 * Decides which of the processes that share the directory downloads a URL: the process
 * that holds the lock of the file `KEY.download.part`. The kernel releases the lock when
 * the process dies, so that a file without a lock is free to take.
 */
export class DownloadClaims {
  readonly #fs: FileSystem;
  readonly #store: PairStore;
  readonly #mayStage: boolean;
  /** The claims of this cache by the paths of their files, until they are given up. */
  readonly #led = new Map<string, { inode: number; leaving?: Promise<void> }>();

  /** Without `mayStage`, as in a `readOnly` cache, downloads are only followed. */
  constructor(fs: FileSystem, store: PairStore, mayStage: boolean) {
    this.#fs = fs;
    this.#store = store;
    this.#mayStage = mayStage;
  }

  /**
   * Claims the download of `key`, or finds the process that runs it.
   *
   * @throws The file system's error.
   */
  async claim(key: string): Promise<Claim> {
    if (!this.#store.ready) await this.#store.prepare();
    const path = this.#bodyPath(key);
    await this.#led.get(path)?.leaving;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.#fs.refusals.has("flock")) return NONE;
      const lead = this.#mayStage ? await this.#stage(path) : undefined;
      if (lead !== undefined) return lead;
      const file = await this.#look(key, path);
      if (file !== undefined) return { role: "follow", file };
      if (!this.#mayStage) return NONE;
    }
    return NONE;
  }

  /** Ends a claim: the download has ended, stored or not. */
  end(key: string, { inode }: Lead): void {
    const path = this.#bodyPath(key);
    if (this.#led.get(path)?.inode === inode) this.#led.delete(path);
  }

  /**
   * Takes the claim of another process away: its download goes on for its readers, and
   * the next caller begins anew. Needs the lock of the directory, under which a download
   * checks its claim before its commit.
   *
   * @throws The file system's error.
   */
  async revoke(key: string): Promise<void> {
    const path = this.#bodyPath(key);
    // Downloads of this cache are detached instead; later ones stay.
    if (this.#led.has(path) || !await this.#fs.seems(path)) return;
    if (await this.#fs.facts(path) === undefined) return;
    await this.#fs.remove(path);
    await this.#fs.remove(this.#descriptionPath(key));
  }

  /** Takes the claims of other processes on all keys away. */
  async revokeAll(): Promise<void> {
    for await (const { name } of this.#store.list()) {
      const { key } = classify(name);
      if (name === downloadName(key)) await this.revoke(key);
    }
  }

  /** Makes a reader of the description of a followed download. */
  follow(key: string, file: DiskFile): FollowedDescription {
    const path = this.#descriptionPath(key);
    return new FollowedDescription(this.#fs, path, file.inode);
  }

  /**
   * Describes the body for followers; without a description they wait for the end.
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
      // A download that is being given up may still have the name.
      if (!isTaken(error)) throw error;
    }
  }

  /** Whether the file with that identity still has the name of the download. */
  async isCurrent(key: string, inode: number): Promise<boolean> {
    const facts = await this.#fs.facts(this.#bodyPath(key));
    return facts?.inode === inode;
  }

  /** Gives a claim up: the download goes on under names that no other process looks for. */
  async giveUp(key: string, { staged, inode }: Lead): Promise<void> {
    const path = this.#bodyPath(key);
    const led = this.#led.get(path);
    if (led?.inode !== inode) return;
    await (led.leaving = staged.rename(async (from) => {
      const to = this.#store.sparePath(key);
      await this.#fs.rename(from, to);
      return to;
    }));
    if (this.#led.get(path) === led) this.#led.delete(path);
  }

  #bodyPath(key: string): string {
    return this.#store.path(downloadName(key));
  }

  #descriptionPath(key: string): string {
    return this.#store.path(descriptionName(key));
  }

  async #stage(path: string): Promise<Lead | undefined> {
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
      // Another process may have removed the file as a leftover before it was locked.
      else if (isLocked) {
        const { names, inode } = await file.facts();
        const staged = this.#store.staged(path, file);
        if (names > 0) {
          this.#led.set(path, { inode });
          return { role: "lead", staged, inode };
        }
      }
    } catch (error) {
      await this.#fs.remove(path).catch(() => {});
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** Opens the staged file of a running download; removes a leftover. */
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
      // Remove the name only if it is still this file's, not a new download's.
      if (mayRemove && await this.isCurrent(key, file.inode)) {
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
