import type { ResolvedOptions } from "./options.ts";

/** A snapshot of what a cache holds and has done. Plain data. */
export interface CacheStats {
  /** Committed entries known to this cache. */
  entries: number;
  /** Entries whose bytes are in RAM. */
  entriesInMemory: number;
  /** Bytes of all committed entries. */
  totalBytes: number;
  /** The same in Mb of 1,048,576 bytes, to 2 places. */
  totalMb: number;
  /** The cap, in Mb, to 2 places. */
  maxMb: number;
  /** Lookups that a committed entry answered. */
  hits: number;
  /** Calls of `getOrDownload()` that none answered; joiners and failures count. */
  misses: number;
  /** hits ÷ (hits + misses) to 3 places; 0 before the first lookup. */
  hitRate: number;
  /** Bytes of the bodies in RAM. */
  memoryBytes: number;
  /** Bytes on disk of running downloads and conversions. */
  stagedBytes: number;
  /** Bytes on disk of leftovers that are still too young to be removed. */
  orphanBytes: number;
  /**
   * About what the whole directory takes on disk, in bytes: bodies, sidecars,
   * staged files, leftovers, index and list of changes, each rounded up to blocks
   * of 4096 bytes. An estimate without I/O: what the file system takes for the
   * names is not in it, and of a just opened index each sidecar counts as a block.
   */
  occupiedBytes: number;
  /**
   * Downloads that failed, each once, however many waited for it. Not counted are
   * those that `close()` ended, or that were aborted since all callers had left.
   */
  failures: number;
  /** Downloads that run now. */
  inFlight: number;
  /** Misses that joined a running download. */
  coalesced: number;
  /** Entries evicted to make room. */
  evictions: number;
  /** Bytes received from downloaders. */
  bytesDownloaded: number;
  /** Bytes handed to readers. */
  bytesServed: number;
  /** GIFs converted to MP4. */
  conversions: number;
  /** GIFs that could not be converted: over a limit, broken, or ffmpeg failed. */
  conversionFailures: number;
  /** Failures of the file system. */
  diskErrors: number;
  /**
   * Operations that the file system of the directory has refused, sorted, and that
   * the cache does without: "chmod" (the directory or a file has other rights than
   * 0700 and 0600), "flock" (only one process may use the directory), "fsync" (a
   * power cut may lose entries in spite of `durable`), "link" (a GIF that is
   * deleted during its conversion may stay one), "utime" (a restart forgets which
   * entries were used last). Empty when nothing was refused.
   */
  degraded: readonly string[];
}

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

/** The numbers that only ever grow. */
export class Counters {
  /** See {@linkcode CacheStats.hits}. */
  hits = 0;
  /** See {@linkcode CacheStats.misses}. */
  misses = 0;
  /** See {@linkcode CacheStats.failures}. */
  failures = 0;
  /** See {@linkcode CacheStats.coalesced}. */
  coalesced = 0;
  /** See {@linkcode CacheStats.evictions}. */
  evictions = 0;
  /** See {@linkcode CacheStats.bytesDownloaded}. */
  bytesDownloaded = 0;
  /** See {@linkcode CacheStats.bytesServed}. */
  bytesServed = 0;
  /** See {@linkcode CacheStats.conversions}. */
  conversions = 0;
  /** See {@linkcode CacheStats.conversionFailures}. */
  conversionFailures = 0;
  /** See {@linkcode CacheStats.diskErrors}. */
  diskErrors = 0;
}

/** The sizes that go up and down, and what the directory is like. */
export interface Gauges {
  /** See {@linkcode CacheStats.entries}. */
  entries: number;
  /** See {@linkcode CacheStats.entriesInMemory}. */
  entriesInMemory: number;
  /** See {@linkcode CacheStats.totalBytes}. */
  totalBytes: number;
  /** The cap of `totalBytes`. */
  maxBytes: number;
  /** See {@linkcode CacheStats.memoryBytes}. */
  memoryBytes: number;
  /** See {@linkcode CacheStats.stagedBytes}. */
  stagedBytes: number;
  /** See {@linkcode CacheStats.orphanBytes}. */
  orphanBytes: number;
  /** See {@linkcode CacheStats.occupiedBytes}. */
  occupiedBytes: number;
  /** See {@linkcode CacheStats.inFlight}. */
  inFlight: number;
  /** See {@linkcode CacheStats.degraded}. */
  degraded: readonly string[];
}

/** Puts counters and gauges into the shape that users see. */
export function snapshot(counters: Counters, gauges: Gauges): CacheStats {
  const { hits, misses } = counters;
  const { entries, entriesInMemory, totalBytes, maxBytes, ...rest } = gauges;
  const { memoryBytes, stagedBytes, orphanBytes, occupiedBytes, inFlight } =
    rest;
  const { degraded } = rest;
  return {
    entries,
    entriesInMemory,
    totalBytes,
    totalMb: round(totalBytes / 1_048_576, 2),
    maxMb: round(maxBytes / 1_048_576, 2),
    hits,
    misses,
    hitRate: hits + misses === 0 ? 0 : round(hits / (hits + misses), 3),
    memoryBytes,
    stagedBytes,
    orphanBytes,
    occupiedBytes,
    failures: counters.failures,
    inFlight,
    coalesced: counters.coalesced,
    evictions: counters.evictions,
    bytesDownloaded: counters.bytesDownloaded,
    bytesServed: counters.bytesServed,
    conversions: counters.conversions,
    conversionFailures: counters.conversionFailures,
    diskErrors: counters.diskErrors,
    degraded,
  };
}

function round(value: number, places: number): number {
  const scale = 10 ** places;
  return Math.round(value * scale) / scale;
}
