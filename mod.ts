/**
 * A streaming, disk-backed LRU cache for media.
 *
 * @module
 */
export { MediaCache } from "./src/media_cache.ts";
export type { CloseOptions, GetByKeyOptions } from "./src/media_cache.ts";
export type { MediaCacheOptions } from "./src/options.ts";
export type { GifToMp4Options } from "./src/gif_options.ts";
export type { Media } from "./src/media.ts";
export type {
  Download,
  DownloadContext,
  Downloader,
} from "./src/downloader.ts";
export type {
  DownloadInfo,
  DownloadProgress,
  GetOrDownloadOptions,
} from "./src/download_info.ts";
export type { PutData, PutOptions } from "./src/putter.ts";
export type { EntryInfo } from "./src/entry.ts";
export type { CacheStats } from "./src/stats.ts";
export type { CacheLimits } from "./src/limits.ts";
export type {
  VerifyOptions,
  VerifyProblem,
  VerifyReport,
} from "./src/verify.ts";
export {
  CacheClosedError,
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
  TooLargeError,
} from "./src/errors.ts";
export type { TooLargeErrorOptions } from "./src/errors.ts";
export { formatEvent } from "./src/format_event.ts";
export type {
  BodyEventBase,
  ConversionUnavailableEvent,
  ConvertedEvent,
  DeletedEvent,
  DiskErrorEvent,
  DroppedEvent,
  EntryEventBase,
  EventBase,
  EvictedEvent,
  FailedEvent,
  HitEvent,
  JoinedEvent,
  KeptEvent,
  LoadedEvent,
  MediaCacheEvent,
  MediaCacheListener,
  MissEvent,
  SkippedEvent,
  StoredEvent,
  UncachedEvent,
} from "./src/events.ts";
