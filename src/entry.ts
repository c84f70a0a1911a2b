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
