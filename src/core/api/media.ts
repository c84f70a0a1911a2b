import type { LentFileOptions } from "./call_options.ts";
import type { EntryInfo } from "./entry_info.ts";

/**
 * A result of a lookup or of a download: facts and bytes.
 *
 * `body`, `bytes()`, `blob()` and `response()` share one read, as in
 * `Response`. A Media can be read to its end, even if its entry is evicted,
 * deleted or replaced meanwhile. A larger body holds an open file until it is
 * read, cancelled, disposed or garbage collected.
 *
 * @example Use a Media
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { assertEquals } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * await using media = await cache.getOrDownload(
 *   "https://example.org/hello.txt",
 *   () => Promise.resolve(new Response("hello", { headers: { "Content-Type": "text/plain" } })),
 * );
 *
 * assertEquals([media.filename, media.mimetype], ["hello.txt", "text/plain"]);
 * assertEquals(new TextDecoder().decode(await media.bytes()), "hello");
 * ```
 */
export interface Media extends AsyncDisposable {
  /**
   * SHA-256 of the URL as 64 hexadecimal digits, which names the files on disk.
   */
  readonly key: string;
  /** The URL under which the body is stored. */
  readonly url: string;
  /** Media type, without parameters where it came from a `Response`. */
  readonly mimetype: string;
  /** File name: never a path, never empty, and legal on every file system. */
  readonly filename: string;
  /** Bytes of the body; undefined only while a download of unknown length runs. */
  readonly size: number | undefined;
  /** The source of the bytes. */
  readonly source: "memory" | "disk" | "download";
  /** Facts of the entry that the bytes belong to; undefined for a download that runs. */
  readonly entry: EntryInfo | undefined;
  /**
   * Whether the bytes are older than `maxAgeMs`, counted from when they were stored, or
   * from when the origin has last confirmed them. False without the option, and for
   * a download.
   */
  readonly stale: boolean;
  /**
   * The bytes as a stream. Of a hit it is a byte stream, so that BYOB readers
   * work; of a download it runs along with the download. Chunks of a download
   * are shared with its other readers: don't write to them and don't transfer
   * them. The same stream each time until the bytes were read; then a stream
   * that rejects with a `TypeError`.
   */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Resolves to true when the body is on disk, to false when it could not be
   * stored. Never rejects.
   */
  readonly stored: Promise<boolean>;
  /**
   * Returns all bytes, in an array that the caller may change.
   *
   * @throws {TypeError} If the body was read before.
   */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Returns all bytes as a file with its name and type.
   *
   * @throws {TypeError} If the body was read before.
   */
  blob(): Promise<File>;
  /**
   * Returns a response that streams the body, with `Content-Type`,
   * `Content-Length` when it is known, `Content-Disposition` (inline only for
   * types that can't run scripts) and `X-Content-Type-Options: nosniff`.
   * Headers in `init` win.
   *
   * With `request`, the response answers that request, as the router does
   * (RFC 9110): `Range` and `If-Range` with 206 or 416; `If-Match`, `If-None-Match`,
   * `If-Modified-Since` and `If-Unmodified-Since` with 304 or 412; `HEAD` without a body;
   * other methods than GET and HEAD with 405. It then has `ETag` and `Last-Modified` of an
   * entry, `Accept-Ranges`, `Cache-Control: private, no-cache`, and headers that keep
   * a browser from running what it shows, where a type that can run scripts is sent as
   * `application/octet-stream`. A running download has no version, so that only `*`
   * matches; a range of it is sent as soon as its bytes are there, if its length is
   * known, and else the whole body.
   *
   * Any answer is the read of the body. Don't dispose the Media before it is sent.
   *
   * @throws {TypeError} If the body was read before.
   *
   * @example Serve media from a server of your own
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * const bytes = new TextEncoder().encode("hello");
   * await cache.put("https://example.org/hello", bytes, "text/plain", "hello.txt");
   *
   * const serve = async (request: Request) => {
   *   const media = await cache.get("https://example.org/hello");
   *   return media?.response({ request }) ?? new Response(null, { status: 404 });
   * };
   *
   * const response = await serve(new Request("http://localhost/", { headers: { Range: "bytes=1-3" } }));
   * assertEquals([response.status, await response.text()], [206, "ell"]);
   * ```
   */
  response(init?: MediaResponseInit): Response;
  /**
   * Returns a stream of the bytes from `start` up to but not including `end`,
   * which does not count as the read of the body. It waits for bytes still to
   * come, and stops at the end of the body. After the body was read, a slice of
   * an entry that is gone by then rejects.
   *
   * @throws {RangeError} If `start` or `end` is not an integer of at least 0, or
   * `end` is below `start`.
   */
  slice(start: number, end?: number): ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Lends the bytes as a file under the file name of the Media, for libraries and
   * programs that want a path. Does not count as the read of the body; waits for the
   * end of a download. After the body was read, a file of an entry that is gone by
   * then rejects.
   *
   * The file is a hard link to the bytes of the entry, which takes no room: don't write
   * to it. With `copy`, and where the file system refuses links, it is a copy. The file
   * stays as it is, whatever becomes of the entry, until it is disposed, or the cache
   * is closed; it counts for no limit of the cache.
   *
   * Each call lends a file of its own, in `.media-cache.lent` in the folder of the cache.
   * If the process is killed before it has given the file back, any cache on the folder
   * removes the file, at its start or within a minute: a program that still uses the path
   * loses it.
   *
   * @param options Whether to copy.
   * @throws {TypeError} If an option is unknown or of another type, or the Media was
   * disposed.
   * @throws {MediaCacheError} If the body goes uncached, the cache is read-only, or no
   * file can be made, as on a full disk, on a mount without locks, and on Windows, where
   * folders have none. The Media can be read all the same.
   * @throws {CacheClosedError} If the cache is or becomes closed.
   * @throws The error of the download, or the reason of the caller's signal.
   *
   * @example Give a path to a program
   * ```ts
   * import { MediaCache } from "@media-cache/media-cache";
   * import { assertEquals } from "@std/assert";
   *
   * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
   * await using media = await cache.getOrDownload(
   *   "https://example.org/hello.txt",
   *   () => Promise.resolve(new Response("hello")),
   * );
   *
   * await using file = await media.file();
   * const { stdout } = await new Deno.Command("wc", { args: ["-c", file.path] }).output();
   *
   * assertEquals(parseInt(new TextDecoder().decode(stdout)), file.size);
   * ```
   */
  file(options?: LentFileOptions): Promise<LentFile>;
  /**
   * Releases the resources of an unread Media, and stops its stream if there is
   * one.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of `media.response()`. */
export interface MediaResponseInit extends ResponseInit {
  /**
   * The request to answer. `status` and `statusText` then count only where the whole body
   * is sent, and `Content-Length` and `Content-Range` of `headers` don't.
   */
  request?: Pick<Request, "method" | "headers"> | undefined;
}

/** The bytes of a {@linkcode Media} as a file, until they are given back. */
export interface LentFile extends AsyncDisposable {
  /**
   * The path: `.media-cache.lent`, a folder and the file name of the Media, below
   * `cacheDir`; relative where that is.
   */
  readonly path: string;
  /** The bytes of the file. */
  readonly size: number;
  /**
   * Gives the file back: removes the path. Idempotent; a process that has opened the
   * file reads on. Never rejects.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
