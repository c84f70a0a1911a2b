/** The argument of a downloader. */
export interface DownloadContext {
  /** The URL as the caller gave it. */
  readonly url: string;
  /**
   * Aborts when the download is no longer wanted or has taken too long. Pass it
   * to `fetch`.
   */
  readonly signal: AbortSignal;
  /**
   * The headers that the cache wants in the request. Pass them to `fetch` as well. Empty
   * for a request of the whole media; `Range` and `If-Range` for the rest of a body that
   * broke; `If-None-Match` and `If-Modified-Since` for an entry older than `maxAgeMs`,
   * which may be answered by 304. Each call of a downloader gets an object of its own, to
   * which it may add headers.
   */
  readonly headers: Headers;
  /** The number of earlier calls of downloaders for the same download: 0 for the first. */
  readonly attempt: number;
  /**
   * Counts a refused link that the downloader has replaced by a new one, for
   * `stats().refreshed`. `withRefresh()` calls it.
   */
  readonly countRefresh?: (() => void) | undefined;
}

/**
 * The result of a downloader that has no `Response`.
 *
 * @example Store what a bot's library has downloaded itself
 * ```ts
 * import { type Download, MediaCache } from "@media-cache/media-cache";
 * import { assertEquals } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * function download(): Promise<Download> {
 *   const data = new TextEncoder().encode("OggS and so on");
 *   return Promise.resolve({ data, mimetype: "audio/ogg", filename: "voice.oga" });
 * }
 *
 * await using media = await cache.getOrDownload("tg:voice_42", download);
 *
 * assertEquals(media.filename, "voice.oga");
 * assertEquals(media.mimetype, "audio/ogg");
 * ```
 */
export interface Download {
  /**
   * The bytes, or a stream of them, which the cache alone may read. Do not
   * change an array before `stored` of the media has settled. For other kinds
   * of data: `new Uint8Array(buffer)` of an `ArrayBuffer`,
   * `Readable.toWeb(readable)` of Node's `Readable`,
   * `ReadableStream.from(iterable)` of an iterable.
   */
  data: Uint8Array | Blob | ReadableStream<Uint8Array>;
  /**
   * The media type. Default: the type of a Blob. If there is none, or it is
   * `application/octet-stream`, the first bytes tell it.
   */
  mimetype?: string | undefined;
  /** The file's name. Default: the name of a `File`, else the last segment of the URL's path. */
  filename?: string | undefined;
  /**
   * The number of bytes, if known beforehand. A body of any other length is an
   * error.
   */
  size?: number | undefined;
  /**
   * The headers of the response that the data are the body of, if there is one. `ETag` and
   * `Last-Modified` tell the version of the data, by which a body that breaks goes on, and
   * an entry older than `maxAgeMs` is compared. Type, name and size are not taken from them.
   */
  headers?: Headers | undefined;
}

/**
 * Fetches a URL that the cache does not have.
 *
 * At most one downloader runs for a URL at a time, and receives a {@linkcode DownloadContext}.
 * Its errors reach every waiting caller unchanged. Responses are stored with status 200 and 203; any
 * other status rejects with `HttpStatusError`.
 *
 * @example Fetch over HTTP
 * ```ts
 * import type { Downloader } from "@media-cache/media-cache";
 *
 * const download: Downloader = ({ url, signal, headers }) => {
 *   // Identity keeps the length that the server declares true.
 *   headers.set("accept-encoding", "identity");
 *   return fetch(url, { signal, headers });
 * };
 * ```
 */
export type Downloader = (
  context: DownloadContext,
) => Promise<Response | Download>;

/** A running download, as `inFlight()` reports it. */
export interface DownloadInfo {
  /** SHA-256 of the URL as 64 hexadecimal digits. */
  readonly key: string;
  /** The URL under which the body will be stored. */
  readonly url: string;
  /**
   * Media type; undefined until it is certain, since a GIF may become a video.
   */
  readonly mimetype: string | undefined;
  /**
   * File name, at first as the origin gives it; undefined until the downloader
   * has answered.
   */
  readonly filename: string | undefined;
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes in all, where known. */
  readonly total: number | undefined;
  /** When the first caller asked for it, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The present step of the download. */
  readonly phase: "waiting" | "downloading" | "converting" | "storing";
}
