/*
 * Whether a body is still coded, although its Content-Encoding names a coding.
 *
 * `fetch` decodes some codings, and the header stays in either case: Deno 2.9 decodes `gzip` and `br`, and not
 * `deflate`, `zstd`, `x-gzip` or a list, nor anything where the request asked for `identity` or a range. Other clients
 * decode others. So the header tells what the body may be, and its first bytes tell what it is:
 *
 * | coding    | the body is plain when it               | it is still coded when it                        |
 * | --------- | --------------------------------------- | ------------------------------------------------ |
 * | gzip      | does not begin as gzip does             | begins so, and files of its type never do        |
 * | deflate   | is media or text, or does not decode    | is whole zlib; or raw, and decodes to such       |
 * | br        | is media or text, or does not decode    | (never certain: half of it decodes without error) |
 * | zstd      | does not begin as zstd does             | (can't be decoded)                               |
 * | compress  | does not begin as compress does         | (can't be decoded)                               |
 * | any other | is media or text                        | (can't be decoded)                               |
 *
 * Files of some types are gzip themselves (`.tgs`, `.gz`). Such a body is plain when it decodes to something that is
 * not gzip again. Of a type that says nothing of the bytes, and a name that says nothing either, nobody can tell.
 *
 * Images, videos, audio and fonts that begin as another compressed format does are not plain, whatever the table says.
 *
 * A plain body is stored as it came, one that is coded for certain is decoded. Any other is handed out as it came,
 * and is not stored. In a list the last coding is undone first.
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

/** Bytes of a body that are looked at; more would tell nothing else. */
const ENOUGH_BYTES = 4096;

/** Bytes below which only a signature tells anything, unless the body has no more. */
const MIN_BYTES = 16;

/** How compressed formats begin, as hexadecimal digits; zstd may begin with a frame to be skipped (RFC 8878 §3.1.2). */
const SIGNATURES = [
  ["gzip", /^1f8b08/],
  ["compress", /^1f9d/],
  ["zstd", /^(?:28b52ffd|5.2a4d18)/],
  ["bzip2", /^425a68/],
  ["xz", /^fd377a585a00/],
  ["lz4", /^04224d18/],
] as const;

/** Bytes of the longest of them. */
const SIGNATURE_BYTES = 6;

// Types whose files begin with bytes of their own, which are none of a compressed format.
const EXACT_TYPE_REGEXP =
  /^(?:image|video|audio|text|font)\/|^application\/(?:json|xml|javascript|pdf|zip|ogg)$|\+(?:json|xml|zip|dotlottie)$/;

// The same without those that servers say of files whose type they don't know.
const MEDIA_TYPE_REGEXP = /^(?:image|video|audio|font)\//;

const GZIP_TYPE_REGEXP =
  /^application\/(?:x-)?(?:gzip|gunzip|tgsticker|tgz|gtar-compressed)$/;

const GZIP_EXTENSIONS: ReadonlySet<string> = new Set(
  [".gz", ".tgz", ".tgs", ".svgz", ".emz", ".wmz"],
);

/** The body that is to be pumped. */
export interface UncodedBody {
  /** Its bytes. */
  readonly chunks: ChunkSource;
  /** The facts of them: size and uncachedReason may differ from those of the body as it came. */
  readonly source: Source;
}

/** How to decode a body, or why it must not be stored. */
type Verdict = { formats: DecodedFormat[] } | Undecodable;

interface Undecodable {
  uncachedReason: string;
  /** Whether the body is still coded for certain. */
  isCoded: boolean;
}

/** Facts that tell what a plain body would be. */
type Facts = Pick<Source, "mimetype" | "filename">;

/**
 * Decodes a body that is still coded, where that is certain.
 *
 * @param chunks The body as it came.
 * @param source What is known of it.
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
    // Without the declared length: the client may have undone another coding, and the end of a format tells by itself
    // whether the body is whole.
    body = await DecodedSource.of(body, format);
  }
  return { chunks: body, source };
}

/** Undoes one coding after the other on the first bytes; undefined when more of them are needed. */
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
    // A start that was cut decodes to a start that is cut.
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

/** The format that the first bytes are the signature of. */
function formatSeen(
  bytes: Uint8Array,
): typeof SIGNATURES[number][0] | undefined {
  const hex = bytes.subarray(0, SIGNATURE_BYTES).toHex();
  return SIGNATURES.find(([, signature]) => signature.test(hex))?.[0];
}

/** RFC 1950 §2.2: the method is deflate, and the first two bytes are a multiple of 31. */
function isZlib([method = 0, flags = 0]: Uint8Array): boolean {
  return (method & 0x0f) === 8 && method >> 4 <= 7 &&
    (method * 256 + flags) % 31 === 0;
}

/** Whether type and name say that no file of that kind begins as a compressed format does. */
function isUncompressedMedia({ mimetype, filename }: Facts): boolean {
  return MEDIA_TYPE_REGEXP.test(mimetype.toLowerCase()) &&
    !GZIP_EXTENSIONS.has(extname(filename).toLowerCase());
}

/** Whether gzip is the coding, or what files of that type are; damaged gzip decodes to undefined. */
function gzipOf(
  { mimetype, filename }: Facts,
  decoded: Uint8Array | undefined,
): Found {
  const extension = extname(filename).toLowerCase();
  const essence = mimetype.toLowerCase();
  const coded: Found = { format: "gzip", decoded: decoded ?? new Uint8Array() };
  const isGzipName = GZIP_EXTENSIONS.has(extension);
  // Servers say text/plain of files whose type they don't know.
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
