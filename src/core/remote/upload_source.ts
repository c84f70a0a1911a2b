import type { RemoteEntry } from "../api/remote_tier.ts";
import { type ByteReader, toStream } from "../bodies/byte_reader.ts";
import type { MediaBody } from "../bodies/media_body.ts";
import { storedAtOf } from "../catalog/entry.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { Peek } from "../entries/peek.ts";
import { HOST_REASONS } from "../gif/gif_conversion.ts";

/** An entry that is about to be uploaded, held until `close()`. */
export class UploadBody {
  /** The facts for the tier. */
  readonly entry: RemoteEntry;
  readonly #body: MediaBody;
  #isSent = false;

  constructor(entry: RemoteEntry, body: MediaBody) {
    this.entry = entry;
    this.#body = body;
  }

  /** Whether the tier has read all bytes: it may store them, even if it is stopped. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** Opens the bytes; again for each attempt. */
  open(): ReadableStream<Uint8Array> {
    this.#isSent = false;
    return toStream(() => this.#reader(), false);
  }

  /** Lets the bytes go; streams that have begun can be read to their end. */
  close(): void {
    this.#body.release();
  }

  #reader(): ByteReader {
    const { size } = this.entry;
    const reader = this.#body.reader(0, size);
    let sent = 0;
    return {
      read: async () => {
        const chunk = await reader.read();
        sent += chunk?.length ?? 0;
        if (sent >= size) this.#isSent = true;
        return chunk;
      },
      close: () => reader.close(),
    };
  }
}

/** Opens the entries that are to be uploaded. */
export class UploadSource {
  readonly #peek: Peek;
  readonly #store: PairStore;

  constructor({ peek, store }: { peek: Peek; store: PairStore }) {
    this.#peek = peek;
    this.#store = store;
  }

  /**
   * Opens the entry of a key, whatever process has stored it. Changes no recency.
   *
   * @returns The entry; undefined when it is gone, or has no digest.
   */
  async open(key: string): Promise<UploadBody | undefined> {
    const hit = await this.#peek.hit(key);
    if (hit === undefined) return undefined;
    const entry = await this.#facts(key);
    const isSame = entry !== undefined && entry.sha256 === hit.entry.sha256 &&
      entry.size === hit.entry.size;
    if (isSame) return new UploadBody(entry, hit.body);
    hit.body.release();
    return undefined;
  }

  async #facts(key: string): Promise<RemoteEntry | undefined> {
    try {
      const sidecar = await this.#store.readSidecar(key);
      if (sidecar === undefined || "reason" in sidecar) return undefined;
      const { sha256 } = sidecar;
      return sha256 === undefined ? undefined : remoteEntryOf(sidecar, sha256);
    } catch {
      // A disk that fails has nothing to upload.
      return undefined;
    }
  }
}

/** The facts of an entry for the tier. */
export function remoteEntryOf(sidecar: Sidecar, sha256: string): RemoteEntry {
  const { mimetype, filename, size, ts } = sidecar;
  const { sourceMimetype, sourceSize, sourceSha256, conversion } = sidecar;
  const { etag, lastModified } = sidecar;
  return {
    ...{ mimetype, filename, size, sha256 },
    storedAt: Math.round(storedAtOf(ts)),
    ...(sourceMimetype !== undefined && { sourceMimetype }),
    ...(sourceSize !== undefined && { sourceSize }),
    ...(sourceSha256 !== undefined && { sourceSha256 }),
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { lastModified }),
    // Other hosts convert what this host alone could not.
    ...(conversion !== undefined && !HOST_REASONS.has(conversion) &&
      { conversion }),
  };
}
