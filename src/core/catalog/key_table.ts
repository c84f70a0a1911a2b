/**
 * The most slots that a search looks at. Digests do not crowd so: of four million keys
 * the longest search took 50 tries (measured, with half of the slots free).
 */
const MAX_TRIES = 1024;

/**
 * The bits of a slot that hold an ordinal + 1; 0 is a free slot. There are twice as many
 * ordinals as the largest index has, unused ones included.
 */
const ORDINAL_MASK = 0xff_ff_ff;

/** The number of slots for so many keys: a power of 2, and at least twice as many. */
export function slotsFor(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count + 1)) + 1);
}

/**
 * Finds the ordinals of keys, which are SHA-256 digests, by open addressing: the first
 * word of a key gives the slot of the first try. A slot has the ordinal, and 8 bits of the
 * second word as a tag, so that of 256 wrong keys 255 need no further look.
 */
export class KeyTable {
  /** The slots, as they stand in an index. */
  readonly slots: Uint32Array<ArrayBuffer>;

  /** Takes over slots, whose number is a power of 2; any content is bearable. */
  constructor(slots: Uint32Array<ArrayBuffer>) {
    this.slots = slots;
  }

  /** Adds a key by its first two words; false if too many slots are taken. */
  add(first: number, second: number, ordinal: number): boolean {
    const mask = this.slots.length - 1;
    let slot = first & mask;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.slots[slot] === 0) {
        this.slots[slot] = second & ~ORDINAL_MASK | ordinal + 1;
        return true;
      }
      slot = slot + 1 & mask;
    }
    return false;
  }

  /**
   * Finds the ordinal of a key; undefined when the key is not in the table.
   *
   * @param words The words of the key.
   * @param isAt Whether the key is that of an ordinal, which any number may be.
   */
  find(
    words: Uint32Array,
    isAt: (ordinal: number, words: Uint32Array) => boolean,
  ): number | undefined {
    const mask = this.slots.length - 1;
    const second = words[1] ?? 0;
    let slot = (words[0] ?? 0) & mask;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const value = this.slots[slot] ?? 0;
      if (value === 0) return undefined;
      const ordinal = (value & ORDINAL_MASK) - 1;
      const isTagged = ((value ^ second) & ~ORDINAL_MASK) === 0;
      if (isTagged && isAt(ordinal, words)) return ordinal;
      slot = slot + 1 & mask;
    }
    return undefined;
  }
}
