import type { DiskFile } from "./disk_file.ts";
import type { MaybePromise } from "./io_mode.ts";
import type { FileState } from "./file_identity.ts";
import type { Sidecar } from "./sidecar.ts";
import type { StagedDescription } from "./staged_description.ts";

/**
 * A .part file whose lock is free stays for this time after its last write (ms): its
 * process may be about to lock it, or writes it at once and without a lock.
 */
export const STAGED_GRACE_MS = 5_000;

/** A complete file under a .part name. */
export interface StagedName {
  /** The path of the file. */
  readonly path: string;
  /** The state of the file. */
  readonly state: FileState;
}

/** Both files of an entry to be, complete, for a commit to rename. */
export interface StagedPair {
  /** The members of the sidecar. */
  readonly sidecar: Sidecar;
  /** The body. */
  readonly body: StagedName;
  /** The sidecar. */
  readonly json: StagedName;
  /** The open file of the body, if there is one; its names go with the commit. */
  readonly staged?: StagedFile;
}

/** A body that is being written, under a .part name. */
export class StagedFile {
  /** The open file. */
  readonly file: DiskFile;
  readonly #remove: (path: string, identity?: number) => Promise<void>;
  readonly #identity: number | undefined;
  #path: string;
  #isNamed = true;
  #keepsNames = false;
  #renaming: Promise<void> | undefined;
  #discarding: Promise<void> | undefined;
  #description: StagedDescription | undefined;
  #describing: Promise<unknown> | undefined;

  /**
   * Takes over an open file.
   *
   * @param remove Removes a path if it still is the name of the file with that identity.
   * Does not reject.
   * @param identity The identity of the file, if another file may take its path.
   */
  constructor(
    path: string,
    file: DiskFile,
    remove: (path: string, identity?: number) => Promise<void>,
    identity?: number,
  ) {
    this.#path = path;
    this.file = file;
    this.#remove = remove;
    this.#identity = identity;
  }

  /** The path of the file. */
  get path(): string {
    return this.#path;
  }

  /** The description beside the file, for other processes. */
  get description(): StagedDescription | undefined {
    return this.#description;
  }

  /**
   * Puts a description beside the file, unless a rename, commit or removal has begun.
   *
   * @throws The error of `make`.
   */
  async describe(make: () => Promise<StagedDescription>): Promise<void> {
    const names = [this.#renaming, this.#discarding];
    if (this.#keepsNames || names.some((each) => each !== undefined)) return;
    const made = make();
    // Rename, commit and removal wait for the description: its name goes with them.
    this.#describing = made.catch(() => {});
    try {
      this.#description = await made;
    } finally {
      this.#describing = undefined;
    }
  }

  /** Shows other processes that the file is not written any more. */
  unlock(): void {
    try {
      this.file.unlock();
    } catch {
      // The disk fails; the other processes run into their time limits.
    }
  }

  /**
   * Keeps the names as they are from here on: the commit is about to begin.
   *
   * @param date Sets the times of the file of a path.
   * @param isDurable Whether the bytes must survive a power cut.
   */
  async complete(
    date: (path: string) => MaybePromise<boolean>,
    isDurable: boolean,
  ): Promise<StagedName> {
    this.#keepsNames = true;
    await this.#describing;
    await this.#renaming;
    await date(this.#path);
    if (isDurable) await this.file.sync();
    return { path: this.#path, state: await this.file.facts() };
  }

  /**
   * Renames the file and its description, unless a commit or removal has begun.
   *
   * @param rename Renames a path if it still is the name of the file with that identity;
   * returns its path.
   */
  rename(
    rename: (from: string, identity?: number) => Promise<string>,
  ): Promise<void> {
    const isTooLate = this.#keepsNames || this.#discarding !== undefined;
    if (isTooLate) return Promise.resolve();
    const names = async () => {
      if (this.#describing !== undefined) await this.#describing;
      const description = this.#description;
      if (description?.isNamed) {
        const { path, identity } = description;
        description.path = await rename(path, identity);
      }
      if (this.#isNamed) {
        this.#path = await rename(this.#path, this.#identity);
      }
    };
    // Once only: of two renames at a time each would take the file from the other. A
    // failure is ignored: the disk fails, which the commit or removal reports.
    return this.#renaming ??= names().catch(() => {});
  }

  /**
   * Gives the file one more name by `link`, which a rename does not change.
   *
   * @throws The error of `link`.
   */
  async link<T>(link: (from: string) => Promise<T>): Promise<T> {
    await this.#renaming;
    return await link(this.#path);
  }

  /** Gives up the name: it is an entry's by now. */
  committed(): void {
    this.#isNamed = false;
  }

  /**
   * Removes the names of file and description; open handles keep the bytes. Once only:
   * later the names may belong to another download.
   */
  discard(): Promise<void> {
    return this.#discarding ??= this.#discard();
  }

  /** Removes the names, and closes file and description. */
  async close(): Promise<void> {
    await this.discard();
    this.#description?.close();
    this.file.close();
  }

  async #discard(): Promise<void> {
    // Await only what runs: a rename could begin during a needless pause.
    if (this.#describing !== undefined) await this.#describing;
    if (this.#renaming !== undefined) await this.#renaming;
    const description = this.#description;
    if (description?.isNamed) {
      description.isNamed = false;
      await this.#remove(description.path, description.identity);
    }
    if (!this.#isNamed) return;
    this.#isNamed = false;
    await this.#remove(this.#path, this.#identity);
  }
}
