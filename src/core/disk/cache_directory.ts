import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { MediaCacheError } from "../api/errors.ts";
import type { Refusable } from "../text/refusable.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import { denoProblem } from "./deno_release.ts";
import type { DiskFile, FileFacts } from "./disk_file.ts";
import type { FileState } from "./file_identity.ts";
import { PART } from "./file_names.ts";
import { isDenied, isNotFound, isRefusal } from "./disk_fault.ts";
import type { FileSystem, FileText, ListedFile } from "./file_system.ts";
import type { MaybePromise } from "./io_mode.ts";

/** The key in the names of files that belong to no entry; no URL has this hash. */
const NO_KEY = "0".repeat(64);

/** A probe writes this many bytes: a full disk lacks the room for them. */
const PROBE_BYTES = 4096;

/** Options of {@linkcode CacheDirectory}. */
export interface CacheDirectoryOptions {
  /** The path of the directory. */
  dir: string;
  /** Whether commits must survive a power cut. */
  durable: boolean;
  /** Whether nothing may be written. */
  readOnly: boolean;
}

/** The directory of a cache: prepares and probes it, and looks at files by name. */
export class CacheDirectory {
  /** The path of the directory. */
  readonly dir: string;
  readonly #fs: FileSystem;
  readonly #durable: boolean;
  readonly #readOnly: boolean;
  /** The beginning of each path in the directory: joining takes 2 µs a path. */
  readonly prefix: string;
  readonly #unique = crypto.randomUUID().slice(0, 8);
  readonly #left = new Set<string>();
  #count = 0;
  #prepared: Promise<void> | undefined;
  /** Why this Deno won't do. The same error at each call, so that it is reported once. */
  #denoError: MediaCacheError | undefined;
  #ready = false;

  /** `fs` is the file system of the directory. */
  constructor(
    fs: FileSystem,
    { dir, durable, readOnly }: CacheDirectoryOptions,
  ) {
    this.#fs = fs;
    this.dir = dir;
    this.prefix = join(dir, "x").slice(0, -1);
    this.#durable = durable;
    this.#readOnly = readOnly;
  }

  /** Whether `prepare()` has found the directory usable. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether the disk answers so slowly that it is asked asynchronously. */
  get isSlow(): boolean {
    return this.#fs.io.isSlow;
  }

  /**
   * Makes the directory, if need be, and checks that it may be used.
   *
   * @throws {MediaCacheError} If not: the message names the path and the flags, or the
   * release of Deno that is needed.
   */
  prepare(): Promise<void> {
    return this.#prepared ??= this.#prepare().catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
  }

  /**
   * Tries the steps of a store with a small file: makes, writes, renames and removes
   * it, and lists the directory.
   *
   * @throws {MediaCacheError} If the directory can't be used.
   * @throws The file system's error of the step that fails.
   */
  async probe(): Promise<void> {
    await this.prepare();
    if (this.#readOnly) return await this.#fs.checkListing(this.dir);
    const [from, to] = [this.sparePath(), this.sparePath()];
    const file = await this.create(from);
    try {
      file.tryLock();
      await file.writeAt(new Uint8Array(PROBE_BYTES), 0);
      await this.#fs.rename(from, to);
      // Closed first: FUSE and NFS rename an open file when it is removed.
      file.close();
      // Without removals the cache could neither replace nor evict.
      await this.#fs.remove(to);
      // Without a listing the budget is unknown, and nothing is stored.
      await this.#fs.checkListing(this.dir);
    } catch (error) {
      file.close();
      for (const path of [from, to]) await this.discard(path);
      throw error;
    }
  }

  /** Why `probe()` fails now, without paths; undefined when it succeeds. */
  async whyUnusable(): Promise<string | undefined> {
    const problem = denoProblem();
    if (problem !== undefined) return problem;
    try {
      await this.probe();
    } catch (error) {
      return `the directory can't be used: ${reasonOf(error)}`;
    }
    return undefined;
  }

  /** The path of a file in the directory. */
  path(name: string): string {
    return this.prefix + name;
  }

  /** A new path of a .part file, which is cleaned up if its writer dies. */
  sparePath(key: string = NO_KEY): string {
    const unique = this.#unique + (this.#count++).toString(36);
    return `${this.prefix}${key}.${unique}${PART}`;
  }

  /** Lists the directory, asynchronously. */
  list(): AsyncIterable<ListedFile> {
    return this.#fs.list(this.dir);
  }

  /** The facts of a regular file; undefined when there is none of that name. */
  facts(name: string): MaybePromise<FileFacts | undefined> {
    return this.#fs.facts(this.path(name));
  }

  /** Whether a file exists; false as well where the directory can't be searched. */
  probablyExists(name: string): boolean {
    return this.#fs.probablyExists(this.path(name));
  }

  /**
   * Whether a file exists.
   *
   * @throws The file system's error where the directory can't be searched.
   */
  exists(name: string): boolean {
    return this.#fs.exists(this.path(name));
  }

  /** Whether the name is taken, be it by a link that leads nowhere. */
  hasName(name: string): Promise<boolean> {
    return this.#fs.hasName(this.path(name));
  }

  /** Whether the file system has refused an operation. */
  refuses(operation: Refusable): boolean {
    return this.#fs.refusals.has(operation);
  }

  /**
   * Opens a regular file to read.
   *
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  open(name: string): MaybePromise<DiskFile> {
    return this.#fs.open(this.path(name));
  }

  /** Whether a process holds the lock of a file; undefined where that can't be told. */
  isLocked(name: string): Promise<boolean | undefined> {
    return this.#fs.isLocked(this.path(name));
  }

  /**
   * Looks at a .part file that no process writes. The lock is held within one run: a
   * download that has just made the file finds it free, and so becomes its owner.
   *
   * @returns The state of the file; undefined if a process has the lock or the file is gone;
   * "unknown" where the file system has no locks, or the name is not that of a file that this
   * user may open.
   * @throws The file system's error.
   */
  async unlocked(name: string): Promise<FileState | "unknown" | undefined> {
    const file = await this.#openIfAllowed(name);
    if (file === undefined) return "unknown";
    if (!isFree(file)) return undefined;
    const named = await this.facts(name);
    if (named?.identity !== file.identity) return undefined;
    return this.refuses("flock") ? "unknown" : file.opened;
  }

  /**
   * Removes a .part file that no process writes, under the lock of the file: a download that
   * claims the name at the same moment has another file.
   *
   * @returns False if a process writes it, or it is gone.
   * @throws The file system's error.
   */
  async removeStaged(name: string): Promise<boolean> {
    using file = await this.#openIfAllowed(name);
    if (file !== undefined) {
      if (!file.tryLock()) return false;
      const named = await this.facts(name);
      if (named?.identity !== file.identity) return false;
    }
    return await this.#fs.remove(this.path(name));
  }

  /** Opens a file; undefined if it is gone, or this user may not. */
  async #openIfAllowed(name: string): Promise<DiskFile | undefined> {
    try {
      return await this.#fs.open(this.path(name));
    } catch (error) {
      if (isNotFound(error) || isDenied(error)) return undefined;
      throw error;
    }
  }

  /** Sets the times of a file, in milliseconds since the epoch; false where refused. */
  date(name: string, timeMs: number): MaybePromise<boolean> {
    return this.#fs.touch(this.path(name), timeMs);
  }

  /** Whether a .part file is this store's own, which removes it itself. */
  isOwn(name: string): boolean {
    return name.split(".")[1]?.startsWith(this.#unique) ?? false;
  }

  /** Makes a file, and the directory again if it was deleted meanwhile. */
  async create(path: string): Promise<DiskFile> {
    if (!this.#ready) await this.prepare();
    let file: DiskFile;
    try {
      file = await this.#fs.create(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#makeDirectory();
      file = await this.#fs.create(path);
    }
    if (this.#left.size > 0) await this.#discardLeft();
    return file;
  }

  /**
   * Makes a file of these bytes, removed again if they could not be written whole.
   *
   * @param timeMs The times of the file, in milliseconds since the epoch; by default the
   * present time.
   * @returns The state of the file.
   */
  async writeNew(
    path: string,
    bytes: Uint8Array,
    timeMs?: number,
  ): Promise<FileState> {
    const mayBeAtOnce = this.#ready && !this.#durable && this.#left.size === 0;
    if (mayBeAtOnce) {
      try {
        const state = await this.#fs.writeAtOnce(path, bytes, timeMs);
        if (state !== undefined) return state;
      } catch (error) {
        // The steps below make a deleted directory again, and do without the times.
        const isOver = !isNotFound(error) && !isRefusal(error);
        // Without the permission no file was made, and a look would ask for it.
        const mayBeThere = !(error instanceof Deno.errors.NotCapable);
        if (mayBeThere) await this.discard(path);
        if (isOver) throw error;
      }
    }
    // A file that was not made must not be looked for: Deno might ask for permission.
    using file = await this.create(path);
    try {
      await file.writeAt(bytes, 0);
      if (timeMs !== undefined) await this.#fs.touch(path, timeMs);
      if (this.#durable) await file.sync();
      return await file.facts();
    } catch (error) {
      await this.discard(path);
      throw error;
    }
  }

  /**
   * Puts a file of these bytes in place of any file of that name: written beside it and
   * renamed, so that a kill leaves the old file or the new file.
   *
   * @param key The key in the name of the file while it is written.
   */
  async replaceFile(
    name: string,
    key: string,
    bytes: Uint8Array,
  ): Promise<void> {
    const path = this.sparePath(key);
    await this.writeNew(path, bytes);
    try {
      await this.#fs.rename(path, this.path(name));
    } catch (error) {
      await this.discard(path);
      throw error;
    }
  }

  /** Renames a file, in place of any file of the new name. */
  renameFile(from: string, to: string): MaybePromise<void> {
    return this.#fs.rename(this.path(from), this.path(to));
  }

  /**
   * Reads the text of a regular file of at most `maxBytes`.
   *
   * @throws {TypeError} If the text is not UTF-8.
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  readText(name: string, maxBytes: number): Promise<FileText> {
    return this.#fs.readText(this.path(name), maxBytes);
  }

  /** Removes a file of this cache; if that fails, tries again after the next create. */
  async discard(path: string): Promise<void> {
    try {
      await this.#fs.remove(path);
    } catch {
      // Retry only .part files: a .dat or .json may belong to a newer entry by then.
      if (path.endsWith(PART)) this.#left.add(path);
    }
  }

  /** Makes the error that names the flags that the directory needs. */
  unusable(cause: unknown): MediaCacheError {
    const [uses, flags] = this.#readOnly
      ? ["read", `--allow-read=${this.dir}`]
      : [
        "read and write",
        `--allow-read=${this.dir} --allow-write=${this.dir}`,
      ];
    const found = cause instanceof Error ? cause.message : String(cause);
    return new MediaCacheError(
      `Cannot open cache: cacheDir must be a directory that the process may ${uses}, with ${flags}: ${found}`,
      { cause },
    );
  }

  async #prepare(): Promise<void> {
    const problem = denoProblem();
    if (problem !== undefined) {
      throw this.#denoError ??= new MediaCacheError(
        `Cannot open cache: ${problem}`,
      );
    }
    const missing = this.#fs.missingPermission(this.dir, !this.#readOnly);
    if (missing !== undefined) throw this.unusable(`missing ${missing}`);
    try {
      if (this.#readOnly) await this.#fs.checkDirectory(this.dir);
      else await this.#makeDirectory();
    } catch (error) {
      throw this.unusable(error);
    }
    // If links lead elsewhere, Deno must allow their target.
    const missingBehind = this.#fs.missingBehind(this.dir, !this.#readOnly);
    if (missingBehind) throw this.unusable(`missing ${missingBehind}`);
    this.#ready = true;
  }

  async #makeDirectory(): Promise<void> {
    const isNew = await this.#fs.makeDirectory(this.dir);
    if (!isNew || !this.#durable) return;
    // The names of the new directory and of those above must survive a power cut, too.
    for (let path = this.dir; path !== dirname(path);) {
      path = dirname(path);
      if (this.#fs.missingPermission(path, false) !== undefined) return;
      // A directory that may not be read is not new.
      await this.#fs.syncDirectory(path).catch(() => {});
    }
  }

  /** Retries the removals that failed: the disk works again, a create has succeeded. */
  async #discardLeft(): Promise<void> {
    for (const path of this.#left) {
      try {
        // A name without our prefix may belong to a new download of another process.
        const isOurs = path.includes(`.${this.#unique}`);
        if (isOurs || !await this.#fs.isLocked(path)) {
          await this.#fs.remove(path);
        }
      } catch {
        return;
      }
      this.#left.delete(path);
    }
  }
}

/** Closes a file; whether its lock was free. */
function isFree(file: DiskFile): boolean {
  try {
    return file.tryLock();
  } finally {
    file.close();
  }
}

/** Why an operation failed, for anybody to see: not the message, which holds paths. */
function reasonOf(error: unknown): string {
  if (error instanceof MediaCacheError) {
    return error.cause instanceof Error
      ? reasonOf(error.cause)
      : "a permission is missing";
  }
  return failureReason(errorFacts(error));
}
