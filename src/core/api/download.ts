/** What the cache hands to a downloader. */
export interface DownloadContext {
  /** The URL as the caller gave it. */
  readonly url: string;
  /** Aborts when the download is not wanted any more or has taken too long; pass it on to `fetch`. */
  readonly signal: AbortSignal;
}

/**
 * What a downloader resolves to when it has no `Response`.
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
   * The bytes, or a stream of them. The cache reads it, so nobody else may. An array must not be changed before
   * `stored` of the media has settled. For other kinds of data: `new Uint8Array(buffer)` of an `ArrayBuffer`,
   * `Readable.toWeb(readable)` of Node's `Readable`, `ReadableStream.from(iterable)` of an iterable.
   */
  data: Uint8Array | Blob | ReadableStream<Uint8Array>;
  /** The media type. Default: the type of a Blob, else `application/octet-stream`. */
  mimetype?: string | undefined;
  /** The file's name. Default: the name of a `File`, else the last segment of the URL's path. */
  filename?: string | undefined;
  /** The number of bytes, if it is known before. A body of any other length is an error. */
  size?: number | undefined;
}

/**
 * Fetches what the cache does not have.
 *
 * It runs at most once at a time for a URL. Whatever it throws reaches every waiting caller unchanged. Of
 * responses only those with status 200 and 203 are stored; the others reject with `HttpStatusError`.
 *
 * @example Fetch over HTTP
 * ```ts
 * import type { Downloader } from "@media-cache/media-cache";
 *
 * // Identity keeps the length that the server declares true.
 * const download: Downloader = ({ url, signal }) =>
 *   fetch(url, { signal, headers: { "accept-encoding": "identity" } });
 * ```
 */
export type Downloader = (
  context: DownloadContext,
) => Promise<Response | Download>;

/** A running download, as `inFlight()` reports it. */
export interface DownloadInfo {
  /** SHA-256 of the URL as 64 hexadecimal digits. */
  readonly key: string;
  /** The URL under which it will be stored. */
  readonly url: string;
  /** Media type; undefined until it is certain: a GIF may become a video. */
  readonly mimetype: string | undefined;
  /** File name, as the origin gives it at first; undefined until the downloader has answered. */
  readonly filename: string | undefined;
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes in all, where known. */
  readonly total: number | undefined;
  /** When it was asked for, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The step at which the download is. */
  readonly phase: "waiting" | "downloading" | "converting" | "storing";
}
