import type { Context } from "hono";
import type { DownloadInfo } from "../../core/api/download.ts";
import { CacheClosedError } from "../../core/api/errors.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import type { Media } from "../../core/api/media.ts";
import { isInlineSafe } from "../../core/text/mimetype.ts";
import { answerTo } from "../../core/text/media_answer.ts";
import { bodilessHeaders } from "../../core/text/media_headers.ts";
import { withoutSecrets } from "./without_secrets.ts";
import {
  isConditional,
  preconditionOf,
  validatorsOf,
} from "../../core/text/validators.ts";

/**
 * Bodies up to this size are answered in one piece: a stream would hold as
 * much.
 */
const ONE_PIECE_BYTES = 262_144;

/** How long a browser may show a preview without asking again, in seconds. */
const PREVIEW_MAX_AGE = 300;

/**
 * `GET` and `HEAD /media/:key`: the bytes of an entry or of a running download.
 */
export async function getMedia(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  const key = c.req.param("key") ?? "";
  const request = c.req.raw;
  const isHead = request.method === "HEAD";
  if (isHead || isConditional(request.headers)) {
    // An answer without a body opens no file, and counts as no hit.
    const info = await cache.infoByKey(key);
    const answer = info &&
      answerTo(request, { ...info, validators: validatorsOf(info) });
    if (answer !== undefined && answer.range === undefined) {
      return new Response(null, answer);
    }
    if (isHead) {
      return headOfDownload(cache, key, request) ?? await c.notFound();
    }
  }
  const media = await open(cache, key, request);
  if (media instanceof Response) return media;
  return media === undefined
    ? await c.notFound()
    : await answerWith(media, request);
}

/**
 * `GET /preview/:key`: the bytes of an entry of a safe type, for pictures of
 * the dashboard. Changes neither counts nor recency.
 */
export async function getPreview(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  const key = c.req.param("key") ?? "";
  const media = await cache.getByKey(key, { peek: true });
  if (media === undefined) return await c.notFound();
  if (!isInlineSafe(media.mimetype) || c.req.method === "HEAD") {
    await media[Symbol.asyncDispose]();
    return await c.notFound();
  }
  const response = await answerWith(media, c.req.raw);
  response.headers.set("Cache-Control", `private, max-age=${PREVIEW_MAX_AGE}`);
  return response;
}

/** `DELETE /media/:key`: removes an entry. */
export async function deleteMedia(
  cache: MediaCache,
  c: Context,
): Promise<Response> {
  const key = c.req.param("key") ?? "";
  const isRunning = downloadOf(cache, key) !== undefined;
  const { headers } = c.req.raw;
  if (isConditional(headers)) {
    const info = await cache.infoByKey(key);
    const validators = info && validatorsOf(info);
    const status = info !== undefined || isRunning
      ? preconditionOf(headers, validators, false)
      : undefined;
    if (status !== undefined) {
      return new Response(null, {
        status,
        headers: bodilessHeaders(validators),
      });
    }
  }
  const isDeleted = await cache.deleteByKey(key);
  return isDeleted || isRunning ? c.body(null, 204) : await c.notFound();
}

/**
 * Sends type, name and length only once the type is certain: a GIF may become a
 * video.
 */
function headOfDownload(
  cache: MediaCache,
  key: string,
  request: Request,
): Response | undefined {
  const info = downloadOf(cache, key);
  if (info === undefined) return undefined;
  const { mimetype, filename, total } = info;
  const size = mimetype === undefined ? undefined : total;
  const facts = { mimetype, filename, size, validators: undefined };
  return new Response(null, answerTo(request, facts));
}

function downloadOf(cache: MediaCache, key: string): DownloadInfo | undefined {
  return cache.inFlight().find((download) => download.key === key);
}

async function open(
  cache: MediaCache,
  key: string,
  request: Request,
): Promise<Media | Response | undefined> {
  const media = await cache.getByKey(key);
  if (media !== undefined) return media;
  try {
    return await join(cache, key, request) ??
      await cache.getByKey(key); // the download may just have ended
  } catch (error) {
    if (error instanceof CacheClosedError) throw error;
    // The message of a downloader's error may hold the URL.
    return new Response("The download failed\n", { status: 502 });
  }
}

/**
 * Joins a download. While its type is uncertain, which a silent server can make
 * long, a client that goes away leaves the download. Later the client cancels
 * the body instead.
 *
 * Only a request that has to wait reads its signal: reading it makes Deno warn,
 * once, that the signal also fires when all went well.
 */
async function join(
  cache: MediaCache,
  key: string,
  request: Request,
): Promise<Media | undefined> {
  const waiting = new AbortController();
  const leave = () => waiting.abort();
  let signal: AbortSignal | undefined;
  const timer = setTimeout(() => {
    signal = request.signal;
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
  }, 0);
  try {
    return await cache.joinByKey(key, { signal: waiting.signal });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }
}

async function answerWith(media: Media, request: Request): Promise<Response> {
  const { source, size = Infinity } = media;
  const response = media.response({ request });
  if (source === "download") {
    const { body } = response;
    return body === null
      ? response
      : new Response(withoutSecrets(body), response);
  }
  // The body of a response that is in one piece must not be asked for: Deno would make
  // a stream of it.
  const isSmall = source === "disk" && response.status === 200 &&
    size <= ONE_PIECE_BYTES;
  return isSmall ? new Response(await response.bytes(), response) : response;
}
