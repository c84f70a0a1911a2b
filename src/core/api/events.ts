/** Members of every event. */
export interface EventBase {
  /** When the event happened, in milliseconds since the epoch. */
  readonly time: number;
}

/** Members of events about a URL. */
export interface EntryEventBase extends EventBase {
  /** The URL. It may hold a secret (Telegram's file URLs hold the bot token). */
  readonly url: string;
  /** SHA-256 of the URL, which is safe to log. */
  readonly key: string;
}

/** Members of events about a known body. */
export interface BodyEventBase extends EntryEventBase {
  /** Media type. */
  readonly mimetype: string;
  /** File name. */
  readonly filename: string;
}

/** The directory was scanned. */
export interface LoadedEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "loaded";
  /** The number of entries found. */
  readonly entries: number;
  /** Bytes of all entries found. */
  readonly totalBytes: number;
  /** How long the scan took, in milliseconds. */
  readonly durationMs: number;
}

/** A lookup was answered by a committed entry. */
export interface HitEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "hit";
  /** Bytes of the body. */
  readonly size: number;
  /** The tier that answered. */
  readonly source: "memory" | "disk";
  /** How long the lookup took, in milliseconds. */
  readonly durationMs: number;
}

/** A download was started, and its downloader answered or failed. */
export interface MissEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "miss";
  /** Media type; undefined when the downloader failed. */
  readonly mimetype: string | undefined;
  /** File name; undefined when the downloader failed. */
  readonly filename: string | undefined;
  /** Declared bytes of the body, where known. */
  readonly size: number | undefined;
  /** How long the downloader took to answer, in milliseconds. */
  readonly durationMs: number;
}

/**
 * The remote tier answered a miss: its object was handed to the callers in place of a
 * download.
 */
export interface RemoteHitEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "remoteHit";
  /** Bytes of the body. */
  readonly size: number;
  /** From the start of the download until the body was handed out, in milliseconds. */
  readonly durationMs: number;
}

/**
 * The origin was asked whether the bytes of an entry are still the same, since they are older
 * than `maxAgeMs`.
 */
export interface RevalidatedEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "revalidated";
  /** Bytes of the entry before. */
  readonly size: number;
  /**
   * The outcome: the origin has not modified them ("notModified", 304), has sent the same
   * bytes again ("same") or others, which are stored now ("replaced"), or could not be asked,
   * so that the old ones stay ("failed"). Another process may have asked.
   */
  readonly result: "notModified" | "same" | "replaced" | "failed";
  /**
   * Why the check has failed, which is safe to log: a status, a code, or the name of an
   * error. Undefined for the other outcomes.
   */
  readonly reason: string | undefined;
  /** How long the check took, in milliseconds. */
  readonly durationMs: number;
}

/** A caller joined a running download. */
export interface JoinedEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "joined";
  /** Bytes received before the caller joined. */
  readonly received: number;
}

/** A body was stored. */
export interface StoredEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "stored";
  /** Bytes of the body. */
  readonly size: number;
  /** The origin of the body; "remote" is the remote tier. */
  readonly source: "download" | "put" | "remote";
  /** From the start of the download or put to its commit, in milliseconds. */
  readonly durationMs: number;
}

/** An entry left to make room for another. */
export interface EvictedEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "evicted";
  /** Bytes of the body. */
  readonly size: number;
  /** Its last access, in milliseconds since the epoch. */
  readonly lastAccess: number;
}

/** An entry was removed by `delete()` or `clear()`. */
export interface DeletedEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "deleted";
  /** Bytes of the body. */
  readonly size: number;
}

/**
 * An entry was dropped because its files are gone, do not fit each other, or are
 * not what was stored.
 */
export interface DroppedEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "dropped";
  /** The fault that was found. */
  readonly reason: string;
}

/** A GIF was converted to MP4. */
export interface ConvertedEvent extends BodyEventBase {
  /** Names the kind of event. */
  readonly type: "converted";
  /** Bytes of the MP4. */
  readonly size: number;
  /** Bytes of the GIF. */
  readonly sourceSize: number;
  /** How long the conversion took, in milliseconds. */
  readonly durationMs: number;
}

/** A GIF was kept as it is. */
export interface KeptEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "kept";
  /**
   * Why the GIF was not converted, with the last words of an ffmpeg that
   * failed.
   */
  readonly reason: string;
}

/** GIFs can't be converted for now. Sent once until a conversion succeeds. */
export interface ConversionUnavailableEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "conversionUnavailable";
  /** The missing program or permission, or the last words of an ffmpeg that does not work. */
  readonly reason: string;
}

/** A file in the directory was skipped. */
export interface SkippedEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "skipped";
  /** Path of the file. */
  readonly path: string;
  /** Why the file was skipped. */
  readonly reason: string;
}

/** A download goes on without being stored, or a body is not put. */
export interface UncachedEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "uncached";
  /** Why the body is not stored. */
  readonly reason: string;
}

/**
 * A download failed, or was aborted: by `close()`, because its callers had left, or because
 * none of them accepts its type.
 */
export interface FailedEvent extends EntryEventBase {
  /** Names the kind of event. */
  readonly type: "failed";
  /**
   * The error that callers get. Its message may hold the URL, so that the member is
   * not enumerable: an event that is printed or copied does not show it.
   */
  readonly error: unknown;
  /** The error's name, which is safe to log. */
  readonly name: string;
  /**
   * The code of the error or of one of its causes, such as `ECONNREFUSED`.
   * Errors of Deno's `fetch` have no code: it is found by their messages.
   */
  readonly code: string | undefined;
  /** The status of the response, where that was the reason. */
  readonly status: number | undefined;
  /** Bytes received before the failure. */
  readonly received: number;
}

/** The file system failed; no caller fails for it. */
export interface DiskErrorEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "diskError";
  /** The operation that failed, such as "write a download". */
  readonly operation: string;
  /** The file system's error. */
  readonly error: unknown;
}

/**
 * The file system of the directory refuses an operation, and the cache goes on
 * without it. Sent once for each operation.
 */
export interface DegradedEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "degraded";
  /** The operation that is refused: "chmod", "flock", "fsync", "link" or "utime". */
  readonly operation: string;
  /**
   * The code of the file system's error, such as "EPERM"; without a code its
   * name.
   */
  readonly reason: string;
}

/**
 * The remote tier is left alone for a while, since calls have failed or taken too long.
 * Sent once, until it is up again.
 */
export interface RemoteDownEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "remoteDown";
  /**
   * The last failure: a status such as "HTTP 503", a code such as "ECONNREFUSED", the name
   * of an error, "no answer within 800 ms", or the permission that is missing.
   */
  readonly reason: string;
}

/** The remote tier is used again, after a call that succeeded. */
export interface RemoteUpEvent extends EventBase {
  /** Names the kind of event. */
  readonly type: "remoteUp";
  /** For how long it was left alone, in milliseconds. */
  readonly downMs: number;
}

/** Any event of a cache. */
export type MediaCacheEvent =
  | LoadedEvent
  | HitEvent
  | MissEvent
  | RemoteHitEvent
  | RevalidatedEvent
  | JoinedEvent
  | StoredEvent
  | EvictedEvent
  | DeletedEvent
  | DroppedEvent
  | ConvertedEvent
  | KeptEvent
  | ConversionUnavailableEvent
  | SkippedEvent
  | UncachedEvent
  | FailedEvent
  | DiskErrorEvent
  | DegradedEvent
  | RemoteDownEvent
  | RemoteUpEvent;

/** Called for every event of a cache. Errors that it throws are ignored. */
export type MediaCacheListener = (event: MediaCacheEvent) => void;
