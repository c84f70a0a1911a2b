import type { ListedFile } from "./file_system.ts";
import type { MaybePromise } from "./io_mode.ts";
import { datName, jsonName, PART, spareName } from "./file_names.ts";
import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { MediaCacheError } from "../api/errors.ts";
import type { DiskFile, FileFacts } from "./disk_file.ts";
import { type FileSystem, isNotFound } from "./file_system.ts";
import { denoProblem } from "./deno_release.ts";
import { isLocked } from "./file_lock.ts";
import { StagedFile } from "./staged_file.ts";
import {
  formatSidecar,
  MAX_SIDECAR_BYTES,
  mismatchOf,
  parseSidecar,
  type Sidecar,
  type StampedSidecar,
} from "./sidecar.ts";
import { stampOf } from "./file_identity.ts";
import { DirectorySync } from "./directory_sync.ts";

/** No entry has that key: for what is written and belongs to none. */
const NO_KEY = "0".repeat(64);
/** What a probe writes: a full disk has not that much room. */
const PROBE_BYTES = 4096;

/** A pair whose two files fit each other. */
export interface Found {
  /** What the sidecar says, `size` being the length of the .dat. */
  readonly sidecar: StampedSidecar;
  /** The .dat, open. */
  readonly file: DiskFile;
  /** Facts of the .dat. */
  readonly facts: FileFacts;
}

/** A pair that must not be served. */
export interface Broken {
  /** Why. */
  readonly reason: string;
}

/** A pair that was just committed. */
export interface Committed {
  /** Facts of the .dat. */
  readonly facts: FileFacts;
  /** The stamp of the sidecar. */
  readonly stamp: number;
}

/** Options of {@linkcode PairStore}. */
export interface PairStoreOptions {
  /** The directory. */
  dir: string;
  /** Whether commits must survive a power cut. */
  durable: boolean;
  /** Whether nothing may be written. */
  readOnly: boolean;
}

/** The pairs of .dat and .json in one directory, and how one is replaced. */
export class PairStore {
  /** The directory. */
  readonly dir: string;
  readonly #fs: FileSystem;
  readonly #durable: boolean;
  readonly #readOnly: boolean;
  readonly #names: DirectorySync;
  /** What the path of a file begins with; to join each takes 2 µs. */
  readonly #prefix: string;
  readonly #unique = crypto.randomUUID().slice(0, 8);
  readonly #left = new Set<string>();
  #count = 0;
  #prepared: Promise<void> | undefined;
  /** Why this Deno won't do. The same error each time: DiskErrors reports it once. */
  #denoError: MediaCacheError | undefined;
  #ready = false;

  /** Touches nothing yet. */
  constructor(fs: FileSystem, { dir, durable, readOnly }: PairStoreOptions) {
    this.#fs = fs;
    this.dir = dir;
    this.#prefix = join(dir, "x").slice(0, -1);
    this.#durable = durable;
    this.#readOnly = readOnly;
    this.#names = new DirectorySync(
      durable ? () => fs.syncDirectory(dir) : undefined,
    );
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

  /** The path of a file in the directory. */
  path(name: string): string {
    return this.#prefix + name;
  }

  /** A path that nobody has, for a file that is cleaned up when its writer is gone. */
  sparePath(key: string = NO_KEY): string {
    const unique = this.#unique + (this.#count++).toString(36);
    return this.path(spareName(key, unique));
  }

  /** The path of an entry's .dat. */
  datPath(key: string): string {
    return this.path(datName(key));
  }

  /** The path of an entry's sidecar. */
  jsonPath(key: string): string {
    return this.path(jsonName(key));
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
    return isLocked(this.#fs, this.path(name));
  }

  /** Sets the times of a file; false where the file system refuses that. */
  date(name: string, timeMs: number): MaybePromise<boolean> {
    return this.#fs.touch(this.path(name), timeMs);
  }

  /**
   * Opens the body of `key`, whatever its sidecar says.
   *
   * @throws {Deno.errors.NotFound} If there is none.
   */
  openBody(key: string): MaybePromise<DiskFile> {
    return this.#fs.open(this.datPath(key));
  }

  /** Whether a staged file is one of this store's, which removes it itself. */
  isOwn(name: string): boolean {
    return name.split(".")[1]?.startsWith(this.#unique) ?? false;
  }

  /** Makes a file to stage a body of `key` in, locked against cleaners. */
  async stage(key: string): Promise<StagedFile> {
    const path = this.sparePath(key);
    const file = await this.create(path);
    try {
      file.tryLock();
      return this.staged(path, file);
    } catch (error) {
      file.close();
      await this.discard(path);
      throw error;
    }
  }

  /** A file that was made to stage a body in. */
  staged(path: string, file: DiskFile): StagedFile {
    return new StagedFile(path, file, (path) => this.discard(path));
  }

  /**
   * Gives a staged file a name that nobody else knows, to be discarded; undefined
   * where the file system refuses links.
   */
  linkStaged(staged: StagedFile): Promise<string | undefined> {
    return staged.link(async (from) => {
      const to = this.sparePath();
      return await this.#fs.link(from, to) ? to : undefined;
    });
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

  /**
   * Makes a staged body and its sidecar the entry of `key`, in place of any.
   *
   * The old sidecar goes first and the new one comes last, so that a kill at any
   * instant leaves the old pair, or the new one, or a .dat without a sidecar; a
   * new body never stands beside an old sidecar. If it must be durable, neither
   * does it after a power cut, in whatever order the disk keeps the steps.
   */
  async commit(
    key: string,
    staged: StagedFile,
    sidecar: Sidecar,
    mtimeMs: number,
  ): Promise<Committed> {
    await staged.keepNames();
    const { description } = staged;
    const from = description?.path ?? this.sparePath(key);
    const json = { from, to: this.jsonPath(key) };
    const dat = this.datPath(key);
    const made: string[] = [];
    try {
      const text = formatSidecar(sidecar);
      if (this.#durable) await staged.file.sync();
      const stamp = stampOf(
        description === undefined
          ? await this.#writeText(json.from, text)
          : await description.complete(text, this.#durable),
      );
      if (await this.#fs.seems(json.to) && await this.#fs.remove(json.to)) {
        this.#names.dirty(key);
      }
      await this.#names.flush(key);
      if (this.#durable && await this.#fs.exists(dat)) {
        this.#names.dirty(key);
      }
      await this.#fs.rename(staged.path, dat);
      made.push(dat);
      staged.committed();
      await this.#fs.touch(dat, mtimeMs);
      await this.#names.flush(key);
      const facts = await staged.file.facts();
      await this.#fs.rename(json.from, json.to);
      made.unshift(json.to);
      if (description !== undefined) description.isNamed = false;
      await this.#names.sync();
      return { facts, stamp };
    } catch (error) {
      this.#names.dirty(key);
      for (const path of [json.from, ...made]) await this.discard(path);
      if (description !== undefined) description.isNamed = false;
      throw error;
    }
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

  /** The stamp of the sidecar of `key` as it is now; undefined when there is none. */
  async sidecarStamp(key: string): Promise<number | undefined> {
    const facts = await this.#fs.facts(this.jsonPath(key));
    return facts && stampOf(facts);
  }

  /** Removes a file of ours that is no entry's, or a broken one's; false when there was none. */
  removeFile(name: string): Promise<boolean> {
    const [key = ""] = name.split(".");
    this.#names.dirty(key);
    return this.#fs.remove(this.path(name));
  }

  /**
   * Opens the pair of `key`, whoever wrote it.
   *
   * The .dat is opened first and looked at again after the sidecar was read: if
   * it still is the file of that name, no commit can have come between, since a
   * new sidecar appears only after its .dat.
   */
  async find(key: string): Promise<Found | Broken | undefined> {
    await this.prepare();
    for (let tries = 0; tries < 3; tries++) {
      if (!await this.#fs.exists(this.jsonPath(key))) return undefined;
      let file: DiskFile;
      try {
        file = await this.#fs.open(this.datPath(key));
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // It may have been replaced in the moment in which it was opened.
        if (await this.#fs.facts(this.datPath(key))) continue;
        return { reason: "its .dat is missing" };
      }
      const found = await this.#check(key, file).catch((error) => {
        file.close();
        throw error;
      });
      if (found === undefined || !("file" in found)) file.close();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * What the sidecar of `key` says; undefined when there is none.
   *
   * @param isListed See {@linkcode FileSystem.open}.
   */
  async readSidecar(
    key: string,
    isListed = false,
  ): Promise<StampedSidecar | Broken | undefined> {
    if (!this.#ready) await this.prepare();
    try {
      const path = this.jsonPath(key);
      const { text, stamp } = await this.#fs.readText(
        path,
        MAX_SIDECAR_BYTES,
        isListed,
      );
      if (text === undefined) return { reason: "sidecar is too long" };
      const sidecar = parseSidecar(text, key);
      return typeof sidecar === "string"
        ? { reason: sidecar }
        : { ...sidecar, stamp };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (error instanceof TypeError) return { reason: "sidecar is not UTF-8" };
      throw error;
    }
  }

  /** Removes the pair of `key`, the sidecar first; false when there was none. */
  async remove(key: string): Promise<boolean> {
    this.#names.dirty(key);
    const hadSidecar = await this.#fs.remove(this.jsonPath(key));
    const hadBody = await this.#fs.remove(this.datPath(key));
    return hadSidecar && hadBody;
  }

  /**
   * Sets when `key` was last used; false when it is gone, or where the file system
   * refuses to set times.
   */
  async touch(key: string, timeMs: number): Promise<boolean> {
    try {
      return await this.#fs.touch(this.datPath(key), timeMs);
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
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

  async #check(
    key: string,
    file: DiskFile,
  ): Promise<Found | Broken | undefined> {
    const facts = await file.facts();
    const sidecar = await this.readSidecar(key);
    if (sidecar === undefined || "reason" in sidecar) return sidecar;
    const now = await this.#fs.facts(this.datPath(key));
    if (now?.inode !== facts.inode) return undefined;
    const reason = mismatchOf(sidecar, facts.size);
    if (reason !== undefined) return { reason };
    return { sidecar: { ...sidecar, size: facts.size }, file, facts };
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
        if (isOurs || !await isLocked(this.#fs, path)) {
          await this.#fs.remove(path);
        }
      } catch {
        return;
      }
      this.#left.delete(path);
    }
  }

  async #writeText(path: string, text: string): Promise<FileFacts> {
    const file = await this.#fs.create(path);
    try {
      await file.writeAt(new TextEncoder().encode(text), 0);
      if (this.#durable) await file.sync();
      return await file.facts();
    } finally {
      file.close();
    }
  }
}
