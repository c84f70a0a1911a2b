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
 *
 * Files of some types are gzip themselves (`.tgs`, `.gz`). Such a body is plain when it decodes to something that is
 * not gzip again. Of a type that says nothing of the bytes, and a name that says nothing either, nobody can tell.
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
import { looksPlain } from "../text/plain_bytes.ts";
import type { Source } from "./source.ts";

/** Bytes of a body that are looked at; more would tell nothing else. */
const ENOUGH_BYTES = 4096;

/** Bytes below which only a signature tells anything, unless the body has no more. */
const MIN_BYTES = 16;

const MAGIC: Partial<Record<ContentCoding, readonly number[]>> = {
  gzip: [0x1f, 0x8b, 0x08],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  compress: [0x1f, 0x9d],
};

// Types whose files begin with bytes of their own, which are none of a compressed format.
const EXACT_TYPE_REGEXP =
  /^(?:image|video|audio|text|font)\/|^application\/(?:json|xml|javascript|pdf|zip|ogg)$|\+(?:json|xml|zip|dotlottie)$/;

const GZIP_TYPE_REGEXP =
  /^application\/(?:x-)?(?:gzip|gunzip|tgsticker|tgz|gtar-compressed)$/;

const GZIP_EXTENSIONS: ReadonlySet<string> = new Set(
  [".gz", ".tgz", ".tgs", ".svgz", ".emz", ".wmz"],
);

/** The body that is to be pumped. */
export interface UncodedBody {
  /** Its bytes. */
  readonly chunks: ChunkSource;
  /** The facts of them: size and refusal may differ from those of the body as it came. */
  readonly source: Source;
}

/** How to decode a body, or why it must not be stored. */
type Verdict = { formats: DecodedFormat[] } | Refusal;

interface Refusal {
  refusal: string;
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
  if ("refusal" in verdict) {
    const { refusal = verdict.refusal } = source;
    const size = verdict.isCoded ? codedSize : undefined;
    return { chunks: body, source: { ...source, size, refusal } };
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
    if ("refusal" in found) {
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
  | Refusal
  | { format: DecodedFormat; decoded: Uint8Array };

const PLAIN: Found = { isPlain: true };

async function lookAt(
  coding: ContentCoding,
  facts: Facts,
  bytes: Uint8Array,
  isEnough: boolean,
): Promise<Found | undefined> {
  const magic = MAGIC[coding];
  if (magic !== undefined) {
    if (!magic.every((byte, i) => (bytes[i] ?? byte) === byte)) return PLAIN;
    if (bytes.length < magic.length) return isEnough ? PLAIN : undefined;
    if (coding !== "gzip") {
      return {
        refusal: `it is still ${coding}, which can't be decoded here`,
        isCoded: true,
      };
    }
  } else {
    if (bytes.length < MIN_BYTES && !isEnough) return undefined;
    if (looksPlain(bytes)) return PLAIN;
  }
  const format = formatOf(coding, bytes);
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

function formatOf(
  coding: ContentCoding,
  bytes: Uint8Array,
): DecodedFormat | "br" {
  if (coding !== "deflate") return coding === "br" ? "br" : "gzip";
  // RFC 1950 §2.2: the method is deflate, and the first two bytes are a multiple of 31.
  const [method = 0, flags = 0] = bytes;
  const isZlib = (method & 0x0f) === 8 && method >> 4 <= 7 &&
    (method * 256 + flags) % 31 === 0;
  return isZlib ? "zlib" : "deflate-raw";
}

/** Whether gzip is the coding, or what files of that type are; damaged gzip decodes to undefined. */
function gzipOf(
  { mimetype, filename }: Facts,
  decoded: Uint8Array | undefined,
): Found {
  const extension = extname(filename).toLowerCase();
  const essence = mimetype.toLowerCase();
  const coded: Found = { format: "gzip", decoded: decoded ?? new Uint8Array() };
  if (EXACT_TYPE_REGEXP.test(essence)) return coded;
  if (GZIP_TYPE_REGEXP.test(essence) || GZIP_EXTENSIONS.has(extension)) {
    return MAGIC.gzip?.every((byte, i) => decoded?.[i] === byte)
      ? coded
      : PLAIN;
  }
  if (isMediaExtension(extension)) return coded;
  return uncertain("it may still be gzip, or be gzip itself");
}

function uncertain(refusal: string): Refusal {
  return { refusal, isCoded: false };
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
