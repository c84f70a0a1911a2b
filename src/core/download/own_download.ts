import type { DownloadInfo } from "../api/download.ts";
import { DownloadTimeoutError } from "../api/errors.ts";
import { Deadline } from "../async/deadline.ts";
import type { Claim } from "../sharing/download_claims.ts";
import { type ChunkSource, chunkSource } from "../bodies/chunk_source.ts";
import type { Tee } from "../bodies/tee.ts";
import { CheckedObject } from "../remote/checked_object.ts";
import type { Remote } from "../remote/remote.ts";
import type { CallerLink } from "./caller_links.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import { BodyReceiver, type Received } from "./receive_body.ts";
import { remoteSource, runDownloader, type Source } from "./source.ts";
import { uncodedBody } from "./coded_body.ts";
import { ReceivedCommit } from "./commit_received.ts";

/** The download of a URL by its downloader, or of its object of the remote tier: ask, receive, store. */
export class OwnDownload {
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #claim: Claim;
  readonly #before: number | undefined;
  readonly #receiver: BodyReceiver;
  /** The calls of downloaders so far. */
  #attempts = 0;

  /**
   * @param claim The claim of this process; with the role "lead" it has a staged file.
   * @param before The identity of the .dat when the URL was claimed, if there was one.
   */
  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    claim: Claim,
    before: number | undefined,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#claim = claim;
    this.#before = before;
    const claimed = claim.role === "lead" ? claim.staged : undefined;
    this.#receiver = new BodyReceiver(parts, task, claimed);
  }

  /** The facts and the progress of the download. */
  get info(): DownloadInfo {
    const { source, received, isHandedOut } = this.#receiver;
    const { key, url, startedAt, phase } = this.#task;
    return {
      key,
      url,
      mimetype: isHandedOut ? source?.mimetype : undefined,
      filename: source?.filename,
      received,
      total: source?.size,
      startedAt,
      phase,
    };
  }

  /** The type of what the origin sends, once it is certain. */
  get type(): string | undefined {
    const { type, source, isHandedOut } = this.#receiver;
    return type ?? (isHandedOut ? source?.mimetype : undefined);
  }

  /** The tee, once there is one; a body that came whole has none. */
  get body(): Tee | undefined {
    return this.#receiver.body?.tee;
  }

  /** Whether the body goes to its readers alone. */
  get isUncached(): boolean {
    return this.#receiver.isUncached;
  }

  /** Whether other processes follow the download. */
  get isFollowed(): boolean {
    return this.#claim.role === "lead" &&
      this.#claim.staged.description?.isFollowed === true;
  }

  /**
   * Asks the remote tier, if there is one, and else runs the downloader of a link, or of
   * the next one if the origin refuses it. Stores the body; true when it is on disk.
   */
  async run(link: CallerLink): Promise<boolean> {
    const { slots, remote } = this.#parts;
    const { key, controller: { signal } } = this.#task;
    let isStored = false;
    try {
      const received = await slots.run(
        this.#task.slot,
        () => this.#receive(link),
      );
      const commit = new ReceivedCommit(
        this.#parts,
        this.#task,
        this.#receiver,
        this.#isOutdated,
      );
      return isStored = await commit.run(received);
    } finally {
      if (remote !== undefined) remote.ended(key, signal, isStored);
    }
  }

  /** Gives up the claim: other downloads of the URL may begin, and this one goes on. */
  giveUp(): void {
    const claim = this.#claim;
    const { key, controller } = this.#task;
    if (claim.role === "lead") this.#parts.claims.giveUp(key, claim);
    // Other hosts would wait for an object that does not come.
    this.#parts.remote?.giveBack(key, controller.signal);
  }

  /** Ends the body with an error. */
  fail(error: unknown): Promise<void> {
    return this.#receiver.fail(error);
  }

  /** Discards a body that was not stored, and ends the claim. */
  async close(): Promise<void> {
    await this.#receiver.close();
    const claim = this.#claim;
    if (claim.role === "lead") this.#parts.claims.end(this.#task.key, claim);
  }

  /** Receives the body of an object, or runs the downloader and receives its body, within the time limits. */
  async #receive(link: CallerLink): Promise<Received> {
    const { idleTimeoutMs, timeoutMs } = this.#parts.options;
    const { slots, remote } = this.#parts;
    const { controller, slot, key, revalidated } = this.#task;
    if (revalidated !== undefined) remote?.begin(key, controller.signal);
    // An object of the remote tier is no newer than the entry.
    const found = revalidated === undefined && remote !== undefined
      ? await this.#find(remote)
      : undefined;
    const deadline = new Deadline(
      idleTimeoutMs,
      timeoutMs,
      (kind, limitMs) =>
        controller.abort(new DownloadTimeoutError(limitMs, kind)),
      () => slots.isHeldBack(slot),
    );
    try {
      if (found !== undefined) {
        const received = await this.#receiveObject(found, link, deadline);
        if (received !== undefined) return received;
      }
      const answer = await this.#ask(link, deadline);
      deadline.alive();
      return await this.#receiver.receive(answer, deadline);
    } finally {
      deadline.stop();
    }
  }

  /** Finds the object of the URL, if need be after the download of another host. */
  async #find(remote: Remote): Promise<Source | undefined> {
    const { slots } = this.#parts;
    const { key, slot, listener, controller: { signal } } = this.#task;
    let found = await remote.find(key, signal);
    if (found === "none" && listener.mayStore && remote.usesLeases) {
      slots.leave(slot);
      found = await remote.turn(key, signal);
      try {
        if (!slots.tryTake(slot)) await slots.wait(slot, signal);
      } catch (error) {
        const body = typeof found === "object" ? found.body : undefined;
        if (body instanceof CheckedObject) body.cancel(error);
        throw error;
      }
    }
    if (found === "none") remote.counters.misses++;
    // The object that other hosts can use must stay.
    this.#receiver.keepsObject = found === "unusable";
    if (typeof found === "string") return undefined;
    this.#task.phase = "downloading";
    return this.#receiver.source = remoteSource(found);
  }

  /** Receives the body of an object; undefined if it breaks before a caller has bytes of it. */
  async #receiveObject(
    source: Source,
    link: CallerLink,
    deadline: Deadline,
  ): Promise<Received | undefined> {
    const receiver = this.#receiver;
    const object = source.remote?.object;
    if (object !== undefined) {
      object.reopen = async () =>
        receiver.isHandedOut ? await this.#reopen(link, deadline) : undefined;
    }
    try {
      return await receiver.receive(source, deadline);
    } catch (error) {
      const isBroken = object?.fault !== undefined && !receiver.isHandedOut;
      this.#task.controller.signal.throwIfAborted();
      if (!isBroken) throw error;
      await receiver.restart();
      deadline.alive();
      return undefined;
    }
  }

  /** Runs the downloader for the rest of an object that has broken. */
  async #reopen(link: CallerLink, deadline: Deadline): Promise<ChunkSource> {
    const { counters } = this.#parts;
    // The silence of the object is none of the origin.
    deadline.alive();
    const answer = await this.#ask(link, deadline);
    const coded = chunkSource(answer.body, true, answer.size);
    const onAlive = () => deadline.alive();
    const { chunks } = await uncodedBody(coded, answer, onAlive)
      .catch((error) => {
        coded.cancel(error);
        throw error;
      });
    return {
      next: async () => {
        const chunk = await chunks.next();
        deadline.alive();
        counters.bytesDownloaded += chunk?.length ?? 0;
        return chunk;
      },
      cancel: (reason) => chunks.cancel(reason),
    };
  }

  async #ask(first: CallerLink, deadline: Deadline): Promise<Source> {
    const { url, key, started, slot, controller: { signal } } = this.#task;
    this.#task.phase = "downloading";
    let source: Source | undefined;
    slot.isAsking = true;
    try {
      let link = first;
      const countRefresh = () => void this.#parts.counters.refreshed++;
      while (source === undefined) {
        try {
          const context = {
            url: link.url,
            signal,
            headers: new Headers(this.#task.revalidated?.conditions),
            attempt: this.#attempts++,
            countRefresh,
          };
          source = await runDownloader(link.downloader, context);
        } catch (error) {
          // Callers that have just left still have their links in the list.
          signal.throwIfAborted();
          link = this.#task.listener.onRefused(link, error);
          deadline.alive();
        }
      }
      // The rest of an object that was handed out keeps its type and name.
      if (!this.#receiver.isHandedOut) this.#receiver.source = source;
      return source;
    } finally {
      slot.isAsking = false;
      const { hub } = this.#parts;
      if (hub.listening && this.#task.revalidated === undefined) {
        hub.emit({
          type: "miss",
          url,
          key,
          mimetype: source?.mimetype,
          filename: source?.filename,
          size: source?.size,
          durationMs: performance.now() - started,
        });
      }
    }
  }

  /**
   * Whether the body must not be stored any more: the entry has changed since the claim,
   * or the claim was revoked by a deletion.
   */
  readonly #isOutdated = async (): Promise<boolean> => {
    const { claims, store } = this.#parts;
    const { key } = this.#task;
    const now = await store.bodyIdentity(key);
    // Where there is no .dat any more, the commit replaces nothing.
    if (now !== undefined && now !== this.#before) return true;
    return this.#claim.role === "lead" &&
      !await claims.isCurrent(key, this.#claim.identity);
  };
}
