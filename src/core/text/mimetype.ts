import { allExtensions } from "@std/media-types/all-extensions";
import { typeByExtension } from "@std/media-types/type-by-extension";

/** The type of bytes whose type is unknown (RFC 2046 §4.5.1). */
export const OCTET_STREAM = "application/octet-stream";

// The common types with their extensions, as `extname()` returns them. A name
// without an extension gets the first of its row. `@std/media-types` adds rarer
// extensions and all other types; alone it would prefer `.jpeg`, `.mpga` and
// `.oga`.
const EXTENSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ["image/jpeg", [".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg"]],
  ["image/jpg", [".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg"]],
  ["image/pjpeg", [".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg"]],
  ["image/png", [".png", ".apng"]],
  ["image/apng", [".apng", ".png"]],
  ["image/gif", [".gif"]],
  ["image/webp", [".webp"]],
  ["image/avif", [".avif"]],
  ["image/bmp", [".bmp", ".dib"]],
  ["image/x-ms-bmp", [".bmp", ".dib"]],
  ["image/heic", [".heic", ".heif"]],
  ["image/heif", [".heif", ".heic"]],
  ["image/jxl", [".jxl"]],
  ["image/tiff", [".tiff", ".tif"]],
  ["image/svg+xml", [".svg", ".svgz"]],
  ["image/x-icon", [".ico"]],
  ["image/vnd.microsoft.icon", [".ico"]],
  ["image/vnd.adobe.photoshop", [".psd"]],
  ["image/x-adobe-dng", [".dng"]],
  ["video/mp4", [".mp4", ".m4v"]],
  ["video/x-m4v", [".m4v", ".mp4"]],
  ["video/webm", [".webm"]],
  ["video/quicktime", [".mov", ".qt"]],
  ["video/x-matroska", [".mkv"]],
  ["video/ogg", [".ogv", ".ogg"]],
  ["video/mpeg", [".mpeg", ".mpg"]],
  ["video/3gpp", [".3gp", ".3gpp"]],
  ["video/x-msvideo", [".avi"]],
  ["video/avi", [".avi"]],
  ["video/x-ms-wmv", [".wmv"]],
  ["video/x-flv", [".flv"]],
  ["audio/mpeg", [".mp3", ".mpga", ".mp2"]],
  ["audio/mp3", [".mp3"]],
  ["audio/ogg", [".ogg", ".oga", ".opus", ".spx"]],
  ["audio/opus", [".opus", ".ogg", ".oga"]],
  ["audio/mp4", [".m4a", ".mp4", ".m4b"]],
  ["audio/x-m4a", [".m4a", ".m4b"]],
  ["audio/aac", [".aac", ".m4a"]],
  ["audio/wav", [".wav"]],
  ["audio/wave", [".wav"]],
  ["audio/x-wav", [".wav"]],
  ["audio/flac", [".flac"]],
  ["audio/x-flac", [".flac"]],
  ["audio/webm", [".weba", ".webm"]],
  ["audio/amr", [".amr"]],
  ["audio/amr-wb", [".awb"]],
  ["audio/3gpp", [".3gp", ".3gpp"]],
  ["audio/midi", [".mid", ".midi"]],
  ["audio/aiff", [".aiff", ".aif"]],
  ["audio/x-ms-wma", [".wma"]],
  ["application/ogg", [".ogg", ".ogx", ".oga", ".ogv", ".opus"]],
  ["application/x-tgsticker", [".tgs"]],
  ["application/zip+dotlottie", [".lottie"]],
  ["application/pdf", [".pdf"]],
  ["application/zip", [".zip"]],
  ["application/gzip", [".gz"]],
  ["application/x-gzip", [".gz"]],
  ["application/x-tar", [".tar"]],
  ["application/x-7z-compressed", [".7z"]],
  ["application/vnd.rar", [".rar"]],
  ["application/epub+zip", [".epub"]],
  ["application/rtf", [".rtf"]],
  ["application/json", [".json", ".geojson", ".map"]],
  ["application/xml", [".xml"]],
  ["application/xhtml+xml", [".xhtml", ".html", ".htm"]],
  ["text/plain", [".txt"]],
  ["text/html", [".html", ".htm", ".xhtml"]],
  ["text/xml", [".xml"]],
  ["text/css", [".css"]],
  ["text/csv", [".csv"]],
  ["text/markdown", [".md", ".markdown"]],
  ["text/javascript", [".js", ".mjs"]],
  ["text/vcard", [".vcf"]],
  ["text/vtt", [".vtt"]],
]);

// Types that only name a container: a `.docx` is a zip, a `.tgs` is gzip, and
// servers (and `new Response("…")`) call any readable text text/plain. The
// extension tells more than such a type.
const CARRIERS: ReadonlySet<string> = new Set([
  "text/plain",
  "text/xml",
  "application/xml",
  "application/zip",
  "application/gzip",
  "application/x-gzip",
]);

// Types that a browser shows without running scripts. A list of allowed types,
// because a list of forbidden types would miss the next type that can carry
// script, as svg, html, xml and pdf can.
const INLINE_SAFE: ReadonlySet<string> = new Set([
  "image/jpeg",
  "image/jpg",
  "image/png",
  "image/apng",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/bmp",
  "video/mp4",
  "video/webm",
  "video/ogg",
  "video/quicktime",
  "audio/mpeg",
  "audio/mp3",
  "audio/ogg",
  "audio/opus",
  "audio/mp4",
  "audio/x-m4a",
  "audio/aac",
  "audio/wav",
  "audio/wave",
  "audio/x-wav",
  "audio/flac",
  "audio/x-flac",
  "audio/webm",
]);

const MEDIA_TYPE_REGEXP =
  /^(?:image|video|audio)\/|^application\/(?:ogg|x-tgsticker|zip\+dotlottie)$/;

const MEDIA_EXTENSIONS: ReadonlySet<string> = new Set(
  [...EXTENSIONS].flatMap(([mimetype, extensions]) =>
    MEDIA_TYPE_REGEXP.test(mimetype) ? extensions : []
  ),
);

// type "/" subtype, both tokens (RFC 9110 §5.6.2 and §8.3.1) of at most 127
// characters (RFC 6838 §4.2).
const ESSENCE_REGEXP = /^[\w!#$%&'*+.^`|~-]{1,127}\/[\w!#$%&'*+.^`|~-]{1,127}$/;
const PRINTABLE_REGEXP = /^[ -~]*$/;

// HTTP whitespace of the Fetch standard.
const HTTP_SPACES = " \t\r\n";

// The most characters of a stated type: longer than any real type with its
// codecs, and short enough for a header line.
const MAX_STATED_LENGTH = 1000;

/**
 * Reduces a media type to its lower-case `type/subtype`.
 *
 * @param value One media type; parameters do not matter.
 * @returns The type without parameters, or `application/octet-stream` when the value is no media type.
 */
export function normalizeMimetype(value: string | null | undefined): string {
  const essence = essenceOf(value ?? "");

  return ESSENCE_REGEXP.test(essence) ? essence.toLowerCase() : OCTET_STREAM;
}

/**
 * Extracts the media type of a `Content-Type` header, which may be sent twice or hold a list.
 *
 * The last valid member counts, and the wildcard type is ignored, as the Fetch standard says under "extract a MIME
 * type". So a browser and `response.blob()` see the same type.
 *
 * @param header The header's value, if there is one.
 * @returns The type without parameters, or `application/octet-stream` when no member is a media type.
 */
export function extractMimetype(header: string | null | undefined): string {
  // Most headers are a type and subtype alone.
  const isBare = header !== "*/*" && ESSENCE_REGEXP.test(header ?? "");
  if (header && isBare) return header.toLowerCase();

  return lastTypeOf(listMembers(header ?? ""));
}

/**
 * Checks a media type that a caller states, and keeps its case and parameters.
 *
 * A list, or a type with tabs, is reduced to the type that
 * {@linkcode extractMimetype} finds in it: a browser would use the last type of
 * a list. A value that is no media type, or could break a header, is replaced.
 *
 * @param value The stated type.
 * @returns The trimmed type, or `application/octet-stream`.
 */
export function cleanMimetype(value: string): string {
  // Most types are a type and subtype alone.
  const isBare = value.length <= MAX_STATED_LENGTH && value !== "*/*" &&
    ESSENCE_REGEXP.test(value);
  if (isBare) return value;
  const stated = trimSpace(value);
  const line = stated.replaceAll("\t", " ");
  if (stated.length > MAX_STATED_LENGTH || !PRINTABLE_REGEXP.test(line)) {
    return OCTET_STREAM;
  }
  const members = listMembers(stated);
  const extracted = lastTypeOf(members);
  const isAsStated = extracted !== OCTET_STREAM && line === stated &&
    members.length === 1;

  return isAsStated ? stated : extracted;
}

/**
 * Lists the extensions that files of a type have, the usual one first.
 *
 * @param mimetype The type; case and parameters do not matter.
 * @returns Lower-case extensions with their dot; empty for an unknown type, and
 * for octet-stream, which says nothing about the bytes.
 */
export function extensionsOf(mimetype: string): readonly string[] {
  const found = listed.get(mimetype);
  if (found !== undefined) return found;
  const essence = normalizeMimetype(mimetype);
  if (essence === OCTET_STREAM) return [];
  const known = EXTENSIONS.get(essence) ?? [];
  const further = (allExtensions(essence) ?? []).map((name) => `.${name}`);
  const all = [...new Set([...known, ...further])];
  // Unknown types, and other spellings, may be of any number.
  if (all.length > 0 && essence === mimetype) listed.set(essence, all);

  return all;
}

/** The extensions of the types that were asked for. */
const listed = new Map<string, readonly string[]>();

/**
 * Tells whether an extension belongs to images, videos, audio or stickers.
 *
 * @param extension The extension with its dot, in any case.
 * @returns True when the usual type of the extension is a media type.
 */
export function isMediaExtension(extension: string): boolean {
  return MEDIA_EXTENSIONS.has(extension.toLowerCase()) ||
    MEDIA_TYPE_REGEXP.test(typeOfExtension(extension) ?? "");
}

/**
 * Tells whether a name may keep an extension that its type does not have.
 *
 * A rare document type often names a format of the same family, as
 * `application/msword` does for a `.docx`. So the extension of a known type
 * stays. Media types and the common types are exact.
 *
 * @param mimetype The type; case and parameters do not matter.
 * @param extension The extension with its dot, in any case.
 * @returns True for the extension of a known type beside a type that is neither
 * a media type nor a common type.
 */
export function toleratesExtension(
  mimetype: string,
  extension: string,
): boolean {
  const essence = normalizeMimetype(mimetype);

  return !EXTENSIONS.has(essence) && !MEDIA_TYPE_REGEXP.test(essence) &&
    typeOfExtension(extension) !== undefined;
}

/**
 * Tells whether a type only names a container, so that any extension may fit.
 *
 * @param mimetype The type; case and parameters do not matter.
 * @returns True for plain text, XML, zip and gzip.
 */
export function isCarrier(mimetype: string): boolean {
  return CARRIERS.has(normalizeMimetype(mimetype));
}

/**
 * Tells whether a browser may show a type from our origin without risk of running script.
 *
 * @param mimetype The type; case and parameters do not matter.
 * @returns True for raster images, video and audio; never for svg, html, xml or pdf.
 */
export function isInlineSafe(mimetype: string): boolean {
  return INLINE_SAFE.has(normalizeMimetype(mimetype));
}

// `typeByExtension()` would also accept an extension without its dot.
function typeOfExtension(extension: string): string | undefined {
  return extension.startsWith(".") ? typeByExtension(extension) : undefined;
}

function essenceOf(value: string): string {
  const end = value.indexOf(";");

  return trimSpace(end === -1 ? value : value.slice(0, end));
}

// `trim()` also removes other spaces, which make a type invalid.
function trimSpace(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && HTTP_SPACES.includes(value.charAt(start))) start++;
  while (end > start && HTTP_SPACES.includes(value.charAt(end - 1))) end--;

  return value.slice(start, end);
}

function lastTypeOf(members: readonly string[]): string {
  let last = OCTET_STREAM;
  for (const member of members) {
    const essence = essenceOf(member);
    if (essence !== "*/*" && ESSENCE_REGEXP.test(essence)) {
      last = essence.toLowerCase();
    }
  }

  return last;
}

// "Get, decode, and split" of the Fetch standard: a comma within quotes does not separate.
function listMembers(header: string): string[] {
  const members: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < header.length; at++) {
    const character = header[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (character === "\\" && isQuoted) at++;
    else if (character === "," && !isQuoted) {
      members.push(header.slice(start, at));
      start = at + 1;
    }
  }
  members.push(header.slice(start));

  return members;
}
