/*
 * `.media-cache.changes` lies beside the entries, for the processes that share the
 * directory. The file is a lock, held by the process that changes names there, and a
 * list of the keys that were changed, so that the other processes look at just these.
 *
 * A key is written before its entry changes: after a kill in between, the others look
 * at an unchanged entry. All facts of an entry stand in its own files, so that the list
 * may be lost, or deleted, at any time.
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
import {
  type DiskFile,
  type FileFacts,
  regularSync,
} from "../disk/disk_file.ts";
import { isDenied, isNotFound, isTaken } from "../disk/disk_fault.ts";
import type { FileSystem } from "../disk/file_system.ts";
import { Deadline } from "../async/deadline.ts";
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

/**
 * A commit waits so many times as long while the list grows: other processes then pass the
 * lock on, and none of them is stopped.
 */
const MAX_WAITS = 5;

/** The time between two tries to take the lock, in milliseconds. */
export const RETRY_MS = 1;

/** Tries to open or make the file while others make and remove it at the same moment. */
const MAX_TRIES = 4;

/** A place in a list of changes. */
export interface LogPlace {
  /** The id of the list, by which it is told from other lists. */
  readonly id: string;
  /** The number of records before the place, dropped records included. */
  readonly position: number;
}

/** Keys that other processes have changed; "unknown" where the list does not reach back. */
export type Changes = ReadonlySet<string> | "unknown";

const ENCODER = new TextEncoder();

const NO_NEWS: Changes = new Set();

/** Another process did not release the lock in time. */
export class LockTimeoutError extends Error {
  /** Creates the error. */
  constructor(path: string, timeoutMs: number) {
    super(
      `Cannot lock ${path}: another process must give it back within ${timeoutMs} ms: it did not`,
    );
    this.name = "LockTimeoutError";
  }
}

/** The lock of a shared directory, and the list of the keys that changed in it. */
export class ChangeLog {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #spare: () => string;
  readonly #readOnly: boolean;
  #file: DiskFile | undefined;
  #id = "";
  /** The number of records that were dropped from the front of the file. */
  #base = 0;
  /**
   * The number of records that this process knows; undefined before the first look, and -1
   * if records may have been missed.
   */
  #position: number | undefined;
  #end = 0;
  /** The file whose head was read, and its identity. */
  #known: { file: DiskFile; identity: number } | undefined;
  /**
   * The bytes of the list when the lock was not released in time; undefined before, and
   * again with the lock.
   */
  #hungAt: number | undefined;
  /** Whether `onObstructed` was called for the present obstruction. */
  #isObstructed = false;
  readonly #onObstructed: (error: Error) => void;

  /**
   * Opens the file when the lock is first wanted.
   *
   * @param spare Makes the path of a .part file, for a shorter list.
   * @param onObstructed Called when the name is not that of a usable file.
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
   * Takes the lock. False where there is no lock: the file can't be made, so that no
   * other process has the lock either, or the disk fails. Synchronous if the lock is
   * free and the disk fast.
   *
   * @param make Whether to make the file where there is none.
   * @throws {LockTimeoutError} If another process holds the lock for longer than
   * `timeoutMs`; at once while a holder has not released it in time before. A commit waits
   * longer while other processes change entries.
   */
  lock(
    make: boolean,
    timeoutMs: number = LOCK_TIMEOUT_MS,
  ): MaybePromise<boolean> {
    const locked = this.tryLock(make && !this.#readOnly);
    if (typeof locked !== "boolean") return this.#wait(locked, make, timeoutMs);
    this.#hungAt = undefined;
    return locked;
  }

  async #wait(
    first: MaybePromise<boolean | "busy">,
    make: boolean,
    timeoutMs: number,
  ): Promise<boolean> {
    let isOver = false;
    const onTimeout = () => {
      isOver = true;
    };
    const isCommit = timeoutMs >= LOCK_TIMEOUT_MS;
    // Not by the clock: the lock may have been free while the event loop was held.
    const deadline = new Deadline(timeoutMs, Infinity, onTimeout);
    try {
      let locked = await first;
      let bytes = locked === "busy" ? await this.#bytesNow() : undefined;
      // Later calls fail at once, until the lock is free or has been passed on.
      isOver ||= bytes !== undefined && bytes === this.#hungAt;
      for (let waits = 1; locked === "busy";) {
        if (isOver) {
          const before = bytes;
          bytes = await this.#bytesNow();
          if (bytes === before || !isCommit || ++waits > MAX_WAITS) {
            if (isCommit) this.#hungAt = bytes;
            throw new LockTimeoutError(this.#path, timeoutMs);
          }
          isOver = false;
          deadline.alive();
        }
        await pause(RETRY_MS);
        locked = await this.tryLock(make);
      }
      this.#hungAt = undefined;
      return locked;
    } finally {
      deadline.stop();
    }
  }

  /** The bytes of the list now; undefined where they can't be told. */
  async #bytesNow(): Promise<number | undefined> {
    try {
      return (await this.#fs.facts(this.#path))?.size;
    } catch {
      return undefined;
    }
  }

  /**
   * Takes the lock if it is free.
   *
   * @param make Whether to make the file where there is none.
   * @returns True with the lock; "busy" if another process has it; false where there is none.
   */
  tryLock(make = false): MaybePromise<boolean | "busy"> {
    const file = this.#file;
    const known = this.#known;
    if (file === undefined || file !== known?.file) return this.#tryLock(make);
    try {
      if (!file.tryLock()) return "busy";
      const named = regularSync(this.#path);
      if (named?.identity === known.identity) {
        this.#end = this.#endOf(named.size);
        return true;
      }
    } catch {
      // The try below finds out whether the file or the disk is to blame.
    }
    return this.#tryLock(make);
  }

  async #tryLock(make: boolean): Promise<boolean | "busy"> {
    const file = this.#file ?? await this.#open(make);
    if (file === undefined) {
      // The first list will hold all changes from here on.
      this.#position ??= 0;
      return false;
    }
    try {
      if (!file.tryLock()) return "busy";
    } catch {
      return false;
    }
    try {
      return await this.#taken(file, await file.facts(), make);
    } catch (error) {
      // Releases the lock.
      this.close();
      throw error;
    }
  }

  /** Checks that the locked file is still the list; else begins anew. */
  async #taken(
    file: DiskFile,
    facts: FileFacts,
    make: boolean,
  ): Promise<boolean | "busy"> {
    if (await this.#isCurrent(facts)) {
      await this.#look(file, facts);
      return true;
    }
    // The list was cut, or deleted: only the file that has the name now is the lock.
    this.close();
    return await this.#tryLock(make);
  }

  /** Makes the changes of other processes unknown. */
  resetPosition(): void {
    this.#position = -1;
  }

  /** Releases the lock. */
  unlock(): void {
    this.#file?.unlock();
  }

  /** The bytes of the list at the last look; 0 without a list. */
  get bytes(): number {
    return this.#known === undefined ? 0 : this.#offsetOf(this.#end);
  }

  /**
   * The number of records at the last look; undefined without a list. Grows with each
   * change that this process makes or learns.
   */
  get seenPosition(): number | undefined {
    return this.#known && this.#end;
  }

  /** The end of the list. Needs the lock. */
  get place(): LogPlace {
    return { id: this.#id, position: this.#end };
  }

  /**
   * Makes `changes()` return the changes since a place. Needs the lock.
   *
   * @returns Whether the list reaches back to the place.
   */
  resume({ id, position }: LogPlace): boolean {
    const reaches = id === this.#id && position >= this.#base &&
      position <= this.#end;
    if (reaches) this.#position = position;
    return reaches;
  }

  /** Whether other processes have changed entries since the last `changes()`. Needs the lock. */
  get hasChanges(): boolean {
    this.#position ??= this.#end;
    return this.#position !== this.#end;
  }

  /** The keys that other processes have changed since the last call. Needs the lock. */
  async changes(): Promise<Changes> {
    const position = this.#position ?? this.#end;
    const end = this.#position = this.#end;
    if (position === end) return NO_NEWS;
    const isListed = position >= this.#base && position < end &&
      end - position <= MAX_RECORDS;
    if (!isListed) return "unknown";
    return parseRecords(await this.#read(position, end)) ?? "unknown";
  }

  /** Announces to other processes that the entry of `key` is about to change. Needs the lock. */
  announce(key: string): MaybePromise<void> {
    if (this.#readOnly || this.#file === undefined) return;
    const offset = this.#offsetOf(this.#end);
    const written = this.#file.writeAt(
      ENCODER.encode(formatRecord(key)),
      offset,
    );
    if (written instanceof Promise) {
      return written.then(() => this.#announced());
    }
    return this.#announced();
  }

  #announced(): MaybePromise<void> {
    this.#position = ++this.#end;
    if (this.#end - this.#base >= MAX_RECORDS) return this.#cut();
  }

  /** Closes the file, which releases the lock. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /**
   * Whether no other file has the name. Another file may have it if this file was linked,
   * or the directory moved away. While no file has the name, no process can use another
   * lock.
   */
  async #isCurrent({ names, identity }: FileFacts): Promise<boolean> {
    if (names === 0) return false;
    const named = await Promise.try(() => this.#fs.facts(this.#path))
      .catch(() => undefined);
    return named === undefined || named.identity === identity;
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
    // A folder, a link or a FIFO, which no other process can lock either.
    return this.#obstructed(
      new Error(`Cannot lock ${this.#path}: it must be a regular file`),
    );
  }

  /** Reports once that there is no lock. */
  #obstructed(error: Error): undefined {
    if (!this.#isObstructed) this.#onObstructed(error);
    this.#isObstructed = true;
  }

  #opened(file: DiskFile): DiskFile {
    this.#isObstructed = false;
    return this.#file = file;
  }

  /** Notes the length of the list, and reads the head of a file that was just opened. */
  async #look(
    file: DiskFile,
    { size, identity }: FileFacts,
  ): Promise<void> {
    if (this.#known?.file !== file) {
      const head = parseHead(await readText(file, 0, RECORD_BYTES));
      this.#known = { file, identity };
      if (head === undefined) return await this.#begin(file, size);
      if (head.id !== this.#id) this.#missAll();
      this.#id = head.id;
      this.#base = head.base;
    }
    this.#end = this.#endOf(size);
  }

  #endOf(size: number): number {
    return this.#base + Math.max(0, Math.floor(size / RECORD_BYTES) - 1);
  }

  /** Begins a list in a new file, or in a file that is not a list. */
  async #begin(file: DiskFile, size: number): Promise<void> {
    this.#missAll();
    this.#id = newListId();
    this.#base = this.#end = 0;
    if (this.#readOnly) return;
    try {
      if (size > 0) await file.truncate(0);
      await file.writeAt(
        ENCODER.encode(formatHead({ id: this.#id, base: 0 })),
        0,
      );
    } catch {
      // A full disk: the file still is a lock, and entries can be removed.
    }
  }

  /** Makes the changes unknown: they may have been in another list. */
  #missAll(): void {
    if (this.#id !== "") this.#position = -1;
  }

  /** Puts a shorter list in place of this one, under the same lock. */
  async #cut(): Promise<void> {
    const base = this.#end - KEPT_RECORDS;
    const path = this.#spare();
    let file: DiskFile | undefined;
    let identity: number;
    try {
      const kept = await this.#read(base, this.#end);
      file = await this.#fs.create(path);
      file.tryLock();
      await file.writeAt(
        ENCODER.encode(formatHead({ id: this.#id, base }) + kept),
        0,
      );
      await this.#fs.rename(path, this.#path);
      ({ identity } = await file.facts());
    } catch {
      // The next record tries again.
      file?.close();
      return;
    }
    this.close();
    this.#file = file;
    this.#known = { file, identity };
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
