import type { Catalog } from "../catalog/catalog.ts";
import { DownloadTimeoutError } from "../api/errors.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { CommitTerms, EntryWriter } from "./entry_writer.ts";
import type { Lookup } from "./lookup.ts";
import type { PutData, PutOptions } from "../api/call_options.ts";
import {
  assertAttached,
  assertBodyData,
  describe,
  isStream,
  lengthOf,
} from "../bodies/body_data.ts";
import { chunkSource } from "../bodies/chunk_source.ts";
import { PIECE_BYTES } from "../bodies/byte_reader.ts";
import { BodyDigest, digestOf, maxHashedBytes } from "../bodies/digest.ts";
import { CROWDED, TOO_LARGE, URL_TOO_LONG } from "../disk/staging_budget.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { fitsSidecar } from "../disk/sidecar.ts";
import { safeFilename } from "../text/filename.ts";
import { keyOf } from "../text/key.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { Reservation, StagingBudget } from "../disk/staging_budget.ts";
import { Deadline } from "../async/deadline.ts";
import { Pacer } from "../async/pacer.ts";

/** The parts of the cache that a {@linkcode Putter} works on. */
export interface PutEnvironment {
  /** The cache's options. */
  readonly options: ResolvedOptions;
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Finds stored entries. */
  readonly lookup: Lookup;
  /** Commits bodies. */
  readonly writer: EntryWriter;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
  /** The budget of staged bytes. */
  readonly staging: StagingBudget;
  /** Emits events. */
  readonly hub: EventHub;
}

/** A body to be stored, and its facts for the sidecar. */
interface Body {
  readonly url: string;
  readonly data: PutData;
  /** Bytes of the data when the call was made, where known. */
  readonly size: number | undefined;
  readonly mimetype: string;
  readonly filename: string;
}

/**
 * Bodies up to this many bytes enter the memory tier at once, arrays as a copy. A larger
 * body enters at its first hit: with a copy, a put of 256 KiB takes twice as long
 * (measured).
 */
const MAX_COPIED_BYTES = 65_536;

/** Stores the bodies of `put()` calls, one after the other for each URL. */
export class Putter {
  readonly #env: PutEnvironment;
  /** The last put of each URL. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #controller = new AbortController();

  constructor(env: PutEnvironment) {
    this.#env = env;
  }

  /** Waits for the puts that run now. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Ends all running puts; their calls reject with `reason`. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Stores a body; true when the URL is on disk afterwards. */
  async put(
    url: string,
    data: PutData,
    mimetype: string,
    filename: string,
    { replace = false }: PutOptions,
  ): Promise<boolean> {
    assertString("mimetype", mimetype);
    assertString("filename", filename);
    assertBodyData("put", data);
    const body = {
      url,
      data: owned(data),
      size: lengthOf(data),
      mimetype: cleanMimetype(mimetype),
      filename: safeFilename(filename),
    };
    const before = this.#running.get(url);
    const result = before === undefined
      ? this.#put(body, replace)
      : before.catch(() => {}).then(() => this.#put(body, replace));
    this.#running.set(url, result);
    try {
      return await result;
    } finally {
      if (this.#running.get(url) === result) this.#running.delete(url);
    }
  }

  async #put(body: Body, replace: boolean): Promise<boolean> {
    this.#controller.signal.throwIfAborted();
    const { lookup, catalog, store } = this.#env;
    if (replace) return await this.#store(body, { revokes: true });
    const { url } = body;
    const before = catalog.peek(url);
    // Most bodies that are put are new, and the commit looks more closely.
    const key = keyOf(url);
    const isNew = before === undefined && store.ready &&
      !catalog.keyChanges.isChanging(key) && !await store.hasSidecar(key);
    if (!isNew && await lookup.use(url)) {
      cancel(body.data);
      return true;
    }
    // Not wanted if a download stores this URL meanwhile. An entry that the catalog still
    // knows from before does not count: `use()` has found that its files are gone.
    const wanted = () => {
      const now = catalog.peek(url);
      return now === undefined || now === before;
    };
    return await this.#store(body, { wanted }) || await lookup.use(url);
  }

  async #store(body: Body, terms: CommitTerms): Promise<boolean> {
    const { staging, store, errors, hub } = this.#env;
    const { data, size } = body;
    // Detached while the call waited for another put of the URL.
    if (data instanceof Uint8Array && size !== 0) assertAttached(data);
    const uncachedReason = this.#uncachedReason(body, size);
    const mayStore = this.#mayStore(size);
    const reservation = uncachedReason === undefined && mayStore
      ? staging.reserve(size ?? 0)
      : undefined;
    if (reservation === undefined) {
      if (uncachedReason !== undefined || mayStore) {
        const { url } = body;
        const reason = uncachedReason ?? CROWDED;
        const key = keyOf(url);
        hub.emit({ type: "uncached", url, key, reason });
      }
      cancel(body.data);
      return false;
    }
    let staged: StagedFile | undefined;
    let isStored = false;
    try {
      if (this.#isOnePiece(body.data)) {
        reservation.write(body.data.length);
        return await this.#storeBytes(body, body.data, terms);
      }
      try {
        staged = await store.stage(keyOf(body.url));
      } catch (error) {
        errors.report("stage a put", error);
        cancel(body.data);
        return false;
      }
      isStored = await this.#storeStream(body, staged, reservation, terms);
      return isStored;
    } finally {
      if (!isStored) await staged?.close();
      // Released last: until the file is closed its bytes take room on disk.
      reservation.release();
    }
  }

  /** Whether data are bytes that one write takes, on a disk that takes them at once. */
  #isOnePiece(data: PutData): data is Uint8Array {
    return data instanceof Uint8Array && data.length <= PIECE_BYTES &&
      data.buffer instanceof ArrayBuffer && !this.#env.store.isSlow;
  }

  /** Stores bytes of one piece. */
  async #storeBytes(
    { url, mimetype, filename }: Body,
    bytes: Uint8Array,
    terms: CommitTerms,
  ): Promise<boolean> {
    const { writer, options } = this.#env;
    const start = performance.now();
    const size = bytes.length;
    const sha256 = size <= maxHashedBytes("put", options)
      ? { sha256: digestOf(bytes) }
      : {};
    const members = { url, mimetype, filename, ...sha256 };
    const isOwned = size <= MAX_COPIED_BYTES;
    const request = { members, bytes, isOwned, ...terms };
    const isStored = await writer.commitBytes(request);
    if (!isStored) assertAttached(bytes);
    else if (this.#env.hub.listening) this.#tell(members, size, start);
    return isStored;
  }

  #tell(
    { url, mimetype, filename }: Omit<Body, "data" | "size">,
    size: number,
    start: number,
  ): void {
    const { hub } = this.#env;
    const key = keyOf(url);
    const durationMs = performance.now() - start;
    const body = { url, key, mimetype, filename, size, durationMs };
    hub.emit({ type: "stored", source: "put", ...body });
  }

  async #storeStream(
    { url, data, mimetype, filename }: Body,
    staged: StagedFile,
    reservation: Reservation,
    terms: CommitTerms,
  ): Promise<boolean> {
    const { writer, options } = this.#env;
    const start = performance.now();
    const digest = new BodyDigest(
      maxHashedBytes("put", options),
      lengthOf(data),
    );
    if (data instanceof Uint8Array) assertAttached(data);
    const size = await this.#write(data, staged, reservation, digest);
    if (size === undefined || size === 0) return false;
    const file = await writer.commitEntry({
      staged,
      size,
      members: { url, mimetype, filename, ...digest.member() },
      ...terms,
      entersMemory: size <= MAX_COPIED_BYTES,
    });
    if (file === undefined) return false;
    file.release(true);
    if (this.#env.hub.listening) {
      this.#tell({ url, mimetype, filename }, size, start);
    }
    return true;
  }

  #mayStore(size: number | undefined): boolean {
    const { maxEntryBytes, readOnly } = this.#env.options;
    if (readOnly || maxEntryBytes === 0) return false;
    return size === undefined || size > 0 && size <= maxEntryBytes;
  }

  /** Why a body can never be stored. */
  #uncachedReason(body: Body, size: number | undefined): string | undefined {
    const { maxEntryBytes } = this.#env.options;
    if (size !== undefined && size > maxEntryBytes) return TOO_LARGE;
    return fitsSidecar(body) ? undefined : URL_TOO_LONG;
  }

  /** Writes all bytes; undefined when they don't fit or the disk fails. */
  async #write(
    data: PutData,
    staged: StagedFile,
    reservation: Reservation,
    digest: BodyDigest,
  ): Promise<number | undefined> {
    const { options, errors } = this.#env;
    const { signal } = this.#controller;
    const chunks = chunkSource(data, false);
    let stopped: { reason: unknown } | undefined;
    const stop = (reason: unknown) => {
      stopped ??= { reason };
      chunks.cancel(reason);
    };
    const onAbort = () => stop(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const deadline = new Deadline(
      idleMsOf(data, options),
      Infinity,
      (kind, limitMs) => stop(new DownloadTimeoutError(limitMs, kind)),
    );
    const pacer = new Pacer();
    let received = 0;
    try {
      for (;;) {
        deadline.resume();
        const chunk = await chunks.next();
        if (stopped !== undefined) throw stopped.reason;
        if (chunk === undefined) return received;
        // Paused: the time of a slow disk is not the source's.
        deadline.pause();
        assertAttached(chunk);
        const fits = received + chunk.length <= options.maxEntryBytes &&
          reservation.write(chunk.length);
        if (!fits) {
          chunks.cancel(new RangeError("Cannot put: body is too large"));
          return undefined;
        }
        try {
          await staged.file.writeAt(chunk, received);
        } catch (error) {
          assertAttached(chunk);
          errors.report("write a put", error);
          chunks.cancel(error);
          return undefined;
        }
        assertAttached(chunk);
        digest.update(chunk);
        received += chunk.length;
        if (pacer.due) await pacer.yield();
      }
    } catch (error) {
      // Cancel here, too: a stream of wrong chunks would go on.
      chunks.cancel(error);
      throw error;
    } finally {
      deadline.stop();
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** The longest time without a chunk, in milliseconds; endless for bytes in hand. */
function idleMsOf(
  data: PutData,
  { idleTimeoutMs }: ResolvedOptions,
): number {
  return isStream(data) ? idleTimeoutMs : Infinity;
}

/**
 * Copies few bytes, so that the caller can't change them meanwhile: the memory tier needs
 * a copy anyway. Larger data is written as it is.
 */
function owned(data: PutData): PutData {
  const isCopied = data instanceof Uint8Array &&
    data.length <= MAX_COPIED_BYTES;
  return isCopied ? new Uint8Array(data) : data;
}

function assertString(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new TypeError(
    `Cannot put: ${name} must be a string: received ${describe(value)}`,
  );
}

/** Cancels a stream, without awaiting its end, which may never come. */
function cancel(data: PutData): void {
  if (isStream(data)) data.cancel().catch(() => {});
}
