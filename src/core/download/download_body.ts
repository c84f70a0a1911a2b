import { assertAttached } from "../bodies/body_data.ts";
import type { Deadline } from "../async/deadline.ts";
import { isRefusal } from "../disk/disk_fault.ts";
import type { SharedFile } from "../disk/open_files.ts";
import type { StagedFacts, StagedPause } from "../disk/staged_description.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import { CROWDED, TOO_LARGE } from "../disk/staging_budget.ts";
import { BodyDigest, maxHashedBytes } from "../bodies/digest.ts";
import { Tee } from "../bodies/tee.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import { describeBody, DISK_FAILED, type StagingPlace } from "./stage_body.ts";

/** The body of a download that comes in many chunks: its tee, and its place on disk. */
export class DownloadBody {
  /** Hands the bytes to the readers. */
  readonly tee: Tee;
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #place: StagingPlace | undefined;
  readonly #digest: BodyDigest;
  readonly #sha256: string | undefined;

  /**
   * @param size The bytes of the whole body, where known.
   * @param place The place on disk; without it the body is uncached.
   * @param sha256 The digest, if the bytes are compared with it on their way here.
   */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    size: number | undefined,
    place: StagingPlace | undefined,
    sha256: string | undefined,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#place = place;
    this.#sha256 = sha256;
    const { listener } = task;
    this.tee = new Tee(size, place?.staged.file, listener, parts.windows);
    const mostHashed = task.revalidated === undefined
      ? maxHashedBytes("download", parts.options)
      : Infinity;
    const maxBytes = sha256 === undefined ? mostHashed : -1;
    this.#digest = new BodyDigest(maxBytes, size);
  }

  /** The file with all bytes so far; undefined once the body is uncached. */
  get staged(): StagedFile | undefined {
    return this.tee.cached ? this.#place?.staged : undefined;
  }

  /** Takes the next chunk. Waits for readers only if the body is uncached. */
  async push(
    chunk: Uint8Array<ArrayBuffer>,
    deadline: Deadline,
  ): Promise<void> {
    if (this.tee.cached) {
      const reason = this.#uncachedReason(chunk.length);
      if (reason === undefined) {
        // Hash first: readers share this chunk and could modify it.
        this.#digest.update(chunk);
        try {
          return await this.tee.push(chunk);
        } catch (error) {
          assertAttached(chunk);
          this.#parts.errors.report("write a download", error);
          await this.#uncache(DISK_FAILED);
        }
      } else {
        await this.#uncache(reason);
      }
    }
    if (this.tee.hasRoom(chunk.length)) return await this.tee.push(chunk);
    const { slots } = this.#parts;
    const { slot } = this.#task;
    slots.leave(slot);
    deadline.pause();
    try {
      await this.tee.push(chunk);
    } finally {
      deadline.resume();
      slots.resume(slot);
    }
  }

  /** Describes the body for other processes. */
  async describe(facts: StagedFacts | StagedPause): Promise<void> {
    const { staged } = this;
    if (staged === undefined) return;
    await describeBody(this.#parts, this.#task, staged, facts);
  }

  /** The digest as a member of a sidecar, after the last chunk; empty for a long body. */
  digest(): { sha256?: string } {
    const sha256 = this.#sha256;
    return sha256 === undefined ? this.#digest.member() : { sha256 };
  }

  /** Lets the readers go on with the file of the entry; takes over one hold of it. */
  share(file: SharedFile): void {
    this.tee.share(file, this.#parts.files.holdUnread(file));
    file.release(true);
    this.#place?.reservation.release();
  }

  /**
   * Gives back the room of a body whose video takes its place. The file stays: it is the
   * claim of the URL. On a mount that refuses `truncate` the room is given back later.
   */
  async empty(): Promise<void> {
    try {
      await this.staged?.file.truncate(0);
      this.#place?.reservation.release();
    } catch (error) {
      // The commit then evicts for the bytes of the GIF, too: a refusal costs no more.
      if (isRefusal(error)) return;
      this.#parts.errors.report("write a download", error);
    }
  }

  /** Ends the body with an error; followers are told the name of the error. */
  async fail(error: unknown, name: string): Promise<void> {
    await this.#place?.staged.discard();
    await this.#place?.staged.description?.end(`has ended: ${name}`);
    this.tee.fail(error);
  }

  /** Discards a body that was not committed; readers keep the open file. */
  async close(): Promise<void> {
    const { files } = this.#parts;
    if (this.#place === undefined) return;
    const { staged, reservation } = this.#place;
    try {
      if (this.tee.needsFile) {
        this.share(await files.adoptStaged(staged));
      } else {
        await staged.discard();
      }
    } finally {
      // Closed last: a description may have been in the making until here.
      staged.description?.close();
      // Released last: until its name is gone the file takes room on disk.
      reservation.release();
    }
    this.tee.letGo();
  }

  #uncachedReason(bytes: number): string | undefined {
    const { maxEntryBytes } = this.#parts.options;
    if (this.tee.received + bytes > maxEntryBytes) return TOO_LARGE;
    return this.#place?.reservation.write(bytes) ? undefined : CROWDED;
  }

  async #uncache(reason: string): Promise<void> {
    this.tee.uncache();
    this.#task.listener.onUncached(reason);
    if (this.#place === undefined) return;
    const { staged, reservation } = this.#place;
    // The bytes still to come need no room on disk.
    reservation.settle();
    // Only the name is removed: readers that lag behind still read the open file.
    await staged.discard();
    // Followers can't get the rest.
    await staged.description?.end(`goes on uncached: ${reason}`);
    staged.description?.close();
    staged.unlock();
  }
}
