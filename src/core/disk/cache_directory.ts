import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { MediaCacheError } from "../api/errors.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import { denoProblem } from "./deno_release.ts";
import type { DiskFile, FileFacts } from "./disk_file.ts";
import { PART, spareName } from "./file_names.ts";
import { type FileSystem, isNotFound, type ListedFile } from "./file_system.ts";
import type { MaybePromise } from "./io_mode.ts";

/** No entry has that key: for what is written and belongs to none. */
const NO_KEY = "0".repeat(64);
/** What a probe writes: a full disk has not that much room. */
const PROBE_BYTES = 4096;

/** Options of {@linkcode CacheDirectory}. */
export interface CacheDirectoryOptions {
  /** The directory. */
  dir: string;
  /** Whether commits must survive a power cut. */
  durable: boolean;
  /** Whether nothing may be written. */
  readOnly: boolean;
}

/** The directory of a cache: whether it may be used, and its files by their names. */
export class CacheDirectory {
  /** The directory. */
  readonly dir: string;
  readonly #fs: FileSystem;
  readonly #durable: boolean;
  readonly #readOnly: boolean;
  /** What the path of a file begins with; to join each takes 2 µs. */
  readonly #prefix: string;
  readonly #unique = crypto.randomUUID().slice(0, 8);
  readonly #left = new Set<string>();
  #count = 0;
  #prepared: Promise<void> | undefined;
  /** Why this Deno won't do. The same error each time: DiskErrors reports it once. */
  #denoError: MediaCacheError | undefined;
  #ready = false;

  /** Reads and writes nothing until it is asked to. */
  constructor(
    fs: FileSystem,
    { dir, durable, readOnly }: CacheDirectoryOptions,
  ) {
    this.#fs = fs;
    this.dir = dir;
    this.#prefix = join(dir, "x").slice(0, -1);
    this.#durable = durable;
    this.#readOnly = readOnly;
  }

  /** Whether the directory is there and may be used. */
  get ready(): boolean {
    return this.#ready;
  }

  /**
   * Makes the directory, if need be, and sees whether it may be used.
   *
   * @throws {MediaCacheError} If not; the message names the path and the flags, or
   * the release of Deno that is needed.
   */
  prepare(): Promise<void> {
    return this.#prepared ??= this.#prepare().catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
  }

  /**
   * Does what storing needs, with a little: makes a file, writes to it, gives it
   * another name and removes it, and sees whether the names may be read.
   *
   * @throws {MediaCacheError} If the directory can't be used.
   * @throws The file system's error.
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
      // FUSE and NFS rename an open file in place of removing it.
      file.close();
      // A directory that refuses to remove files could neither replace nor evict.
      await this.#fs.remove(to);
      // Nothing is stored unless all entries are known, as the budget counts them.
      await this.#fs.checkListing(this.dir);
    } catch (error) {
      file.close();
      for (const path of [from, to]) await this.discard(path);
      throw error;
    }
  }

  /** Why a probe fails now; undefined when it doesn't. The reason holds no path. */
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
    return this.#prefix + name;
  }

  /** A path that nobody has, for a file that is cleaned up when its writer is gone. */
  sparePath(key: string = NO_KEY): string {
    const unique = this.#unique + (this.#count++).toString(36);
    return this.path(spareName(key, unique));
  }

  /** Lists the directory, off the event loop. */
  list(): AsyncIterable<ListedFile> {
    return this.#fs.list(this.dir);
  }

  /** Facts of a regular file in the directory; undefined when there is none. */
  facts(name: string): Promise<FileFacts | undefined> {
    return this.#fs.facts(this.path(name));
  }

  /** Whether a file is there; false as well where the directory can't be searched. */
  seems(name: string): Promise<boolean> {
    return this.#fs.seems(this.path(name));
  }

  /**
   * Whether a file is there.
   *
   * @throws The file system's error where that can't be told.
   */
  exists(name: string): Promise<boolean> {
    return this.#fs.exists(this.path(name));
  }

  /** Whether anything has that name, a link that leads nowhere included. */
  hasName(name: string): Promise<boolean> {
    return this.#fs.hasName(this.path(name));
  }

  /** Whether a process holds the lock of a file. */
  isLocked(name: string): Promise<boolean> {
    return this.#fs.isLocked(this.path(name));
  }

  /** Sets the times of a file; false where the file system refuses that. */
  date(name: string, timeMs: number): MaybePromise<boolean> {
    return this.#fs.touch(this.path(name), timeMs);
  }

  /** Whether a staged file is one of this store's, which removes it itself. */
  isOwn(name: string): boolean {
    return name.split(".")[1]?.startsWith(this.#unique) ?? false;
  }

  /** Makes a file, and the directory again if it was deleted while we ran. */
  async create(path: string): Promise<DiskFile> {
    await this.prepare();
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

  /** Removes a file of ours; where that fails it is tried again with the next one. */
  async discard(path: string): Promise<void> {
    try {
      await this.#fs.remove(path);
    } catch {
      // Its name marks it as a leftover; that of an entry may be another's by then.
      if (path.endsWith(PART)) this.#left.add(path);
    }
  }

  /** The error that says why the directory can't be used, and how it could be. */
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
    // Where a link leads there, that is what must be allowed.
    const missingBehind = this.#fs.missingBehind(this.dir, !this.#readOnly);
    if (missingBehind) throw this.unusable(`missing ${missingBehind}`);
    this.#ready = true;
  }

  async #makeDirectory(): Promise<void> {
    const isNew = await this.#fs.makeDirectory(this.dir);
    if (!isNew || !this.#durable) return;
    // Its own name, and those of the directories above it, must be sure as well.
    for (let path = this.dir; path !== dirname(path);) {
      path = dirname(path);
      if (this.#fs.missingPermission(path, false) !== undefined) return;
      // One that may not be read was there before.
      await this.#fs.syncDirectory(path).catch(() => {});
    }
  }

  /** The disk takes files again; so it may let go of those that it would not. */
  async #discardLeft(): Promise<void> {
    for (const path of this.#left) {
      try {
        // Some names are those of a URL: another may be downloading it by now.
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

/** Why an operation failed. The answer is for anybody, and messages hold paths. */
function reasonOf(error: unknown): string {
  if (error instanceof MediaCacheError) {
    return error.cause instanceof Error
      ? reasonOf(error.cause)
      : "a permission is missing";
  }
  return failureReason(errorFacts(error));
}
