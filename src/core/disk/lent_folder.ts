import { basename } from "@std/path/basename";
import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { CacheClosedError, MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "./disk_file.ts";
import { isNotFound, isTaken } from "./disk_fault.ts";
import { besideName, lenderName, lenderOf } from "./file_names.ts";
import type { FileSystem } from "./file_system.ts";

/** The path of a new link; "renamed" if another file has taken the name to be linked. */
export type Loan = { readonly link: string } | "renamed" | "refused";

/** Tries to make a folder or a file while others remove folders at the same moment. */
const MAX_TRIES = 16;

/** The folder of one lender. */
interface LenderFolder {
  readonly path: string;
  /** The open folder, whose lock shows other processes that the lender lives. */
  readonly lock: DiskFile;
  /** The names that are taken in the folder, as a disk may compare them. */
  readonly names: Set<string>;
  /** The number of lent files, in the folder and beside it. */
  count: number;
}

/** The place of a lent file. */
interface Place {
  readonly path: string;
  readonly lender: LenderFolder;
  /** The folder of this file alone, where the lender has a file of its name. */
  readonly beside: string | undefined;
}

/**
 * Lends bodies as files: links, so that Media can be read whatever becomes of their
 * entries, and links and copies that users are given by a path. Each cache has a folder
 * of its own while it lends a file. Where two files have the same name, the second gets
 * a folder beside it. When a process ends without `close()`, the kernel releases the lock
 * of its folder, and `sweep()` of any cache removes its files.
 */
export class LentFolder {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #readOnly: boolean;
  readonly #running = new Set<Promise<unknown>>();
  readonly #places = new Map<string, Place>();
  /** The folder that the next file is lent in. */
  #lender: LenderFolder | undefined;
  #making: Promise<void> | undefined;
  #count = 0;
  /** Whether the folder can't be made; `sweep()` lets the next link try again. */
  #isObstructed = false;
  #isClosed = false;

  /** `path` is the parent of all lenders' folders. A `readOnly` cache lends nothing. */
  constructor(fs: FileSystem, path: string, readOnly: boolean) {
    this.#fs = fs;
    this.#path = path;
    this.#readOnly = readOnly;
  }

  /** Whether links can be made, as far as known. */
  get mayLend(): boolean {
    return !this.#readOnly && !this.#isClosed && !this.#isObstructed &&
      !this.#hasNoLocks && !this.#fs.refusals.has("link");
  }

  get #hasNoLocks(): boolean {
    return this.#fs.refusals.has("flock");
  }

  /**
   * Links an open file that was opened under `path`. Never rejects.
   *
   * @param name The name of the link, a safe file name; any by default.
   */
  lend(
    file: DiskFile,
    path: string,
    name: string = `${this.#count++}`,
  ): Promise<Loan> {
    return this.#run(this.#lend(file, path, name));
  }

  /**
   * Makes a file of that name, a safe one, which `write` fills. If it fails, no file is
   * left.
   *
   * @returns The path of the file.
   * @throws {MediaCacheError} If the cache is read-only, or the file system has no locks.
   * @throws {CacheClosedError} If the cache is or becomes closed.
   * @throws The error of `write`, or the file system's.
   */
  create(
    name: string,
    write: (file: DiskFile) => Promise<void>,
  ): Promise<string> {
    return this.#run(this.#create(name, write));
  }

  /**
   * Removes a lent file. If that fails, the file is removed with the folder. Never
   * rejects.
   *
   * @param first The file is removed after this promise.
   */
  takeBack(path: string, first?: Promise<unknown>): Promise<void> {
    return this.#run(this.#takeBack(path, first));
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

  /** Removes all lent files of this cache, and lends no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    const places = [...this.#places.values()];
    this.#places.clear();
    const lenders = new Set(this.#lender === undefined ? [] : [this.#lender]);
    this.#lender = undefined;
    for (const { lender, beside } of places) {
      lenders.add(lender);
      // If that fails, the next sweep of another cache removes the rest.
      if (beside !== undefined) await this.#removeFolder(beside);
    }
    for (const lender of lenders) await this.#removeLender(lender);
  }

  async #lend(file: DiskFile, path: string, name: string): Promise<Loan> {
    if (!this.mayLend) return "refused";
    try {
      const { path: link } = await this.#make(name, async (link) => {
        if (await this.#fs.linkOpen(file, path, link)) return;
        throw new MediaCacheError(
          "Cannot link media: the file system refuses links",
        );
      });
      // `close()` removes the link.
      return this.#isClosed ? "refused" : { link };
    } catch (error) {
      return isNotFound(error) && !this.#isObstructed ? "renamed" : "refused";
    }
  }

  async #create(
    name: string,
    write: (file: DiskFile) => Promise<void>,
  ): Promise<string> {
    const { path, made: file } = await this.#make(
      name,
      (path) => this.#fs.create(path),
    );
    try {
      await write(file);
      if (!this.#isClosed) return path;
    } catch (error) {
      file.close();
      await this.#takeBack(path);
      throw error;
    } finally {
      file.close();
    }
    // `close()` removes the file.
    throw new CacheClosedError();
  }

  /** Makes a file of that name by `make`, in a folder of this lender. */
  async #make<T>(
    name: string,
    make: (path: string) => Promise<T>,
  ): Promise<{ path: string; made: T }> {
    for (let tries = 1;; tries++) {
      const place = await this.#place(name);
      const { path, lender } = place;
      try {
        return { path, made: await make(path) };
      } catch (error) {
        const isThere = await this.#fs.isFolder(dirname(path));
        // A disk may take two names for the same that differ here.
        const isKnown = isTaken(error);
        await this.#free(place, !isKnown);
        // The folder was removed: make another.
        if (!isThere) await this.#forget(lender);
        if (tries === MAX_TRIES || isThere && !isKnown) throw error;
      }
    }
  }

  /** Finds a place for a file of that name. */
  async #place(name: string): Promise<Place> {
    if (this.#readOnly) {
      throw new MediaCacheError("Cannot lend media: the cache is read-only");
    }
    const lender = await this.#counted();
    const key = keyOf(name);
    if (!lender.names.has(key)) {
      lender.names.add(key);
      return this.#placed(join(lender.path, name), lender, undefined);
    }
    const beside = besideName(lender.path, this.#count++);
    const place = this.#placed(join(beside, name), lender, beside);
    try {
      await this.#fs.makeFolder(beside);
      return place;
    } catch (error) {
      await this.#free(place, true);
      throw error;
    }
  }

  #placed(
    path: string,
    lender: LenderFolder,
    beside: string | undefined,
  ): Place {
    const place = { path, lender, beside };
    this.#places.set(path, place);
    return place;
  }

  /** The folder of this cache, with one file more. */
  async #counted(): Promise<LenderFolder> {
    for (;;) {
      if (this.#isClosed) throw new CacheClosedError();
      // Counted in the same turn: the last file may be taken back in the next.
      if (this.#lender !== undefined) {
        this.#lender.count++;
        return this.#lender;
      }
      await (this.#making ??= this.#makeAnew());
    }
  }

  async #makeAnew(): Promise<void> {
    try {
      this.#lender = await this.#makeLender();
      this.#isObstructed = false;
    } catch (error) {
      this.#isObstructed = true;
      throw error;
    } finally {
      this.#making = undefined;
    }
  }

  /** Makes and locks the folder of this cache. */
  async #makeLender(): Promise<LenderFolder> {
    for (let tries = 1;; tries++) {
      const path = join(this.#path, lenderName());
      let lock: DiskFile | undefined;
      try {
        await this.#fs.makeFolder(this.#path);
        await this.#fs.makeFolder(path);
        lock = await this.#fs.openFolder(path);
        const isLocked = lock.tryLock();
        if (this.#hasNoLocks) {
          // Other processes would remove the folder as a leftover.
          throw new MediaCacheError(
            "Cannot lend media: the file system has no locks",
          );
        }
        if (isLocked) return { path, lock, names: new Set(), count: 0 };
        if (tries === MAX_TRIES) {
          throw new MediaCacheError("Cannot lend media: its folder is locked");
        }
        lock.close();
      } catch (error) {
        lock?.close();
        await this.#fs.removeFolder(path);
        if (isNotFound(error) && tries < MAX_TRIES) continue;
        await this.#fs.removeFolder(this.#path);
        throw error;
      }
    }
  }

  async #takeBack(path: string, first?: Promise<unknown>): Promise<void> {
    await first;
    const place = this.#places.get(path);
    if (place === undefined) return;
    const isGone = await this.#fs.remove(path).then(() => true, () => false);
    await this.#free(place, isGone);
  }

  /**
   * Gives up a place; the last one of a lender takes the folder with it.
   *
   * @param isGone Whether there is no file any more.
   */
  async #free(place: Place, isGone: boolean): Promise<void> {
    const { path, lender, beside } = place;
    if (!this.#places.delete(path)) return;
    if (beside !== undefined) await this.#removeFolder(beside);
    else if (isGone) lender.names.delete(keyOf(basename(path)));
    lender.count--;
    if (lender.count === 0) await this.#forget(lender);
  }

  /** Forgets the folder of a lender, and removes it if it holds no lent file. */
  async #forget(lender: LenderFolder): Promise<void> {
    if (this.#lender === lender) this.#lender = undefined;
    if (lender.count === 0) await this.#removeLender(lender);
  }

  async #removeLender({ path, lock }: LenderFolder): Promise<void> {
    await this.#removeFolder(path);
    lock.close();
    await this.#fs.removeFolder(this.#path);
  }

  async #sweep(): Promise<void> {
    this.#isObstructed = false;
    if (!await this.#fs.isFolder(this.#path)) return;
    const found = new Map<string, string[]>();
    for await (const { name, isDirectory } of this.#fs.list(this.#path)) {
      const lender = isDirectory ? lenderOf(name) : undefined;
      if (lender === undefined) continue;
      const names = found.get(lender) ?? [];
      names.push(name);
      found.set(lender, names);
    }
    for (const [lender, names] of found) {
      await this.#sweepLender(join(this.#path, lender), names);
    }
    await this.#fs.removeFolder(this.#path);
  }

  /** Removes the folders of a lender, if its lock is free or its folder gone. */
  async #sweepLender(path: string, names: readonly string[]): Promise<void> {
    let folder: DiskFile | undefined;
    try {
      // A folder beside that of a lender may be left without it.
      if (await this.#fs.isFolder(path)) {
        folder = await this.#fs.openFolder(path);
        if (!folder.tryLock() || this.#hasNoLocks) return;
      }
      for (const name of names) {
        await this.#emptyFolder(join(this.#path, name));
      }
    } catch (error) {
      // Another process removed the folder first.
      if (!isNotFound(error)) throw error;
    } finally {
      folder?.close();
    }
  }

  /** Removes a folder of this cache, most often an empty one. Never rejects. */
  async #removeFolder(path: string): Promise<void> {
    await this.#fs.removeFolder(path);
    if (!await this.#fs.isFolder(path)) return;
    await this.#emptyFolder(path).catch(() => {});
  }

  /** Removes the files in a folder, and the folder if nothing else is in it. */
  async #emptyFolder(path: string): Promise<void> {
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

/** A name as a file system may compare it, without regard to case and to composition. */
function keyOf(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}
