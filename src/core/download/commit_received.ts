import { yieldToEventLoop } from "../async/pacer.ts";
import { replaceExtension } from "../text/filename.ts";
import { digestOf, maxHashedBytes } from "../bodies/digest.ts";
import { fileBody } from "../bodies/stored_body.ts";
import { WholeBody } from "../bodies/whole_body.ts";
import type { GifPlan } from "../gif/gif_plan.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { SharedFile } from "../disk/open_files.ts";
import type { CommitRequest } from "../entries/entry_writer.ts";
import type { DownloadBody } from "./download_body.ts";
import type {
  DownloadParts,
  DownloadTask,
  Revalidated,
} from "./download_parts.ts";
import type { BodyReceiver, Received, WholeReceived } from "./receive_body.ts";
import { describeWhole, DISK_FAILED, type StagingPlace } from "./stage_body.ts";
import { withBeat } from "./with_beat.ts";

/** Stores a received body: as it came, or as the video of a GIF. */
export class ReceivedCommit {
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #receiver: BodyReceiver;
  readonly #isOutdated: () => Promise<boolean>;
  /** Whether the body takes the place of other bytes. */
  #replaces: boolean;

  /**
   * @param isOutdated Asked under the lock of the directory: whether the entry has
   * changed, or the claim was revoked, since the download began.
   */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    receiver: BodyReceiver,
    isOutdated: () => Promise<boolean>,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#receiver = receiver;
    this.#isOutdated = isOutdated;
    this.#replaces = task.revalidated !== undefined;
  }

  /** Stores a received body, unless it is the stored one; true when it is an entry now. */
  async run(received: Received): Promise<boolean> {
    const task = this.#task;
    const { revalidated } = task;
    const isSame = revalidated !== undefined &&
      await this.#isSame(received, revalidated);
    if (isSame) {
      if (await revalidated.isStored()) {
        if ("place" in received) await discard(received.place);
        return false;
      }
      // Evicted meanwhile: other callers may read this body by now.
      this.#replaces = false;
    }
    if ("bytes" in received) {
      task.phase = "storing";
      return await this.#storeWhole(received);
    }
    const { body, plan } = received;
    const { staged } = body;
    if (plan !== undefined && staged !== undefined) {
      task.phase = "converting";
      const store = () => this.#storeVideo(body, staged, plan);
      const stored = await withBeat(
        this.#parts,
        task,
        staged,
        "converting",
        store,
      );
      if (stored !== undefined) return stored;
    }
    task.phase = "storing";
    return await this.#storeBody(body);
  }

  /** Whether the origin has sent a body again that is stored. */
  async #isSame(
    received: Received,
    revalidated: Revalidated,
  ): Promise<boolean> {
    const { validators = {} } = this.#receiver.source ?? {};
    if ("bytes" in received) {
      const { bytes } = received;
      const sha256 = digestOf(bytes);
      return await revalidated.isSame(bytes.length, sha256, validators);
    }
    const { body } = received;
    const { sha256 } = body.digest();
    return sha256 !== undefined &&
      await revalidated.isSame(body.tee.received, sha256, validators);
  }

  /** Hands out a body that came whole from RAM, and then stores it. */
  async #storeWhole(
    { bytes, chunk, place: { staged, reservation } }: WholeReceived,
  ): Promise<boolean> {
    const { options, errors, counters, catalog, writer } = this.#parts;
    const { listener } = this.#task;
    const size = bytes.length;
    const stored = Promise.withResolvers<void>();
    // Readers see the end after the commit, unless that waits for the scan at start.
    const end = catalog.isCounted ? stored.promise : undefined;
    const body = () => new WholeBody(bytes, chunk, counters, end);
    this.#receiver.hand({}, size, body);
    listener.onProgress(size, size);
    let isStored = false;
    try {
      // A turn for the callers, before the disk and the digest take their time.
      await yieldToEventLoop();
      await staged.file.writeAt(bytes, 0);
      const isHashed = this.#task.revalidated !== undefined ||
        size <= maxHashedBytes("download", options);
      const digest = isHashed ? { sha256: digestOf(bytes) } : {};
      isStored = await this.#commit(
        { staged, size },
        digest,
        (request) => writer.commitWhole({ ...request, bytes }),
      ) === true;
    } catch (error) {
      errors.report("write a download", error);
      listener.onUncached(DISK_FAILED);
    } finally {
      if (!isStored) {
        await describeWhole(staged, { ...this.#members({}), size });
      }
      await staged.close();
      reservation.release();
      listener.onEnded();
      stored.resolve();
    }
    return isStored;
  }

  /** Stores a body with a tee, and hands it out if that is still to be done. */
  async #storeBody(body: DownloadBody): Promise<boolean> {
    if (!this.#receiver.isHandedOut) {
      this.#receiver.decide({ type: "gif" }, body);
    }
    const { tee, staged } = body;
    // Readers see the end after the commit, unless that waits for the scan at start.
    if (!this.#parts.catalog.isCounted) tee.complete();
    const size = tee.received;
    let isStored = false;
    if (staged !== undefined && size > 0) {
      const digest = body.digest();
      const file = await this.#commit(
        { staged, size },
        digest,
        (request) => this.#parts.writer.commitEntry(request),
      );
      isStored = file !== undefined;
      if (file !== undefined) body.share(file);
      else await describeWhole(staged, { ...this.#members(digest), size });
    }
    this.#task.listener.onEnded();
    tee.complete();
    return isStored;
  }

  /** Converts a GIF and stores the video; undefined when it stays a GIF. */
  async #storeVideo(
    body: DownloadBody,
    gif: StagedFile,
    plan: GifPlan,
  ): Promise<boolean | undefined> {
    const { files, gifs, counters, writer } = this.#parts;
    const { url, key, controller: { signal }, listener } = this.#task;
    if (gifs === undefined) return undefined;
    const { source, received } = this.#receiver;
    const filename = replaceExtension(source?.filename ?? "", ".mp4");
    const facts = { mimetype: "video/mp4", filename };
    const job = { url, key, gif, size: received, plan, filename };
    const video = await this.#withoutSlot(() => gifs.convert(job, signal));
    if (typeof video === "string") {
      signal.throwIfAborted();
      this.#receiver.decide({ type: "gif", reason: video }, body);
      return undefined;
    }
    const { staged, size, sha256, reservation } = video;
    const { sha256: sourceSha256 } = body.digest();
    // Before the commit, which would evict for the bytes of the GIF, too.
    await body.empty();
    const members = {
      ...facts,
      ...(sha256 !== undefined && { sha256 }),
      sourceMimetype: "image/gif",
      sourceSize: received,
      ...(sourceSha256 !== undefined && { sourceSha256 }),
    };
    const committed = await this.#commit(
      { staged, size },
      members,
      (request) => writer.commitEntry(request),
    );
    const file = committed ?? await files.adoptStaged(staged);
    reservation.release();
    this.#receiver.hand(
      facts,
      size,
      () => fileBody(files, file, size, counters),
    );
    listener.onEnded();
    file.release(true);
    body.tee.complete();
    return committed !== undefined;
  }

  /** Runs a task that needs no slot. */
  async #withoutSlot<T>(task: () => Promise<T>): Promise<T> {
    const { slots } = this.#parts;
    const { slot } = this.#task;
    slots.leave(slot);
    try {
      return await task();
    } finally {
      slots.resume(slot);
    }
  }

  /**
   * Commits a staged body by `commit`, and reports it.
   *
   * @returns The result of `commit`, true or the file; undefined if the body is not stored.
   */
  async #commit<T extends SharedFile | true>(
    body: Pick<CommitRequest, "staged" | "size">,
    facts: Partial<Members>,
    commit: (request: CommitRequest) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { hub, catalog } = this.#parts;
    const { url, key, started, listener } = this.#task;
    const { source, keepsObject } = this.#receiver;
    const remote = source?.remote;
    // The video that was made here of its GIF takes the place of the object. An object that
    // broke on its way may be broken in the tier: it is uploaded anew.
    const isObject = remote !== undefined &&
      facts.sourceMimetype === undefined &&
      remote.object?.isContinued !== true;
    const members = this.#members(facts);
    const request = {
      ...body,
      members,
      wanted: () => listener.mayStore,
      isOutdated: this.#isOutdated,
      revokes: this.#replaces,
      isRemote: keepsObject || isObject,
    };
    const { mimetype, filename } = members;
    const { staged, size } = body;
    const described = { mimetype, filename, size };
    const stored = catalog.isCounted
      ? await commit(request)
      // The commit waits for the scan at start, which may take long.
      : await withBeat(
        this.#parts,
        this.#task,
        staged,
        described,
        () => commit(request),
      );
    if (stored === undefined || !hub.listening) return stored;
    const durationMs = performance.now() - started;
    const event = { url, key, mimetype, filename, size, durationMs };
    const origin = remote === undefined ? "download" : "remote";
    hub.emit({ type: "stored", source: origin, ...event });
    return stored;
  }

  /** Makes the members of the sidecar; `facts` replace those of the source. */
  #members(facts: Partial<Members>): Members {
    const { source, conversion, resumed, retried } = this.#receiver;
    const { mimetype = "", filename = "" } = source ?? {};
    return {
      url: this.#task.url,
      mimetype,
      filename,
      ...(conversion !== undefined && { conversion }),
      ...(resumed > 0 && { resumed }),
      ...(retried > 0 && { retried }),
      ...source?.validators,
      ...source?.remote?.original,
      ...facts,
    };
  }
}

type Members = CommitRequest["members"];

async function discard({ staged, reservation }: StagingPlace): Promise<void> {
  await staged.close();
  reservation.release();
}
