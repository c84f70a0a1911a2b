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

/** How often to try again when others come and go at the same moment. */
const MAX_TRIES = 16;

/** This process downloads the URL; its staged file is locked, and others follow it. */
export interface Lead {
  readonly role: "lead";
  /** The file for the body. */
  readonly staged: StagedFile;
  /** The identity of that file. */
  readonly inode: number;
}

/** Which process downloads a URL. */
export type Claim =
  | Lead
  /** Another one; `file` is its staged file, open. */
  | { readonly role: "follow"; readonly file: DiskFile }
  /** Nobody can tell: without locks a running download looks like a leftover. */
  | { readonly role: "none" };

const NONE: Claim = { role: "none" };

/**
 * Who downloads a URL, among all processes that share the directory: the one that
 * holds the lock of the staged file of that name. The kernel gives the lock back
 * when a process dies, so that a name without a lock is free to take.
 */
export class DownloadClaims {
  readonly #fs: FileSystem;
  readonly #store: PairStore;
  readonly #mayStage: boolean;
  /** The claims of this cache by the paths of their files, until they are given up. */
  readonly #led = new Map<string, { inode: number; leaving?: Promise<void> }>();

  /** Claims nothing yet. Who may not stage can only follow. */
  constructor(fs: FileSystem, store: PairStore, mayStage: boolean) {
    this.#fs = fs;
    this.#store = store;
    this.#mayStage = mayStage;
  }

  /**
   * Claims the download of `key`, or finds the process that has it.
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

  /** Ends a claim: the download is over, whatever came of it. */
  end(key: string, { inode }: Lead): void {
    const path = this.#bodyPath(key);
    if (this.#led.get(path)?.inode === inode) this.#led.delete(path);
  }

  /**
   * Takes the claim of another process away: its download goes on for its readers,
   * and the next caller begins anew. Under the lock of the directory, under which a
   * download looks whether it still has its claim before it is stored.
   *
   * @throws The file system's error.
   */
  async revoke(key: string): Promise<void> {
    const path = this.#bodyPath(key);
    // Downloads of this cache are detached, and those begun since then stay.
    if (this.#led.has(path) || !await this.#fs.seems(path)) return;
    if (await this.#fs.facts(path) === undefined) return;
    await this.#fs.remove(path);
    await this.#fs.remove(this.#descriptionPath(key));
  }

  /** The same of all keys. */
  async revokeAll(): Promise<void> {
    for await (const { name } of this.#store.list()) {
      const { key } = classify(name);
      if (name === downloadName(key)) await this.revoke(key);
    }
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
  async isCurrent(key: string, inode: number): Promise<boolean> {
    const facts = await this.#fs.facts(this.#bodyPath(key));
    return facts?.inode === inode;
  }

  /** Gives a claim up: the download goes on under names that nobody else looks for. */
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
      // Somebody may have taken it for a dead one's before it was locked.
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
