/*
 * The only file that calls the file system, but for files that are open
 * (disk_file.ts).
 */
import { ensureDir } from "@std/fs/ensure-dir";
import { dirname } from "@std/path/dirname";
import { isAbsolute } from "@std/path/is-absolute";
import { DiskFile, factsOf, type FileFacts } from "./disk_file.ts";
import { stampOf } from "./file_identity.ts";
import { IoMode, type MaybePromise } from "./io_mode.ts";
import { type OnRefused, Refusals } from "./refusals.ts";

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

/**
 * Removing a file above this takes as long as it is, 30 ms for 512 MiB: too long
 * to wait for, and no sign of a slow disk.
 */
const LONG_BYTES = 8_388_608;

/** The modes of our files, and of our directory. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** The bits of a mode that say who may do what. */
const MODE_BITS = 0o777;

/** Of `node:fs`, which takes 3 MiB: it is loaded only when it is needed. */
let existsSync: ((path: string) => boolean) | undefined;

/** To be used whole, without `stream`: then it keeps nothing from one text to the next. */
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** File operations on one disk, synchronous while it is fast. */
export class FileSystem {
  /** The operations that the file system refuses, and the cache does without. */
  readonly refusals: Refusals;
  /** Whether the disk is asked synchronously. */
  readonly io: IoMode = new IoMode();
  /** Whether the umask takes rights from the owner of a new file; unknown at first. */
  #isMasked: boolean | undefined;

  /** Tells `onRefused` once of each operation that the cache has to do without. */
  constructor(onRefused?: OnRefused) {
    this.refusals = new Refusals(onRefused);
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
    // Without a permission to look above, `ensureDir()` makes what is missing there.
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
    await this.refusals.try("chmod", () => Deno.chmod(path, wanted));
  }

  /** Throws unless the path is a directory, or a link to one. */
  async checkDirectory(dir: string): Promise<void> {
    if ((await Deno.stat(dir)).isDirectory) return;
    throw new Deno.errors.NotADirectory(`Cannot use ${dir}: not a directory`);
  }

  /** Throws where the names in a directory may not be read. */
  async checkListing(dir: string): Promise<void> {
    await this.checkDirectory(dir);
    // To read all names takes long, and Windows opens no directories.
    if (Deno.build.os !== "windows") (await Deno.open(dir)).close();
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
      await this.io.run(() => Deno.lstatSync(path), () => Deno.lstat(path));
      return true;
    } catch (error) {
      // Where it can't be told there may be something.
      return !isNotFound(error);
    }
  }

  /** Facts of a regular file; undefined when there is none of that name. */
  async facts(path: string): Promise<FileFacts | undefined> {
    try {
      return await this.io.run(
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
    return this.io.run(
      () => {
        const before = isListed ? undefined : regular(Deno.lstatSync(path));
        return this.#checked(path, before, Deno.openSync(path));
      },
      async () => {
        const before = isListed ? undefined : regular(await Deno.lstat(path));
        return this.#checked(path, before, await Deno.open(path));
      },
    );
  }

  /** The same, to write as well. */
  openToWrite(path: string): MaybePromise<DiskFile> {
    const options = { read: true, write: true };
    return this.io.run(
      () => {
        const before = regular(Deno.lstatSync(path));
        return this.#checked(path, before, Deno.openSync(path, options));
      },
      async () => {
        const before = regular(await Deno.lstat(path));
        return this.#checked(path, before, await Deno.open(path, options));
      },
    );
  }

  /** Makes a new file to write and read, for its owner alone whatever the umask. */
  async create(path: string): Promise<DiskFile> {
    const options = {
      read: true,
      write: true,
      createNew: true,
      mode: OWNER_ONLY,
    };
    const file = await this.io.run(
      () => this.#file(Deno.openSync(path, options)),
      async () => this.#file(await Deno.open(path, options)),
    );
    if (this.#isMasked === false) return file;
    try {
      // The first file tells the umask for all, which saves a call for each.
      this.#isMasked ??= isMasked(await file.mode());
      if (this.#isMasked) await this.#setMode(path, OWNER_ONLY);
    } catch {
      // The disk fails: the next operation on the file reports that.
    }
    return file;
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

  /** Whether a process holds the lock of a file; false where that can't be told. */
  async isLocked(path: string): Promise<boolean> {
    try {
      const file = await this.open(path);
      try {
        return !file.tryLock();
      } finally {
        file.close();
      }
    } catch {
      return false;
    }
  }

  /** Gives a file a new name, in place of any that has it. */
  rename(from: string, to: string): MaybePromise<void> {
    return this.io.run(
      () => Deno.renameSync(from, to),
      () => Deno.rename(from, to),
    );
  }

  /** Gives a file one more name; false where the file system refuses that. */
  link(from: string, to: string): MaybePromise<boolean> {
    return this.refusals.try(
      "link",
      () =>
        this.io.run(() => Deno.linkSync(from, to), () => Deno.link(from, to)),
    );
  }

  /** Removes a file; false when there was none. */
  async remove(path: string): Promise<boolean> {
    try {
      const { size } = Deno.lstatSync(path);
      const remove = () => Deno.remove(path);
      if (size > LONG_BYTES) await remove();
      else await this.io.run(() => Deno.removeSync(path), remove);
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
    return this.refusals.try("utime", () =>
      this.io.run(
        () => Deno.utimeSync(path, time, time),
        () => Deno.utime(path, time, time),
      ));
  }

  /** Makes the names in a directory survive a power cut, if the file system can. */
  async syncDirectory(dir: string): Promise<void> {
    using directory = await Deno.open(dir);
    await this.refusals.try("fsync", () => directory.sync());
  }

  #file(file: Deno.FsFile, opened?: FileFacts): DiskFile {
    return new DiskFile(this.io, this.refusals, file, opened);
  }

  // Between lstat and open the name may have come to be another file's, a link
  // even; what was opened must be what was looked at.
  #checked(
    path: string,
    before: FileFacts | undefined,
    file: Deno.FsFile,
  ): DiskFile {
    try {
      const facts = regular(file.statSync());
      if (before === undefined || facts.inode === before.inode) {
        return this.#file(file, facts);
      }
      throw new Deno.errors.NotFound(
        `Cannot open ${path}: it changed meanwhile`,
      );
    } catch (error) {
      file.close();
      throw error;
    }
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
