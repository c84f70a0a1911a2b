import type { Entry, EntryState, Use } from "./entry.ts";
import type { KeyTable } from "./key_table.ts";
import { type BlockSums, PackedBlock } from "./packed_block.ts";
import { BLOCK_ENTRIES, type EntryPacker } from "./packed_entry.ts";

/** The parts of packed entries. */
export interface PackedParts {
  /** The sums of the blocks, of which the first has the least recently used entries. */
  readonly blocks: readonly BlockSums[];
  /** Finds the ordinals of the keys. */
  readonly table: KeyTable;
  /** Reads a block, once; undefined when that fails. */
  load(number: number): PackedBlock | undefined;
}

/**
 * The entries of an index on disk, least recently used first. At first a table of their
 * keys and the sums of the blocks are in memory, 9 to 18 bytes an entry. A block is read
 * when one of its entries is needed, and stays; the entries of a block that can't be read
 * leave. An entry becomes an object when it is asked for, and leaves when it is used,
 * replaced or deleted; its record keeps its ordinal and its bytes, for snapshots.
 *
 * The ordinal of a record is its place in its block, plus {@linkcode BLOCK_ENTRIES} for
 * each block before. A block with fewer records leaves ordinals unused.
 */
export class PackedEntries {
  /**
   * When the index was read, in milliseconds since the epoch. Future uses, by a wrong
   * clock, all count as this time.
   */
  readonly readAt: number;
  readonly #load: PackedParts["load"];
  readonly #table: KeyTable;
  /** The blocks in memory; the sums of a block on disk; undefined for a lost block. */
  readonly #blocks: (PackedBlock | BlockSums | undefined)[];
  /** 1 for each ordinal without an entry: unused, or left. */
  readonly #gone: Uint8Array;
  readonly #unpacked = new Map<number, Entry>();
  /** No entry before this ordinal is left. */
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  #occupiedBytes = 0;

  /** Reads no block. */
  constructor(
    { blocks, table, load }: PackedParts,
    readAt: number = Date.now(),
  ) {
    this.readAt = readAt;
    this.#load = load;
    this.#table = table;
    this.#blocks = [...blocks];
    this.#gone = new Uint8Array(blocks.length * BLOCK_ENTRIES).fill(1);
    for (const [number, { count, bytes, occupiedBytes }] of blocks.entries()) {
      const first = number * BLOCK_ENTRIES;
      this.#gone.fill(0, first, first + count);
      this.#count += count;
      this.#bytes += bytes;
      this.#occupiedBytes += occupiedBytes;
    }
  }

  /** The number of entries that are left. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of their bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Estimated bytes on disk of their files. */
  get occupiedBytes(): number {
    return this.#occupiedBytes;
  }

  /** The entry of a key, the same object each time; undefined when there is none. */
  peek(key: string): Entry | undefined {
    const ordinal = this.#find(key);
    return ordinal === undefined ? undefined : this.#entry(ordinal);
  }

  /** The file states of the entry of a key, as of when the index was written. */
  stateOf(key: string): EntryState | undefined {
    const ordinal = this.#find(key);
    if (ordinal === undefined) return undefined;
    const block = this.#block(ordinal);
    if (block?.isSound(placeOf(ordinal))) {
      return block.stateOf(placeOf(ordinal));
    }
    this.#drop(ordinal);
    return undefined;
  }

  /** Removes the entry of a key; false when there is none. */
  drop(key: string): boolean {
    const ordinal = this.#find(key);
    if (ordinal !== undefined) this.#drop(ordinal);
    return ordinal !== undefined;
  }

  /** The keys, least recently used first; entries may leave during the iteration. */
  *keys(): Generator<string> {
    for (const ordinal of this.#left()) {
      const place = placeOf(ordinal);
      const block = this.#block(ordinal);
      if (block === undefined) continue;
      const found = this.#table.find(block.keyWords(place), this.#isAt);
      if (found === ordinal) yield block.keyOf(place);
      // The table of a stranger's index may lack the key, or lead to another record.
      else this.#drop(ordinal);
    }
  }

  /** The entries, least recently used first. */
  *oldestFirst(): Generator<Entry> {
    for (const ordinal of this.#left()) {
      const entry = this.#entry(ordinal);
      if (entry !== undefined) yield entry;
    }
  }

  /** The latest mtime of a body up to `now`; 0 without entries. */
  latestMtime(now: number): number {
    let latest = 0;
    for (const ordinal of this.#left()) {
      const mtimeMs = this.#block(ordinal)?.mtimeOf(placeOf(ordinal)) ?? 0;
      if (mtimeMs > latest && mtimeMs <= now) latest = mtimeMs;
    }
    return latest;
  }

  /** The entries whose bodies have a later mtime, least recently used first. */
  datedAfter(timeMs: number): Entry[] {
    const entries: Entry[] = [];
    for (const ordinal of this.#left()) {
      const mtimeMs = this.#block(ordinal)?.mtimeOf(placeOf(ordinal)) ?? 0;
      const entry = mtimeMs > timeMs ? this.#entry(ordinal) : undefined;
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** A copy of the marks of the ordinals: 1 for each without an entry. */
  gone(): Uint8Array {
    return this.#gone.slice();
  }

  /**
   * The last use that a record states, also after its entry has left. Undefined for a
   * record that can't be read.
   */
  useOf(ordinal: number): Use | undefined {
    return this.#block(ordinal)?.useOf(placeOf(ordinal), this.readAt);
  }

  /**
   * Makes a new object of a record, also after its entry has left. Undefined for a
   * record that can't be read, or whose text is not that of an entry.
   */
  unpack(ordinal: number): Entry | undefined {
    return this.#block(ordinal)?.unpack(placeOf(ordinal), this.readAt);
  }

  /** Adds a record to a packer, also after its entry has left, unless it can't be read. */
  copyTo(packer: EntryPacker, ordinal: number): void {
    this.#block(ordinal)?.copyTo(packer, placeOf(ordinal));
  }

  /** The ordinals of the entries that are left; entries may leave during the iteration. */
  *#left(): Generator<number> {
    for (let i = this.#oldest; i < this.#gone.length; i++) {
      if (this.#gone[i] === 0) yield i;
    }
  }

  #entry(ordinal: number): Entry | undefined {
    const known = this.#unpacked.get(ordinal);
    if (known !== undefined) return known;
    const entry = this.unpack(ordinal);
    // As in `keys()`: an entry that no key leads to could not be removed.
    const isFound = entry !== undefined && this.#find(entry.key) === ordinal;
    if (isFound) this.#unpacked.set(ordinal, entry);
    else this.#drop(ordinal);
    return isFound ? entry : undefined;
  }

  /** The ordinal of the entry of a key that is left. */
  #find(key: string): number | undefined {
    const words = new Uint32Array(Uint8Array.fromHex(key).buffer);
    return this.#table.find(words, this.#isAt);
  }

  /** Whether the entry of a key is left, and has this ordinal. */
  readonly #isAt = (ordinal: number, words: Uint32Array): boolean =>
    this.#gone[ordinal] === 0 &&
    this.#block(ordinal)?.hasKey(placeOf(ordinal), words) === true;

  #drop(ordinal: number): void {
    const block = this.#block(ordinal);
    if (block === undefined) return;
    this.#gone[ordinal] = 1;
    this.#unpacked.delete(ordinal);
    this.#count--;
    this.#bytes -= block.sizeOf(placeOf(ordinal));
    this.#occupiedBytes -= block.occupiedBytesOf(placeOf(ordinal));
    while (this.#gone[this.#oldest] === 1) this.#oldest++;
  }

  /** The block of a record, read from disk at the first need; undefined if that fails. */
  #block(ordinal: number): PackedBlock | undefined {
    const number = Math.floor(ordinal / BLOCK_ENTRIES);
    const known = this.#blocks[number];
    if (known === undefined || known instanceof PackedBlock) return known;
    const block = this.#load(number);
    const isSame = block !== undefined && areSame(block.sums(), known);
    if (!isSame) return this.#lose(number, known);
    return this.#blocks[number] = block;
  }

  /** Drops all entries of a block that can't be read; none of them has left before. */
  #lose(number: number, { count, bytes, occupiedBytes }: BlockSums): undefined {
    const first = number * BLOCK_ENTRIES;
    this.#blocks[number] = undefined;
    this.#gone.fill(1, first, first + BLOCK_ENTRIES);
    this.#count -= count;
    this.#bytes -= bytes;
    this.#occupiedBytes -= occupiedBytes;
  }
}

/** The place of a record in its block. */
function placeOf(ordinal: number): number {
  return ordinal % BLOCK_ENTRIES;
}

function areSame(a: BlockSums | undefined, b: BlockSums): boolean {
  return a !== undefined && a.count === b.count && a.bytes === b.bytes &&
    a.occupiedBytes === b.occupiedBytes;
}
