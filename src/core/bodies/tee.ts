import { Bell } from "../async/condition.ts";
import { type ByteReader, PIECE_BYTES } from "./byte_reader.ts";
import { ChunkWindow } from "./chunk_window.ts";
import { IncompleteBodyError, MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import type { MediaBody } from "./media_body.ts";
import type { SharedFile } from "../disk/open_files.ts";

/** The most that an uncached download keeps for its slowest reader, in bytes. */
export const WINDOW_BYTES = 1_048_576;

/**
 * The latest bytes that a stored download keeps for those who lag by little. If
 * they read the file for every chunk that they miss by a moment, each would get
 * a copy, and with 16 readers garbage grows by 100 MiB.
 */
const KEPT_BYTES = 524_288;

/** What a tee tells its owner. */
export interface TeeEvents {
  /** A reader was handed bytes. */
  onServed(bytes: number): void;
  /** The file that is staged could not be read. */
  onFault(error: unknown): void;
  /** The last reader, and the last Media that might become one, has left. */
  onAbandoned(): void;
}

/**
 * The body of one running download, teed to the disk file and to its readers.
 *
 * Each chunk is written to the file and then handed, the very same, to the
 * readers that have caught up or nearly so; others read the file. So a reader may
 * join at any time and read at any pace, and memory holds little, however long
 * the body.
 * `ReadableStream.tee()` would buffer all that the slowest reader has not read.
 *
 * Without a file the tee is uncached: a window of the latest chunks goes along
 * at the pace of the slowest reader that has begun, and `push()` waits for it.
 *
 * It ends in one of three ways: complete, failed, or abandoned by its owner.
 */
export class Tee {
  readonly #events: TeeEvents;
  readonly #declaredSize: number | undefined;
  readonly #window = new ChunkWindow();
  readonly #readers = new Set<TeeReader>();
  #claims = 0;
  #staged: DiskFile | undefined;
  #stagedEnd = 0;
  #writing: boolean;
  #committed: { file: SharedFile; claim: { release(): void } } | undefined;
  #end: "complete" | { error: unknown } | undefined;
  readonly #progress = new Bell();
  readonly #room = new Bell();
  #owned = true;

  /** A tee to `file`, which it closes when neither the owner nor a reader needs it. */
  constructor(
    declaredSize: number | undefined,
    file: DiskFile | undefined,
    events: TeeEvents,
  ) {
    this.#declaredSize = declaredSize;
    this.#staged = file;
    this.#writing = file !== undefined;
    this.#events = events;
  }

  /** Bytes received so far. */
  get received(): number {
    return this.#window.end;
  }

  /** Bytes in all, where known. */
  get size(): number | undefined {
    return this.#end === "complete" ? this.received : this.#declaredSize;
  }

  /** Whether the bytes still go to the file. */
  get cached(): boolean {
    return this.#writing;
  }

  /** Whether readers, present or to come, need a file that was not committed. */
  get needsFile(): boolean {
    return this.#staged !== undefined && !this.idle;
  }

  /** Whether there is neither a reader nor a Media that might become one. */
  get idle(): boolean {
    return this.#claims === 0 && this.#readers.size === 0;
  }

  /** The body, held for one more Media. */
  body(): MediaBody {
    this.#claims++;
    let held = true;
    const size = () => this.size;
    return {
      get size() {
        return size();
      },
      whole: false,
      reader: (start, end) => new TeeReader(this, start, end),
      release: () => {
        if (!held) return;
        held = false;
        this.#claims--;
        this.#left();
      },
    };
  }

  /**
   * Takes the next chunk, to the file first, so that readers never see a byte
   * that is not on disk. Rejects with the file system's error when that fails;
   * the owner then calls `uncache()` and pushes the chunk again.
   */
  async push(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#writing && this.#staged !== undefined) {
      const written = this.#staged.writeAt(chunk, this.received);
      if (written !== undefined) await written;
      if (this.#end !== undefined) return;
      this.#window.push(chunk);
      const passed = Math.min(this.#slowest(), this.received - chunk.length);
      this.#window.dropBefore(Math.max(passed, this.received - KEPT_BYTES));
      this.#stagedEnd = this.received;
    } else {
      while (!this.#hasRoom(chunk.length)) await this.#room.wait();
      if (this.#end !== undefined) return;
      this.#window.push(chunk);
    }
    this.#progress.ring();
  }

  /** From here on no byte goes to the file; those that are there stay readable. */
  uncache(): void {
    this.#writing = false;
  }

  /** Ends the body: all bytes were pushed. */
  complete(): void {
    if (this.#end !== undefined) return;
    this.#end = "complete";
    if (this.#writing) this.#window.dropBefore(Infinity);
    this.#progress.ring();
    this.#left();
  }

  /** Ends the body with an error, which every reader sees. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#window.dropBefore(Infinity);
    this.#progress.ring();
    this.#room.ring();
    this.#closeFile();
  }

  /** The owner needs the file no more. */
  letGo(): void {
    this.#owned = false;
    this.#left();
  }

  /** The file was committed: it is shared with those who read the entry. */
  share(file: SharedFile, claim: { release(): void }): void {
    this.#staged = undefined;
    this.#committed = { file, claim };
    for (const _ of this.#readers) file.hold(true);
    this.#left();
  }

  /** Reads what is there at `position`; undefined at the end of the body. */
  read(
    position: number,
    limit: number,
  ): MaybePromise<Uint8Array<ArrayBuffer> | undefined> {
    if (typeof this.#end === "object") throw this.#end.error;
    if (position >= this.received) {
      if (this.#end === "complete") return undefined;
      return this.#progress.wait().then(() => new Uint8Array(0));
    }
    const chunk = this.#window.at(position);
    if (chunk !== undefined) {
      return chunk.length > limit ? chunk.subarray(0, limit) : chunk;
    }
    if (position >= this.#stagedEnd) {
      throw new MediaCacheError(
        "Cannot read media: it could not be stored and was not read in time",
      );
    }
    return this.#readFile(
      position,
      Math.min(limit, PIECE_BYTES, this.#stagedEnd - position),
    );
  }

  /** A reader begins. */
  join(reader: TeeReader): void {
    this.#readers.add(reader);
    this.#committed?.file.hold(true);
    this.#room.ring();
  }

  /** A reader has moved on, by this many bytes. */
  moved(bytes: number): void {
    this.#events.onServed(bytes);
    this.#room.ring();
  }

  /** A reader has ended. */
  leave(reader: TeeReader): void {
    if (!this.#readers.delete(reader)) return;
    this.#committed?.file.release(true);
    this.#room.ring();
    this.#progress.ring();
    this.#left();
  }

  async #readFile(
    position: number,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const view = new Uint8Array(length);
    const count = await this.#readAt(view, position);
    if (count === 0) {
      throw new IncompleteBodyError(position, this.size ?? this.received);
    }
    return count === length ? view : view.subarray(0, count);
  }

  async #readAt(view: Uint8Array, position: number): Promise<number> {
    if (this.#committed) {
      return await this.#committed.file.readAt(view, position);
    }
    try {
      return await this.#staged?.readAt(view, position) ?? 0;
    } catch (error) {
      this.#events.onFault(error);
      throw error;
    }
  }

  /** Makes room in the window for an uncached chunk, if readers have moved on. */
  #hasRoom(bytes: number): boolean {
    if (this.#window.bytes + bytes > WINDOW_BYTES) {
      const passed = this.#readers.size === 0 ? 0 : this.#slowest();
      this.#window.dropBefore(Math.max(passed, this.#stagedEnd));
    }
    // A chunk above the limit is let through alone.
    return this.#window.bytes + bytes <= WINDOW_BYTES ||
      this.#window.bytes === 0 || this.#end !== undefined;
  }

  /** How far the slowest reader has come. */
  #slowest(): number {
    let slowest = Infinity;
    for (const { position } of this.#readers) {
      if (position < slowest) slowest = position;
    }
    return slowest;
  }

  #left(): void {
    if (this.#claims > 0) return;
    if (this.#end === undefined) {
      if (this.idle) this.#events.onAbandoned();
      return;
    }
    this.#committed?.claim.release();
    if (this.#readers.size > 0) return;
    this.#window.dropBefore(Infinity);
    if (!this.#owned) this.#closeFile();
  }

  #closeFile(): void {
    this.#staged?.close();
    this.#staged = undefined;
  }
}

/** Reads a tee at a pace of its own. */
class TeeReader implements ByteReader {
  readonly #tee: Tee;
  readonly #end: number;
  #closed = false;
  /** The next byte that it will read. */
  position: number;

  constructor(tee: Tee, start: number, end: number) {
    this.#tee = tee;
    this.position = start;
    this.#end = end;
    tee.join(this);
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (!this.#closed && this.position < this.#end) {
        const result = this.#tee.read(
          this.position,
          this.#end - this.position,
        );
        const chunk = result instanceof Promise ? await result : result;
        if (chunk === undefined || this.#closed) break;
        if (chunk.length === 0) continue;
        this.position += chunk.length;
        this.#tee.moved(chunk.length);
        return chunk;
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tee.leave(this);
  }
}
