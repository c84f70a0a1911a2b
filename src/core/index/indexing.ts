/** When an index on disk is written. An object, so that tests can set smaller numbers. */
export const INDEXING = {
  /**
   * Entries that a directory must have. 1,000 entries are open after 18 ms with an index and
   * after 105 ms without, 500 after 75 ms without (measured).
   */
  entries: 512,
  /** After so many changes the index is written anew. */
  changes: 4_096,
};

/** Bytes that an entry takes in the index, more than usual: 140 and its texts. */
const ENTRY_BYTES = 512;

/**
 * The bytes on disk to keep free for the index of so many entries. Rises from half of
 * the entries at which an index is written, so that no single store evicts many for it.
 */
export function roomForIndex(entries: number): number {
  const from = INDEXING.entries / 2;
  const counted = Math.min(entries, 2 * Math.max(0, entries - from));
  return Math.ceil(counted * ENTRY_BYTES);
}
