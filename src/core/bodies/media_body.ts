import type { ByteReader } from "./byte_reader.ts";

/**
 * The bytes behind one Media: in RAM, in a file, or in a download that runs. It
 * is held from the start, for as long as nobody has read it.
 */
export interface MediaBody {
  /** Bytes in all, where known. */
  readonly size: number | undefined;
  /** Whether all bytes are there, so that it can be a byte stream. */
  readonly whole: boolean;
  /**
   * All bytes at once, of a body that needs nothing but RAM. One of those that is
   * dropped unread, or half read, has nothing to give back.
   */
  copy?(): Uint8Array<ArrayBuffer>;
  /** Reads the bytes from `start` up to `end`, or up to the last. */
  reader(start: number, end: number): ByteReader;
  /** Ends the hold of the unread Media; readers go on. Idempotent. */
  release(): void;
}
