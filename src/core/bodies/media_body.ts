import type { MaybePromise } from "../disk/io_mode.ts";
import type { ByteReader } from "./byte_reader.ts";

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
  /** Makes a reader of the bytes from `start` up to `end`, or to the end of the body. */
  reader(start: number, end: number): ByteReader;
  /** Lets the unread body go; its readers go on. Idempotent. */
  release(): void;
}
