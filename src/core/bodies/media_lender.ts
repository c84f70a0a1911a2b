import type { LentFile } from "../api/media.ts";
import { MediaCacheError } from "../api/errors.ts";
import { Pacer } from "../async/pacer.ts";
import type { Entry } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { areSameState, isYoung } from "../disk/file_identity.ts";
import type { LentFolder } from "../disk/lent_folder.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import { safeFilename } from "../text/filename.ts";
import { errorFacts, failureReason } from "../text/failure_reason.ts";
import { PIECE_BYTES } from "./byte_reader.ts";
import type { MediaBody, WholeBytes } from "./media_body.ts";
import { fileReader, MemoryBody } from "./stored_body.ts";

/** A body to be lent as a file. */
export interface LoanRequest {
  /** The body. */
  readonly body: MediaBody;
  /** The key of the entry that the body may belong to. */
  readonly key: string;
  /** The entry of a hit, which the bytes in RAM are of. */
  readonly entry: Entry | undefined;
  /** The file name of the Media. */
  readonly filename: string;
  /** Settles when the body is stored, or will not be. */
  readonly stored: Promise<unknown>;
  /** Whether the file must not share its bytes with the entry. */
  readonly copy: boolean;
  /** Ends the call: the Media was disposed, or the caller's signal aborted. */
  readonly signal: AbortSignal;
}

/** Lends the bodies of Media as files. */
export class MediaLender {
  readonly #store: PairStore;
  readonly #lent: LentFolder;
  readonly #errors: DiskErrors;

  constructor(store: PairStore, lent: LentFolder, errors: DiskErrors) {
    this.#store = store;
    this.#lent = lent;
    this.#errors = errors;
  }

  /**
   * Waits for all bytes, and lends them as a file: a link, or else a copy.
   *
   * @throws {MediaCacheError} If the body is not stored, or no file can be made.
   * @throws {CacheClosedError} If the cache is closed.
   * @throws The error of the download, or the signal's reason.
   */
  async lend(request: LoanRequest): Promise<LentFile> {
    const { body, stored, signal, filename, copy } = request;
    const whole = await body.whole(stored, signal);
    signal.throwIfAborted();
    const size = "bytes" in whole ? whole.bytes.length : whole.size;
    // Whatever a Media is called, a path must not lead elsewhere.
    const name = safeFilename(filename);
    const link = copy ? undefined : await this.#link(whole, name, request);
    const path = link ?? await this.#copy(whole, name, signal);
    if (signal.aborted) {
      await this.#lent.takeBack(path);
      throw signal.reason;
    }
    let takingBack: Promise<void> | undefined;
    return {
      path,
      size,
      // Once: the path may be that of a later file by then.
      [Symbol.asyncDispose]: () => takingBack ??= this.#lent.takeBack(path),
    };
  }

  /** Links the file of a body; undefined where there is none, or links are refused. */
  async #link(
    whole: WholeBytes,
    name: string,
    { key, entry }: LoanRequest,
  ): Promise<string | undefined> {
    if ("file" in whole) return await whole.file.lendAs(name, whole.size);
    try {
      using file = await this.#store.openBody(key);
      const isProven = entry !== undefined && await this.#isOf(file, entry);
      if (!isProven && !await hasBytes(file, whole.bytes)) return undefined;
      const path = this.#store.datPath(key);
      const loan = await this.#lent.lend(file, path, name);
      return typeof loan === "object" ? loan.link : undefined;
    } catch {
      // The entry is gone, or the disk fails: the copy tells.
      return undefined;
    }
  }

  /**
   * Whether an open .dat is certain to be that of an entry, by the trust rule of `Lookup`:
   * to read and compare 3 MB takes more than 10 ms (measured).
   */
  async #isOf(file: DiskFile, entry: Entry): Promise<boolean> {
    const mayBeOther = entry.isYoung || isYoung(entry, entry.seenAtMs);
    if (mayBeOther || !areSameState(file.opened, entry)) return false;
    // Asked after the .dat is open: a new sidecar comes only after its .dat.
    const stamp = await this.#store.sidecarStamp(entry.key);
    return stamp === entry.sidecarStamp;
  }

  async #copy(
    whole: WholeBytes,
    name: string,
    signal: AbortSignal,
  ): Promise<string> {
    try {
      return await this.#lent.create(name, (file) => fill(file, whole, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof MediaCacheError) throw error;
      this.#errors.report("lend a file", error);
      const reason = failureReason(errorFacts(error));
      throw new MediaCacheError(
        `Cannot lend media: its file could not be written: ${reason}`,
        { cause: error },
      );
    }
  }
}

/** Writes all bytes to a new file. */
async function fill(
  file: DiskFile,
  whole: WholeBytes,
  signal: AbortSignal,
): Promise<void> {
  // Without a counter: no reader is served.
  const reader = "bytes" in whole
    ? new MemoryBody(whole.bytes, undefined).reader(0, Infinity)
    : fileReader(whole.file, 0, whole.size, whole.size, undefined);
  const pacer = new Pacer();
  try {
    for (let position = 0;;) {
      signal.throwIfAborted();
      const chunk = await reader.read();
      if (chunk === undefined) return;
      await file.writeAt(chunk, position);
      position += chunk.length;
      if (pacer.due) await pacer.yield();
    }
  } finally {
    reader.close();
  }
}

/** Whether a file holds just these bytes. */
async function hasBytes(file: DiskFile, bytes: Uint8Array): Promise<boolean> {
  if (file.opened.size !== bytes.length) return false;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes.length));
  for (let position = 0; position < bytes.length;) {
    const count = await file.readAt(piece, position);
    if (count === 0) return false;
    for (let i = 0; i < count; i++) {
      if (piece[i] !== bytes[position + i]) return false;
    }
    position += count;
  }
  return true;
}
