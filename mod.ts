/**
 * A streaming, disk-backed LRU cache for media.
 *
 * @module
 */
export { MediaCache } from "./src/core/media_cache.ts";
export type { CloseOptions, GetByKeyOptions } from "./src/core/media_cache.ts";
export type { MediaCacheOptions } from "./src/core/api/options.ts";
export type { GifToMp4Options } from "./src/core/api/gif_options.ts";
export type { Media } from "./src/core/api/media.ts";
export type {
  Download,
  DownloadContext,
  Downloader,
} from "./src/core/api/downloader.ts";
export type {
  DownloadInfo,
  DownloadProgress,
  GetOrDownloadOptions,
} from "./src/core/api/download_info.ts";
export type { PutData, PutOptions } from "./src/core/entries/put.ts";
export type { EntryInfo } from "./src/core/catalog/entry.ts";
export type { CacheStats } from "./src/core/api/stats.ts";
export type { CacheLimits } from "./src/core/api/limits.ts";
export type {
  VerifyOptions,
  VerifyProblem,
  VerifyReport,
} from "./src/core/entries/verify.ts";
export {
  CacheClosedError,
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
  TooLargeError,
} from "./src/core/api/errors.ts";
export type { TooLargeErrorOptions } from "./src/core/api/errors.ts";
export { formatEvent } from "./src/core/api/format_event.ts";
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
} from "./src/core/api/events.ts";
