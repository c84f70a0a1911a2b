import type { RemoteTier } from "../api/remote_tier.ts";
import { Pacer } from "../async/pacer.ts";
import { digestOfFile } from "../bodies/digest.ts";
import { toStream } from "../bodies/byte_reader.ts";
import { StoredReader } from "../bodies/stored_body.ts";
import { storedAtOf } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { Found, PairStore } from "../disk/pair_store.ts";
import { listNames } from "./scan.ts";

/** The end of the upload of an entry. */
export type Pushed =
  /** The tier has the entry now. */
  | "pushed"
  /** The tier had an object of the key. */
  | "present"
  /** The entry is too large for the tier, or was removed meanwhile. */
  | "skipped";

/** How far the upload of an entry is. */
export interface PushProgress {
  /** The key. */
  readonly key: string;
  /** The file name of the entry. */
  readonly filename: string;
  /** Bytes that the tier has taken. */
  received: number;
  /** All bytes of the entry. */
  readonly total: number;
}

/** A call of {@linkcode Pushing.push}. */
export interface PushCall {
  /** Ends the upload. */
  readonly signal: AbortSignal;
  /** Called when an upload begins, with an object that then tells how far it is. */
  readonly onUpload?: ((progress: PushProgress) => void) | undefined;
}

/**
 * Uploads the entries of a directory that a remote tier lacks. Knows no catalog, and
 * changes nothing in the directory.
 */
export class Pushing {
  readonly #store: PairStore;
  readonly #tier: RemoteTier;
  readonly #maxBytes: number;

  /** @param maxBytes The largest body that is uploaded. */
  constructor(store: PairStore, tier: RemoteTier, maxBytes: number) {
    this.#store = store;
    this.#tier = tier;
    this.#maxBytes = maxBytes;
  }

  /** The keys of all sidecars. */
  async keys(): Promise<string[]> {
    const { jsons } = await listNames(this.#store, new Pacer());
    return [...jsons];
  }

  /**
   * Uploads an entry, unless the tier has an object of its key. A body without a digest is
   * hashed first.
   *
   * @throws The error of the tier or of the file system.
   */
  async push(
    key: string,
    { signal, onUpload }: PushCall,
  ): Promise<Pushed> {
    const found = await this.#store.find(key);
    if (found === undefined || !("file" in found)) return "skipped";
    // Open until the end: a replaced file keeps the bytes of its digest.
    using file = found.file;
    if (found.facts.size > this.#maxBytes) return "skipped";
    if (await this.#tier.has(key, signal)) return "present";
    await this.#upload(key, found, file, { signal, onUpload });
    return "pushed";
  }

  async #upload(
    key: string,
    { sidecar, facts: { size } }: Found,
    file: DiskFile,
    call: PushCall,
  ): Promise<void> {
    const { mimetype, filename, ts } = sidecar;
    const { sourceMimetype, sourceSize, conversion } = sidecar;
    const progress = { key, filename, received: 0, total: size };
    call.onUpload?.(progress);
    const sha256 = sidecar.sha256 ?? await digestOfFile(file, size);
    const readAt = async (view: Uint8Array, position: number) => {
      const count = await file.readAt(view, position);
      progress.received = position + count;
      return count;
    };
    const open = () =>
      toStream(
        () => new StoredReader(readAt, 0, size, undefined, () => {}),
        true,
      );
    const entry = {
      ...{ mimetype, filename, size, sha256, storedAt: storedAtOf(ts) },
      ...{ sourceMimetype, sourceSize, conversion },
    };
    const object = { entry, open, replaces: false };
    await this.#tier.put(key, object, call.signal);
  }
}
