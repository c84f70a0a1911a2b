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
import { startTimer } from "../async/timer.ts";
import { yieldToEventLoop } from "../async/pacer.ts";

/** The list is cut when it has this many records, … */
const MAX_RECORDS = 32_768;

/** … to these: who missed more than that must look at the whole directory. */
const KEPT_RECORDS = 8_192;

/** How long to wait for the lock. A commit takes less than a millisecond. */
const LOCK_TIMEOUT_MS = 10_000;

/** For so long one who waits tries again each turn, and then each millisecond or two. */
const SPIN_MS = 2;

/** For so long a process may take the lock again and again while others wait … */
const TURN_MS = 20;

/** … before it leaves it to them for this long. */
const YIELD_MS = 4;

/** How often to see whether the file still has its name, in milliseconds. */
const LOOK_MS = 50;

/** How often to try again when others make and remove the file at the same moment. */
const MAX_TRIES = 4;

/** The time that the file bears when somebody has waited for longer than a moment. */
const AWAITED_MS = 1_000;

/** A place in a list of changes. */
export interface LogPlace {
  /** Tells the list from others. */
  readonly id: string;
  /** How many records lie before it, those that were dropped included. */
  readonly position: number;
}

/** Keys that others have changed, or that nobody can tell which. */
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
  /** Whether another process waits for the lock. */
  #isAwaited = false;
  /** When it has had the lock for long enough, if others wait. */
  #turnEnd = Infinity;
  /** Whether whoever has the lock does not give it back. */
  #hangs = false;
  /** Whether it was told that something else has the name. */
  #isObstructed = false;
  readonly #onObstructed: (error: Error) => void;

  /**
   * Opens nothing yet.
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
   * that nobody else has it either, or the disk fails.
   *
   * @param make Whether to make the file where there is none.
   * @throws {LockTimeoutError} If somebody holds it for longer than `timeoutMs`.
   */
  async lock(
    make: boolean,
    timeoutMs: number = LOCK_TIMEOUT_MS,
  ): Promise<boolean> {
    if (this.#isAwaited && performance.now() > this.#turnEnd) {
      await pause(YIELD_MS);
      this.#turnEnd = Infinity;
    }
    let hasTold = false;
    const start = performance.now();
    for (;;) {
      const locked = await this.#tryLock(make && !this.#readOnly);
      this.#hangs &&= locked === "busy";
      if (locked !== "busy") {
        const now = performance.now();
        if (now - this.#turnEnd > TURN_MS || this.#turnEnd === Infinity) {
          this.#turnEnd = now + TURN_MS;
        }
        if (hasTold) await this.#tell(Date.now());
        return locked;
      }
      const waitedMs = performance.now() - start;
      // Others that wait behind this one must not wait as long once more.
      if (this.#hangs || waitedMs > timeoutMs) {
        this.#hangs = waitedMs > LOCK_TIMEOUT_MS || this.#hangs;
        throw new LockTimeoutError(this.#path, timeoutMs);
      }
      this.#turnEnd = Infinity;
      if (waitedMs < SPIN_MS) await yieldToEventLoop();
      else {
        hasTold = true;
        await this.#tell(AWAITED_MS);
        await pause(1);
      }
    }
  }

  /** The same, without waiting, and without making the file. */
  tryLock(): Promise<boolean | "busy"> {
    return this.#tryLock(false);
  }

  async #tryLock(make: boolean): Promise<boolean | "busy"> {
    for (;;) {
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
      const facts = await file.facts();
      if (await this.#isCurrent(facts)) {
        await this.#look(file, facts);
        return true;
      }
      // It was cut, or deleted: the lock is that of the file of this name.
      this.close();
    }
  }

  /** Nobody can tell what others have changed by now. */
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

  /** What others have changed since the last time. Needs the lock. */
  async changes(): Promise<Changes> {
    const position = this.#position ?? this.#end;
    this.#position = this.#end;
    return await this.#keys(position, this.#end);
  }

  async #keys(position: number, end: number): Promise<Changes> {
    if (position === end) return NO_NEWS;
    if (position < this.#base || position > end) return "unknown";
    return parseRecords(await this.#read(position, end)) ?? "unknown";
  }

  /** Tells others that the entry of `key` is about to change. Needs the lock. */
  async announce(key: string): Promise<void> {
    if (this.#readOnly || this.#file === undefined) return;
    await this.#file.writeAt(
      encode(formatRecord(key)),
      this.#offsetOf(this.#end),
    );
    this.#position = ++this.#end;
    if (this.#end - this.#base >= MAX_RECORDS) await this.#cut();
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
  async #look(
    file: DiskFile,
    { size, mtimeMs }: FileFacts,
  ): Promise<void> {
    if (this.#known !== file) {
      const head = parseHead(await readText(file, 0, RECORD_BYTES));
      if (head === undefined) return await this.#begin(file, size);
      if (head.id !== this.#id) this.#missAll();
      this.#id = head.id;
      this.#base = head.base;
      this.#known = file;
    }
    this.#end = this.#endOf(size);
    this.#isAwaited = mtimeMs === AWAITED_MS;
  }

  #endOf(size: number): number {
    return this.#base + Math.max(0, Math.floor(size / RECORD_BYTES) - 1);
  }

  /** Tells those who take the lock again and again whether somebody waits for it. */
  async #tell(timeMs: number): Promise<void> {
    this.#isAwaited = false;
    if (this.#readOnly) return;
    try {
      await this.#fs.touch(this.#path, timeMs);
    } catch {
      // It may be gone, or nobody may write here: then it takes luck.
    }
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => startTimer(ms, resolve));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
