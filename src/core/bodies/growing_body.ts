import { Condition } from "../async/condition.ts";
import { type ByteReader, PIECE_BYTES } from "./byte_reader.ts";
import { IncompleteBodyError, MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import type { MediaBody, WholeBytes } from "./media_body.ts";
import type { SharedFile } from "../disk/open_files.ts";

/** The listeners of a {@linkcode GrowingBody}. */
export interface GrowingBodyEvents {
  /** Called with the bytes that a reader was handed. */
  onServed(bytes: number): void;
  /** Called when the staged file can't be read. */
  onFault(error: unknown): void;
  /** Called when the last reader and the last unread Media have left. */
  onAbandoned(): void;
}

/** A hold of a shared file. */
interface Hold {
  release(): void;
}

/**
 * The body of a running download. Readers join at any time and read the staged file
 * at a pace of their own; a reader that has reached the end so far waits.
 *
 * The body ends complete, failed, or abandoned by its owner, which calls `letGo()`
 * last.
 */
export abstract class GrowingBody {
  /** The holds of unread Media. */
  readonly #holds = new Set<BodyHold>();
  /** The readers that have begun. */
  readonly #readers = new Set<GrowingReader>();
  readonly #events: GrowingBodyEvents;
  readonly #progress = new Condition();
  readonly #declaredSize: number | undefined;
  #staged: DiskFile | undefined;
  #shared: { file: SharedFile; hold: Hold } | undefined;
  #end: "complete" | { error: unknown } | undefined;
  #owned = true;

  /**
   * @param file The staged file; undefined for an uncached body.
   * @param size The bytes of the whole body, where known.
   * @param events The listeners.
   */
  constructor(
    file: DiskFile | undefined,
    size: number | undefined,
    events: GrowingBodyEvents,
  ) {
    this.#staged = file;
    this.#declaredSize = size;
    this.#events = events;
  }

  /** Bytes received so far. */
  abstract get received(): number;

  /** The bytes that can be read from the staged file. */
  protected abstract get stagedEnd(): number;

  /** Whether all bytes so far are in the staged file. */
  protected get isStaged(): boolean {
    return true;
  }

  /** Bytes in RAM from `position` on; undefined if the file must be read. */
  protected keptAt(_position: number): Uint8Array<ArrayBuffer> | undefined {
    return undefined;
  }

  /** Called when a reader has joined, moved on or left. */
  protected onMoved(): void {}

  /** Called when the body has ended and needs no more bytes in RAM. */
  protected onUnneeded(): void {}

  /** The bytes of the whole body, where known. */
  get size(): number | undefined {
    return this.#end === "complete" ? this.received : this.#declaredSize;
  }

  /** Whether the body has neither readers nor unread Media. */
  get idle(): boolean {
    return this.#holds.size === 0 && this.#readers.size === 0;
  }

  /** Whether present or later readers need a file that was not committed. */
  get needsFile(): boolean {
    return this.#staged !== undefined && !this.idle;
  }

  /** Whether the body is complete or has failed. */
  protected get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** The staged file, until it is shared or closed. */
  protected get staged(): DiskFile | undefined {
    return this.#staged;
  }

  /** The readers that have begun. */
  protected get readers(): ReadonlySet<GrowingReader> {
    return this.#readers;
  }

  /** Holds the body for another Media. */
  body(): BodyHold {
    const hold: BodyHold = new BodyHold(this, () => {
      if (this.#holds.delete(hold)) this.#left();
    });
    this.#holds.add(hold);
    return hold;
  }

  /** Wakes readers that wait for bytes. */
  protected wake(): void {
    this.#progress.notifyAll();
  }

  /** Ends the body: all bytes have been received. */
  complete(): void {
    if (this.#end !== undefined) return;
    this.#end = "complete";
    this.#progress.notifyAll();
    this.#left();
  }

  /** Ends the body with an error, which every reader sees. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.onUnneeded();
    this.#progress.notifyAll();
    this.onMoved();
    this.#closeFile();
  }

  /** Lets the file be closed once no reader needs it: the owner has ended. */
  letGo(): void {
    this.#owned = false;
    this.#left();
  }

  /** Goes on with the file of the entry, shared with its readers; `hold` keeps it for unread Media. */
  share(file: SharedFile, hold: Hold): void {
    this.#staged = undefined;
    this.#shared = { file, hold };
    for (const _ of this.#readers) file.hold(true);
    this.#left();
  }

  /**
   * Lets each Media without a byte read go on with another body, with all its readers.
   * A Media never mixes the bytes of two bodies.
   */
  protected handOver(successor: () => MediaBody): void {
    const holds = new Set(this.#holds);
    for (const { hold } of this.#readers) holds.add(hold);
    for (const hold of holds) hold.goOn(successor);
    for (const reader of this.#readers) reader.goOn();
    for (const hold of holds) hold.hasGoneOn();
    this.#progress.notifyAll();
    this.#left();
  }

  /** Reads at most `limit` bytes at `position`; no byte after a wait, undefined at the end. */
  read(
    position: number,
    limit: number,
    _hold: BodyHold,
  ): MaybePromise<Uint8Array<ArrayBuffer> | undefined> {
    if (typeof this.#end === "object") throw this.#end.error;
    if (position >= this.received) {
      return this.#end === "complete" ? undefined : this.waited();
    }
    const kept = this.keptAt(position);
    if (kept !== undefined) {
      return kept.length > limit ? kept.subarray(0, limit) : kept;
    }
    if (position >= this.stagedEnd) {
      throw new MediaCacheError(
        "Cannot read media: it could not be stored and was not read in time",
      );
    }
    return this.#readFile(
      position,
      Math.min(limit, PIECE_BYTES, this.stagedEnd - position),
    );
  }

  /**
   * Waits until the body is complete, and tells its file.
   *
   * @param stored Settles once the file is that of the entry, or of the readers alone.
   * @throws {MediaCacheError} If the body goes to its readers alone, or its file is gone.
   * @throws The error of the download, or the signal's reason.
   */
  async whole(
    hold: BodyHold,
    stored: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<WholeBytes> {
    for (;;) {
      signal.throwIfAborted();
      if (hold.successor !== undefined) {
        return await hold.successor.whole(stored, signal);
      }
      if (!this.isStaged) {
        throw new MediaCacheError("Cannot lend media: it could not be stored");
      }
      // Behind the last byte, there is nothing to read but the end.
      const next = this.read(Infinity, 0, hold);
      if (next === undefined) break;
      await next;
    }
    await stored;
    const file = this.#shared?.file;
    if (file !== undefined) return { file, size: this.received };
    throw new MediaCacheError("Cannot lend media: its bytes are gone");
  }

  /** Waits for the next change, and reads no byte. */
  protected async waited(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#progress.wait();
    return new Uint8Array(0);
  }

  /** Adds a reader. */
  join(reader: GrowingReader): void {
    this.#readers.add(reader);
    this.#shared?.file.hold(true);
    this.onMoved();
  }

  /** Counts the bytes that a reader was handed. */
  served(bytes: number): void {
    this.#events.onServed(bytes);
    this.onMoved();
  }

  /** Removes a reader. */
  leave(reader: GrowingReader): void {
    if (!this.#readers.delete(reader)) return;
    this.#shared?.file.release(true);
    this.onMoved();
    this.#progress.notifyAll();
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
    // A shared file reports its faults itself.
    if (this.#shared) return await this.#shared.file.readAt(view, position);
    try {
      return await this.#staged?.readAt(view, position) ?? 0;
    } catch (error) {
      this.#events.onFault(error);
      throw error;
    }
  }

  #left(): void {
    if (this.#holds.size > 0) return;
    if (this.#end === undefined && this.#owned) {
      if (this.idle) this.#events.onAbandoned();
      return;
    }
    this.#shared?.hold.release();
    if (this.#readers.size > 0) return;
    this.onUnneeded();
    if (!this.#owned) this.#closeFile();
  }

  #closeFile(): void {
    this.#staged?.close();
    this.#staged = undefined;
  }
}

/** Holds a growing body for a Media while the Media is unread. */
export class BodyHold implements MediaBody {
  readonly #body: GrowingBody;
  readonly #onReleased: () => void;
  #successor: MediaBody | undefined;
  #isReleased = false;
  /** Whether any reader of the Media was handed bytes. */
  isBegun = false;

  /** Called by {@linkcode GrowingBody.body} alone. */
  constructor(body: GrowingBody, onReleased: () => void) {
    this.#body = body;
    this.#onReleased = onReleased;
  }

  /** The bytes of the whole body, where known. */
  get size(): number | undefined {
    return (this.#successor ?? this.#body).size;
  }

  /** False: readers share chunks, and a byte stream would detach them. */
  get isByteStream(): boolean {
    return false;
  }

  /** The body that the Media goes on with, if its own was lost. */
  get successor(): MediaBody | undefined {
    return this.#successor;
  }

  /** Waits until all bytes have come, and tells where they are. */
  async whole(
    stored: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<WholeBytes> {
    if (this.#successor !== undefined) {
      return await this.#successor.whole(stored, signal);
    }
    // Held once more: the Media may have been read, or be read meanwhile.
    const hold = this.#body.body();
    hold.isBegun = this.isBegun;
    const leave = () => hold.release();
    signal.addEventListener("abort", leave);
    try {
      return await this.#body.whole(hold, stored, signal);
    } finally {
      signal.removeEventListener("abort", leave);
      leave();
    }
  }

  /** Makes a reader of the bytes from `start` up to `end`. */
  reader(start: number, end: number): ByteReader {
    return this.#successor?.reader(start, end) ??
      new GrowingReader(this.#body, this, start, end);
  }

  /** Goes on with another body, unless the Media has read a byte of this one. */
  goOn(successor: () => MediaBody): void {
    if (!this.isBegun) this.#successor = successor();
  }

  /** Ends the hold of the lost body, after the readers of the Media have gone on. */
  hasGoneOn(): void {
    if (this.#successor === undefined) return;
    if (this.#isReleased) this.#successor.release();
    else this.#onReleased();
  }

  /** Lets the unread body go; readers go on. Idempotent. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#successor?.release();
    this.#onReleased();
  }
}

/** Reads a growing body at a pace of its own. */
export class GrowingReader implements ByteReader {
  readonly #body: GrowingBody;
  /** The hold of the Media that reads. */
  readonly hold: BodyHold;
  readonly #end: number;
  #successor: ByteReader | undefined;
  #isClosed = false;
  /** The position of the next byte to read. */
  position: number;

  /** Joins the body. */
  constructor(body: GrowingBody, hold: BodyHold, start: number, end: number) {
    this.#body = body;
    this.hold = hold;
    this.position = start;
    this.#end = end;
    body.join(this);
  }

  /** Reads the next bytes; undefined at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (!this.#isClosed && this.position < this.#end) {
        if (this.#successor !== undefined) return await this.#successor.read();
        const result = this.#body.read(
          this.position,
          this.#end - this.position,
          this.hold,
        );
        const chunk = result instanceof Promise ? await result : result;
        if (chunk === undefined || this.#isClosed) break;
        // The body was lost during the read: all bytes come from the successor.
        if (chunk.length === 0 || this.#successor !== undefined) continue;
        this.position += chunk.length;
        this.hold.isBegun = true;
        this.#body.served(chunk.length);
        return chunk;
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return undefined;
  }

  /** Goes on with the successor of its Media, if there is one. */
  goOn(): void {
    const { successor } = this.hold;
    if (successor === undefined) return;
    this.#successor = successor.reader(this.position, this.#end);
    this.#body.leave(this);
  }

  /** Ends the reading. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#successor?.close();
    this.#body.leave(this);
  }
}
