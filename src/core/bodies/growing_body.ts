import { Bell } from "../async/condition.ts";
import { type ByteReader, PIECE_BYTES } from "./byte_reader.ts";
import { IncompleteBodyError, MediaCacheError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import type { MediaBody } from "./media_body.ts";
import type { SharedFile } from "../disk/open_files.ts";

/** What a growing body tells its owner. */
export interface GrowingBodyEvents {
  /** A reader was handed bytes. */
  onServed(bytes: number): void;
  /** The staged file could not be read. */
  onFault(error: unknown): void;
  /** The last reader, and the last Media that might become one, has left. */
  onAbandoned(): void;
}

/** Gives back what a file is held by. */
interface Hold {
  release(): void;
}

/**
 * The body of a download that runs. Readers join at any time and read the staged
 * file at a pace of their own; a reader that has read all there is waits.
 *
 * The body ends in one of three ways: complete, failed, or abandoned by its
 * owner, who calls `letGo()` last.
 */
export abstract class GrowingBody {
  /** The Media that may still begin to read, and those that have begun. */
  readonly #claims = new Set<BodyClaim>();
  readonly #readers = new Set<GrowingReader>();
  readonly #events: GrowingBodyEvents;
  readonly #progress = new Bell();
  readonly #declaredSize: number | undefined;
  #staged: DiskFile | undefined;
  #shared: { file: SharedFile; hold: Hold } | undefined;
  #end: "complete" | { error: unknown } | undefined;
  #owned = true;

  /**
   * A body that is staged in `file`, if that is given.
   *
   * @param size Bytes in all, where known.
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

  /** How many of these can be read from the file. */
  protected abstract get stagedEnd(): number;

  /** Bytes in RAM from `position` on; undefined where the file must be read. */
  protected keptAt(_position: number): Uint8Array<ArrayBuffer> | undefined {
    return undefined;
  }

  /** A reader has joined, moved on or left. */
  protected onMoved(): void {}

  /** The body has ended, and what was kept in RAM is needed no more. */
  protected onUnneeded(): void {}

  /** Bytes in all, where known. */
  get size(): number | undefined {
    return this.#end === "complete" ? this.received : this.#declaredSize;
  }

  /** Whether there is neither a reader nor a Media that might become one. */
  get idle(): boolean {
    return this.#claims.size === 0 && this.#readers.size === 0;
  }

  /** Whether readers, present or to come, need a file that was not committed. */
  get needsFile(): boolean {
    return this.#staged !== undefined && !this.idle;
  }

  /** Whether the body is complete or has failed. */
  protected get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** The staged file, as long as it is the body's own. */
  protected get staged(): DiskFile | undefined {
    return this.#staged;
  }

  /** The readers that have begun. */
  protected get readers(): ReadonlySet<GrowingReader> {
    return this.#readers;
  }

  /** The body, held for one more Media. */
  body(): MediaBody {
    const claim: BodyClaim = new BodyClaim(this, () => {
      if (this.#claims.delete(claim)) this.#left();
    });
    this.#claims.add(claim);
    return claim;
  }

  /** Wakes readers that wait for bytes. */
  protected wake(): void {
    this.#progress.ring();
  }

  /** Ends the body: all bytes are there. */
  complete(): void {
    if (this.#end !== undefined) return;
    this.#end = "complete";
    this.#progress.ring();
    this.#left();
  }

  /** Ends the body with an error, which every reader sees. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.onUnneeded();
    this.#progress.ring();
    this.onMoved();
    this.#closeFile();
  }

  /** The owner needs the file no more. */
  letGo(): void {
    this.#owned = false;
    this.#left();
  }

  /** The file is shared with readers of the entry; `hold` keeps it for unread Media. */
  share(file: SharedFile, hold: Hold): void {
    this.#staged = undefined;
    this.#shared = { file, hold };
    for (const _ of this.#readers) file.hold(true);
    this.#left();
  }

  /**
   * Lets each Media that was handed no byte, with all its readers, go on with
   * another body. A Media never mixes the bytes of two bodies.
   */
  protected handOver(successor: () => MediaBody): void {
    const claims = new Set(this.#claims);
    for (const { claim } of this.#readers) claims.add(claim);
    for (const claim of claims) claim.goOn(successor);
    for (const reader of this.#readers) reader.goOn();
    for (const claim of claims) claim.hasGoneOn();
    this.#progress.ring();
    this.#left();
  }

  /** Reads what is there at `position`; nothing after a wait, undefined at the end. */
  read(
    position: number,
    limit: number,
    _claim: BodyClaim,
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

  /** Waits for the next change. */
  protected async waited(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#progress.wait();
    return new Uint8Array(0);
  }

  /** A reader begins. */
  join(reader: GrowingReader): void {
    this.#readers.add(reader);
    this.#shared?.file.hold(true);
    this.onMoved();
  }

  /** A reader was handed bytes. */
  served(bytes: number): void {
    this.#events.onServed(bytes);
    this.onMoved();
  }

  /** A reader has ended. */
  leave(reader: GrowingReader): void {
    if (!this.#readers.delete(reader)) return;
    this.#shared?.file.release(true);
    this.onMoved();
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
    // A shared file tells of its faults itself.
    if (this.#shared) return await this.#shared.file.readAt(view, position);
    try {
      return await this.#staged?.readAt(view, position) ?? 0;
    } catch (error) {
      this.#events.onFault(error);
      throw error;
    }
  }

  #left(): void {
    if (this.#claims.size > 0) return;
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

/** What one Media holds of a growing body, for as long as it is unread. */
export class BodyClaim implements MediaBody {
  readonly #body: GrowingBody;
  readonly #onReleased: () => void;
  #successor: MediaBody | undefined;
  #isReleased = false;
  /** Whether any reader of the Media was handed bytes. */
  isBegun = false;

  /** Made by {@linkcode GrowingBody.body}. */
  constructor(body: GrowingBody, onReleased: () => void) {
    this.#body = body;
    this.#onReleased = onReleased;
  }

  /** Bytes in all, where known. */
  get size(): number | undefined {
    return (this.#successor ?? this.#body).size;
  }

  /** Chunks may be shared with other readers, so that no byte stream may detach them. */
  get whole(): boolean {
    return false;
  }

  /** The body that the Media goes on with, where its own was lost. */
  get successor(): MediaBody | undefined {
    return this.#successor;
  }

  /** Reads from `start` up to `end`. */
  reader(start: number, end: number): ByteReader {
    return this.#successor?.reader(start, end) ??
      new GrowingReader(this.#body, this, start, end);
  }

  /** Goes on with another body, unless bytes of this one were handed out. */
  goOn(successor: () => MediaBody): void {
    if (!this.isBegun) this.#successor = successor();
  }

  /** The readers of the Media have gone on, too. */
  hasGoneOn(): void {
    if (this.#successor === undefined) return;
    if (this.#isReleased) this.#successor.release();
    else this.#onReleased();
  }

  /** Gives the hold back; readers go on. Idempotent. */
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
  /** What the Media holds that reads. */
  readonly claim: BodyClaim;
  readonly #end: number;
  #successor: ByteReader | undefined;
  #isClosed = false;
  /** The next byte to be read. */
  position: number;

  /** Joins the body. */
  constructor(body: GrowingBody, claim: BodyClaim, start: number, end: number) {
    this.#body = body;
    this.claim = claim;
    this.position = start;
    this.#end = end;
    body.join(this);
  }

  /** The next bytes; undefined at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (!this.#isClosed && this.position < this.#end) {
        if (this.#successor !== undefined) return await this.#successor.read();
        const result = this.#body.read(
          this.position,
          this.#end - this.position,
          this.claim,
        );
        const chunk = result instanceof Promise ? await result : result;
        if (chunk === undefined || this.#isClosed) break;
        // Lost while the chunk was read: all bytes come from the successor.
        if (chunk.length === 0 || this.#successor !== undefined) continue;
        this.position += chunk.length;
        this.claim.isBegun = true;
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

  /** Goes on with the successor that its Media has, if any. */
  goOn(): void {
    const { successor } = this.claim;
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
