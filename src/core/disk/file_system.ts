/*
 * The only file that calls Deno's file API by path; disk_file.ts calls it for open
 * files.
 */
// Loaded at the start: on demand, the 15 ms that it takes would hold up the first store.
import { existsSync } from "node:fs";
import { ensureDir } from "@std/fs/ensure-dir";
import { dirname } from "@std/path/dirname";
import { isAbsolute } from "@std/path/is-absolute";
import { isNotFound, isTaken } from "./disk_fault.ts";
import {
  DiskFile,
  factsOf,
  type FileFacts,
  regular,
  regularAsync,
  regularSync,
  writeNewSync,
} from "./disk_file.ts";
import type { FileState } from "./file_identity.ts";
import { IoMode, type MaybePromise } from "./io_mode.ts";
import { type OnRefused, Refusals } from "./refusals.ts";

/** The text of a file. */
export interface FileText {
  /** The text; undefined when the file is too long to be read. */
  readonly text: string | undefined;
  /** The state of the file before it was read. */
  readonly state: FileState;
}

/** A name in a directory. */
export interface ListedFile {
  /** The name. */
  readonly name: string;
  /** Whether the name is that of a regular file. */
  readonly isFile: boolean;
  /** Whether the name is that of a directory. */
  readonly isDirectory: boolean;
}

/**
 * Files above this many bytes are removed asynchronously: to remove 512 MiB takes
 * 30 ms (measured), too long for the event loop, yet no sign of a slow disk.
 */
const LONG_BYTES = 8_388_608;

/** The modes of the cache's files and of its directory. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** How new files are made. */
const NEW_FILE: Deno.OpenOptions = {
  read: true,
  write: true,
  createNew: true,
  mode: OWNER_ONLY,
};

/** The bits of a mode that grant rights. */
const MODE_BITS = 0o777;

/** Used for whole texts, without `stream`, so that it keeps no state between them. */
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** File operations on a disk, synchronous while the disk is fast. */
export class FileSystem {
  /** The operations that the file system refuses, and the cache does without. */
  readonly refusals: Refusals;
  /** Chooses between synchronous and asynchronous operations. */
  readonly io: IoMode = new IoMode();
  /** Whether the umask takes rights from the owner of a new file; undefined at first. */
  #isMasked: boolean | undefined;

  /** Calls `onRefused` once for each operation that the file system refuses. */
  constructor(onRefused?: OnRefused) {
    this.refusals = new Refusals(onRefused);
  }

  /**
   * The flag that Deno lacks to use the directory; undefined when it lacks none. Never
   * prompts: a cache must not stop a bot with a question.
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
   * The flag that Deno lacks to use the target of the path, if links lead elsewhere.
   * Undefined for a relative path, whose target takes access to the working directory.
   */
  missingBehind(dir: string, write: boolean): string | undefined {
    if (!isAbsolute(dir)) return undefined;
    return this.missingPermission(Deno.realPathSync(dir), write);
  }

  /**
   * Makes the directory, for its owner alone whatever the umask, and missing parents.
   *
   * @returns False if the directory was there.
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
        // Some file systems fail with another error than EEXIST on a directory that is there.
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
   * Makes a parent of the directory, and missing directories above. The umask gives
   * the mode, but the owner may always use the directory: with a umask of 0177 nothing
   * could be made in it.
   */
  async #makeParent(parent: string): Promise<void> {
    const above = dirname(parent);
    const mayLook = above !== parent &&
      this.missingPermission(above, true) === undefined;
    // Without the permission to look above, `ensureDir()` makes the missing directories.
    if (mayLook && !await isThere(above)) await this.#makeParent(above);
    await ensureDir(parent);
    const { mode } = await Deno.stat(parent);
    if (mode === null) return;
    await this.#setMode(parent, mode | OWNER_ONLY_DIRECTORY);
  }

  /** Sets the rights of a new file or directory, if they differ. */
  async #setMode(path: string, mode: number): Promise<void> {
    const { mode: found } = await this.io.run(Deno.statSync, Deno.stat, path);
    // Windows has no modes. Other bits stay, such as setgid.
    const wanted = found === null
      ? null
      : found & ~MODE_BITS | mode & MODE_BITS;
    if (wanted === null || wanted === found) return;
    await this.refusals.try("chmod", () => Deno.chmod(path, wanted));
  }

  /**
   * Makes a folder in the directory, for its owner alone whatever the umask. A folder
   * that is there stays as it is.
   *
   * @throws {Deno.errors.AlreadyExists} If the name is taken otherwise, as by a link.
   */
  async makeFolder(path: string): Promise<void> {
    const options = { mode: OWNER_ONLY_DIRECTORY };
    try {
      await this.io.run(Deno.mkdirSync, Deno.mkdir, path, options);
    } catch (error) {
      if (!await this.isFolder(path)) throw error;
      return;
    }
    await this.#setMode(path, OWNER_ONLY_DIRECTORY);
  }

  /**
   * Opens a folder in the directory, to lock it. Never follows a link. Windows opens
   * no folders.
   *
   * @throws {Deno.errors.NotADirectory} If the name is not that of a folder.
   */
  openFolder(path: string): MaybePromise<DiskFile> {
    return this.#open(path, folder);
  }

  /** Whether the name is that of a folder, and not of a link to a folder. */
  async isFolder(path: string): Promise<boolean> {
    try {
      const info = await this.io.run(Deno.lstatSync, Deno.lstat, path);
      return info.isDirectory;
    } catch {
      return false;
    }
  }

  /** Removes a folder if it is empty; anything else of that name stays. */
  async removeFolder(path: string): Promise<void> {
    // A folder that stays does no harm.
    if (await this.isFolder(path)) await Deno.remove(path).catch(() => {});
  }

  /** Throws unless the path is a directory, or a link to a directory. */
  async checkDirectory(dir: string): Promise<void> {
    if ((await Deno.stat(dir)).isDirectory) return;
    throw new Deno.errors.NotADirectory(`Cannot use ${dir}: not a directory`);
  }

  /** Throws where the names in a directory may not be read. */
  async checkListing(dir: string): Promise<void> {
    await this.checkDirectory(dir);
    // Opening tells it without reading all names. Windows opens no directories.
    if (Deno.build.os !== "windows") (await Deno.open(dir)).close();
  }

  /** The names in a directory, read asynchronously. */
  list(dir: string): AsyncIterable<ListedFile> {
    return Deno.readDir(dir);
  }

  /**
   * Whether a path exists. Takes 1 µs, a failing open 8 µs (measured).
   *
   * @throws The file system's error where the directory can't be searched.
   */
  exists(path: string): boolean {
    if (this.probablyExists(path)) return true;
    // `probablyExists()` is also false in a directory that can't be searched.
    if (this.probablyExists(`${dirname(path)}/.`)) return false;
    try {
      Deno.statSync(path);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /**
   * Whether a path exists, where a wrong answer does no harm: false as well in a
   * directory that can't be searched, or without Deno's permission to read it.
   */
  probablyExists(path: string): boolean {
    try {
      return existsSync(path);
    } catch {
      return false;
    }
  }

  /** Whether the name is taken, be it by a link that leads nowhere. */
  async hasName(path: string): Promise<boolean> {
    try {
      await this.io.run(Deno.lstatSync, Deno.lstat, path);
      return true;
    } catch (error) {
      // On any other error the name may be taken.
      return !isNotFound(error);
    }
  }

  /** The facts of a regular file; undefined when there is none of that name. */
  facts(path: string): MaybePromise<FileFacts | undefined> {
    return this.io.run(regularSync, regularAsync, path);
  }

  /**
   * Opens a regular file to read. Never follows a link, and never opens a FIFO, which
   * would block the process.
   *
   * @param isListed True if {@linkcode FileSystem.list} has just listed the path as a
   * regular file: then it is not looked at before, which saves a quarter of the time.
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  open(path: string, isListed = false): MaybePromise<DiskFile> {
    return this.#open(path, regular, isListed);
  }

  /**
   * Opens a regular file to read and write. Never follows a link or opens a FIFO.
   *
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  openToWrite(path: string): MaybePromise<DiskFile> {
    return this.#open(path, regular, false, { read: true, write: true });
  }

  /**
   * Makes a new file to read and write, for its owner alone whatever the umask.
   *
   * @throws {Deno.errors.AlreadyExists} If the name is taken.
   */
  async create(path: string): Promise<DiskFile> {
    const file = await this.io.run(
      () => this.#file(Deno.openSync(path, NEW_FILE)),
      async () => this.#file(await Deno.open(path, NEW_FILE)),
    );
    if (this.#isMasked === false) return file;
    try {
      // The first file tells the effect of the umask for all: one call less for each.
      this.#isMasked ??= isMasked(await file.mode());
      if (this.#isMasked) await this.#setMode(path, OWNER_ONLY);
    } catch {
      // A disk fault: the next operation on the file reports it.
    }
    return file;
  }

  /**
   * Makes a file of these bytes in one synchronous run. It may be there also if that
   * fails.
   *
   * @param timeMs The times of the file, in milliseconds since the epoch.
   * @returns The state of the file; undefined where one run does not do: the disk is
   * slow, or the umask or the file system refuses a step.
   * @throws The file system's error.
   */
  writeAtOnce(
    path: string,
    bytes: Uint8Array,
    timeMs?: number,
  ): MaybePromise<FileState | undefined> {
    if (this.#isMasked !== false) return undefined;
    const time = timeMs === undefined || this.refusals.has("utime")
      ? undefined
      : new Date(timeMs);
    return this.io.run(writeNewSync, notAtOnce, path, NEW_FILE, bytes, time);
  }

  /**
   * Reads the text of a regular file of at most `maxBytes`.
   *
   * @param isListed True if {@linkcode FileSystem.list} has just listed the path as a
   * regular file.
   * @throws {TypeError} If the text is not UTF-8.
   * @throws {Deno.errors.NotFound} If there is no regular file of that name.
   */
  async readText(
    path: string,
    maxBytes: number,
    isListed = false,
  ): Promise<FileText> {
    const file = await this.open(path, isListed);
    const state = file.opened;
    try {
      if (state.size > maxBytes) return { text: undefined, state };
      const bytes = new Uint8Array(state.size);
      const length = await file.readAt(bytes, 0);
      return { text: UTF_8.decode(bytes.subarray(0, length)), state };
    } finally {
      file.close();
    }
  }

  /**
   * Whether a process holds the lock of a file; undefined where that can't be told: the
   * file system has no locks, or the file can't be opened.
   */
  async isLocked(path: string): Promise<boolean | undefined> {
    try {
      const file = await this.open(path);
      try {
        const isLocked = !file.tryLock();
        return this.refusals.has("flock") ? undefined : isLocked;
      } finally {
        file.close();
      }
    } catch {
      return undefined;
    }
  }

  /** Renames a file, in place of any file of the new name. */
  rename(from: string, to: string): MaybePromise<void> {
    return this.io.run(Deno.renameSync, Deno.rename, from, to);
  }

  /** Gives a file one more name; false where the file system refuses links. */
  link(from: string, to: string): MaybePromise<boolean> {
    return this.refusals.try(
      "link",
      () => this.io.run(Deno.linkSync, Deno.link, from, to),
    );
  }

  /**
   * Gives an open file the name `to` beside its name `from`; false where the file
   * system refuses links.
   *
   * @throws {Deno.errors.NotFound} If `from` is another file by now, or a folder is
   * missing.
   */
  async linkOpen(file: DiskFile, from: string, to: string): Promise<boolean> {
    if (!await this.link(from, to)) return false;
    try {
      const linked = await this.facts(to);
      // Asked behind the link: overlayfs may give the file another identity with it.
      const facts = await file.facts();
      if (linked?.identity === facts.identity) return true;
      throw new Deno.errors.NotFound(
        `Cannot link ${from}: the name is another file's by now`,
      );
    } catch (error) {
      await this.remove(to);
      throw error;
    }
  }

  /**
   * Removes a file; false when there was none.
   *
   * @param bytes The length of the file, where it is known.
   */
  async remove(path: string, bytes?: number): Promise<boolean> {
    try {
      const size = bytes ?? Deno.lstatSync(path).size;
      if (size > LONG_BYTES) await Deno.remove(path);
      else await this.io.run(Deno.removeSync, Deno.remove, path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Sets the times of a file, in milliseconds since the epoch; false where refused. */
  touch(path: string, timeMs: number): MaybePromise<boolean> {
    // A Date: a number of seconds would lose the millisecond.
    const time = new Date(timeMs);
    return this.refusals.try(
      "utime",
      () => this.io.run(Deno.utimeSync, Deno.utime, path, time, time),
    );
  }

  /** Makes the names in a directory survive a power cut, if the file system can. */
  async syncDirectory(dir: string): Promise<void> {
    using directory = await Deno.open(dir);
    await this.refusals.try("fsync", () => directory.sync());
  }

  /** Opens a file or folder; `factsOfKind` throws if it is of another kind. */
  #open(
    path: string,
    factsOfKind: (info: Deno.FileInfo) => FileFacts,
    isListed = false,
    options?: Deno.OpenOptions,
  ): MaybePromise<DiskFile> {
    return this.io.run(
      () => {
        const before = isListed ? undefined : factsOfKind(Deno.lstatSync(path));
        const file = Deno.openSync(path, options);
        return this.#checked(path, before, file, factsOfKind);
      },
      async () => {
        const before = isListed
          ? undefined
          : factsOfKind(await Deno.lstat(path));
        const file = await Deno.open(path, options);
        return this.#checked(path, before, file, factsOfKind);
      },
    );
  }

  #file(file: Deno.FsFile, opened?: FileFacts): DiskFile {
    return new DiskFile(this.io, this.refusals, file, opened);
  }

  // Between lstat and open another file or a link may have taken the name: accept
  // the opened file only if it is the one that lstat saw.
  #checked(
    path: string,
    before: FileFacts | undefined,
    file: Deno.FsFile,
    factsOfKind: (info: Deno.FileInfo) => FileFacts,
  ): DiskFile {
    try {
      const facts = factsOfKind(file.statSync());
      if (before === undefined || facts.identity === before.identity) {
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

function notAtOnce(): Promise<undefined> {
  return Promise.resolve(undefined);
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

function folder(info: Deno.FileInfo): FileFacts {
  if (!info.isDirectory) {
    throw new Deno.errors.NotADirectory("Cannot use: not a folder");
  }
  return factsOf(info);
}
