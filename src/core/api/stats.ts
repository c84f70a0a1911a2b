import type { ResolvedOptions } from "./options.ts";
import type { RemoteStats } from "./remote_tier.ts";

/** A snapshot of the contents of a cache and of its work, as plain data. */
export interface CacheStats {
  /** Committed entries known to this cache. */
  entries: number;
  /** Entries whose bytes are in RAM. */
  entriesInMemory: number;
  /** Bytes of all committed entries. */
  totalBytes: number;
  /** Bytes of all committed entries in Mb of 1,048,576 bytes, to 2 places. */
  totalMb: number;
  /** Cap of `totalMb`, in Mb, to 2 places. */
  maxMb: number;
  /** Lookups that a committed entry answered. */
  hits: number;
  /**
   * Calls of `getOrDownload()` that no entry answered; joiners and failures
   * count.
   */
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
   * Estimate of the room that the whole directory takes on disk, in bytes, made
   * without I/O: bodies, sidecars, notes, staged files, leftovers, index and list of
   * changes, each rounded up to blocks of 4096 bytes. The room for the names of
   * the files is not in it.
   */
  occupiedBytes: number;
  /**
   * Whether the cache was opened by an index whose entries it still compares
   * with the directory, in the background. Until the end of that the numbers
   * are of the index and of the list of changes; files that other programs
   * have added or removed count afterwards.
   */
  comparing: boolean;
  /**
   * Downloads that failed, each counted once for all its callers. Downloads
   * that were aborted do not count: by `close()`, because all callers had left, or
   * because none accepts its type.
   */
  failures: number;
  /** Downloads that run now. */
  inFlight: number;
  /** Misses that joined a running download. */
  coalesced: number;
  /**
   * How often the origin refused the URL of a caller (401, 403, 404 or 410), and that of
   * another caller of the same download was tried. Callers with different URLs share a
   * download by `canonicalUrl`.
   */
  failedOver: number;
  /** Links that `withRefresh()` has replaced by new ones after the origin refused them. */
  refreshed: number;
  /** How often a body that broke went on where it had stopped, by a request for its rest. */
  resumed: number;
  /** Further attempts (`retries`) after a failure that may pass. */
  retried: number;
  /** Calls that were rejected with a failure that was remembered (`failureTtlMs`), without a request. */
  failuresRemembered: number;
  /** Downloads that failed since `guard()` has refused an address. */
  addressesRefused: number;
  /** Downloads of no named type whose type their first bytes have told. */
  sniffed: number;
  /**
   * Checks by `maxAgeMs` after which stored bytes were kept: the origin has answered 304, or
   * has sent the same bytes.
   */
  revalidated: number;
  /**
   * Calls of `getOrDownload()` that were answered by bytes older than `maxAgeMs`: while the
   * origin is asked in the background, or since it could not be asked.
   */
  stale: number;
  /** Calls that were refused, since the type was not among those that they accept. */
  unacceptable: number;
  /** Calls of `sendOnce()` that a handle has answered, without an upload. */
  handleHits: number;
  /** Uploads by `sendOnce()` that succeeded. */
  uploads: number;
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
   * Operations that the file system of the directory has refused, sorted, and
   * that the cache goes on without: "chmod" (the directory or a file has other
   * rights than 0700 and 0600), "flock" (only one process may use the
   * directory), "fsync" (a power cut may lose entries in spite of `durable`),
   * "link" (a GIF that is deleted during its conversion may stay a GIF),
   * "utime" (a restart forgets which entries were used last). Empty when
   * nothing was refused.
   */
  degraded: readonly string[];
  /** The work with the remote tier; absent in a cache that has none. */
  remote?: RemoteStats;
}

/** The caps of a cache, for comparison with its stats. */
export interface CacheLimits {
  /** Cap of bytes of committed entries on disk. */
  readonly maxBytes: number;
  /** Cap of bytes of all files on disk, in whole blocks; Infinity without a cap. */
  readonly maxDiskBytes: number;
  /** Cap of bytes of one entry, and of running downloads together. */
  readonly maxEntryBytes: number;
  /** Cap of bytes of bodies in RAM. */
  readonly maxMemoryBytes: number;
  /** Cap of the number of bodies in RAM. */
  readonly maxMemoryItems: number;
  /** The most downloads that run at a time. */
  readonly maxConcurrentDownloads: number;
  /** Whether the directory is only read. */
  readonly readOnly: boolean;
}

/** Picks the caps of a cache's options. */
export function limitsOf(options: ResolvedOptions): CacheLimits {
  const { maxBytes, maxDiskBytes, maxEntryBytes, maxMemoryBytes } = options;
  const { maxMemoryItems, maxConcurrentDownloads, readOnly } = options;
  return {
    maxBytes,
    maxDiskBytes,
    maxEntryBytes,
    maxMemoryBytes,
    maxMemoryItems,
    maxConcurrentDownloads,
    readOnly,
  };
}

/** The members of {@linkcode CacheStats} that only grow. */
export class Counters {
  hits = 0;
  misses = 0;
  failures = 0;
  coalesced = 0;
  failedOver = 0;
  refreshed = 0;
  resumed = 0;
  retried = 0;
  failuresRemembered = 0;
  addressesRefused = 0;
  sniffed = 0;
  revalidated = 0;
  stale = 0;
  unacceptable = 0;
  handleHits = 0;
  uploads = 0;
  evictions = 0;
  bytesDownloaded = 0;
  bytesServed = 0;
  conversions = 0;
  conversionFailures = 0;
  diskErrors = 0;
}

/** The members of {@linkcode CacheStats} that go up and down, and the cap of bytes. */
export type Gauges =
  & Omit<CacheStats, keyof Counters | "totalMb" | "maxMb" | "hitRate">
  & { maxBytes: number };

/** Makes the stats of counters and gauges. */
export function snapshot(counters: Counters, gauges: Gauges): CacheStats {
  const { hits, misses } = counters;
  const { entries, entriesInMemory, totalBytes, maxBytes, ...rest } = gauges;
  const { memoryBytes, stagedBytes, orphanBytes, occupiedBytes } = rest;
  const { comparing, inFlight, degraded, remote } = rest;
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
    comparing,
    failures: counters.failures,
    inFlight,
    coalesced: counters.coalesced,
    failedOver: counters.failedOver,
    refreshed: counters.refreshed,
    resumed: counters.resumed,
    retried: counters.retried,
    failuresRemembered: counters.failuresRemembered,
    addressesRefused: counters.addressesRefused,
    sniffed: counters.sniffed,
    revalidated: counters.revalidated,
    stale: counters.stale,
    unacceptable: counters.unacceptable,
    handleHits: counters.handleHits,
    uploads: counters.uploads,
    evictions: counters.evictions,
    bytesDownloaded: counters.bytesDownloaded,
    bytesServed: counters.bytesServed,
    conversions: counters.conversions,
    conversionFailures: counters.conversionFailures,
    diskErrors: counters.diskErrors,
    degraded,
    ...(remote !== undefined && { remote }),
  };
}

function round(value: number, places: number): number {
  const scale = 10 ** places;
  return Math.round(value * scale) / scale;
}
