import { join } from "@std/path/join";
import type { DiskFile } from "./disk_file.ts";
import { isNotFound } from "./disk_fault.ts";
import { isLenderName, lenderName } from "./file_names.ts";
import type { FileSystem } from "./file_system.ts";

/** The path of a new link; "renamed" if another file has taken the name to be linked. */
export type Loan = { readonly link: string } | "renamed" | "refused";

/** Tries to make a folder while others remove it at the same moment. */
const MAX_TRIES = 3;

/** The folder of one lender. */
interface LenderFolder {
  readonly path: string;
  /** The open folder, whose lock shows other processes that the lender lives. */
  readonly lock: DiskFile;
}

/**
 * Links bodies, so that Media can be read whatever becomes of their entries. Each cache
 * has a folder of its own, made for the first link and removed by `close()`. When a
 * process ends without `close()`, the kernel releases the lock of its folder, and
 * `sweep()` of any cache removes the folder.
 */
export class LentFolder {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #readOnly: boolean;
  readonly #running = new Set<Promise<unknown>>();
  #own: Promise<LenderFolder | undefined> | undefined;
  #count = 0;
  /** Whether the folder can't be made; `sweep()` lets the next link try again. */
  #isObstructed = false;
  #isClosed = false;

  /** `path` is the parent of all lenders' folders. A `readOnly` cache makes no links. */
  constructor(fs: FileSystem, path: string, readOnly: boolean) {
    this.#fs = fs;
    this.#path = path;
    this.#readOnly = readOnly;
  }

  /** Whether links can be made, as far as known. */
  get mayLend(): boolean {
    return !this.#readOnly && !this.#isClosed && !this.#isObstructed &&
      !this.#isRefused;
  }

  get #isRefused(): boolean {
    const { refusals } = this.#fs;
    return refusals.has("link") || refusals.has("flock");
  }

  /** Links an open file that was opened under `path`. Never rejects. */
  lend(file: DiskFile, path: string): Promise<Loan> {
    return this.#run(this.#lend(file, path));
  }

  /**
   * Removes a link. If that fails, the link is removed with the folder.
   *
   * @param first The link is removed after this promise.
   */
  takeBack(link: string, first?: Promise<unknown>): void {
    const remove = async () => {
      if (first !== undefined) await first;
      await this.#fs.remove(link);
    };
    this.#run(remove().catch(() => {}));
  }

  /**
   * Removes the folders of processes that have ended, with all files in them. Does not
   * touch other names, and follows no links.
   *
   * @throws The file system's error.
   */
  sweep(): Promise<void> {
    return this.#run(this.#sweep());
  }

  /** Removes all links of this cache, and makes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    const own = await this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    // If that fails, the next sweep of another cache removes the rest.
    await this.#removeLender(own.path).catch(() => {});
    own.lock.close();
    await this.#fs.removeFolder(this.#path);
  }

  async #lend(file: DiskFile, path: string): Promise<Loan> {
    for (let tries = 0; tries < MAX_TRIES && this.mayLend; tries++) {
      const making = this.#own ??= this.#make();
      const own = await making;
      if (own === undefined) {
        this.#isObstructed = true;
        this.#forget(making);
        break;
      }
      const link = join(own.path, `${this.#count++}`);
      try {
        if (!await this.#fs.linkOpen(file, path, link)) break;
        if (!this.#isClosed) return { link };
        await this.#fs.remove(link);
      } catch (error) {
        if (await this.#fs.isFolder(own.path)) {
          return isNotFound(error) ? "renamed" : "refused";
        }
        // The folder was removed: make another.
        this.#forget(making);
        own.lock.close();
      }
    }
    return "refused";
  }

  /** Forgets a folder, unless another was made meanwhile. */
  #forget(own: Promise<LenderFolder | undefined>): void {
    if (this.#own === own) this.#own = undefined;
  }

  /** Makes and locks the folder of this cache; undefined if that fails. */
  async #make(): Promise<LenderFolder | undefined> {
    for (let tries = 0; tries < MAX_TRIES && !this.#isRefused; tries++) {
      const path = join(this.#path, lenderName());
      try {
        await this.#fs.makeFolder(this.#path);
        await this.#fs.makeFolder(path);
        const lock = await this.#fs.openFolder(path);
        // Without locks, other processes would remove the folder as a leftover.
        if (lock.tryLock() && !this.#isRefused) return { path, lock };
        lock.close();
      } catch (error) {
        if (!isNotFound(error)) tries = MAX_TRIES;
      }
      await this.#fs.removeFolder(path);
    }
    return undefined;
  }

  async #sweep(): Promise<void> {
    this.#isObstructed = false;
    if (!await this.#fs.isFolder(this.#path)) return;
    for await (const { name, isDirectory } of this.#fs.list(this.#path)) {
      if (!isDirectory || !isLenderName(name)) continue;
      await this.#sweepLender(join(this.#path, name));
    }
    await this.#fs.removeFolder(this.#path);
  }

  async #sweepLender(path: string): Promise<void> {
    try {
      using folder = await this.#fs.openFolder(path);
      if (folder.tryLock() && !this.#isRefused) await this.#removeLender(path);
    } catch (error) {
      // Another process removed the folder first.
      if (!isNotFound(error)) throw error;
    }
  }

  async #removeLender(path: string): Promise<void> {
    for await (const { name, isFile } of this.#fs.list(path)) {
      if (isFile) await this.#fs.remove(join(path, name));
    }
    await this.#fs.removeFolder(path);
  }

  /** Makes `close()` wait for an operation. */
  #run<T>(operation: Promise<T>): Promise<T> {
    const ended = operation.then(() => {}, () => {});
    this.#running.add(ended);
    ended.finally(() => this.#running.delete(ended));
    return operation;
  }
}
