import {
  assertBodyData,
  type BodyData,
  describe,
  isBlob,
  isObject,
  isStream,
  lengthOf,
} from "../bodies/body_data.ts";
import { chunkSource } from "../bodies/chunk_source.ts";
import {
  type ContentCoding,
  parseContentCodings,
} from "../text/content_codings.ts";
import { parseFilename } from "../text/content_disposition.ts";
import type { Download, DownloadContext, Downloader } from "../api/download.ts";
import { HttpStatusError } from "../api/errors.ts";
import type { Sidecar } from "../disk/sidecar.ts";
import type { CheckedObject } from "../remote/checked_object.ts";
import type { FoundObject } from "../remote/remote_lookup.ts";
import {
  filenameFromUrl,
  safeFilename,
  withFittingExtension,
} from "../text/filename.ts";
import { cleanMimetype, extractMimetype } from "../text/mimetype.ts";
import { parseRetryAfter } from "../text/http_date.ts";
import {
  isKeptValidator,
  type OriginValidators,
} from "../text/origin_conditions.ts";
import {
  type ReceivedPart,
  sizeByRest,
  strongValidatorOf,
} from "../text/partial_content.ts";
import type { Rest } from "./continued_body.ts";

/** The result of a downloader, checked and completed, ready to be pumped. */
export interface Source {
  /** The bytes; a stream is unlocked and unread. */
  body: BodyData;
  /** A media type that a header can carry. */
  mimetype: string;
  /** A safe name, never empty. */
  filename: string;
  /** The declared number of bytes, else the real one where known; a body of another length is incomplete. */
  size: number | undefined;
  /** The codings that Content-Encoding names, in the order in which they were applied; the body may be plain. */
  codings?: readonly ContentCoding[];
  /** The number of bytes of the body if it is still coded. */
  codedSize?: number | undefined;
  /** The validators that the origin has sent: members of a sidecar. */
  validators?: OriginValidators;
  /** Why the body must not be stored; its readers get it all the same. */
  uncachedReason?: string;
  /** The validator by which the rest of the body can be asked for, if it breaks. */
  validator?: string | undefined;
  /** The object of the remote tier that has the bytes; undefined for a downloader's. */
  remote?: RemoteSource;
}

/** The facts of an object of the remote tier, in place of the answer of a downloader. */
export interface RemoteSource {
  /** The bytes, checked on the way; undefined where they came whole, and were checked. */
  readonly object: CheckedObject | undefined;
  /** The digest of the bytes, which are compared with it. */
  readonly sha256: string;
  /** The download that the body was converted from, if it was. */
  readonly original:
    | Required<Pick<Sidecar, "sourceMimetype">>
      & Pick<Sidecar, "sourceSize" | "sourceSha256">
    | undefined;
  /** Why a GIF was kept as it is. */
  readonly conversion: string | undefined;
}

/** Makes a source of an object of the remote tier. */
export function remoteSource({ entry, body }: FoundObject): Source {
  const { mimetype, filename, size, sha256, conversion } = entry;
  const { sourceMimetype, sourceSize, sourceSha256 } = entry;
  const { etag, lastModified } = entry;
  const isWhole = body instanceof Uint8Array;
  return {
    // An object that comes in chunks is read by `remote.object` instead.
    body: isWhole ? body : new Uint8Array(0),
    ...{ mimetype, filename, size },
    validators: {
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
    },
    remote: {
      object: isWhole ? undefined : body,
      sha256,
      original: sourceMimetype === undefined ? undefined : {
        sourceMimetype,
        ...(sourceSize !== undefined && { sourceSize }),
        ...(sourceSha256 !== undefined && { sourceSha256 }),
      },
      conversion,
    },
  };
}

/**
 * Runs a downloader and reads its answer by `read`. Waits only until the signal is aborted: a
 * downloader that ignores the signal can't keep its callers waiting.
 *
 * @throws The downloader's own error, or the signal's reason.
 */
export async function runDownloader<T>(
  downloader: Downloader,
  context: DownloadContext,
  read: (result: Response | Download, url: string) => T,
): Promise<T> {
  const { url, signal } = context;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  // Called in an async function: a downloader may also throw, or return no promise.
  const answer = (async () => await downloader(context))();
  let isLate = true;
  try {
    const result = await Promise.race([answer, aborted]);
    isLate = false;
    return read(result, url);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A late answer is cancelled, so that its connection does not stay open.
    if (isLate) answer.then((result) => discard(bodyOf(result)), () => {});
  }
}

/**
 * Makes a source of the result of a downloader. Before it throws it cancels the body, so that no connection stays
 * open.
 *
 * @param result A `Response` (of any implementation) or a `Download`.
 * @param url The URL, which names the file if nothing else does.
 * @returns The source.
 * @throws {HttpStatusError} If the status is not 200 or 203.
 * @throws {TypeError} If the result, its body or one of its fields is of a wrong type, or the body is used.
 * @throws {RangeError} If the size is not a non-negative integer.
 */
export function toSource(result: Response | Download, url: string): Source {
  try {
    if (isResponse(result)) return fromResponse(result, url);
    if (isDownload(result)) return fromDownload(result, url);
    throw new TypeError(
      "Cannot download: downloader must resolve to a Response or an object with data: " +
        `received ${describe(result)}`,
    );
  } catch (error) {
    discard(bodyOf(result));
    throw error;
  }
}

/**
 * Makes the rest of a body of the result of a downloader. The body of any other result is
 * cancelled.
 *
 * @param part What has come of the body.
 * @returns The rest; undefined for the whole body, another version, or another part.
 * @throws {HttpStatusError} If the status is not 200, 203 or 206.
 */
export function toRest(
  result: Response | Download,
  part: ReceivedPart,
): Rest | undefined {
  const size = isResponse(result) ? sizeByRest(result, part) : undefined;
  if (isResponse(result)) {
    const { body, bodyUsed } = result;
    if (size !== undefined && !bodyUsed && isStream(body)) {
      const left = size - part.received;
      return { chunks: chunkSource(body, true, left), size };
    }
  }
  discard(bodyOf(result));
  if (isResponse(result) && result.status !== 206) assertStatus(result);
  return undefined;
}

function assertStatus({ status, headers }: Response): void {
  // 206 is a part, 204 and 205 have no content, and 304 has no body:
  // `Revalidation` takes it for an answer.
  if (status === 200 || status === 203) return;
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"));
  throw new HttpStatusError(status, { retryAfterMs });
}

function fromResponse(response: Response, url: string): Source {
  const { headers, body } = response;
  assertStatus(response);
  if (body !== null && body !== undefined) assertBodyData("download", body);
  if (response.bodyUsed) {
    throw new TypeError(
      "Cannot download: body must be unread and unlocked: received one in use",
    );
  }

  const mimetype = extractMimetype(headers.get("content-type"));
  const disposition = headers.get("content-disposition");
  const stated = disposition && parseFilename(disposition);
  const filename = withFittingExtension(
    stated && safeFilename(stated, "") || filenameFromUrl(url, "") ||
      // Of redirects the last URL: its path alone, since a query often holds a secret.
      filenameFromUrl(String(response.url ?? "")),
    mimetype,
  );

  const coded = headers.get("content-encoding");
  const codings = coded === null ? [] : parseContentCodings(coded);
  const { size, uncachedReason } = contentLength(headers);

  return {
    body: body ?? new Uint8Array(0),
    mimetype,
    filename,
    // Content-Length counts coded bytes, and `fetch` hands out decoded bytes.
    size: codings.length > 0 ? undefined : size,
    codings,
    codedSize: size,
    ...versionOf(headers, codings.length > 0),
    ...(uncachedReason !== undefined && { uncachedReason }),
  };
}

/** The version of a body, as the headers of its response tell it. */
function versionOf(
  headers: Headers,
  isCoded: boolean,
): Pick<Source, "validators" | "validator"> {
  const etag = headers.get("etag");
  const lastModified = headers.get("last-modified");
  return {
    validators: {
      ...(isKeptValidator(etag) && { etag }),
      ...(isKeptValidator(lastModified) && { lastModified }),
    },
    // Ranges count the bytes of a coded body, and `fetch` hands out decoded bytes.
    validator: (etag ?? lastModified) && !isCoded
      ? strongValidatorOf(headers)
      : undefined,
  };
}

function fromDownload(download: Download, url: string): Source {
  const { data, mimetype: statedType, filename: statedName, size: declared } =
    download;
  const headers = download.headers ?? undefined;
  assertBodyData("download", data);
  if (headers !== undefined && !isHeaders(headers)) {
    throw new TypeError(
      `Cannot download: headers must be Headers: received ${describe(headers)}`,
    );
  }
  assertString("mimetype", statedType);
  assertString("filename", statedName);

  const blobType = isBlob(data) ? data.type : undefined;
  const mimetype = statedType
    ? cleanMimetype(statedType)
    : extractMimetype(blobType);
  const givenName = statedName || fileName(data) || "";
  const filename = safeFilename(
    givenName,
    withFittingExtension(filenameFromUrl(url), mimetype),
  );

  // A declared size other than the real one is passed on: the pump finds the body incomplete.
  return {
    body: data,
    mimetype,
    filename,
    size: checkedSize(declared) ?? lengthOf(data),
    ...(headers !== undefined &&
      versionOf(headers, headers.get("content-encoding") !== null)),
  };
}

// A list of equal lengths declares that length; another list, or anything but a number, is invalid (RFC 9110 §8.6).
// `fetch` fails then, so the program has made this Response itself, and its length stays unknown.
function contentLength(
  headers: Headers,
): { size: number | undefined; uncachedReason?: string } {
  const value = headers.get("content-length")?.trim();
  if (!value) return { size: undefined };
  const [length = "", ...others] = new Set(
    value.split(",").map((part) => part.trim().replace(/^0+(?=\d)/, "")),
  );
  if (!/^\d+$/.test(length) || others.length > 0) {
    return { size: undefined, uncachedReason: "its Content-Length is invalid" };
  }

  return { size: Number(length) };
}

function checkedSize(size: unknown): number | undefined {
  if (size === undefined || size === null) return undefined;
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) {
    return size;
  }

  throw new RangeError(
    "Cannot download: size must be a non-negative integer: " +
      `received ${typeof size === "number" ? size : describe(size)}`,
  );
}

function fileName(data: Download["data"]): string | undefined {
  return "name" in data && typeof data.name === "string"
    ? data.name
    : undefined;
}

function assertString(field: string, value: unknown): void {
  if (value === undefined || value === null || typeof value === "string") {
    return;
  }

  throw new TypeError(
    `Cannot download: ${field} must be a string: received ${describe(value)}`,
  );
}

// Looks at the shape, not the class, as body_data.ts does.
function isResponse(value: unknown): value is Response {
  return isObject<Response>(value) && typeof value.status === "number" &&
    "body" in value && isHeaders(value.headers);
}

function isHeaders(value: unknown): value is Headers {
  return isObject<Headers>(value) && typeof value.get === "function";
}

function isDownload(value: unknown): value is Download {
  return isObject<Download>(value) && "data" in value;
}

function bodyOf(result: unknown): unknown {
  if (isResponse(result)) return result.body;

  return isDownload(result) ? result.data : undefined;
}

// Not awaited: the caller gets the error at once. A body that can't be cancelled has ended.
async function discard(body: unknown): Promise<void> {
  try {
    if (isStream(body) && !body.locked) await body.cancel();
  } catch {
    // The connection has failed already.
  }
}
