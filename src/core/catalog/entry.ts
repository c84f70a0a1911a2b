import type { EntryInfo } from "../api/entry_info.ts";
import { inBlocks } from "../disk/blocks.ts";
import { type FileState, isYoung } from "../disk/file_identity.ts";
import { sidecarBytesOf, type StampedSidecar } from "../disk/sidecar.ts";

/** The last millisecond that a Date can hold (ECMA-262, time values). */
const MAX_TIME_MS = 8.64e15;

/** The known state of the two files of an entry. */
export interface EntryState extends FileState {
  /** The `stampOf()` of the sidecar. */
  readonly sidecarStamp: number;
}

/** The catalog's record of a committed entry. */
export interface Entry extends EntryInfo, EntryState {
  /** The last use, in milliseconds since the epoch. */
  lastAccess: number;
  /** The known mtime of the .dat (ms since the epoch); a later one is another process's use. */
  mtimeMs: number;
  /** Whether a successor of the sidecar may have the same stamp, see `isYoung()`. */
  isYoung: boolean;
  /** The last look at the sidecar that found it unchanged, in milliseconds since the epoch; 0 at first. */
  seenAtMs: number;
}

/** When an entry was last used, and the times that tell equal uses apart. */
export type Use = Pick<Entry, "lastAccess" | "mtimeMs" | "storedAt">;

/** Compares two entries by their last uses; the earlier use comes first. */
export function byUse(a: Use, b: Use): number {
  // Future uses all count as now; their mtimes still tell their order.
  return a.lastAccess - b.lastAccess || a.mtimeMs - b.mtimeMs ||
    a.storedAt - b.storedAt;
}

/** The time of a sidecar's `ts` in milliseconds since the epoch, cut to what a Date can hold. */
export function storedAtOf(ts: number): number {
  return Math.min(Math.max(ts * 1000, 0), MAX_TIME_MS);
}

/** Makes the record of a pair. */
export function entryOf(
  sidecar: StampedSidecar,
  key: string,
  facts: FileState,
  now: number = Date.now(),
): Entry {
  const { url, mimetype, filename, ts, sha256 } = sidecar;
  const mtimeMs = facts.mtimeMs;
  return {
    key,
    url,
    mimetype,
    filename,
    size: facts.size,
    storedAt: storedAtOf(ts),
    ...(sha256 !== undefined && { sha256 }),
    identity: facts.identity,
    sidecarStamp: sidecar.stamp,
    // A time of the future, by a wrong clock, must not make an entry immortal.
    lastAccess: Math.min(mtimeMs, now),
    mtimeMs,
    isYoung: isYoung(
      { identity: facts.identity, mtimeMs: sidecar.writtenMs },
      now,
    ),
    seenAtMs: 0,
  };
}

/** The facts of an entry that tell how much room it takes. */
export type EntryFacts = Pick<Entry, "size" | "url" | "mimetype" | "filename">;

/** Estimates the bytes that the two files of an entry take on disk. */
export function occupiedBytesOf(
  { size, url, mimetype, filename }: EntryFacts,
): number {
  const textLength = url.length + mimetype.length + filename.length;
  return inBlocks(size) + inBlocks(sidecarBytesOf(textLength));
}

/** Whether two records are of the same files, as far as the files tell. */
export function areSame(a: Entry, b: Entry): boolean {
  return a.identity === b.identity && a.size === b.size &&
    a.storedAt === b.storedAt && a.sidecarStamp === b.sidecarStamp &&
    a.mimetype === b.mimetype && a.filename === b.filename &&
    a.sha256 === b.sha256;
}

/** The facts of an entry for users. */
export function infoOf(entry: Entry): EntryInfo {
  const { key, url, mimetype, filename, size, storedAt, lastAccess } = entry;
  const info = { key, url, mimetype, filename, size, storedAt, lastAccess };
  return entry.sha256 === undefined ? info : { ...info, sha256: entry.sha256 };
}
