import { inBlocks } from "../disk/blocks.ts";
import { hasBirth } from "../disk/file_identity.ts";
import { sidecarBytesOf } from "../disk/sidecar.ts";

/** What the index knows of one committed entry. */
export interface Entry {
  /** SHA-256 of the URL. */
  readonly key: string;
  /** The URL. */
  readonly url: string;
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
  /** Bytes of the body. */
  readonly size: number;
  /** When it was stored, in milliseconds since the epoch. */
  readonly storedAt: number;
  /** SHA-256 of the body, where the sidecar has it. */
  readonly sha256?: string;
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

/**
 * How long a file that is replaced may look like the one before, in milliseconds:
 * Linux advances the time of a file once in a tick, which is 10 ms at the longest;
 * a file system that keeps no time of birth may keep the others in whole seconds.
 */
const ALIKE_MS = { born: 11, unborn: 2_000 };

/**
 * Whether a file was looked at so soon after it was written that one that takes
 * its name later may have all that tells them apart: its inode, which is free
 * again at once, its length and its times. What was learned of it must be learned
 * anew before it is relied on.
 */
export function isYoung(
  { inode, mtimeMs }: Pick<Entry, "inode" | "mtimeMs">,
  now: number,
): boolean {
  return now - mtimeMs < (hasBirth(inode) ? ALIKE_MS.born : ALIKE_MS.unborn);
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

/** What `entries()` tells of an entry. */
export interface EntryInfo {
  /** SHA-256 of the URL as 64 hexadecimal digits; it names the files on disk. */
  readonly key: string;
  /** The URL under which it is stored. */
  readonly url: string;
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
  /** Bytes of the body. */
  readonly size: number;
  /** When it was stored, in milliseconds since the epoch. */
  readonly storedAt: number;
  /** When it was last used, in milliseconds since the epoch. */
  readonly lastAccess: number;
  /** SHA-256 of the body as hexadecimal digits, where the sidecar has it. */
  readonly sha256?: string;
}

/** An entry as users see it. */
export function infoOf(entry: Entry): EntryInfo {
  const { key, url, mimetype, filename, size, storedAt, lastAccess } = entry;
  const info = { key, url, mimetype, filename, size, storedAt, lastAccess };
  return entry.sha256 === undefined ? info : { ...info, sha256: entry.sha256 };
}
