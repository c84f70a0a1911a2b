import { inBlocks } from "./blocks.ts";

/** Reason: the sidecar of the body would be too long to be read. */
export const URL_TOO_LONG = "its URL is too long for a sidecar";
/** Reason: the body is above maxEntryMb. */
export const TOO_LARGE = "it is larger than maxEntryMb";
/** Reason: other staged bodies take the room at the moment. */
export const CROWDED = "running downloads take all that maxEntryMb allows";

/**
 * Limits the bytes that running downloads, puts and conversions take on disk together.
 * Bytes are reserved before they are written, so that two downloads of known length
 * never find out half-way that only one of them fits.
 */
export class StagingBudget {
  readonly #maxBytes: number;
  #reserved = 0;
  #written = 0;
  #occupied = 0;

  /** `maxBytes`, which is `maxEntryMb`, is the limit for all reservations together. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the staged bodies. */
  get bytes(): number {
    return this.#written;
  }

  /** Bytes that the staged bodies take on disk, in whole blocks. */
  get occupiedBytes(): number {
    return this.#occupied;
  }

  /** Bytes that could still be reserved. */
  get free(): number {
    return this.#maxBytes - this.#reserved;
  }

  /** Reserves bytes; undefined when they don't fit. */
  reserve(bytes: number): Reservation | undefined {
    if (bytes > this.free) return undefined;
    this.#reserved += bytes;
    let reserved = bytes;
    let written = 0;
    let occupied = 0;
    return {
      write: (bytes) => {
        const more = written + bytes - reserved;
        if (more > this.free) return false;
        if (more > 0) {
          reserved += more;
          this.#reserved += more;
        }
        written += bytes;
        this.#written += bytes;
        this.#occupied -= occupied;
        occupied = inBlocks(written);
        this.#occupied += occupied;
        return true;
      },
      settle: () => {
        this.#reserved -= reserved - written;
        reserved = written;
      },
      release: () => {
        this.#reserved -= reserved;
        this.#written -= written;
        this.#occupied -= occupied;
        reserved = written = occupied = 0;
      },
    };
  }
}

/** A share of the staging budget. */
export interface Reservation {
  /** Counts bytes before they are written; false when they don't fit. */
  write(bytes: number): boolean;
  /** Gives back the unwritten rest: the body is complete. */
  settle(): void;
  /** Gives back the whole share. Idempotent. */
  release(): void;
}
