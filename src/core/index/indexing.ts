/** When an index on disk is worth it. An object, so that tests need no thousands. */
export const INDEXING = {
  /** Entries that a directory must have: fewer are read in milliseconds. */
  entries: 2_000,
  /** After so many changes the index is written anew. */
  changes: 4_096,
};
