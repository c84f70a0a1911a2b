import { type FileState, identityOf } from "./file_identity.ts";
import type { IoMode, MaybePromise } from "./io_mode.ts";
import type { Refusals } from "./refusals.ts";

/** Facts of a file, as its directory or its handle tells them. */
export interface FileFacts extends FileState {
  /** How many names it has; none when it was removed or replaced. */
  readonly names: number;
}

const JUST_MADE: FileState = { inode: 0, size: 0, mtimeMs: 0 };

/** An open file that is read and written at positions. */
export class DiskFile {
  /** Its state when it was opened; all zero of one just made. */
  readonly opened: FileState;
  readonly #io: IoMode;
  readonly #refusals: Refusals;
  readonly #file: Deno.FsFile;
  // NaN while an operation runs and after one that failed half-way.
  #position = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closed = false;

  /** Takes over an open file. */
  constructor(
    io: IoMode,
    refusals: Refusals,
    file: Deno.FsFile,
    opened: FileState = JUST_MADE,
  ) {
    this.opened = opened;
    this.#io = io;
    this.#refusals = refusals;
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
    return this.#io.run(
      () => factsOf(this.#file.statSync()),
      async () => factsOf(await this.#file.stat()),
    );
  }

  /** The mode of the open file; null where there are no modes. */
  mode(): MaybePromise<number | null> {
    return this.#io.run(
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
    try {
      return this.#file.tryLockSync(!shared);
    } catch (error) {
      this.#refusals.note("flock", error);
      return true;
    }
  }

  /** Gives the advisory lock back. */
  unlock(): void {
    try {
      this.#file.unlockSync();
    } catch (error) {
      this.#refusals.note("flock", error);
    }
  }

  /**
   * Makes the bytes survive a power cut, if the file system can. Off the event
   * loop: it takes long.
   */
  async sync(): Promise<void> {
    await this.#refusals.try("fsync", () => this.#file.syncData());
  }

  /** Closes the file, after operations that still run. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending === 0) this.#file.close();
    else this.#queue.finally(() => this.#file.close());
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }

  // Seek and read are two steps, so on a slow disk, where others get a turn
  // between them, operations wait for each other.
  #exclusive<T>(sync: () => T, async: () => Promise<T>): MaybePromise<T> {
    if (this.#pending === 0) {
      return this.#io.run(sync, () => this.#enqueue(async));
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

/** Picks the facts from what Deno tells of a file. */
export function factsOf(info: Deno.FileInfo): FileFacts {
  return {
    size: info.size,
    mtimeMs: info.mtime?.getTime() ?? 0,
    inode: identityOf(info.ino ?? 0, info.birthtime?.getTime()),
    names: info.nlink ?? 1,
  };
}
