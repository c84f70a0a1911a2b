import type { DiskFile } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import {
  type BodyHold,
  GrowingBody,
  type GrowingBodyEvents,
} from "../bodies/growing_body.ts";
import type { MediaBody } from "../bodies/media_body.ts";

/**
 * The body of a download in another process: readers read the file of that process as
 * it grows. If that process dies, a Media without a byte read goes on with the download
 * that takes its place; any other Media fails.
 */
export class FollowedBody extends GrowingBody {
  #received = 0;
  #lost: { error: unknown; isSucceeded: boolean } | undefined;

  /** Takes over `file`, which is closed at the end unless it is shared; `size` in bytes, where known. */
  constructor(
    file: DiskFile,
    size: number | undefined,
    events: GrowingBodyEvents,
  ) {
    super(file, size, events);
  }

  /** The bytes that can be read now. */
  override get received(): number {
    return this.#received;
  }

  /** The bytes in the file: all that were received. */
  protected override get stagedEnd(): number {
    return this.#received;
  }

  /** Takes a new length of the file, in bytes. */
  grow(received: number): void {
    if (received <= this.#received) return;
    this.#received = received;
    this.wake();
  }

  /** Ends the body: all `size` bytes are in the file. */
  completeAt(size: number): void {
    this.#received = size;
    this.complete();
  }

  /**
   * Notes that the other process has died. A Media with bytes read fails with the error;
   * any other waits for a successor.
   */
  lose(error: unknown): void {
    this.#lost = { error, isSucceeded: false };
    this.wake();
  }

  /** Lets each Media without a byte read go on with another download. */
  succeed(successor: () => MediaBody): void {
    if (this.#lost !== undefined) this.#lost.isSucceeded = true;
    this.handOver(successor);
  }

  /** Reads the next bytes; fails or waits if the body was lost. */
  override read(
    position: number,
    limit: number,
    hold: BodyHold,
  ): MaybePromise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#lost === undefined || this.hasEnded) {
      return super.read(position, limit, hold);
    }
    if (hold.isBegun || this.#lost.isSucceeded) throw this.#lost.error;
    return this.waited();
  }
}
