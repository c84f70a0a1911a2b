import type { Deadline } from "../async/deadline.ts";
import { type ChunkSource, chunkSource } from "../bodies/chunk_source.ts";
import { CheckedObject } from "../remote/checked_object.ts";
import type { Remote } from "../remote/remote.ts";
import { uncodedBody } from "./coded_body.ts";
import type { DownloadParts, DownloadTask } from "./download_parts.ts";
import type { BodyReceiver, Received } from "./receive_body.ts";
import { remoteSource, type Source } from "./source.ts";

/** Runs the downloader: its answer, and the bytes of that. */
export type AskOrigin = () => Promise<
  { readonly answer: Source; readonly chunks: ChunkSource }
>;

/** The download of an object of the remote tier. */
export class ObjectDownload {
  readonly #parts: DownloadParts;
  readonly #task: DownloadTask;
  readonly #receiver: BodyReceiver;
  readonly #remote: Remote;

  constructor(
    parts: DownloadParts,
    task: DownloadTask,
    receiver: BodyReceiver,
    remote: Remote,
  ) {
    this.#parts = parts;
    this.#task = task;
    this.#receiver = receiver;
    this.#remote = remote;
  }

  /** Finds the object of the URL, if need be after the download of another host. */
  async find(): Promise<Source | undefined> {
    const { slots } = this.#parts;
    const { key, slot, listener, controller: { signal } } = this.#task;
    const remote = this.#remote;
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

  /**
   * Receives the body of an object; undefined if it breaks before a caller has bytes of it.
   *
   * @param askOrigin Brings the rest of an object that breaks later.
   */
  async receive(
    source: Source,
    deadline: Deadline,
    askOrigin: AskOrigin,
  ): Promise<Received | undefined> {
    const receiver = this.#receiver;
    const object = source.remote?.object;
    if (object !== undefined) {
      object.reopen = async () =>
        receiver.isHandedOut
          ? await this.#reopen(deadline, askOrigin)
          : undefined;
    }
    try {
      const chunks = object ?? chunkSource(source.body, true, source.size);
      return await receiver.receive(source, chunks, deadline);
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
  async #reopen(
    deadline: Deadline,
    askOrigin: AskOrigin,
  ): Promise<ChunkSource> {
    const { counters } = this.#parts;
    const onAlive = () => deadline.alive();
    // The silence of the object is none of the origin.
    onAlive();
    const { answer, chunks: coded } = await askOrigin();
    const { chunks } = await uncodedBody(coded, answer, onAlive)
      .catch((error) => {
        coded.cancel(error);
        throw error;
      });
    return {
      next: async () => {
        const chunk = await chunks.next();
        onAlive();
        counters.bytesDownloaded += chunk?.length ?? 0;
        return chunk;
      },
      cancel: (reason) => chunks.cancel(reason),
    };
  }
}
