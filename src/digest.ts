import { createHash } from "node:crypto";
import { PIECE_BYTES } from "./byte_reader.ts";
import type { DiskFile } from "./file_system.ts";
import { Turns } from "./turns.ts";

/**
 * The largest bodies whose digest goes into their sidecar without being asked
 * for. `createHash` takes 38 µs for 64 KiB, 150 µs for 256 KiB and 4.7 ms for
 * 8 MiB (1.6 GiB/s; measured): much beside a whole put of 256 KiB, which takes
 * 185 µs, and little beside a download, unless that is long.
 */
const CHEAP_BYTES = { put: 65_536, download: 4_194_304 };

/** Where a body comes from. */
export type BodyOrigin = keyof typeof CHEAP_BYTES;

/** The largest body of that origin that is to be hashed. */
export function maxHashedBytes(
  origin: BodyOrigin,
  { verifyOnRead }: { verifyOnRead: boolean },
): number {
  return verifyOnRead ? Infinity : CHEAP_BYTES[origin];
}

/** The SHA-256 of a body that comes in chunks, given up when it is too long. */
export class BodyDigest {
  #hash: ReturnType<typeof createHash> | undefined;
  #left: number;

  /** Hashes at most `maxBytes`, and nothing when `size` is known to be more. */
  constructor(maxBytes: number, size = 0) {
    this.#left = maxBytes;
    this.#hash = size > maxBytes ? undefined : createHash("sha256");
  }

  /** Takes the next chunk. */
  update(chunk: Uint8Array): void {
    this.#left -= chunk.length;
    if (this.#left < 0) this.#hash = undefined;
    else this.#hash?.update(chunk);
  }

  /** The member of a sidecar, once all chunks were taken; none when given up. */
  member(): { sha256?: string } {
    return this.#hash === undefined ? {} : { sha256: this.#hash.digest("hex") };
  }
}

/** The SHA-256 of bytes in hand. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The SHA-256 of the first `size` bytes of a file, with turns for the event loop. */
export async function digestOfFile(
  file: Pick<DiskFile, "readAt">,
  size: number,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, size));
  const turns = new Turns();
  for (let position = 0; position < size;) {
    const view = buffer.subarray(0, Math.min(buffer.length, size - position));
    const count = await file.readAt(view, position);
    if (count === 0) break;
    hash.update(view.subarray(0, count));
    position += count;
    if (turns.due) await turns.next();
  }
  return hash.digest("hex");
}
