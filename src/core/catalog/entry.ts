import type { EntryInfo } from "../api/entry_info.ts";
import { inBlocks } from "../disk/blocks.ts";
import type { FileFacts } from "../disk/disk_file.ts";
import { isYoung } from "../disk/file_identity.ts";
import { sidecarBytesOf, type StampedSidecar } from "../disk/sidecar.ts";

/** The last millisecond that a Date can hold (ECMA-262, time values). */
const MAX_TIME_MS = 8.64e15;

/** What the catalog knows of one committed entry. */
export interface Entry extends EntryInfo {
  /** Tells its .dat from another that takes the name. */
  readonly inode: number;
  /** Tells the sidecar that says all this from another text; see `stampOf()`. */
  readonly sidecarStamp: number;
  /** When it was last used, in milliseconds since the epoch. */
  lastAccess: number;
  /** The mtime of its .dat, as far as we know: a later one is another's touch. */
  mtimeMs: number;
  /** See {@linkcode isYoung}. */
  isYoung: boolean;
}

/** What a sidecar's `ts` says: any number may stand there, but no other is a point in time. */
export function storedAtOf(ts: number): number {
  return Math.min(Math.max(ts * 1000, 0), MAX_TIME_MS);
}

/** Makes the index record of a pair. */
export function entryOf(
  sidecar: StampedSidecar,
  key: string,
  facts: FileFacts,
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
    inode: facts.inode,
    sidecarStamp: sidecar.stamp,
    // A clock that was set back must not make an entry immortal.
    lastAccess: Math.min(mtimeMs, now),
    mtimeMs,
    isYoung: isYoung(facts, now),
  };
}

/** About what the two files of an entry take on disk, in bytes. */
export function occupiedBytesOf(entry: Entry): number {
  return inBlocks(entry.size) + inBlocks(sidecarBytesOf(entry));
}

/** Whether two entries are of the same files, as far as those tell. */
export function areSame(a: Entry, b: Entry): boolean {
  return a.inode === b.inode && a.size === b.size &&
    a.storedAt === b.storedAt && a.sidecarStamp === b.sidecarStamp &&
    a.mimetype === b.mimetype && a.filename === b.filename &&
    a.sha256 === b.sha256;
}

/** An entry as users see it. */
export function infoOf(entry: Entry): EntryInfo {
  const { key, url, mimetype, filename, size, storedAt, lastAccess } = entry;
  const info = { key, url, mimetype, filename, size, storedAt, lastAccess };
  return entry.sha256 === undefined ? info : { ...info, sha256: entry.sha256 };
}
