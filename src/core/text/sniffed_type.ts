/*
 * Types told by the first bytes: images, audio, video and fonts as in the WHATWG
 * standard "MIME Sniffing", §6.1 to §6.3, and AVIF, HEIC, JPEG XL, Matroska, FLAC and AMR,
 * which the standard lacks.
 *
 * No type that can run script is here, and none may be: HTML, SVG, XML, PDF and text are
 * never told by bytes.
 */

/**
 * The bytes of a body that tell its type, at most: the longest pattern is the frame of an
 * MP3 with the head of the next frame, 1,441 and 4 bytes.
 */
export const MAX_SNIFFED_BYTES = 1445;

/** Matches the type that says nothing about the bytes, with or without parameters. */
export const UNNAMED_TYPE_REGEXP: RegExp =
  /^application\/octet-stream\s*(?:;|$)/i;

/** A type, and the number of bytes that tell it. */
interface Match {
  readonly mimetype: string;
  readonly end: number;
}

/** A match, false if there can be none, or undefined while more bytes could make a match. */
type MaybeMatch = Match | false | undefined;

/**
 * First bytes, each as a Latin-1 character, where `?` stands for any byte. The last rows
 * are FLAC (RFC 9639 §6), AMR (RFC 4867 §5) and JPEG XL (ISO/IEC 18181-2), bare and in its
 * container.
 */
const PATTERNS: readonly (readonly [pattern: string, mimetype: string])[] = [
  ["\0\0\x01\0", "image/x-icon"],
  ["\0\0\x02\0", "image/x-icon"],
  ["BM", "image/bmp"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
  ["RIFF????WEBPVP", "image/webp"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["FORM????AIFF", "audio/aiff"],
  ["ID3", "audio/mpeg"],
  ["OggS\0", "application/ogg"],
  ["MThd\0\0\0\x06", "audio/midi"],
  ["RIFF????AVI ", "video/avi"],
  ["RIFF????WAVE", "audio/wave"],
  ["?".repeat(34) + "LP", "application/vnd.ms-fontobject"],
  ["\0\x01\0\0", "font/ttf"],
  ["OTTO", "font/otf"],
  ["ttcf", "font/collection"],
  ["wOFF", "font/woff"],
  ["wOF2", "font/woff2"],
  ["fLaC", "audio/flac"],
  ["#!AMR\n", "audio/amr"],
  ["#!AMR-WB\n", "audio/amr-wb"],
  ["\xff\x0a", "image/jxl"],
  ["\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"],
];

/**
 * Brands in an `ftyp` box besides those that begin with "mp4". An image of the general
 * brand `mif1` names its coding in a later brand.
 */
const BRANDS: ReadonlyMap<string, string> = new Map([
  ["avif", "image/avif"],
  ["avis", "image/avif"],
  ["heic", "image/heic"],
  ["heix", "image/heic"],
  ["heim", "image/heic"],
  ["heis", "image/heic"],
  ["hevc", "image/heic-sequence"],
  ["hevx", "image/heic-sequence"],
  ["hevm", "image/heic-sequence"],
  ["hevs", "image/heic-sequence"],
]);

/**
 * First brands of files without a picture, which the standard calls a video by one of the
 * brands behind. As a later brand it tells nothing: Apple's videos have it, too.
 */
const AUDIO_BRANDS: ReadonlySet<string> = new Set(["M4A ", "M4B "]);

/** The DocTypes of EBML files. */
const DOC_TYPES = [
  ["webm", "video/webm"],
  ["matroska", "video/x-matroska"],
] as const;

/** The position before which the id of the DocType must begin (§6.2.2). */
const DOC_TYPE_BEFORE = 38;

/** Bit rates of MP3 in kbit/s, by the index in the head of a frame; index 0 is no fixed rate. */
const MPEG_1_KBPS = numbers(
  "0 32 40 48 56 64 80 96 112 128 160 192 224 256 320",
);
const MPEG_2_KBPS = numbers("0 8 16 24 32 40 48 56 64 80 96 112 128 144 160");

/** Sampling rates of MPEG-1 in Hz, by their index; those of MPEG-2 are half, of MPEG-2.5 a quarter. */
const SAMPLING_HZ = [44_100, 48_000, 32_000];

/**
 * Tells the type of a body by its first bytes.
 *
 * Of several patterns that match, the one that ends first counts. So a type that was told
 * stays the same whatever bytes follow.
 *
 * @param head The first bytes; at most {@linkcode MAX_SNIFFED_BYTES} of them count.
 * @returns The type, or undefined if no pattern matches.
 */
export function sniffedType(head: Uint8Array): string | undefined {
  return sniff(head.subarray(0, MAX_SNIFFED_BYTES)).mimetype;
}

/** Takes the first bytes of a body as they arrive, until they tell its type. */
export class TypeSniffer {
  /** The type; undefined if no pattern matches so far. */
  type: string | undefined;
  readonly #head = new Uint8Array(MAX_SNIFFED_BYTES);
  #length = 0;
  #isCertain = false;

  /**
   * Takes the next bytes.
   *
   * @returns True once a pattern has matched, or none can match any more.
   */
  push(chunk: Uint8Array): boolean {
    if (this.#isCertain) return true;
    const part = chunk.subarray(0, MAX_SNIFFED_BYTES - this.#length);
    this.#head.set(part, this.#length);
    this.#length += part.length;
    const { mimetype, isOpen } = sniff(this.#head.subarray(0, this.#length));
    this.type = mimetype;
    this.#isCertain = mimetype !== undefined || !isOpen ||
      this.#length === MAX_SNIFFED_BYTES;
    return this.#isCertain;
  }
}

/** The type by all patterns, and whether one could still match with more bytes. */
function sniff(
  bytes: Uint8Array,
): { mimetype: string | undefined; isOpen: boolean } {
  const found = [isoMediaMatch(bytes), ebmlMatch(bytes), mp3Match(bytes)];
  for (const [pattern, mimetype] of PATTERNS) {
    const isThere = hasAt(bytes, 0, pattern);
    found.push(isThere ? { mimetype, end: pattern.length } : isThere);
  }
  const matches = found.filter((each) => typeof each === "object");
  const end = Math.min(...matches.map((each) => each.end));
  return {
    mimetype: matches.find((each) => each.end === end)?.mimetype,
    isOpen: found.includes(undefined),
  };
}

/**
 * Whether a pattern stands at a position, where `?` matches any byte; undefined if the bytes
 * end before that is certain.
 */
function hasAt(
  bytes: Uint8Array,
  at: number,
  pattern: string,
): boolean | undefined {
  for (let i = 0; i < pattern.length; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    if (pattern[i] !== "?" && byte !== pattern.charCodeAt(i)) return false;
  }
  return true;
}

/** Matches a whole `ftyp` box by its first brand that is known (§6.2.1). */
function isoMediaMatch(bytes: Uint8Array): MaybeMatch {
  const isThere = hasAt(bytes, 4, "ftyp????");
  if (!isThere) return isThere;
  const size = uint32(bytes, 0);
  if (size % 4 !== 0 || size > MAX_SNIFFED_BYTES) return false;
  if (size > bytes.length) return undefined;
  // Between the first brand and the others stands a version.
  for (let at = 8; at === 8 || at < size; at += at === 8 ? 8 : 4) {
    const brand = String.fromCharCode(...bytes.subarray(at, at + 4));
    const mimetype = at === 8 && AUDIO_BRANDS.has(brand)
      ? "audio/mp4"
      : brand.startsWith("mp4")
      ? "video/mp4"
      : BRANDS.get(brand);
    if (mimetype !== undefined) return { mimetype, end: Math.max(size, 12) };
  }
  return false;
}

/** Matches EBML by its DocType (§6.2.2; RFC 9559 §4). */
function ebmlMatch(bytes: Uint8Array): MaybeMatch {
  const isThere = hasAt(bytes, 0, "\x1a\x45\xdf\xa3");
  if (!isThere) return isThere;
  for (let at = 4; at < DOC_TYPE_BEFORE; at++) {
    if (!hasAt(bytes, at, "\x42\x82?")) continue;
    // Skip the length of the DocType: as many bytes as its first byte has leading zeros, and one.
    at += 2 + Math.min(Math.clz32(bytes[at + 2] ?? 0) - 23, 8);
    let start = at;
    while (bytes[start] === 0) start++;
    for (const [name, mimetype] of DOC_TYPES) {
      if (hasAt(bytes, start, name)) {
        return { mimetype, end: start + name.length };
      }
    }
  }
  return undefined;
}

/** Matches MP3 without a tag by the heads of two frames, one behind the other (§6.2.3). */
function mp3Match(bytes: Uint8Array): MaybeMatch {
  const length = mp3FrameLength(bytes, 0);
  if (typeof length !== "number") return length;
  const next = mp3FrameLength(bytes, length);
  if (typeof next !== "number") return next;
  return { mimetype: "audio/mpeg", end: length + 4 };
}

/**
 * The length of the MP3 frame whose head stands at a position; false if there is none, and
 * undefined if the bytes end before that is certain.
 */
function mp3FrameLength(
  bytes: Uint8Array,
  at: number,
): number | false | undefined {
  const isThere = hasAt(bytes, at, "\xff???");
  if (!isThere) return isThere;
  const [, second = 0, third = 0] = bytes.subarray(at, at + 3);
  const version = second >> 3 & 3;
  const layer = second >> 1 & 3;
  // Eleven bits are set before the version, of which 1 is reserved; layer 1 is the third.
  const isMp3 = second >> 5 === 7 && version !== 1 && layer === 1;
  const kbps = (version === 3 ? MPEG_1_KBPS : MPEG_2_KBPS)[third >> 4];
  const samplingHz = SAMPLING_HZ[third >> 2 & 3];
  if (!isMp3 || !kbps || samplingHz === undefined) return false;
  // A frame of MPEG-1 has 1152 samples; of the others 576, at half or a quarter of the rate.
  const perBit = version === 0 ? 288 : 144;
  const padding = third >> 1 & 1;
  return Math.floor(perBit * kbps * 1000 / samplingHz) + padding;
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

function numbers(text: string): number[] {
  return text.split(" ").map(Number);
}
