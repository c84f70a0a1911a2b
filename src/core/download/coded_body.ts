/*
 * Finds out whether a body is still coded when its Content-Encoding names a coding.
 *
 * `fetch` decodes some codings, and keeps the header in either case. Deno 2.9 decodes `gzip` and `br`, but not
 * `deflate`, `zstd`, `x-gzip` or a list of codings, and nothing if the request asked for `identity` or a range. Other
 * clients decode other codings. So the first bytes of the body decide, with the header:
 *
 * | coding    | the body is plain when it               | the body is still coded when it                  |
 * | --------- | --------------------------------------- | ------------------------------------------------ |
 * | gzip      | does not begin as gzip does             | begins so, and files of its type never do        |
 * | deflate   | is media or text, or does not decode    | is whole zlib; or raw, and decodes to such       |
 * | br        | is media or text, or does not decode    | (never certain: half of it decodes without error) |
 * | zstd      | does not begin as zstd does             | (can't be decoded)                               |
 * | compress  | does not begin as compress does         | (can't be decoded)                               |
 * | any other | is media or text                        | (can't be decoded)                               |
 *
 * Files of some types are gzip themselves (`.tgs`, `.gz`). Such a body is still coded if the decoded bytes are gzip
 * again, else plain. If neither type nor name tells the format of the bytes, the body stays uncertain.
 *
 * Images, videos, audio and fonts that begin as another compressed format does are not plain, whatever the table says.
 *
 * A plain body is stored as it came, and a body that is certainly coded is decoded. An uncertain body is handed out as
 * it came, and not stored. Of a list of codings the last is undone first.
 */
import { extname } from "@std/path/extname";
import { type ChunkSource, replayed } from "../bodies/chunk_source.ts";
import {
  type DecodedFormat,
  DecodedSource,
  tryDecode,
} from "../bodies/decoder.ts";
import type { ContentCoding } from "../text/content_codings.ts";
import { isMediaExtension } from "../text/mimetype.ts";
import { looksPlain } from "./plain_bytes.ts";
import type { Source } from "./source.ts";

/** The bytes of a body to look at; more bytes would decide nothing. */
const ENOUGH_BYTES = 4096;

/** With fewer bytes only a signature decides, unless the body has no more. */
const MIN_BYTES = 16;

/** The first bytes of compressed formats in hexadecimal; zstd may begin with a skippable frame (RFC 8878 §3.1.2). */
const SIGNATURES = [
  ["gzip", /^1f8b08/],
  ["compress", /^1f9d/],
  ["zstd", /^(?:28b52ffd|5.2a4d18)/],
  ["bzip2", /^425a68/],
  ["xz", /^fd377a585a00/],
  ["lz4", /^04224d18/],
] as const;

/** The bytes of the longest signature. */
const SIGNATURE_BYTES = 6;

/** Types whose files begin with bytes of their own, unlike any compressed format. */
const EXACT_TYPE_REGEXP =
  /^(?:image|video|audio|text|font)\/|^application\/(?:json|xml|javascript|pdf|zip|ogg)$|\+(?:json|xml|zip|dotlottie)$/;

/** Exact types, without those that servers give to files of unknown type, as text/plain. */
const MEDIA_TYPE_REGEXP = /^(?:image|video|audio|font)\//;

const GZIP_TYPE_REGEXP =
  /^application\/(?:x-)?(?:gzip|gunzip|tgsticker|tgz|gtar-compressed)$/;

const GZIP_EXTENSIONS: ReadonlySet<string> = new Set(
  [".gz", ".tgz", ".tgs", ".svgz", ".emz", ".wmz"],
);

/** A body to be pumped, decoded if need be. */
export interface UncodedBody {
  /** The bytes of the body. */
  readonly chunks: ChunkSource;
  /** The facts of these bytes: size and uncachedReason may differ from those of the body as it came. */
  readonly source: Source;
}

/** The formats to decode a body from, or the reason not to store it. */
type Verdict = { formats: DecodedFormat[] } | Undecodable;

interface Undecodable {
  uncachedReason: string;
  /** Whether the body is certainly still coded. */
  isCoded: boolean;
}

/** The facts that tell the format of a plain body. */
type Facts = Pick<Source, "mimetype" | "filename">;

/**
 * Decodes a body that is certainly still coded.
 *
 * @param chunks The body as it came.
 * @param source The facts of the body.
 * @param onChunk Called for each chunk that is looked at.
 * @returns The body to be pumped: decoded, or as it came.
 */
export async function uncodedBody(
  chunks: ChunkSource,
  source: Source,
  onChunk: () => void,
): Promise<UncodedBody> {
  const { codings = [], codedSize } = source;
  if (codings.length === 0) return { chunks, source };
  const taken: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  let verdict: Verdict | undefined;
  for (let wanted = 1; verdict === undefined; wanted = 4 * length) {
    let isWhole = false;
    while (length < Math.min(wanted, ENOUGH_BYTES) && !isWhole) {
      const chunk = await chunks.next();
      onChunk();
      if (chunk === undefined) isWhole = true;
      else taken.push(chunk);
      length += chunk?.length ?? 0;
    }
    verdict = await judge(codings, source, startOf(taken), isWhole);
  }
  let body = replayed(taken, chunks);
  if ("uncachedReason" in verdict) {
    const { uncachedReason = verdict.uncachedReason } = source;
    const size = verdict.isCoded ? codedSize : undefined;
    return { chunks: body, source: { ...source, size, uncachedReason } };
  }
  for (const format of verdict.formats) {
    // The declared length is not checked: the client may have undone another coding. The end of the format shows
    // whether the body is whole.
    body = await DecodedSource.of(body, format);
  }
  return { chunks: body, source };
}

/** Undoes the codings on the first bytes, the last first; undefined when more bytes are needed. */
async function judge(
  codings: readonly ContentCoding[],
  facts: Facts,
  start: Uint8Array,
  isWhole: boolean,
): Promise<Verdict | undefined> {
  const formats: DecodedFormat[] = [];
  let bytes = start;
  let isEnough = isWhole || start.length >= ENOUGH_BYTES;
  for (const coding of codings.toReversed()) {
    const found = await lookAt(coding, facts, bytes, isEnough);
    if (found === undefined) return undefined;
    if ("isPlain" in found) break;
    if ("uncachedReason" in found) {
      return { ...found, isCoded: found.isCoded || formats.length > 0 };
    }
    formats.push(found.format);
    bytes = found.decoded;
    // Few coded bytes may decode to enough bytes.
    isEnough ||= bytes.length >= ENOUGH_BYTES;
  }
  return { formats };
}

type Found =
  | { isPlain: true }
  | Undecodable
  | { format: DecodedFormat; decoded: Uint8Array };

const PLAIN: Found = { isPlain: true };

async function lookAt(
  coding: ContentCoding,
  facts: Facts,
  bytes: Uint8Array,
  isEnough: boolean,
): Promise<Found | undefined> {
  if (bytes.length < SIGNATURE_BYTES && !isEnough) return undefined;
  const seen = formatSeen(bytes);
  if (seen === coding && seen !== "gzip") {
    return {
      uncachedReason: `it is still ${coding}, which can't be decoded here`,
      isCoded: true,
    };
  }
  if (seen !== coding) {
    const hasSignature = SIGNATURES.some(([name]) => name === coding);
    const mayBeZlib = coding !== "deflate" && isZlib(bytes);
    const wantsMore = !hasSignature || mayBeZlib;
    if (wantsMore && bytes.length < MIN_BYTES && !isEnough) return undefined;
    const isCompressed = seen !== undefined ||
      mayBeZlib && await tryDecode("zlib", bytes) !== undefined;
    if (isCompressed && isUncompressedMedia(facts)) {
      return uncertain(
        "it is compressed, and not as its Content-Encoding says",
      );
    }
    if (hasSignature || looksPlain(bytes)) return PLAIN;
    if (coding === "unknown") {
      return uncertain("it may still be coded in a way that is not known");
    }
  }
  const format = coding === "deflate"
    ? isZlib(bytes) ? "zlib" : "deflate-raw"
    : coding === "br"
    ? "br"
    : "gzip";
  const decoded = await tryDecode(format, bytes);
  if (decoded !== undefined && decoded.length < MIN_BYTES && !isEnough) {
    return undefined;
  }
  switch (format) {
    case "gzip":
      return gzipOf(facts, decoded);
    case "zlib":
      return decoded === undefined
        ? uncertain("it may still be deflate")
        : { format, decoded };
    case "deflate-raw":
      if (decoded === undefined) return PLAIN;
      return looksPlain(decoded)
        ? { format, decoded }
        : uncertain("it may still be deflate");
    case "br":
      return decoded === undefined ? PLAIN : uncertain("it may still be br");
  }
}

/** The format whose signature the first bytes are. */
function formatSeen(
  bytes: Uint8Array,
): typeof SIGNATURES[number][0] | undefined {
  const hex = bytes.subarray(0, SIGNATURE_BYTES).toHex();
  return SIGNATURES.find(([, signature]) => signature.test(hex))?.[0];
}

/** Whether bytes begin as zlib: method deflate, and the first two bytes a multiple of 31 (RFC 1950 §2.2). */
function isZlib([method = 0, flags = 0]: Uint8Array): boolean {
  return (method & 0x0f) === 8 && method >> 4 <= 7 &&
    (method * 256 + flags) % 31 === 0;
}

/** Whether files of this type and name never begin as a compressed format does. */
function isUncompressedMedia({ mimetype, filename }: Facts): boolean {
  return MEDIA_TYPE_REGEXP.test(mimetype.toLowerCase()) &&
    !GZIP_EXTENSIONS.has(extname(filename).toLowerCase());
}

/** Whether gzip is the coding, or the format of the file itself; damaged gzip decodes to undefined. */
function gzipOf(
  { mimetype, filename }: Facts,
  decoded: Uint8Array | undefined,
): Found {
  const extension = extname(filename).toLowerCase();
  const essence = mimetype.toLowerCase();
  const coded: Found = { format: "gzip", decoded: decoded ?? new Uint8Array() };
  const isGzipName = GZIP_EXTENSIONS.has(extension);
  // Servers give text/plain to files of unknown type.
  const isContradictory = isGzipName && /^text\/plain\b/.test(essence);
  if (isContradictory) return uncertain(MAYBE_GZIP);
  if (EXACT_TYPE_REGEXP.test(essence)) return coded;
  if (GZIP_TYPE_REGEXP.test(essence) || isGzipName) {
    return decoded !== undefined && formatSeen(decoded) === "gzip"
      ? coded
      : PLAIN;
  }
  if (isMediaExtension(extension)) return coded;
  return uncertain(MAYBE_GZIP);
}

const MAYBE_GZIP = "it may still be gzip, or be gzip itself";

function uncertain(uncachedReason: string): Undecodable {
  return { uncachedReason, isCoded: false };
}

/** The first bytes in one array. */
function startOf(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && first.length >= ENOUGH_BYTES) {
    return first.subarray(0, ENOUGH_BYTES);
  }
  const start = new Uint8Array(ENOUGH_BYTES);
  let length = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, ENOUGH_BYTES - length);
    start.set(part, length);
    length += part.length;
  }
  return start.subarray(0, length);
}
