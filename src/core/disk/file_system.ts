/*
 * The only file that calls the file system.
 *
 * An asynchronous file operation in Deno is a hop to another thread: opening,
 * reading and closing 10 KiB takes 133 µs that way and 10 µs synchronously. So
 * every operation here is synchronous as long as the disk answers at once, and
 * asynchronous for a while after one took longer than a blink; callers `await`
 * either way.
 */
import { ensureDir } from "@std/fs/ensure-dir";
import { dirname } from "@std/path/dirname";
import { isAbsolute } from "@std/path/is-absolute";
import { isRefusal } from "./disk_fault.ts";
import { type FileState, identityOf, stampOf } from "./file_identity.ts";
import type { Refusable } from "../text/refusable.ts";

/** A result that is there already, or will be. */
export type MaybePromise<T> = T | Promise<T>;

/** What the cache wants to know of a file. */
export interface FileFacts extends FileState {
  /** How many names it has; none when it was removed or replaced. */
  readonly names: number;
}

/** A text in a file. */
export interface FileText {
  /** The text; undefined when it is too long to be read. */
  readonly text: string | undefined;
  /** Of the file before it was read; see {@linkcode stampOf}. */
  readonly stamp: number;
}

/** What a directory says of a name in it. */
export interface ListedFile {
  /** The name. */
  readonly name: string;
  /** Whether it is a regular file. */
  readonly isFile: boolean;
}

/** An operation above this many milliseconds makes the disk a slow one, … */
const SLOW_MS = 10;

/**
 * … if it is not the only one within this time, in milliseconds. One alone says
 * more of the processor, which was given to somebody else in its midst: that
 * made downloads on a busy machine three times as slow.
 */
const SLOW_AGAIN_MS = 1_000;

/**
 * How long a disk counts as slow after a slow operation, in milliseconds: at first
 * briefly, since any process is held up once in a while; then twice as long each
 * time, for as long as no operation is fast.
 */
const SLOW_FOR_MS = { min: 1_000, max: 32_000 };

/**
 * Removing a file above this takes as long as it is, 30 ms for 512 MiB: too long
 * to wait for, and no sign of a slow disk.
 */
const LONG_BYTES = 8_388_608;

const JUST_MADE: FileState = { inode: 0, size: 0, mtimeMs: 0 };

/** The modes of our files, and of our directory. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** The bits of a mode that say who may do what. */
const MODE_BITS = 0o777;

/** Told of an operation that the file system refuses and the cache does without. */
export type OnRefused = (operation: Refusable, error: Error) => void;

/** Of `node:fs`, which takes 3 MiB: it is loaded only when it is needed. */
let existsSync: ((path: string) => boolean) | undefined;

/** To be used whole, without `stream`: then it keeps nothing from one text to the next. */
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** File operations on one disk, synchronous while it is fast. */
export class FileSystem {
  #slowUntil = -Infinity;
  #lastSlow = -Infinity;
  #slowForMs = 0;
  readonly #onRefused: OnRefused;
  readonly #refused = new Set<Refusable>();
  /** Whether the umask takes rights from the owner of a new file; unknown at first. */
  #isMasked: boolean | undefined;

  /** Tells `onRefused` each time that the cache has to do without an operation. */
  constructor(onRefused: OnRefused = () => {}) {
    this.#onRefused = onRefused;
  }

  /** Runs the synchronous form of an operation, or the other on a slow disk. */
  run<T>(sync: () => T, async: () => Promise<T>): MaybePromise<T> {
    const start = performance.now();
    if (start < this.#slowUntil) return async();
    try {
      return sync();
    } finally {
      const end = performance.now();
      if (end - start > SLOW_MS) this.#tookLong(end);
      else this.#slowForMs = 0;
    }
  }

  /** Whether the file system has refused an operation. */
  refuses(operation: Refusable): boolean {
    return this.#refused.has(operation);
  }

  /**
   * Runs an operation that the cache can do without.
   *
   * @returns False where the file system refuses it.
   * @throws The file system's error, if that is another one than a refusal.
   */
  try(
    operation: Refusable,
    run: () => MaybePromise<void>,
  ): MaybePromise<boolean> {
    const failed = (error: unknown) => {
      if (!isRefusal(error)) throw error;
      this.#refused.add(operation);
      this.#onRefused(operation, error);
      return false;
    };
    try {
      const result = run();
      return result === undefined || result.then(() => true, failed);
    } catch (error) {
      return failed(error);
    }
  }

  /**
   * Why the directory may not be used: the flag that is missing. Asks without a
   * prompt; a cache must never stop a bot to ask a question.
   */
  missingPermission(dir: string, write: boolean): string | undefined {
    for (const name of write ? ["read", "write"] as const : ["read"] as const) {
      if (Deno.permissions.querySync({ name, path: dir }).state !== "granted") {
        return `--allow-${name}=${dir}`;
      }
    }
    return undefined;
  }

  /**
   * The same of the directory that a link, or a path through one, leads to. A
   * relative path can't be asked for without access to the working directory.
   */
  missingBehind(dir: string, write: boolean): string | undefined {
    if (!isAbsolute(dir)) return undefined;
    return this.missingPermission(Deno.realPathSync(dir), write);
  }

  /**
   * Makes the directory, for its owner alone whatever the umask, and its parents
   * where missing.
   *
   * @returns False if it was there.
   */
  async makeDirectory(dir: string): Promise<boolean> {
    const make = async () => {
      await Deno.mkdir(dir, { mode: OWNER_ONLY_DIRECTORY });
      await this.#setMode(dir, OWNER_ONLY_DIRECTORY);
    };
    try {
      await make();
    } catch (error) {
      if (!isNotFound(error)) {
        // Some file systems refuse to make what is there with another error.
        await this.checkDirectory(dir).catch((failure) => {
          throw isTaken(error) ? failure : error;
        });
        return false;
      }
      const parent = dirname(dir);
      const missing = this.missingPermission(parent, true);
      if (missing !== undefined) {
        throw new Error(
          `there is no ${parent}, and to make it is not allowed: missing ${missing}`,
        );
      }
      await this.#makeParent(parent);
      await make().catch((error) => {
        if (!isTaken(error)) throw error;
      });
    }
    return true;
  }

  /**
   * Makes a parent of the directory, and those above it. Its mode is what the umask
   * says, but its owner may always use it: under a umask of 0177 nothing could be
   * made in it.
   */
  async #makeParent(parent: string): Promise<void> {
    const above = dirname(parent);
    const mayLook = above !== parent &&
      this.missingPermission(above, true) === undefined;
    // Where nobody may look, `ensureDir()` makes the rest.
    if (mayLook && !await isThere(above)) await this.#makeParent(above);
    await ensureDir(parent);
    const { mode } = await Deno.stat(parent);
    if (mode === null) return;
    await this.#setMode(parent, mode | OWNER_ONLY_DIRECTORY);
  }

  /** Sets the mode of what was just made, if it is another one. */
  async #setMode(path: string, mode: number): Promise<void> {
    const { mode: found } = await Deno.stat(path);
    // Windows has no modes. Other bits, such as that for the group, stay.
    const wanted = found === null
      ? null
      : found & ~MODE_BITS | mode & MODE_BITS;
    if (wanted === null || wanted === found) return;
    await this.try("chmod", () => Deno.chmod(path, wanted));
  }

  /** Throws unless the path is a directory, or a link to one. */
  async checkDirectory(dir: string): Promise<void> {
    if ((await Deno.stat(dir)).isDirectory) return;
    throw new Deno.errors.NotADirectory(`Cannot use ${dir}: not a directory`);
  }

  /** The names in a directory, read off the event loop. */
  list(dir: string): AsyncIterable<ListedFile> {
    return Deno.readDir(dir);
  }

  /**
   * Whether a path exists. 1 µs, where failing to open it takes 8.
   *
   * @throws The file system's error where it can't be told.
   */
  async exists(path: string): Promise<boolean> {
    if (await this.seems(path)) return true;
    // It also says so of what is in a directory that can't be searched.
    if (await this.seems(`${dirname(path)}/.`)) return false;
    try {
      Deno.statSync(path);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /**
   * The same where it does no harm to be wrong: it also says that there is
   * nothing in a directory that can't be searched.
   */
  async seems(path: string): Promise<boolean> {
    existsSync ??= (await import("node:fs")).existsSync;
    return existsSync(path);
  }

  /** Whether anything has that name, be it a link that leads nowhere. */
  async hasName(path: string): Promise<boolean> {
    try {
      await this.run(() => Deno.lstatSync(path), () => Deno.lstat(path));
      return true;
    } catch (error) {
      // Where it can't be told there may be something.
      return !isNotFound(error);
    }
  }

  /** Facts of a regular file; undefined when there is none of that name. */
  async facts(path: string): Promise<FileFacts | undefined> {
    try {
      return await this.run(
        () => regular(Deno.lstatSync(path)),
        async () => regular(await Deno.lstat(path)),
      );
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * Opens a regular file to read. Never follows a link and never opens a FIFO,
   * which would block the process.
   *
   * @param isListed Whether {@linkcode FileSystem.list} has just said that it is a
   * regular file, which saves a quarter of the time.
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  open(path: string, isListed = false): MaybePromise<DiskFile> {
    return this.run(
      () => {
        const before = isListed ? undefined : regular(Deno.lstatSync(path));
        return checked(this, path, before, Deno.openSync(path));
      },
      async () => {
        const before = isListed ? undefined : regular(await Deno.lstat(path));
        return checked(this, path, before, await Deno.open(path));
      },
    );
  }

  /** The same, to write as well. */
  openToWrite(path: string): MaybePromise<DiskFile> {
    const options = { read: true, write: true };
    return this.run(
      () => {
        const before = regular(Deno.lstatSync(path));
        return checked(this, path, before, Deno.openSync(path, options));
      },
      async () => {
        const before = regular(await Deno.lstat(path));
        return checked(this, path, before, await Deno.open(path, options));
      },
    );
  }

  /** Makes a new file to write and read, for its owner alone whatever the umask. */
  async create(path: string): Promise<DiskFile> {
    const file = await this.#create(path);
    if (this.#isMasked === false) return file;
    try {
      // The first file tells the umask for all, which saves a call for each.
      this.#isMasked ??= isMasked(await file.mode());
      if (this.#isMasked) await this.#setMode(path, OWNER_ONLY);
    } catch (error) {
      file.close();
      await this.remove(path);
      throw error;
    }
    return file;
  }

  #create(path: string): MaybePromise<DiskFile> {
    const options = {
      read: true,
      write: true,
      createNew: true,
      mode: OWNER_ONLY,
    };
    return this.run(
      () => new DiskFile(this, Deno.openSync(path, options)),
      async () => new DiskFile(this, await Deno.open(path, options)),
    );
  }

  /**
   * The text of a small regular file, unless it is longer than that.
   *
   * @param isListed See {@linkcode FileSystem.open}.
   */
  async readText(
    path: string,
    maxBytes: number,
    isListed = false,
  ): Promise<FileText> {
    const file = await this.open(path, isListed);
    const { size } = file.opened;
    const stamp = stampOf(file.opened);
    try {
      if (size > maxBytes) return { text: undefined, stamp };
      const bytes = new Uint8Array(size);
      const length = await file.readAt(bytes, 0);
      return { text: UTF_8.decode(bytes.subarray(0, length)), stamp };
    } finally {
      file.close();
    }
  }

  /** Gives a file a new name, in place of any that has it. */
  rename(from: string, to: string): MaybePromise<void> {
    return this.run(
      () => Deno.renameSync(from, to),
      () => Deno.rename(from, to),
    );
  }

  /** Gives a file one more name; false where the file system refuses that. */
  link(from: string, to: string): MaybePromise<boolean> {
    return this.try(
      "link",
      () => this.run(() => Deno.linkSync(from, to), () => Deno.link(from, to)),
    );
  }

  /** Removes a file; false when there was none. */
  async remove(path: string): Promise<boolean> {
    try {
      const { size } = Deno.lstatSync(path);
      if (size > LONG_BYTES) await Deno.remove(path);
      else await this.run(() => Deno.removeSync(path), () => Deno.remove(path));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Sets the times of a file; false where the file system refuses that. */
  touch(path: string, timeMs: number): MaybePromise<boolean> {
    // A Date, since a float of seconds loses the millisecond.
    const time = new Date(timeMs);
    return this.try("utime", () =>
      this.run(
        () => Deno.utimeSync(path, time, time),
        () => Deno.utime(path, time, time),
      ));
  }

  /** Makes the names in a directory survive a power cut, if the file system can. */
  async syncDirectory(dir: string): Promise<void> {
    using directory = await Deno.open(dir);
    await this.try("fsync", () => directory.sync());
  }

  #tookLong(now: number): void {
    const isAlone = this.#slowForMs === 0 &&
      now - this.#lastSlow > SLOW_AGAIN_MS;
    this.#lastSlow = now;
    if (isAlone) return;
    const { min, max } = SLOW_FOR_MS;
    this.#slowForMs = Math.min(Math.max(2 * this.#slowForMs, min), max);
    this.#slowUntil = now + this.#slowForMs;
  }
}

/** An open file that is read and written at positions. */
export class DiskFile {
  /** Its state when it was opened; all zero of one just made. */
  readonly opened: FileState;
  readonly #fs: FileSystem;
  readonly #file: Deno.FsFile;
  // NaN while an operation runs and after one that failed half-way.
  #position = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closed = false;

  /** Takes over an open file. */
  constructor(
    fs: FileSystem,
    file: Deno.FsFile,
    opened: FileState = JUST_MADE,
  ) {
    this.opened = opened;
    this.#fs = fs;
    this.#file = file;
  }

  /** Tells which file was opened; 0 of one just made. */
  get inode(): number {
    return this.opened.inode;
  }

  /** Reads once into `view` from a position; returns the bytes read, 0 at the end. */
  readAt(view: Uint8Array, position: number): MaybePromise<number> {
    return this.#exclusive(
      () => {
        this.#seekSync(position);
        this.#position = NaN;
        const count = this.#file.readSync(view) ?? 0;
        this.#position = position + count;
        return count;
      },
      async () => {
        await this.#seek(position);
        this.#position = NaN;
        const count = await this.#file.read(view) ?? 0;
        this.#position = position + count;
        return count;
      },
    );
  }

  /** Writes all of `bytes` at a position. */
  writeAt(bytes: Uint8Array, position: number): MaybePromise<void> {
    return this.#exclusive(
      () => {
        this.#seekSync(position);
        this.#position = NaN;
        for (let done = 0; done < bytes.length;) {
          done += this.#file.writeSync(
            done === 0 ? bytes : bytes.subarray(done),
          );
        }
        this.#position = position + bytes.length;
      },
      async () => {
        await this.#seek(position);
        this.#position = NaN;
        for (let done = 0; done < bytes.length;) {
          done += await this.#file.write(
            done === 0 ? bytes : bytes.subarray(done),
          );
        }
        this.#position = position + bytes.length;
      },
    );
  }

  /** Facts of the open file, whatever its name is by now. */
  facts(): MaybePromise<FileFacts> {
    return this.#fs.run(
      () => factsOf(this.#file.statSync()),
      async () => factsOf(await this.#file.stat()),
    );
  }

  /** The mode of the open file; null where there are no modes. */
  mode(): MaybePromise<number | null> {
    return this.#fs.run(
      () => this.#file.statSync().mode,
      async () => (await this.#file.stat()).mode,
    );
  }

  /** Cuts the file, or lengthens it with zeros. */
  truncate(size: number): MaybePromise<void> {
    return this.#exclusive(
      () => this.#file.truncateSync(size),
      () => this.#file.truncate(size),
    );
  }

  /**
   * Takes the advisory lock of the file, if nobody holds it; one that is `shared`
   * may be held by many. The kernel gives it back with the last handle, also when
   * the process is killed. True as well where the file system refuses locks:
   * nobody else can hold it there.
   */
  tryLock(shared = false): boolean {
    let isLocked = true;
    this.#fs.try("flock", () => {
      isLocked = this.#file.tryLockSync(!shared);
    });
    return isLocked;
  }

  /** Gives the advisory lock back. */
  unlock(): void {
    this.#fs.try("flock", () => this.#file.unlockSync());
  }

  /**
   * Makes the bytes survive a power cut, if the file system can. Off the event
   * loop: it takes long.
   */
  async sync(): Promise<void> {
    await this.#fs.try("fsync", () => this.#file.syncData());
  }

  /** Closes the file, after operations that still run. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending === 0) this.#file.close();
    else this.#queue.finally(() => this.#file.close());
  }

  /** The same. */
  [Symbol.dispose](): void {
    this.close();
  }

  // Seek and read are two steps, so on a slow disk, where others get a turn
  // between them, operations wait for each other.
  #exclusive<T>(sync: () => T, async: () => Promise<T>): MaybePromise<T> {
    if (this.#pending === 0) {
      return this.#fs.run(sync, () => this.#enqueue(async));
    }
    return this.#enqueue(async);
  }

  #enqueue<T>(operation: () => Promise<T>): Promise<T> {
    this.#pending++;
    const result = this.#queue.then(operation).finally(() => this.#pending--);
    this.#queue = result.catch(() => {});
    return result;
  }

  #seekSync(position: number): void {
    if (position === this.#position) return;
    this.#position = this.#file.seekSync(position, Deno.SeekMode.Start);
  }

  async #seek(position: number): Promise<void> {
    if (position === this.#position) return;
    this.#position = await this.#file.seek(position, Deno.SeekMode.Start);
  }
}

/** Whether an error says that a name is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof Deno.errors.AlreadyExists;
}

/** Whether a new file lacks rights that its owner should have. */
function isMasked(mode: number | null): boolean {
  return mode !== null && (mode & OWNER_ONLY) !== OWNER_ONLY;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Whether an error says that the user may not do that. */
export function isDenied(error: unknown): error is Error {
  return error instanceof Deno.errors.PermissionDenied;
}

/** Whether an error says that a name is not there (any more). */
export function isNotFound(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound;
}

function regular(info: Deno.FileInfo): FileFacts {
  if (!info.isFile) {
    throw new Deno.errors.NotFound("Cannot open: not a regular file");
  }
  return factsOf(info);
}

function factsOf(info: Deno.FileInfo): FileFacts {
  return {
    size: info.size,
    mtimeMs: info.mtime?.getTime() ?? 0,
    inode: identityOf(info.ino ?? 0, info.birthtime?.getTime()),
    names: info.nlink ?? 1,
  };
}

// Between lstat and open the name may have come to be another file's, a link
// even; what was opened must be what was looked at.
function checked(
  fs: FileSystem,
  path: string,
  before: FileFacts | undefined,
  file: Deno.FsFile,
): DiskFile {
  try {
    const facts = regular(file.statSync());
    if (before === undefined || facts.inode === before.inode) {
      return new DiskFile(fs, file, facts);
    }
    throw new Deno.errors.NotFound(`Cannot open ${path}: it changed meanwhile`);
  } catch (error) {
    file.close();
    throw error;
  }
}
