import { chunkSource } from "./chunk_source.ts";
import type { StagedFile } from "./disk_store.ts";
import type { EventHub } from "./event_hub.ts";
import { safeFilename } from "./filename.ts";
import { keyOf } from "./key.ts";
import { cleanMimetype } from "./mimetype.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Reservation, Staging } from "./staging.ts";
import { TaskQueue } from "./task_queue.ts";
import type { Tiers } from "./tiers.ts";
import { Turns } from "./turns.ts";

/** Options of `put()`. */
export interface PutOptions {
  /**
   * Whether the new bytes take the place of those that are stored.
   *
   * @default {false}
   */
  replace?: boolean;
}

/** What can be put. */
export type PutData = Uint8Array | Blob | ReadableStream<Uint8Array>;

/** What putting needs of the cache. */
export interface PutEnvironment {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** Where bodies are committed. */
  readonly tiers: Tiers;
  /** The budget of staged bytes. */
  readonly staging: Staging;
  /** Where events go. */
  readonly hub: EventHub;
}

/** Stores what callers have in hand, one after the other for each URL. */
export class Putter {
  readonly #env: PutEnvironment;
  readonly #queues = new Map<string, { queue: TaskQueue; users: number }>();

  /** Stores nothing yet. */
  constructor(env: PutEnvironment) {
    this.#env = env;
  }

  /** Stores a body; true when the URL is on disk afterwards. */
  async put(
    url: string,
    data: PutData,
    mimetype: string,
    filename: string,
    { replace = false }: PutOptions,
  ): Promise<boolean> {
    const entry = this.#queues.get(url) ?? { queue: new TaskQueue(), users: 0 };
    this.#queues.set(url, entry);
    entry.users++;
    try {
      return await entry.queue.run(async () => {
        if (!replace && await this.#env.tiers.use(url)) {
          await cancel(data);
          return true;
        }
        return await this.#store(url, data, mimetype, filename);
      });
    } finally {
      if (--entry.users === 0) this.#queues.delete(url);
    }
  }

  async #store(
    url: string,
    data: PutData,
    mimetype: string,
    filename: string,
  ): Promise<boolean> {
    const { options, staging, tiers, hub } = this.#env;
    const start = performance.now();
    const size = sizeOf(data);
    const reservation = this.#mayStore(size)
      ? staging.reserve(size ?? 0)
      : undefined;
    if (reservation === undefined) {
      await cancel(data);
      return false;
    }
    const key = keyOf(url);
    let staged: StagedFile | undefined;
    try {
      staged = await tiers.store.stage(key);
    } catch (error) {
      tiers.diskError("stage a put", error);
      reservation.release();
      await cancel(data);
      return false;
    }
    let isStored = false;
    try {
      const received = await this.#write(data, staged, reservation);
      if (received === undefined || received === 0) return false;
      const body = {
        url,
        mimetype: cleanMimetype(mimetype),
        filename: safeFilename(filename),
      };
      const file = await tiers.commit(staged, received, body);
      if (file === undefined) return false;
      isStored = true;
      file.release(true);
      hub.emit({
        type: "stored",
        time: Date.now(),
        key,
        ...body,
        size: received,
        source: "put",
        durationMs: performance.now() - start,
      });
      return true;
    } finally {
      reservation.release();
      if (!isStored) {
        staged.file.close();
        await tiers.store.discard(staged.path);
      }
    }
  }

  #mayStore(size: number | undefined): boolean {
    const { maxEntryBytes, readOnly } = this.#env.options;
    if (readOnly || maxEntryBytes === 0) return false;
    return size === undefined || size > 0 && size <= maxEntryBytes;
  }

  /** Writes all bytes; undefined when they don't fit or the disk fails. */
  async #write(
    data: PutData,
    staged: StagedFile,
    reservation: Reservation,
  ): Promise<number | undefined> {
    const { options, tiers } = this.#env;
    const chunks = chunkSource(data);
    const turns = new Turns();
    let received = 0;
    for (;;) {
      const chunk = await chunks.next();
      if (chunk === undefined) return received;
      const fits = received + chunk.length <= options.maxEntryBytes &&
        reservation.write(chunk.length);
      if (!fits) {
        await chunks.cancel(new RangeError("Cannot store: body is too large"));
        return undefined;
      }
      try {
        await staged.file.writeAt(chunk, received);
      } catch (error) {
        tiers.diskError("write a put", error);
        await chunks.cancel(error);
        return undefined;
      }
      received += chunk.length;
      if (turns.due) await turns.next();
    }
  }
}

function sizeOf(data: PutData): number | undefined {
  if (data instanceof Uint8Array) return data.length;
  return data instanceof Blob ? data.size : undefined;
}

async function cancel(data: PutData): Promise<void> {
  if (data instanceof ReadableStream) await data.cancel().catch(() => {});
}
