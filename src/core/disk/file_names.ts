/*
 * Every name that the cache gives to a file, all flat in `cacheDir`:
 *
 *   KEY.dat               the body of an entry; its mtime is the last access
 *   KEY.json              the sidecar of an entry
 *   KEY.download.part     a body that is downloaded, locked by the process that writes it
 *   KEY.description.part  what other processes may know of that body, then its sidecar
 *   KEY.UNIQUE.part       any other file that is written, or waits to be removed
 *   .media-cache.changes  the lock of the directory, and the keys that were changed last
 *   .media-cache.index    what all sidecars say, to open faster
 *   .media-cache.index.new  the next index, while it is written
 *
 * KEY is the SHA-256 of the URL in hexadecimal. Names other than these are foreign
 * and never touched. Deleting a file that ends in neither .dat nor .json loses no
 * entry.
 */

/** The lock of the directory, and the list of what was changed in it. */
export const CHANGES_NAME = ".media-cache.changes";

/** The index. */
export const INDEX_NAME = ".media-cache.index";

/**
 * The index while it is written. The name is always the same, so that a process that
 * is killed leaves one such file at the most, which the next writer takes over.
 */
export const NEW_INDEX_NAME = ".media-cache.index.new";

/** How the names of files end that are written, or wait to be removed. */
export const PART = ".part";

/** What a file's name says about it. */
export type NameKind = "dat" | "json" | "staged" | "foreign";

const OURS_REGEXP = /^([0-9a-f]{64})\.(?:(dat)|(json)|[0-9a-z]+\.part)$/;

/** Sorts a file by its name: ours, and then which, or foreign. */
export function classify(name: string): { kind: NameKind; key: string } {
  const match = OURS_REGEXP.exec(name);
  if (match === null) return { kind: "foreign", key: "" };
  const kind = match[2] ? "dat" : match[3] ? "json" : "staged";
  return { kind, key: match[1] ?? "" };
}

/** The name of an entry's body. */
export function datName(key: string): string {
  return `${key}.dat`;
}

/** The name of an entry's sidecar. */
export function jsonName(key: string): string {
  return `${key}.json`;
}

/** The names of an entry's two files, the sidecar first. */
export function pairOf(key: string): readonly string[] {
  return [jsonName(key), datName(key)];
}

/** The name of a body that is downloaded for all processes. */
export function downloadName(key: string): string {
  return `${key}.download${PART}`;
}

/** The name of what lies beside such a body. */
export function descriptionName(key: string): string {
  return `${key}.description${PART}`;
}

/** The name of a file of `key` that no other process makes; `unique` tells it from others. */
export function spareName(key: string, unique: string): string {
  return `${key}.${unique}${PART}`;
}
