/** An entry, as `entries()` reports it. */
export interface EntryInfo {
  /**
   * SHA-256 of the URL as 64 hexadecimal digits, which names the files on disk.
   */
  readonly key: string;
  /** The URL under which the body is stored. */
  readonly url: string;
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
  /** Bytes of the body. */
  readonly size: number;
  /** When the body was stored, in milliseconds since the epoch. */
  readonly storedAt: number;
  /** When the entry was last used, in milliseconds since the epoch. */
  readonly lastAccess: number;
  /** SHA-256 of the body as hexadecimal digits, where the sidecar has it. */
  readonly sha256?: string;
}
