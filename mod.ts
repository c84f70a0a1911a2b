/**
 * A streaming, disk-backed LRU cache for Deno bots. Chat bots meet the same
 * images, stickers, voice notes and videos again and again; the cache downloads
 * each URL once.
 *
 * The first caller of a URL gets a stream at once, while the same bytes go to a
 * file. Every later caller is served from the cache: in the middle of the
 * download, after a restart, and in another process that uses the same folder.
 * GIFs become MP4 on the way in, where ffmpeg is installed. Entries never
 * expire, unless `maxAgeMs` is set; the least recently used leave when the folder is full.
 *
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 *
 * const cacheDir = await Deno.makeTempDir(); // a bot names a folder: "media_cache"
 * await using origin = Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => new Response("meow"));
 * const url = `http://127.0.0.1:${origin.addr.port}/cat.txt`;
 *
 * await using cache = await MediaCache.open({ cacheDir });
 * await using media = await cache.getOrDownload(url, ({ url, signal, headers }) => fetch(url, { signal, headers }));
 * console.log(media.filename, media.mimetype, media.size, await media.bytes());
 *
 * await using again = await cache.getOrDownload(url, () => fetch(url));
 * console.log(again.source); // "memory": the origin was not asked
 * ```
 *
 * The package needs Deno 2.7 or later, and read and write access to its folder:
 * `--allow-read=media_cache --allow-write=media_cache`. `--allow-run=ffmpeg` lets
 * GIFs become MP4.
 *
 * - {@linkcode MediaCache} has all methods, {@linkcode MediaCacheOptions} all
 *   options, {@linkcode Media} tells what a lookup returns.
 * - The [README](./README.md) has promises, limits and permissions. The manuals
 *   are [the cache in full](./src/core/api/README.md),
 *   [GIF to MP4](./src/core/gif/README.md) and
 *   [on disk, and sharing a folder](./src/core/disk/README.md).
 * - `@media-cache/media-cache/hono` is a [router](./src/hono/README.md) with
 *   statistics, metrics and a dashboard; `@media-cache/media-cache/cli` is the
 *   [command line tool](./src/cli/README.md); `@media-cache/media-cache/s3` lets
 *   [several hosts](./src/s3/README.md) share media by a bucket.
 * - [SECURITY.md](./.github/SECURITY.md) tells what the cache guards against.
 * - There are whole bots for [Telegram](./examples/telegram_bot.ts),
 *   [Discord](./examples/discord_bot.ts) and [Matrix](./examples/matrix_bot.ts);
 *   [examples/stats_server.ts](./examples/stats_server.ts) is a server with the
 *   dashboard.
 *
 * @module
 */
export { MediaCache } from "./src/core/media_cache.ts";
export type {
  CloseOptions,
  DownloadProgress,
  GetByKeyOptions,
  GetOrDownloadOptions,
  LentFileOptions,
  PutData,
  PutOptions,
  VerifyOptions,
} from "./src/core/api/call_options.ts";
export type {
  VerifyProblem,
  VerifyReport,
} from "./src/core/api/verify_report.ts";
export type { MediaCacheOptions } from "./src/core/api/options.ts";
export type { FailureOptions } from "./src/core/api/failure_options.ts";
export type { GifToMp4Options } from "./src/core/api/gif_options.ts";
export type {
  LentFile,
  Media,
  MediaResponseInit,
} from "./src/core/api/media.ts";
export type { SendSteps, Uploaded } from "./src/core/api/send.ts";
export type {
  Download,
  DownloadContext,
  Downloader,
  DownloadInfo,
} from "./src/core/api/download.ts";
export type { EntryInfo } from "./src/core/api/entry_info.ts";
export type {
  RemoteChange,
  RemoteChanges,
  RemoteEntry,
  RemoteLease,
  RemoteLimits,
  RemoteObject,
  RemoteProbe,
  RemotePut,
  RemoteStats,
  RemoteTier,
} from "./src/core/api/remote_tier.ts";
export type { CacheLimits, CacheStats } from "./src/core/api/stats.ts";
export {
  CacheClosedError,
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
  TooLargeError,
  UnacceptableTypeError,
} from "./src/core/api/errors.ts";
export type {
  HttpStatusErrorOptions,
  TooLargeErrorOptions,
} from "./src/core/api/errors.ts";
export { formatEvent } from "./src/core/api/format_event.ts";
export type {
  BodyEventBase,
  ConversionUnavailableEvent,
  ConvertedEvent,
  DegradedEvent,
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
  RemoteDownEvent,
  RemoteHitEvent,
  RemoteUpEvent,
  RevalidatedEvent,
  SkippedEvent,
  StoredEvent,
  UncachedEvent,
} from "./src/core/api/events.ts";
