import type { RemoteTier } from "../api/remote_tier.ts";
import { Pacer } from "../async/pacer.ts";
import { digestOfFile } from "../bodies/digest.ts";
import { toStream } from "../bodies/byte_reader.ts";
import { StoredReader } from "../bodies/stored_body.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import { listNames } from "../entries/scan.ts";
import { remoteEntryOf } from "./upload_source.ts";

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
   * A bot may delete or replace the entry meanwhile, and tell the tier before the upload
   * has ended. So the entry is looked at again: the tier then gets the new bytes, or
   * drops the object.
   *
   * @throws The error of the tier or of the file system.
   */
  async push(key: string, call: PushCall): Promise<Pushed> {
    for (let isUploaded = false;; isUploaded = true) {
      const found = await this.#store.find(key);
      if (found === undefined || !("file" in found)) {
        if (isUploaded) await this.#tier.delete(key, call.signal);
        return "skipped";
      }
      // Open until the end: a replaced file keeps the bytes of its digest.
      using file = found.file;
      if (found.facts.size > this.#maxBytes) return "skipped";
      if (!isUploaded && await this.#tier.has(key, call.signal)) {
        return "present";
      }
      await this.#upload(key, found.sidecar, file, call);
      const stamp = await this.#store.sidecarStamp(key);
      if (stamp === found.sidecar.stamp) return "pushed";
    }
  }

  async #upload(
    key: string,
    sidecar: Sidecar,
    file: DiskFile,
    { signal, onUpload }: PushCall,
  ): Promise<void> {
    const { filename, size } = sidecar;
    const progress = { key, filename, received: 0, total: size };
    onUpload?.(progress);
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
    const entry = remoteEntryOf(sidecar, sha256);
    await this.#tier.put(key, { entry, open, replaces: false }, signal);
  }
}
