import { Bell } from "../async/condition.ts";
import { type ByteReader, PIECE_BYTES } from "../bodies/byte_reader.ts";
import { IncompleteBodyError } from "../api/errors.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import type { SharedFile } from "../disk/open_files.ts";

/** What a followed body tells its owner. */
export interface FollowedBodyEvents {
  /** A reader was handed bytes. */
  onServed(bytes: number): void;
  /** The last reader, and the last Media that might become one, has left. */
  onAbandoned(): void;
  /** The disk did not give bytes that a reader needs. */
  onFault(error: unknown): void;
}

/** Makes the body of the download that goes on where this one was lost. */
type Successor = () => MediaBody;

/**
 * The body of a download that another process runs: its readers read the file of
 * that process as it grows. When that process dies, readers that were handed no
 * byte go on with the download that is begun in its place; others are told.
 */
export class FollowedBody {
  readonly #staged: DiskFile;
  #shared: { file: SharedFile; claim: { release(): void } } | undefined;
  readonly #events: FollowedBodyEvents;
  readonly #claims = new Set<FollowedClaim>();
  readonly #readers = new Set<FollowingReader>();
  readonly #progress = new Bell();
  #size: number | undefined;
  #received = 0;
  #end: "whole" | { error: unknown } | undefined;
  #lost: { error: unknown } | undefined;
  #isOver = false;

  /** The body in `file`, which it closes unless it is shared, of `size` bytes if that is known. */
  constructor(
    file: DiskFile,
    size: number | undefined,
    events: FollowedBodyEvents,
  ) {
    this.#staged = file;
    this.#size = size;
    this.#events = events;
  }

  /** Bytes in all, where known. */
  get size(): number | undefined {
    return this.#size;
  }

  /** Bytes that can be read now. */
  get received(): number {
    return this.#received;
  }

  /** Whether there is neither a reader nor a Media that might become one. */
  get idle(): boolean {
    return this.#claims.size === 0 && this.#readers.size === 0;
  }

  /** The body, held for one more Media. */
  body(): MediaBody {
    const claim: FollowedClaim = new FollowedClaim(this, () => {
      this.#claims.delete(claim);
      this.#left();
    });
    this.#claims.add(claim);
    return claim;
  }

  /** So many bytes are there by now. */
  grow(received: number): void {
    if (received <= this.#received) return;
    this.#received = received;
    this.#progress.ring();
  }

  /** All bytes are there. */
  complete(size: number): void {
    this.#size = size;
    this.#received = size;
    this.#end = "whole";
    this.#progress.ring();
  }

  /** Ends the body with an error, which every reader sees. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#progress.ring();
  }

  /**
   * Who wrote it has died. Readers that were handed bytes see the error; those
   * that were not wait for a successor.
   */
  lose(error: unknown): void {
    this.#lost = { error };
    this.#progress.ring();
  }

  /** Another download goes on in its place. */
  succeed(successor: Successor): void {
    for (const claim of this.#claims) claim.succeed(successor);
    for (const reader of this.#readers) reader.succeed(successor);
    this.#claims.clear();
    this.#progress.ring();
    this.#left();
  }

  /** All bytes are there, and the file is shared with those who read the entry. */
  share(file: SharedFile, claim: { release(): void }): void {
    this.#shared = { file, claim };
    for (const _ of this.#readers) file.hold(true);
    this.#left();
  }

  /** The owner needs the file no more. */
  letGo(): void {
    this.#isOver = true;
    this.#left();
  }

  /** Reads what is there; undefined at the end, nothing when it must wait. */
  async read(
    position: number,
    limit: number,
    isBegun: boolean,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (typeof this.#end === "object") throw this.#end.error;
    if (this.#lost !== undefined && isBegun) throw this.#lost.error;
    const left = this.#received - position;
    if (left <= 0 || this.#lost !== undefined) {
      if (this.#end === "whole") return undefined;
      await this.#progress.wait();
      return new Uint8Array(0);
    }
    const view = new Uint8Array(Math.min(limit, PIECE_BYTES, left));
    const file = this.#shared?.file ?? this.#staged;
    let count: number;
    try {
      count = await file.readAt(view, position);
    } catch (error) {
      this.#events.onFault(error);
      throw error;
    }
    if (count === 0) throw new IncompleteBodyError(position, this.#received);
    return count === view.length ? view : view.subarray(0, count);
  }

  /** A reader begins. */
  join(reader: FollowingReader): void {
    this.#readers.add(reader);
    this.#shared?.file.hold(true);
  }

  /** A reader was handed bytes. */
  served(bytes: number): void {
    this.#events.onServed(bytes);
  }

  /** A reader has ended. */
  leave(reader: FollowingReader): void {
    if (!this.#readers.delete(reader)) return;
    this.#shared?.file.release(true);
    this.#progress.ring();
    this.#left();
  }

  #left(): void {
    if (this.#claims.size === 0) this.#shared?.claim.release();
    if (!this.idle) return;
    if (!this.#isOver) this.#events.onAbandoned();
    else if (this.#shared === undefined) this.#staged.close();
  }
}

/** What a Media that nobody has read yet holds. */
class FollowedClaim implements MediaBody {
  readonly #followed: FollowedBody;
  readonly #onReleased: () => void;
  #successor: MediaBody | undefined;
  #isReleased = false;

  constructor(followed: FollowedBody, onReleased: () => void) {
    this.#followed = followed;
    this.#onReleased = onReleased;
  }

  get size(): number | undefined {
    return (this.#successor ?? this.#followed).size;
  }

  get whole(): boolean {
    return false;
  }

  reader(start: number, end: number): ByteReader {
    return this.#successor?.reader(start, end) ??
      new FollowingReader(this.#followed, start, end);
  }

  succeed(successor: Successor): void {
    this.#successor = successor();
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#successor?.release();
    this.#onReleased();
  }
}

/** Reads a followed body at a pace of its own. */
class FollowingReader implements ByteReader {
  readonly #followed: FollowedBody;
  readonly #start: number;
  readonly #end: number;
  #position: number;
  #successor: ByteReader | undefined;
  #isClosed = false;

  constructor(followed: FollowedBody, start: number, end: number) {
    this.#followed = followed;
    this.#start = this.#position = start;
    this.#end = end;
    followed.join(this);
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      while (!this.#isClosed && this.#position < this.#end) {
        if (this.#successor !== undefined) return await this.#successor.read();
        const chunk = await this.#followed.read(
          this.#position,
          this.#end - this.#position,
          this.#position > this.#start,
        );
        if (chunk === undefined || this.#isClosed) break;
        // It was lost while it was read: all of it comes from the successor.
        if (chunk.length === 0 || this.#successor !== undefined) continue;
        this.#position += chunk.length;
        this.#followed.served(chunk.length);
        return chunk;
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return undefined;
  }

  /** Goes on with another body, unless bytes of this one were handed out. */
  succeed(successor: Successor): void {
    if (this.#position > this.#start) return;
    const body = successor();
    this.#successor = body.reader(this.#start, this.#end);
    body.release();
    this.#followed.leave(this);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#successor?.close();
    this.#followed.leave(this);
  }
}
