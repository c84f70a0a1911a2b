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
  /** When it was stored, in milliseconds since the epoch; 0 where unknown. */
  storedAt: number;
  /** When it was last used, in milliseconds since the epoch. */
  lastAccess: number;
  /** The URL, if URLs are to be shown. */
  url?: string;
}

/** How many digits of a key tables show; `--key` takes as many. */
const SHORT_KEY_LENGTH = 12;

/** The first digits of a key. */
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
