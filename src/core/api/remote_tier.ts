/** The facts of an entry that a remote tier keeps beside its bytes; never its URL. */
export interface RemoteEntry {
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
  /** Bytes of the body. */
  readonly size: number;
  /** SHA-256 of the body, as 64 hexadecimal digits. */
  readonly sha256: string;
  /** When the body was stored first, in milliseconds since the epoch. */
  readonly storedAt: number;
  /** Media type of the download that the body was converted from. */
  readonly sourceMimetype?: string | undefined;
  /** Bytes of the download that the body was converted from. */
  readonly sourceSize?: number | undefined;
  /** SHA-256 of the download that the body was converted from, as 64 hexadecimal digits. */
  readonly sourceSha256?: string | undefined;
  /** Why a GIF was kept as it is. */
  readonly conversion?: string | undefined;
  /** The entity tag that the origin has sent with the body. */
  readonly etag?: string | undefined;
  /** The `Last-Modified` date that the origin has sent with the body. */
  readonly lastModified?: string | undefined;
}

/** An entry that a remote tier has, and its bytes. */
export interface RemoteObject {
  /** The facts. */
  readonly entry: RemoteEntry;
  /** The bytes. The cache reads or cancels the stream, and checks length and digest. */
  readonly body: ReadableStream<Uint8Array>;
}

/** An entry to be put into a remote tier. */
export interface RemotePut {
  /** The facts. */
  readonly entry: RemoteEntry;
  /** Opens the bytes; again for each attempt. The tier reads or cancels each stream. */
  readonly open: () => ReadableStream<Uint8Array>;
  /** Whether other hosts may have stored other bytes of this key, and must drop them. */
  readonly replaces: boolean;
}

/** The answer of {@linkcode RemoteTier.probe}. */
export interface RemoteProbe {
  /** Whether the tier can be read, and unless it is `readOnly`, written. */
  readonly reachable: boolean;
  /** Whether leases can be relied on. */
  readonly lease: boolean;
  /** Why not, without a secret. */
  readonly reason?: string | undefined;
}

/** The answer of {@linkcode RemoteTier.lease}. */
export type RemoteLease =
  | {
    /** This host has the lease: it downloads. */
    readonly held: true;
    /** Gives the lease back after a failed download, where the tier can. */
    readonly release?: ((signal: AbortSignal) => Promise<void>) | undefined;
  }
  | {
    /** Another host has the lease: it downloads, and this one looks for its object. */
    readonly held: false;
    /** How long the lease still lasts, in milliseconds. */
    readonly leftMs: number;
  };

/** A key whose entry another host has deleted or replaced. */
export interface RemoteChange {
  /** SHA-256 of the URL, as 64 hexadecimal digits. */
  readonly key: string;
  /** How long ago, in milliseconds by the clock of the tier. */
  readonly ageMs: number;
}

/** The answer of {@linkcode RemoteTier.changes}. */
export interface RemoteChanges {
  /** The changes by other hosts; some may have been told before. */
  readonly changes: readonly RemoteChange[];
  /** The place to go on from with the next call. */
  readonly next: string;
}

/** The limits that the cache keeps when it calls a remote tier. */
export interface RemoteLimits {
  /**
   * The longest time until an object is found or known to be missing, in milliseconds,
   * with the wait for a free request. After that the origin is asked. An object is found
   * when its first bytes have come.
   *
   * @default {800}
   */
  readonly lookupTimeoutMs?: number | undefined;
  /**
   * The longest pause between two bytes of an object, in milliseconds. Of an object of at
   * most 256 KiB the longest time from the first byte to the last.
   *
   * @default {5000}
   */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * The longest time of an upload, in milliseconds.
   *
   * @default {60000}
   */
  readonly uploadTimeoutMs?: number | undefined;
  /**
   * The most requests at a time, beside uploads and bodies.
   *
   * @default {8}
   */
  readonly maxConcurrentLookups?: number | undefined;
  /**
   * The most uploads at a time.
   *
   * @default {2}
   */
  readonly maxConcurrentUploads?: number | undefined;
  /**
   * The most uploads that wait. A further one is skipped and counted.
   *
   * @default {256}
   */
  readonly maxQueuedUploads?: number | undefined;
  /**
   * The largest body that is uploaded, in Mb.
   *
   * @default {256}
   */
  readonly maxEntryMb?: number | undefined;
  /**
   * How long a lease lasts, in milliseconds. If its host dies, the others wait as long.
   *
   * @default {15000}
   */
  readonly leaseTtlMs?: number | undefined;
  /**
   * The longest wait for the download of another host, in milliseconds.
   *
   * @default {20000}
   */
  readonly leaseWaitMs?: number | undefined;
  /**
   * The time between two looks for what other hosts have deleted or replaced, in
   * milliseconds.
   *
   * @default {30000}
   */
  readonly changesEveryMs?: number | undefined;
  /**
   * Whether the tier is only read.
   *
   * @default {false}
   */
  readonly readOnly?: boolean | undefined;
}

/**
 * A second tier that several hosts share, such as an object store: the option `remote` of
 * a cache. `s3Tier()` of the subpath `./s3` makes one.
 *
 * The cache calls a tier only for what it does not have itself, and never fails for it: a
 * call that rejects or takes too long is a miss, and after some of them the tier is left
 * alone for a while. A tier need not limit the time or the number of its calls.
 *
 * A method rejects with `HttpStatusError` where the tier has answered with a status: the
 * cache waits as long as its `retryAfterMs` says, and longer after 401 and 403. No error
 * may hold a secret.
 */
export interface RemoteTier {
  /** The name for people, such as host and bucket; without a secret. */
  readonly name: string;
  /** The limits that the cache keeps. */
  readonly limits?: RemoteLimits | undefined;
  /**
   * Finds an object.
   *
   * @param key SHA-256 of the URL, as 64 hexadecimal digits.
   * @param signal Aborts the call, and the body as well.
   * @returns The object, as soon as its facts are known; undefined when there is none.
   */
  get(key: string, signal: AbortSignal): Promise<RemoteObject | undefined>;
  /**
   * Whether there is an object, without its bytes.
   *
   * @param key SHA-256 of the URL, as 64 hexadecimal digits.
   * @param signal Aborts the call.
   */
  has(key: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Stores an object in place of any other of its key: the whole of it or nothing.
   *
   * @param key SHA-256 of the URL, as 64 hexadecimal digits.
   * @param object The facts and the bytes.
   * @param signal Aborts the call.
   */
  put(key: string, object: RemotePut, signal: AbortSignal): Promise<void>;
  /**
   * Removes an object, and has other hosts drop theirs of this key (`changes`). No object
   * is no error.
   *
   * @param key SHA-256 of the URL, as 64 hexadecimal digits.
   * @param signal Aborts the call.
   */
  delete(key: string, signal: AbortSignal): Promise<void>;
  /**
   * Finds out whether the tier works, and whether its leases do.
   *
   * @param signal Aborts the call.
   */
  probe(signal: AbortSignal): Promise<RemoteProbe>;
  /**
   * Takes the lease of a key, so that of several hosts only one downloads it. Undefined
   * where the hosts need none: each of them may then download.
   *
   * @param key SHA-256 of the URL, as 64 hexadecimal digits.
   * @param ttlMs How long the lease lasts, in milliseconds.
   * @param signal Aborts the call.
   */
  lease?(key: string, ttlMs: number, signal: AbortSignal): Promise<RemoteLease>;
  /**
   * Lists the keys that other hosts have deleted or replaced.
   *
   * @param after The `next` of the last call; undefined for all that the tier remembers.
   * @param signal Aborts the call.
   */
  changes?(
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<RemoteChanges>;
  /** Closes connections; called by `close()` of the cache. */
  close?(): void | Promise<void>;
}

/** The work of a cache with its remote tier: a member of `CacheStats`. */
export interface RemoteStats {
  /** The name of the tier. */
  name: string;
  /** Whether the tier is asked now; "down" after failures, until a call succeeds again. */
  state: "up" | "down";
  /**
   * Whether hosts download by lease: "off" by option, "unproven" before the probe,
   * "refused" by the probe, "paused" for a minute after failures, else "on".
   */
  lease: "off" | "unproven" | "refused" | "paused" | "on";
  /** Misses here that an object has answered. */
  hits: number;
  /** Misses here without an object. */
  misses: number;
  /** Calls that failed or took too long, uploads included. */
  errors: number;
  /** Failures among `errors` that took too long. */
  timeouts: number;
  /** Lookups that were not made: the tier was down, or no request was free in time. */
  skipped: number;
  /** Objects whose bytes were not those of their digest. */
  corrupt: number;
  /** Objects that broke, and that the origin has completed. */
  continued: number;
  /** Bytes received. */
  bytesReceived: number;
  /** Objects stored. */
  uploads: number;
  /**
   * Uploads that were skipped or given up: the queue was full, the tier down, the body too
   * large, the entry gone, or two attempts have failed.
   */
  uploadsSkipped: number;
  /** Uploads that wait or run now. */
  uploadsQueued: number;
  /** Bytes of the objects stored. */
  bytesSent: number;
  /** Downloads here under a lease. */
  leasesHeld: number;
  /** Downloads here that a lease of another host has saved. */
  leasesAwaited: number;
  /** Entries dropped here since another host has deleted or replaced them. */
  changesApplied: number;
}
