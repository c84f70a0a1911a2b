import { classify, descriptionName, downloadName } from "../disk/file_names.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { isNotFound, isTaken } from "../disk/disk_fault.ts";
import type {
  FollowedDescription,
  StagedFacts,
  StagedPause,
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
  readonly identity: number;
}

/** The result of a claim: which process downloads the URL. */
export type Claim =
  | Lead
  /** Another process downloads; `file` is its staged file, open. */
  | { readonly role: "follow"; readonly file: DiskFile }
  /**
   * Unknown, so that this process downloads for itself: without locks a running download
   * looks like a leftover.
   */
  | { readonly role: "none" };

const NONE: Claim = { role: "none" };

/**
 * Decides which of the processes that share the directory downloads a URL: the process
 * that holds the lock of the file `KEY.download.part`. The kernel releases the lock when
 * the process dies, so that a file without a lock is free to take.
 */
export class DownloadClaims {
  readonly #store: PairStore;
  readonly #mayStage: boolean;
  readonly #withLock: (task: () => Promise<void>) => Promise<void>;
  /** The claims of this cache by their keys, until they are given up. */
  readonly #led = new Map<
    string,
    { identity: number; leaving?: Promise<void> }
  >();

  /**
   * @param mayStage False for a cache that may not store: it only follows downloads.
   * @param withLock Runs a task under the lock of the directory.
   */
  constructor(
    store: PairStore,
    mayStage: boolean,
    withLock: (task: () => Promise<void>) => Promise<void>,
  ) {
    this.#store = store;
    this.#mayStage = mayStage;
    this.#withLock = withLock;
  }

  /**
   * Claims the download of `key`, or finds the process that runs it.
   *
   * @throws The file system's error.
   */
  async claim(key: string): Promise<Claim> {
    if (!this.#store.ready) await this.#store.prepare();
    await this.#led.get(key)?.leaving;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.#store.refuses("flock")) return NONE;
      const lead = this.#mayStage ? await this.#stage(key) : undefined;
      if (lead !== undefined) return lead;
      const file = await this.#look(key);
      if (file !== undefined) return { role: "follow", file };
      if (!this.#mayStage) return NONE;
    }
    return NONE;
  }

  /** Ends a claim: the download has ended, stored or not. */
  end(key: string, { identity }: Lead): void {
    if (this.#led.get(key)?.identity === identity) this.#led.delete(key);
  }

  /**
   * Takes the claim of another process away: its download goes on for its readers, and
   * the next caller begins anew. Needs the lock of the directory, under which a download
   * checks its claim before its commit.
   *
   * @throws The file system's error.
   */
  async revoke(key: string): Promise<void> {
    const name = downloadName(key);
    // Downloads of this cache are detached instead; later ones stay.
    if (this.#led.has(key) || !await this.#store.probablyExists(name)) return;
    if (await this.#store.facts(name) === undefined) return;
    await this.#removeNames(key);
  }

  /**
   * Takes the claim of a silent process away, unless another process has done so: its
   * download goes on for its readers. The next claim is that of a single process, which
   * the others follow.
   *
   * @param identity The identity of the staged file of the silent process.
   * @returns False if this cache may not take claims.
   * @throws The file system's error, or that of a lock that is not free in time.
   */
  async takeOver(key: string, identity: number): Promise<boolean> {
    if (!this.#mayStage) return false;
    await this.#withLock(async () => {
      if (await this.isCurrent(key, identity)) await this.#removeNames(key);
    });
    return true;
  }

  /** The keys that processes download, those of this cache included. */
  async claimed(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { name } of this.#store.list()) {
      const { key } = classify(name);
      if (name === downloadName(key)) keys.push(key);
    }
    return keys;
  }

  /** Makes a reader of the description of a followed download. */
  follow(key: string, file: DiskFile): FollowedDescription {
    return this.#store.description(key, file.identity);
  }

  /**
   * Describes the body for followers, or tells them why it has no facts yet. Without a
   * description they wait for the end.
   *
   * @throws The file system's error.
   */
  async describe(
    key: string,
    staged: StagedFile,
    facts: StagedFacts | StagedPause,
  ): Promise<void> {
    if (staged.path !== this.#store.path(downloadName(key))) return;
    try {
      await this.#store.describe(key, staged, facts);
    } catch (error) {
      // A download that is being given up may still have the name.
      if (!isTaken(error)) throw error;
    }
  }

  /** Whether the file with that identity still has the name of the download. */
  async isCurrent(key: string, identity: number): Promise<boolean> {
    const facts = await this.#store.facts(downloadName(key));
    return facts?.identity === identity;
  }

  /** Whether a download of `key` has its name: it runs, or its process was killed. */
  async isClaimed(key: string): Promise<boolean> {
    return await this.#store.facts(downloadName(key)) !== undefined;
  }

  /** Gives a claim up: the download goes on under names that no other process looks for. */
  async giveUp(key: string, { staged, identity }: Lead): Promise<void> {
    const led = this.#led.get(key);
    if (led?.identity !== identity) return;
    await (led.leaving = this.#store.moveAside(key, staged));
    if (this.#led.get(key) === led) this.#led.delete(key);
  }

  async #stage(key: string): Promise<Lead | undefined> {
    const name = downloadName(key);
    const path = this.#store.path(name);
    let file: DiskFile;
    try {
      file = await this.#store.create(path);
    } catch (error) {
      if (isTaken(error)) return undefined;
      throw error;
    }
    try {
      const isLocked = file.tryLock();
      if (this.#store.refuses("flock")) await this.#store.removeFile(name);
      // Another process may have removed the file as a leftover before it was locked.
      else if (isLocked) {
        const { names, identity } = await file.facts();
        const staged = this.#store.staged(path, file, identity);
        if (names > 0) {
          this.#led.set(key, { identity });
          return { role: "lead", staged, identity };
        }
      }
    } catch (error) {
      await this.#store.removeFile(name).catch(() => {});
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  /** Removes the names of a download, the description first: the next one may have the other. */
  async #removeNames(key: string): Promise<void> {
    await this.#store.removeFile(descriptionName(key));
    await this.#store.removeFile(downloadName(key));
  }

  /** Opens the staged file of a running download; removes a leftover. */
  async #look(key: string): Promise<DiskFile | undefined> {
    const name = downloadName(key);
    if (!await this.#store.exists(name)) return undefined;
    let file: DiskFile;
    try {
      file = await this.#store.open(name);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    try {
      if (!file.tryLock()) return file;
      const mayRemove = this.#mayStage && !this.#store.refuses("flock");
      // Remove the name only if it is still this file's, not a new download's.
      if (mayRemove && await this.isCurrent(key, file.identity)) {
        await this.#removeNames(key);
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }
}
