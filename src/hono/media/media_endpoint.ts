import type { Context } from "hono";
import type { DownloadInfo } from "../../core/api/download.ts";
import type { EntryInfo } from "../../core/api/entry_info.ts";
import { CacheClosedError } from "../../core/api/errors.ts";
import type { MediaCache } from "../../core/media_cache.ts";
import type { Media } from "../../core/api/media.ts";
import { isInlineSafe } from "../../core/text/mimetype.ts";
import { parseRange } from "../../core/text/byte_range.ts";
import {
  bodilessHeaders,
  mediaHeaders,
} from "../../core/text/media_headers.ts";
import { ownedBody } from "./owned_body.ts";
import {
  ifRangeHolds,
  isConditional,
  preconditionOf,
  type Validators,
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
  const isHead = c.req.method === "HEAD";
  if (isHead || isConditional(c.req.raw.headers)) {
    const info = await cache.infoByKey(key);
    const answer = info && withoutBody(info, c.req.raw.headers, isHead);
    if (answer !== undefined) return answer;
    if (isHead) return headOfDownload(cache, key, c) ?? await c.notFound();
  }
  const media = await open(cache, key, c.req.raw);
  if (media instanceof Response) return media;
  return media === undefined ? await c.notFound() : await answerWith(media, c);
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
  const response = await answerWith(media, c);
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
    const unmet = (info !== undefined || isRunning) &&
      unmetCondition(headers, info && validatorsOf(info), false);
    if (unmet) return unmet;
  }
  const isDeleted = await cache.deleteByKey(key);
  return isDeleted || isRunning ? c.body(null, 204) : await c.notFound();
}

/** Answers a HEAD, or a condition that makes the body needless. */
function withoutBody(
  info: EntryInfo,
  requestHeaders: Headers,
  isHead: boolean,
): Response | undefined {
  const validators = validatorsOf(info);
  const unmet = unmetCondition(requestHeaders, validators, true);
  if (unmet !== undefined || !isHead) return unmet;
  const headers = mediaHeaders({ ...info, validators });
  headers["content-length"] = String(info.size);
  return new Response(null, { headers });
}

/** Answers a condition that does not hold. */
function unmetCondition(
  requestHeaders: Headers,
  validators: Validators | undefined,
  isRead: boolean,
): Response | undefined {
  const status = preconditionOf(requestHeaders, validators, isRead);
  if (status === undefined) return undefined;
  return new Response(null, { status, headers: bodilessHeaders(validators) });
}

/**
 * Sends type, name and length only once the type is certain: a GIF may become a
 * video.
 */
function headOfDownload(
  cache: MediaCache,
  key: string,
  c: Context,
): Response | undefined {
  const info = downloadOf(cache, key);
  if (info === undefined) return undefined;
  const unmet = unmetCondition(c.req.raw.headers, undefined, true);
  if (unmet !== undefined) return unmet;
  const { mimetype, filename, total } = info;
  const headers = mediaHeaders({ mimetype, filename, validators: undefined });
  if (mimetype !== undefined && total !== undefined) {
    headers["content-length"] = String(total);
  }
  return new Response(null, { headers });
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

async function answerWith(media: Media, c: Context): Promise<Response> {
  const { mimetype, filename, size, entry } = media;
  const validators = entry && validatorsOf(entry);
  // The entry may have been replaced since the first condition was checked.
  const unmet = unmetCondition(c.req.raw.headers, validators, true);
  if (unmet !== undefined) {
    await media[Symbol.asyncDispose]();
    return unmet;
  }
  const headers = mediaHeaders({ mimetype, filename, validators });
  if (size === undefined) {
    return new Response(ownedBody(media, media.body), { headers });
  }

  const range = ifRangeHolds(c.req.header("If-Range"), validators)
    ? parseRange(c.req.header("Range"), size)
    : "whole";
  if (range === "unsatisfiable") {
    await media[Symbol.asyncDispose]();
    const headers = bodilessHeaders(validators);
    headers["accept-ranges"] = "bytes";
    headers["content-range"] = `bytes */${size}`;
    return new Response(null, { status: 416, headers });
  }
  if (range !== "whole") {
    const { start, end } = range;
    headers["content-range"] = `bytes ${start}-${end - 1}/${size}`;
    headers["content-length"] = String(end - start);
    const body = ownedBody(media, media.slice(start, end));
    return new Response(body, { status: 206, headers });
  }
  headers["content-length"] = String(size);
  if (media.source === "download") {
    return new Response(ownedBody(media, media.body), { headers });
  }
  if (media.source === "disk") {
    const isSmall = size <= ONE_PIECE_BYTES;
    const body = isSmall ? await media.bytes() : media.body;
    return new Response(body, { headers });
  }
  const response = media.response();
  for (const name in headers) response.headers.set(name, headers[name] ?? "");
  return response;
}
