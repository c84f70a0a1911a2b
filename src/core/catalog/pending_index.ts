import { BLOCK_BYTES, inBlocks } from "../disk/blocks.ts";
import { Pacer } from "../async/pacer.ts";

/** What an index tells of one entry before its record is read. */
export interface Outlines {
  /** Sizes of the bodies. */
  readonly sizes: Float64Array;
  /** The first 64 bits of each key, as two numbers. */
  readonly fingerprints: Uint32Array;
}

/** The first 64 bits of a key. */
export function fingerprintOf(key: string): [number, number] {
  return [
    parseInt(key.slice(0, 8), 16) >>> 0,
    parseInt(key.slice(8, 16), 16) >>> 0,
  ];
}

/** Whether an entry can have that size. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

/**
 * Fingerprints that are parts of digests don't crowd like that: of four million
 * the longest search took 50 tries (measured, with half of the slots free).
 */
const MAX_TRIES = 1024;

/** Stands in `sizes` for an entry that is no longer pending. */
const TAKEN = -1;

/**
 * Entries that are counted but not in the catalog yet. Each leaves it once: when
 * its record is read, or before that when somebody has found, replaced or deleted
 * it. They are told apart by 64 bits of SHA-256; should two be equal, both still
 * leave once each.
 */
export class PendingIndex {
  readonly #sizes: Float64Array;
  readonly #fingerprints: Uint32Array;
  /** Open addressing; 1 more than the ordinal, 0 where free. */
  readonly #slots: Uint32Array;
  #count = 0;
  #bytes = 0;
  #occupiedBytes = 0;

  private constructor({ sizes, fingerprints }: Outlines) {
    this.#sizes = sizes;
    this.#fingerprints = fingerprints;
    const bits = Math.ceil(Math.log2(sizes.length + 1)) + 1;
    this.#slots = new Uint32Array(2 ** bits);
  }

  /**
   * Takes the outlines over, and gives the event loop its turns; undefined when
   * they can't be those of entries.
   */
  static async of(outlines: Outlines): Promise<PendingIndex | undefined> {
    const index = new PendingIndex(outlines);
    const pacer = new Pacer();
    const { length } = outlines.sizes;
    for (let ordinal = 0; ordinal < length; ordinal++) {
      if (!index.#add(ordinal)) return undefined;
      // Reading the clock each time would take longer than the rest.
      if (ordinal % 4096 === 4095 && pacer.due) await pacer.yield();
    }
    return index;
  }

  /** How many are left. */
  get count(): number {
    return this.#count;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * About what their files take on disk, in bytes. Nearly all sidecars fit into a
   * block, and how long theirs are is not known yet.
   */
  get occupiedBytes(): number {
    return this.#occupiedBytes;
  }

  /** Takes out the one of that place; false when it was out. */
  take(ordinal: number): boolean {
    const size = this.#sizes[ordinal] ?? TAKEN;
    if (size === TAKEN) return false;
    this.#sizes[ordinal] = TAKEN;
    this.#count--;
    this.#bytes -= size;
    this.#occupiedBytes -= inBlocks(size) + BLOCK_BYTES;
    return true;
  }

  /** Takes out the one of that key; false when there is none. */
  drop(key: string): boolean {
    const [high, low] = fingerprintOf(key);
    const mask = this.#slots.length - 1;
    for (let slot = high & mask;; slot = slot + 1 & mask) {
      const next = this.#slots[slot] ?? 0;
      if (next === 0) return false;
      const at = 2 * (next - 1);
      const isIt = this.#fingerprints[at] === high &&
        this.#fingerprints[at + 1] === low;
      if (isIt && this.take(next - 1)) return true;
    }
  }

  #add(ordinal: number): boolean {
    const size = this.#sizes[ordinal];
    // Also not all of them: sums would not be exact.
    if (!isSize(size) || !isSize(this.#bytes + size)) return false;
    const mask = this.#slots.length - 1;
    let slot = (this.#fingerprints[2 * ordinal] ?? 0) & mask;
    for (let tries = 0; this.#slots[slot] !== 0; tries++) {
      if (tries === MAX_TRIES) return false;
      slot = slot + 1 & mask;
    }
    this.#slots[slot] = ordinal + 1;
    this.#count++;
    this.#bytes += size;
    this.#occupiedBytes += inBlocks(size) + BLOCK_BYTES;
    return true;
  }
}
