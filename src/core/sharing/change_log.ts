/*
 * `.media-cache.changes` lies beside the entries, for the processes that share the
 * directory. It is a lock, held by whoever changes names there, and a list of the
 * keys that were changed, so that the others look at just these.
 *
 * A key is written before its entry changes: a kill in between costs the others a
 * look at an entry that is as it was. What is true of an entry stands in its own
 * files only, so that the list may be lost, or deleted, at any time.
 */
import {
  formatHead,
  formatRecord,
  newListId,
  parseHead,
  parseRecords,
  readText,
  RECORD_BYTES,
} from "./change_log_format.ts";
import type { DiskFile, FileFacts } from "../disk/disk_file.ts";
import {
  type FileSystem,
  isDenied,
  isNotFound,
  isTaken,
} from "../disk/file_system.ts";
import { pause } from "../async/pacer.ts";
import type { MaybePromise } from "../disk/io_mode.ts";

/** A list of this many records is cut; of a longer list nothing is read. */
const MAX_RECORDS = 32_768;

/** The records that a cut leaves: a process that missed more looks at the whole directory. */
const KEPT_RECORDS = 8_192;

/**
 * Longest wait for the lock, in milliseconds. A commit takes less than one; a process
 * that is stopped in a commit must not hold up the others for longer than this.
 */
const LOCK_TIMEOUT_MS = 1_000;

/** How often a process that waits tries again, in milliseconds. */
export const RETRY_MS = 1;

/** How often to see whether the file still has its name, in milliseconds. */
const LOOK_MS = 50;

/** How often to try again when others make and remove the file at the same moment. */
const MAX_TRIES = 4;

/** A place in a list of changes. */
export interface LogPlace {
  /** Tells the list from others. */
  readonly id: string;
  /** How many records lie before it, those that were dropped included. */
  readonly position: number;
}

/** Keys that other processes have changed; "unknown" where the list does not reach back. */
export type Changes = ReadonlySet<string> | "unknown";

const NO_NEWS: Changes = new Set();

/** Says that others did not give the lock back. */
export class LockTimeoutError extends Error {
  /** Creates the error. */
  constructor(path: string, timeoutMs: number) {
    super(
      `Cannot lock ${path}: another process must give it back within ${timeoutMs} ms: it did not`,
    );
    this.name = "LockTimeoutError";
  }
}

/** The lock of a shared directory, and the list of what changed in it. */
export class ChangeLog {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #spare: () => string;
  readonly #readOnly: boolean;
  #file: DiskFile | undefined;
  #id = "";
  /** How many records were dropped from the front of the file. */
  #base = 0;
  /** How many records there were before the next one that is news to us. */
  #position: number | undefined;
  #end = 0;
  /** The file whose head was read. */
  #known: DiskFile | undefined;
  /** When the file was last seen under its name. */
  #seenAt = -Infinity;
  /** Whether the holder of the lock has not given it back in time. */
  #hangs = false;
  /** Whether it was told that something else has the name. */
  #isObstructed = false;
  readonly #onObstructed: (error: Error) => void;

  /**
   * Opens the file when the lock is first wanted.
   *
   * @param spare Makes the name of a file of ours that may be left behind.
   * @param onObstructed Called when what has the name is no file.
   */
  constructor(
    fs: FileSystem,
    path: string,
    spare: () => string,
    readOnly: boolean,
    onObstructed: (error: Error) => void = () => {},
  ) {
    this.#fs = fs;
    this.#path = path;
    this.#spare = spare;
    this.#readOnly = readOnly;
    this.#onObstructed = onObstructed;
  }

  /**
   * Takes the lock. False where there is none to take: the file can't be made, so
   * that no other process has the lock either, or the disk fails. No promise where
   * the lock is free and the disk fast.
   *
   * @param make Whether to make the file where there is none.
   * @throws {LockTimeoutError} If another process holds the lock for longer than
   * `timeoutMs`; at once for as long as a holder does not give it back at all.
   */
  lock(
    make: boolean,
    timeoutMs: number = LOCK_TIMEOUT_MS,
  ): MaybePromise<boolean> {
    const locked = this.tryLock(make && !this.#readOnly);
    if (typeof locked !== "boolean") return this.#wait(locked, make, timeoutMs);
    this.#hangs = false;
    return locked;
  }

  async #wait(
    first: MaybePromise<boolean | "busy">,
    make: boolean,
    timeoutMs: number,
  ): Promise<boolean> {
    const start = performance.now();
    let locked = await first;
    for (; locked === "busy"; locked = await this.tryLock(make)) {
      const waitedMs = performance.now() - start;
      if (this.#hangs || waitedMs > timeoutMs) {
        // The calls that wait behind this one must not wait as long once more.
        this.#hangs ||= waitedMs > LOCK_TIMEOUT_MS;
        throw new LockTimeoutError(this.#path, timeoutMs);
      }
      await pause(RETRY_MS);
    }
    this.#hangs = false;
    return locked;
  }

  /**
   * Takes the lock if it is free.
   *
   * @param make Whether to make the file where there is none.
   */
  tryLock(make = false): MaybePromise<boolean | "busy"> {
    const file = this.#file;
    const isKnown = file !== undefined && file === this.#known &&
      performance.now() - this.#seenAt < LOOK_MS;
    if (!isKnown) return this.#tryLock(make);
    try {
      if (!file.tryLock()) return "busy";
      const facts = file.facts();
      if (facts instanceof Promise) return this.#taken(file, facts, make);
      if (facts.names > 0) {
        this.#end = this.#endOf(facts.size);
        return true;
      }
    } catch {
      // The same again says whether the file or the disk is to blame.
    }
    return this.#tryLock(make);
  }

  async #tryLock(make: boolean): Promise<boolean | "busy"> {
    const file = this.#file ?? await this.#open(make);
    if (file === undefined) {
      // The first list will tell of all that changes from here on.
      this.#position ??= 0;
      return false;
    }
    try {
      if (!file.tryLock()) return "busy";
    } catch {
      return false;
    }
    try {
      return await this.#taken(file, file.facts(), make);
    } catch (error) {
      // Gives the lock back.
      this.close();
      throw error;
    }
  }

  /** Sees whether the file that is locked is still the list. */
  async #taken(
    file: DiskFile,
    facts: MaybePromise<FileFacts>,
    make: boolean,
  ): Promise<boolean | "busy"> {
    const now = await facts;
    if (await this.#isCurrent(now)) {
      await this.#look(file, now);
      return true;
    }
    // The list was cut, or deleted: the lock is that of the file of this name.
    this.close();
    return await this.#tryLock(make);
  }

  /** Makes all that others have changed unknown. */
  resetPosition(): void {
    this.#position = -1;
  }

  /** Gives the lock back. */
  unlock(): void {
    this.#file?.unlock();
  }

  /** The bytes of the list, when it was last looked at; 0 of none. */
  get bytes(): number {
    return this.#known === undefined ? 0 : this.#offsetOf(this.#end);
  }

  /** Where the list ends. Needs the lock. */
  get place(): LogPlace {
    return { id: this.#id, position: this.#end };
  }

  /**
   * Makes all that was changed since a place news. Needs the lock.
   *
   * @returns Whether the list reaches back to it.
   */
  resume({ id, position }: LogPlace): boolean {
    const reaches = id === this.#id && position >= this.#base &&
      position <= this.#end;
    if (reaches) this.#position = position;
    return reaches;
  }

  /** Whether others have changed anything since `changes()` was last called. Needs the lock. */
  get hasChanges(): boolean {
    this.#position ??= this.#end;
    return this.#position !== this.#end;
  }

  /** What others have changed since the last time. Needs the lock. */
  async changes(): Promise<Changes> {
    const position = this.#position ?? this.#end;
    const end = this.#position = this.#end;
    if (position === end) return NO_NEWS;
    const isListed = position >= this.#base && position < end &&
      end - position <= MAX_RECORDS;
    if (!isListed) return "unknown";
    return parseRecords(await this.#read(position, end)) ?? "unknown";
  }

  /** Tells others that the entry of `key` is about to change. Needs the lock. */
  announce(key: string): MaybePromise<void> {
    if (this.#readOnly || this.#file === undefined) return;
    const offset = this.#offsetOf(this.#end);
    const written = this.#file.writeAt(encode(formatRecord(key)), offset);
    if (written instanceof Promise) {
      return written.then(() => this.#announced());
    }
    return this.#announced();
  }

  #announced(): MaybePromise<void> {
    this.#position = ++this.#end;
    if (this.#end - this.#base >= MAX_RECORDS) return this.#cut();
  }

  /** Closes the file, which gives the lock back. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#seenAt = -Infinity;
  }

  /**
   * Whether no other file has the name. One may have it if ours was linked, or if
   * our directory was moved away; to look for that takes longer than a lock, and it
   * happens so rarely that it is enough to notice it soon. As long as no file has
   * the name nobody else can be on another lock.
   */
  async #isCurrent({ names, inode }: FileFacts): Promise<boolean> {
    if (names === 0) return false;
    const now = performance.now();
    if (now - this.#seenAt < LOOK_MS) return true;
    const named = await Promise.try(() => this.#fs.facts(this.#path))
      .catch(() => undefined);
    if (named !== undefined && named.inode !== inode) return false;
    this.#seenAt = now;
    return true;
  }

  async #open(make: boolean): Promise<DiskFile | undefined> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      try {
        return this.#opened(
          this.#readOnly
            ? await this.#fs.open(this.#path)
            : await this.#fs.openToWrite(this.#path),
        );
      } catch (error) {
        if (isDenied(error)) return this.#obstructed(error);
        if (!isNotFound(error)) throw error;
      }
      if (!make) return undefined;
      try {
        return this.#opened(await this.#fs.create(this.#path));
      } catch (error) {
        if (!isTaken(error)) return undefined;
      }
    }
    // A folder, a link or a FIFO, which nobody else can lock either.
    return this.#obstructed(
      new Error(`Cannot lock ${this.#path}: it must be a regular file`),
    );
  }

  /** Tells, once, that there is no lock to be had. */
  #obstructed(error: Error): undefined {
    if (!this.#isObstructed) this.#onObstructed(error);
    this.#isObstructed = true;
  }

  #opened(file: DiskFile): DiskFile {
    this.#isObstructed = false;
    return this.#file = file;
  }

  /** Sees how long the list is, and if it was opened just now what it is. */
  async #look(file: DiskFile, { size }: FileFacts): Promise<void> {
    if (this.#known !== file) {
      const head = parseHead(await readText(file, 0, RECORD_BYTES));
      if (head === undefined) return await this.#begin(file, size);
      if (head.id !== this.#id) this.#missAll();
      this.#id = head.id;
      this.#base = head.base;
      this.#known = file;
    }
    this.#end = this.#endOf(size);
  }

  #endOf(size: number): number {
    return this.#base + Math.max(0, Math.floor(size / RECORD_BYTES) - 1);
  }

  /** Begins a list in a new file, or in place of what is none. */
  async #begin(file: DiskFile, size: number): Promise<void> {
    this.#missAll();
    this.#id = newListId();
    this.#base = this.#end = 0;
    this.#known = file;
    if (this.#readOnly) return;
    try {
      if (size > 0) await file.truncate(0);
      await file.writeAt(encode(formatHead({ id: this.#id, base: 0 })), 0);
    } catch {
      // A full disk: it still is a lock, and entries can be removed.
    }
  }

  /** This is another list: what changed before it began nobody knows. */
  #missAll(): void {
    if (this.#id !== "") this.#position = -1;
  }

  /** Puts a shorter list in place of this one, under the same lock. */
  async #cut(): Promise<void> {
    const base = this.#end - KEPT_RECORDS;
    const path = this.#spare();
    let file: DiskFile | undefined;
    try {
      const kept = await this.#read(base, this.#end);
      file = await this.#fs.create(path);
      file.tryLock();
      await file.writeAt(encode(formatHead({ id: this.#id, base }) + kept), 0);
      await this.#fs.rename(path, this.#path);
    } catch {
      // There will be another time.
      file?.close();
      return;
    }
    this.close();
    this.#file = this.#known = file;
    this.#base = base;
  }

  #read(position: number, end: number): Promise<string> {
    const length = (end - position) * RECORD_BYTES;
    return readText(this.#file, this.#offsetOf(position), length);
  }

  #offsetOf(position: number): number {
    return (1 + position - this.#base) * RECORD_BYTES;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
