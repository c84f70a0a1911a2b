import type { MaybePromise } from "../disk/io_mode.ts";
import type { SharedFile } from "../disk/open_files.ts";
import type { ByteReader } from "./byte_reader.ts";

/** The place of all bytes of a body that has come whole: RAM, or a file. */
export type WholeBytes =
  | { readonly bytes: Uint8Array }
  | { readonly file: SharedFile; readonly size: number };

/**
 * The bytes of a Media: in RAM, in a file, or in a running download. The body stays
 * readable from the start until `release()`.
 */
export interface MediaBody {
  /** The bytes of the whole body, where known. */
  readonly size: number | undefined;
  /** Whether streams of the body are byte streams; not where readers share chunks. */
  readonly isByteStream: boolean;
  /**
   * All bytes, to be copied and not to be changed. Only bodies in RAM have this member;
   * dropped unread or half read, they leave nothing to be closed.
   */
  take?(): MaybePromise<Uint8Array>;
  /**
   * Waits until all bytes have come, and tells where they are.
   *
   * @param stored Settles once the bytes are where they stay.
   * @param signal Ends the wait.
   * @throws {MediaCacheError} If the body goes to its readers alone.
   * @throws The error of the download, or the signal's reason.
   */
  whole(
    stored: Promise<unknown>,
    signal: AbortSignal,
  ): MaybePromise<WholeBytes>;
  /** Makes a reader of the bytes from `start` up to `end`, or to the end of the body. */
  reader(start: number, end: number): ByteReader;
  /** Lets the unread body go; its readers go on. Idempotent. */
  release(): void;
}
