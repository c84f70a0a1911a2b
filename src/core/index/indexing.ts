/** When an index on disk is written. An object, so that tests can set smaller numbers. */
export const INDEXING = {
  /** Entries that a directory must have: fewer are read in milliseconds. */
  entries: 2_000,
  /** After so many changes the index is written anew. */
  changes: 4_096,
};
