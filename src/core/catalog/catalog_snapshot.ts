import { byUse, type Entry, type Use } from "./entry.ts";
import type { PackedEntries } from "./packed_entries.ts";
import type { EntryPacker } from "./packed_entry.ts";

/**
 * The entries of a catalog and their order at one moment. Entries that come, go or are
 * used later do not change it. Takes 16 bytes an entry, or 1 byte of a packed entry,
 * which becomes an object when an iteration reaches it.
 */
export class CatalogSnapshot {
  /** How many entries there are. */
  readonly count: number;
  readonly #entries: readonly Entry[];
  readonly #lastAccess: Float64Array;
  readonly #mtimeMs: Float64Array;
  readonly #packed: PackedEntries | undefined;
  /** 1 for each packed record whose entry had left. */
  readonly #gone: Uint8Array;

  /**
   * Takes the snapshot.
   *
   * @param entries The entries that are objects, least recently used first.
   * @param packed The packed entries.
   */
  constructor(entries: readonly Entry[], packed: PackedEntries | undefined) {
    this.#entries = entries;
    this.#lastAccess = Float64Array.from(entries, (it) => it.lastAccess);
    this.#mtimeMs = Float64Array.from(entries, (it) => it.mtimeMs);
    this.#packed = packed;
    this.#gone = packed?.gone() ?? new Uint8Array();
    this.count = entries.length + (packed?.count ?? 0);
  }

  /** All entries, most recently used first. */
  *newestFirst(): Generator<Entry> {
    for (const place of this.#places(-1)) {
      const entry = place < 0
        ? this.#packed?.unpack(~place)
        : this.#entryAt(place);
      if (entry !== undefined) yield entry;
    }
  }

  /**
   * Packs all entries, least recently used first.
   *
   * @returns A generator that has added one more entry at each step.
   */
  *packInto(packer: EntryPacker): Generator<void> {
    for (const place of this.#places(1)) {
      if (place < 0) this.#packed?.copyTo(packer, ~place);
      else packer.add(this.#entryAt(place) as Entry);
      yield;
    }
  }

  /**
   * Merges both kinds by their last uses: oldest first by a step of 1, newest first by
   * -1. Yields the index of an object, or `~ordinal` of a packed record.
   */
  *#places(step: 1 | -1): Generator<number> {
    const { length } = this.#entries;
    let i = step === 1 ? 0 : length - 1;
    let ordinal = this.#left(step === 1 ? -1 : this.#gone.length, step);
    for (;;) {
      const entry = this.#useOf(i);
      const isPacked = this.#gone[ordinal] === 0;
      if (entry === undefined && !isPacked) return;
      const use = isPacked ? this.#packed?.useOf(ordinal) : undefined;
      const isEntryNext = entry !== undefined &&
        (use === undefined || (byUse(entry, use) < 0) === (step === 1));
      if (isEntryNext) {
        yield i;
        i += step;
      } else {
        yield ~ordinal;
        ordinal = this.#left(ordinal, step);
      }
    }
  }

  /** The ordinal of the next record whose entry was there. */
  #left(ordinal: number, step: 1 | -1): number {
    do ordinal += step; while (this.#gone[ordinal] === 1);
    return ordinal;
  }

  #useOf(i: number): Use | undefined {
    const storedAt = this.#entries[i]?.storedAt;
    if (storedAt === undefined) return undefined;
    const lastAccess = this.#lastAccess[i] ?? 0;
    const mtimeMs = this.#mtimeMs[i] ?? 0;
    return { lastAccess, mtimeMs, storedAt };
  }

  #entryAt(i: number): Entry | undefined {
    const entry = this.#entries[i];
    return entry && { ...entry, ...this.#useOf(i) };
  }
}
