import type { DiskFile } from "../disk/disk_file.ts";
import type { MaybePromise } from "../disk/io_mode.ts";
import {
  type BodyClaim,
  GrowingBody,
  type GrowingBodyEvents,
} from "../bodies/growing_body.ts";
import type { MediaBody } from "../bodies/media_body.ts";

/**
 * The body of a download that another process runs: its readers read the file of
 * that process as it grows. When that process dies, a Media that was handed no
 * byte goes on with the download that is begun in its place; another fails.
 */
export class FollowedBody extends GrowingBody {
  #received = 0;
  #lost: { error: unknown; isSucceeded: boolean } | undefined;

  /** The body in `file`, which it closes unless it is shared, of `size` bytes if that is known. */
  constructor(
    file: DiskFile,
    size: number | undefined,
    events: GrowingBodyEvents,
  ) {
    super(file, size, events);
  }

  /** Bytes that can be read now. */
  override get received(): number {
    return this.#received;
  }

  /** All bytes are in the file. */
  protected override get stagedEnd(): number {
    return this.#received;
  }

  /** So many bytes are there by now. */
  grow(received: number): void {
    if (received <= this.#received) return;
    this.#received = received;
    this.wake();
  }

  /** All bytes are there. */
  completeAt(size: number): void {
    this.#received = size;
    this.complete();
  }

  /**
   * The process that wrote the body has died. A Media that was handed bytes fails
   * with the error; another waits for a successor.
   */
  lose(error: unknown): void {
    this.#lost = { error, isSucceeded: false };
    this.wake();
  }

  /** Another download goes on in its place. */
  succeed(successor: () => MediaBody): void {
    if (this.#lost !== undefined) this.#lost.isSucceeded = true;
    this.handOver(successor);
  }

  /** Reads what is there, unless the body was lost. */
  override read(
    position: number,
    limit: number,
    claim: BodyClaim,
  ): MaybePromise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#lost === undefined || this.hasEnded) {
      return super.read(position, limit, claim);
    }
    if (claim.isBegun || this.#lost.isSucceeded) throw this.#lost.error;
    return this.waited();
  }
}
