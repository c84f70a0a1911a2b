import type { EntryInfo } from "../../core/api/entry_info.ts";

/** An entry as `--json` shows it. */
export interface EntryRecord {
  /** SHA-256 of the URL. */
  key: string;
  /** Media type. */
  mimetype: string;
  /** File name. */
  filename: string;
  /** Bytes of the body. */
  size: number;
  /**
   * When the body was stored, in milliseconds since the epoch; 0 where unknown.
   */
  storedAt: number;
  /** When the entry was last used, in milliseconds since the epoch. */
  lastAccess: number;
  /** The URL; left out unless URLs are to be shown. */
  url?: string;
}

/** Digits of a key in tables; `--key` accepts as many. */
const SHORT_KEY_LENGTH = 12;

/** Returns the first digits of a key. */
export function shortKey(key: string): string {
  return key.slice(0, SHORT_KEY_LENGTH);
}

/** Makes the record of an entry. */
export function recordOf(entry: EntryInfo, withUrl: boolean): EntryRecord {
  const { url, key, mimetype, filename, size, storedAt, lastAccess } = entry;
  return {
    key,
    mimetype,
    filename,
    size,
    storedAt,
    lastAccess,
    ...(withUrl && { url }),
  };
}
