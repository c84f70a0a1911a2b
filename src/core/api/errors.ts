import { normalizeMimetype } from "../text/mimetype.ts";

/**
 * The base class of the cache's own errors.
 *
 * No message holds a URL, because URLs carry bot tokens and messages end in logs. Errors that a downloader
 * throws are not wrapped and do not extend this class.
 *
 * @example Tell the cache's errors from a downloader's
 * ```ts
 * import { MediaCache, MediaCacheError } from "@media-cache/media-cache";
 * import { assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * const download = () => Promise.resolve(new Response(null, { status: 500 }));
 *
 * await assertRejects(() => cache.getOrDownload("https://example.com/cat.png", download), MediaCacheError);
 * ```
 */
export class MediaCacheError extends Error {
  /**
   * Creates the error.
   *
   * @param message The failed action, the wanted state, and the state found.
   * @param options The cause, if there is one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MediaCacheError";
  }
}

/** Options of {@linkcode HttpStatusError}. */
export interface HttpStatusErrorOptions extends ErrorOptions {
  /** How long the server asks to wait before the next request, in milliseconds. */
  retryAfterMs?: number | undefined;
}

/**
 * Thrown when a downloader resolves to a `Response` whose status is neither 200
 * nor 203.
 *
 * Nothing was stored, and the body of the response was cancelled. The next call
 * tries again.
 *
 * @example Treat a file that is gone as absent
 * ```ts
 * import { HttpStatusError, MediaCache } from "@media-cache/media-cache";
 * import { assertEquals } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * const media = await cache
 *   .getOrDownload("https://example.com/gone.png", () => Promise.resolve(new Response("", { status: 404 })))
 *   .catch((error) => {
 *     if (error instanceof HttpStatusError && error.status === 404) return undefined;
 *     throw error;
 *   });
 *
 * assertEquals(media, undefined);
 * ```
 *
 * @example Read how long a server asks to wait
 * ```ts
 * import { HttpStatusError, MediaCache } from "@media-cache/media-cache";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * const busy = () => Promise.resolve(new Response("", { status: 429, headers: { "Retry-After": "5" } }));
 *
 * const error = await assertRejects(() => cache.getOrDownload("https://example.com/cat.png", busy), HttpStatusError);
 *
 * assertEquals(error.retryAfterMs, 5_000);
 * ```
 */
export class HttpStatusError extends MediaCacheError {
  /** The status that was received. */
  readonly status: number;
  /**
   * How long the server asks to wait before the next request, in milliseconds, counted from when the answer came:
   * its `Retry-After` (RFC 9110 §10.2.3), 0 where it names a time that has passed, `undefined` without a valid one.
   */
  readonly retryAfterMs: number | undefined;

  /**
   * Creates the error.
   *
   * @param status The status that was received.
   * @param options The server's wish to wait, and the cause.
   */
  constructor(status: number, options: HttpStatusErrorOptions = {}) {
    super(
      `Cannot download: status must be 200 or 203: received ${status}`,
      options,
    );
    this.name = "HttpStatusError";
    this.status = status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Thrown when a body has another length than declared.
 *
 * Readers get this error instead of an end, and nothing was stored.
 *
 * @example Notice a body that was cut short
 * ```ts
 * import { IncompleteBodyError, MediaCache } from "@media-cache/media-cache";
 * import { assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * await assertRejects(async () => {
 *   const media = await cache.getOrDownload(
 *     "https://example.com/voice.ogg",
 *     () => Promise.resolve({ data: new Blob(["half of the "]).stream(), size: 24 }),
 *   );
 *   await media.bytes();
 * }, IncompleteBodyError);
 * ```
 */
export class IncompleteBodyError extends MediaCacheError {
  /** The number of bytes received. */
  readonly received: number;
  /** The number of bytes declared. */
  readonly expected: number;

  /**
   * Creates the error.
   *
   * @param received The number of bytes received.
   * @param expected The number of bytes declared.
   * @param options The cause, if there is one.
   */
  constructor(received: number, expected: number, options?: ErrorOptions) {
    super(
      `Cannot download: body must have the declared ${expected} bytes: received ${received}`,
      options,
    );
    this.name = "IncompleteBodyError";
    this.received = received;
    this.expected = expected;
  }
}

/**
 * Thrown when the type of a media is not among those that the caller accepts
 * (`accept`). Other callers of the same URL are not affected; a download that
 * none of them accepts is aborted, and not stored.
 *
 * @example Take pictures alone
 * ```ts
 * import { MediaCache, UnacceptableTypeError } from "@media-cache/media-cache";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 *
 * const error = await assertRejects(() =>
 *   cache.getOrDownload(
 *     "https://example.com/cat",
 *     () => Promise.resolve(new Response("a page", { headers: { "Content-Type": "text/html" } })),
 *     { accept: ["image/*"] },
 *   ), UnacceptableTypeError);
 *
 * assertEquals(error.mimetype, "text/html");
 * ```
 */
export class UnacceptableTypeError extends MediaCacheError {
  /** The type that the origin has sent, without parameters; of a converted GIF `image/gif`. */
  readonly mimetype: string;
  /** The types that are accepted. */
  readonly accept: readonly string[];

  /**
   * Creates the error.
   *
   * @param mimetype The type that was found.
   * @param accept The types that are accepted.
   * @param options The cause, if there is one.
   */
  constructor(
    mimetype: string,
    accept: readonly string[],
    options?: ErrorOptions,
  ) {
    const type = normalizeMimetype(mimetype);
    super(
      `Cannot get media: type must be ${accept.join(" or ")}: received ${type}`,
      options,
    );
    this.name = "UnacceptableTypeError";
    this.mimetype = type;
    this.accept = [...accept];
  }
}

/** Options of {@linkcode TooLargeError}: the size of the body. */
export interface TooLargeErrorOptions extends ErrorOptions {
  /** The declared length, where that alone was too much. */
  declared?: number | undefined;
  /** The number of bytes received when the limit was passed. */
  received?: number | undefined;
}

/**
 * Thrown when a body is longer than `maxDownloadMb` allows; nothing was stored.
 *
 * @example Limit what one download may bring
 * ```ts
 * import { MediaCache, TooLargeError } from "@media-cache/media-cache";
 * import { assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir(), maxDownloadMb: 1 });
 *
 * await assertRejects(async () => {
 *   const media = await cache.getOrDownload(
 *     "https://example.com/film.mp4",
 *     () => Promise.resolve({ data: new Uint8Array(2 ** 21) }),
 *   );
 *   await media.bytes();
 * }, TooLargeError);
 * ```
 */
export class TooLargeError extends MediaCacheError {
  /** The largest body that may be downloaded, in bytes. */
  readonly maxBytes: number;
  /** The declared length, where that alone was too much. */
  readonly declared: number | undefined;
  /**
   * The number of bytes received when the limit was passed; `undefined` where
   * the declared length was too much.
   */
  readonly received: number | undefined;

  /**
   * Creates the error.
   *
   * @param maxBytes The largest body that may be downloaded, in bytes.
   * @param options The declared or received length, and the cause.
   */
  constructor(maxBytes: number, options: TooLargeErrorOptions = {}) {
    const { declared, received } = options;
    const found = received !== undefined
      ? `received ${received}`
      : `declared ${declared ?? "more"}`;
    super(
      `Cannot download: body must be at most ${maxBytes} bytes: ${found}`,
      options,
    );
    this.name = "TooLargeError";
    this.maxBytes = maxBytes;
    this.declared = declared;
    this.received = received;
  }
}

/**
 * Thrown when a download takes too long.
 *
 * `idle` means that no byte came for `idleTimeoutMs`, `total` that the body was
 * not complete after `timeoutMs`. Time in which the cache's own readers hold
 * the source back does not count as idle.
 *
 * @example Give up on a server that says nothing
 * ```ts
 * import { DownloadTimeoutError, MediaCache } from "@media-cache/media-cache";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir(), idleTimeoutMs: 20 });
 *
 * const error = await assertRejects(async () => {
 *   const media = await cache.getOrDownload(
 *     "https://example.com/cat.png",
 *     () => Promise.resolve({ data: new ReadableStream<Uint8Array>() }),
 *   );
 *   await media.bytes();
 * }, DownloadTimeoutError);
 *
 * assertEquals(error.kind, "idle");
 * ```
 */
export class DownloadTimeoutError extends MediaCacheError {
  /** The limit that was passed, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the pause between two bytes or the whole download was too long. */
  readonly kind: "idle" | "total";

  /**
   * Creates the error.
   *
   * @param timeoutMs The limit that was passed, in milliseconds.
   * @param kind Which of the two limits it was.
   * @param options The cause, if there is one.
   */
  constructor(
    timeoutMs: number,
    kind: "idle" | "total",
    options?: ErrorOptions,
  ) {
    const wanted = kind === "idle" ? "next byte" : "whole body";
    super(
      `Cannot download: ${wanted} must come within ${timeoutMs} ms: it did not`,
      options,
    );
    this.name = "DownloadTimeoutError";
    this.timeoutMs = timeoutMs;
    this.kind = kind;
  }
}

/**
 * Thrown when a cache is used after `close()`.
 *
 * @example Use a closed cache
 * ```ts
 * import { CacheClosedError, MediaCache } from "@media-cache/media-cache";
 * import { assertRejects } from "@std/assert";
 *
 * const cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * await cache.close();
 *
 * await assertRejects(() => cache.get("https://example.com/cat.png"), CacheClosedError);
 * ```
 */
export class CacheClosedError extends MediaCacheError {
  /** Creates the error, with a cause if there is one. */
  constructor(options?: ErrorOptions) {
    super("Cannot use cache: cache must be open: it was closed", options);
    this.name = "CacheClosedError";
  }
}
