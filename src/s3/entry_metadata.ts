import type { RemoteEntry } from "../core/api/remote_tier.ts";
import { safeFilename } from "../core/text/filename.ts";
import { cleanMimetype, extractMimetype } from "../core/text/mimetype.ts";

/** The start of the headers by which an object store keeps metadata. */
const PREFIX = "x-amz-meta-";

const SHA256_REGEXP = /^[0-9a-f]{64}$/;

/** The longest headers in all, with their names, in bytes. */
const MAX_BYTES = 2_048;

/** A whole number without sign and leading zeros, as `String()` writes it. */
const INTEGER_REGEXP = /^(?:0|[1-9]\d{0,15})$/;

/**
 * The longest encoded type and reason, in bytes. With a name of 255 bytes, each of which
 * takes three, all headers stay below the 2 KB that AWS S3 allows (User Guide, "Working
 * with object metadata").
 */
const MAX_TYPE_BYTES = 384;
const MAX_REASON_BYTES = 256;

/**
 * Writes the facts of an entry as headers of its object: percent-encoded ASCII, at most
 * 2,048 bytes with their names. A long reason of a kept GIF is cut, a long type loses its
 * parameters, and a name is made safe.
 *
 * @param entry The facts.
 * @returns Headers in lower case.
 */
export function metadataOf(entry: RemoteEntry): Record<string, string> {
  const facts: Record<string, string | undefined> = {
    mimetype: encodedType(entry.mimetype),
    filename: encodeURIComponent(safeFilename(entry.filename)),
    size: String(entry.size),
    sha256: entry.sha256,
    "stored-at": String(Math.floor(entry.storedAt)),
    "source-mimetype": entry.sourceMimetype === undefined
      ? undefined
      : encodedType(entry.sourceMimetype),
    "source-size": entry.sourceSize === undefined
      ? undefined
      : String(entry.sourceSize),
    conversion: entry.conversion === undefined
      ? undefined
      : cut(entry.conversion, MAX_REASON_BYTES),
  };
  const headers: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    headers[PREFIX + name] = value;
    bytes += PREFIX.length + name.length + value.length;
  }
  // Without these the origin sends all bytes again: they are left out where room is short.
  const { sourceSha256, etag, lastModified } = entry;
  const extras = {
    "source-sha256": sourceSha256,
    etag,
    "last-modified": lastModified,
  };
  for (const [name, text] of Object.entries(extras)) {
    if (text === undefined) continue;
    const value = encodeURIComponent(text.toWellFormed());
    bytes += PREFIX.length + name.length + value.length;
    if (bytes > MAX_BYTES) break;
    headers[PREFIX + name] = value;
  }
  return headers;
}

/**
 * Reads the facts of an entry from the headers of its object. Names and types are made
 * safe again: other programs may write to the bucket. Unknown members are ignored.
 *
 * @param headers The headers of an answer to GET or HEAD.
 * @returns The facts; undefined where one is missing or impossible, or where the length
 * of the object is another.
 */
export function entryOf(headers: Headers): RemoteEntry | undefined {
  const mimetype = textOf(headers, "mimetype");
  const filename = textOf(headers, "filename");
  const size = integerOf(headers, "size");
  const sha256 = headers.get(`${PREFIX}sha256`) ?? "";
  const storedAt = integerOf(headers, "stored-at");
  if (
    mimetype === undefined || filename === undefined || size === undefined ||
    storedAt === undefined || !SHA256_REGEXP.test(sha256)
  ) return undefined;
  const length = headers.get("content-length");
  if (length !== null && length !== String(size)) return undefined;
  const sourceMimetype = textOf(headers, "source-mimetype");
  const sourceSize = integerOf(headers, "source-size");
  const conversion = textOf(headers, "conversion");
  const sourceSha256 = textOf(headers, "source-sha256") ?? "";
  const etag = textOf(headers, "etag");
  const lastModified = textOf(headers, "last-modified");
  return {
    mimetype: cleanMimetype(mimetype),
    filename: safeFilename(filename),
    size,
    sha256,
    storedAt,
    ...(sourceMimetype === undefined
      ? {}
      : { sourceMimetype: cleanMimetype(sourceMimetype) }),
    ...(sourceSize === undefined ? {} : { sourceSize }),
    ...(SHA256_REGEXP.test(sourceSha256) ? { sourceSha256 } : {}),
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
    ...(conversion === undefined ? {} : { conversion }),
  };
}

function encodedType(mimetype: string): string {
  const encoded = encodeURIComponent(cleanMimetype(mimetype));
  if (encoded.length <= MAX_TYPE_BYTES) return encoded;
  // A bare type has at most 255 characters; some of them take three bytes.
  const bare = encodeURIComponent(extractMimetype(mimetype));
  return bare.length <= MAX_TYPE_BYTES
    ? bare
    : encodeURIComponent(cleanMimetype(""));
}

/** Encodes as many whole characters as fit. */
function cut(text: string, maxBytes: number): string {
  let encoded = "";
  for (const character of text.toWellFormed()) {
    const next = encodeURIComponent(character);
    if (encoded.length + next.length > maxBytes) break;
    encoded += next;
  }
  return encoded;
}

function textOf(headers: Headers, name: string): string | undefined {
  const value = headers.get(PREFIX + name);
  if (value === null) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function integerOf(headers: Headers, name: string): number | undefined {
  const value = headers.get(PREFIX + name) ?? "";
  const number = Number(value);
  return INTEGER_REGEXP.test(value) && Number.isSafeInteger(number)
    ? number
    : undefined;
}
