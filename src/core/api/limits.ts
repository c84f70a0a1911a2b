import type { ResolvedOptions } from "./resolved_options.ts";

/** The caps that a cache was opened with, beside which its stats are read. */
export interface CacheLimits {
  /** Bytes of committed entries on disk. */
  readonly maxBytes: number;
  /** Bytes of one entry, and of running downloads together. */
  readonly maxEntryBytes: number;
  /** Bytes of bodies in RAM. */
  readonly maxMemoryBytes: number;
  /** Bodies in RAM. */
  readonly maxMemoryItems: number;
  /** Downloads that run at a time. */
  readonly maxConcurrentDownloads: number;
  /** Whether the directory is only looked at. */
  readonly readOnly: boolean;
}

/** The caps among the options. */
export function limitsOf(options: ResolvedOptions): CacheLimits {
  const { maxBytes, maxEntryBytes, maxMemoryBytes } = options;
  const { maxMemoryItems, maxConcurrentDownloads, readOnly } = options;
  return {
    maxBytes,
    maxEntryBytes,
    maxMemoryBytes,
    maxMemoryItems,
    maxConcurrentDownloads,
    readOnly,
  };
}
