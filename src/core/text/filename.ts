import { extname } from "@std/path/extname";
import {
  extensionsOf,
  isCarrier,
  isMediaExtension,
  toleratesExtension,
} from "./mimetype.ts";

const FALLBACK = "attachment";

const MAX_CHARACTERS = 200;

// What ext4, APFS and most others allow in one name.
const MAX_BYTES = 255;

// A UTF-16 unit is at most three bytes of UTF-8, so a name this short needs no counting.
const SURELY_SHORT = MAX_BYTES / 3;

// Controls, line separators, and the marks that make "exe.gpj" read "jpg.exe". Left-to-right and joiner marks
// stay: right-to-left names and emoji need them.
const UNSAFE_REGEXP = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

// Characters that Windows forbids in names, beside the separators. Chromium writes a `_` for each, too.
const FORBIDDEN_REGEXP = /[<>:"|?*]/g;

// Names of devices, which Windows opens in place of a file, whatever extension and spaces follow.
const DEVICE_REGEXP =
  /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\.|$)/i;

// One look that clears nearly every name, since each sidecar that is read passes here. It finds whatever the
// slow path would change; with the `u` flag \p{Cs} means a surrogate without its other half.
const SUSPECT_REGEXP =
  /[\p{Cc}\p{Cs}/\\<>:"|?*\u2028\u2029\u202A-\u202E\u2066-\u2069]|^\s|[\s.]$/u;

// "C:photo.png" is a path on Windows.
const DRIVES_REGEXP = /^(?:\s*[A-Za-z]:)+/;

// "photo.jpg:large", by which Twitter means a size of photo.jpg, and NTFS a stream of it.
const VARIANT_REGEXP = /^(.*(\.\w+)):\w*$/s;

// What people mean by an extension. "v1.2", "No. 5" and "Dr. Who" have none.
const EXTENSION_REGEXP = /^\.(?=[^a-z]*[a-z])[a-z0-9]{1,10}$/i;

const SCHEME_REGEXP = /^[a-z][a-z0-9+.-]+:(?:\/\/[^/\\]*)?/i;
const PERCENT_RUN_REGEXP = /(?:%[0-9a-f]{2})+/gi;

/**
 * Makes a name of anything, such that it is a single segment that every file system takes.
 *
 * Never a path, never empty, `.` or `..`; no controls, no marks that turn the direction of the text, no spaces
 * at the ends and no dot at the last; at most 200 UTF-16 units and 255 bytes, with the extension kept; well-formed
 * Unicode. What Windows forbids becomes `_`, and a `_` goes before the name of a device: `what?.png` becomes
 * `what_.png`, `con.png` becomes `_con.png`. Where a media extension is followed by a colon and a word, as in
 * `photo.jpg:large`, these two go. A safe name stays as it is.
 *
 * @param name Any string. Both `/` and `\` separate segments, of which the last one counts.
 * @param fallback The name to use when nothing is left.
 * @returns `name` itself if it is safe already.
 */
export function safeFilename(
  name: string,
  fallback: string = FALLBACK,
): string {
  if (
    name.length > 0 && name.length <= SURELY_SHORT &&
    !SUSPECT_REGEXP.test(name) && !DEVICE_REGEXP.test(name)
  ) return name;

  const visible = lastSegment(name.replace(UNSAFE_REGEXP, "").toWellFormed());
  const bare = trimEnds(visible).replace(DRIVES_REGEXP, "");
  const legal = withoutVariant(bare).replace(FORBIDDEN_REGEXP, "_");
  const short = shorten(trimEnds(legal));

  // A name that was cut may consist of dots and spaces alone, or name a device.
  return (DEVICE_REGEXP.test(short) ? shorten(`_${short}`) : short) || fallback;
}

/**
 * Names a file after the last segment of a URL's path.
 *
 * @param url The URL, or any string that serves as a key.
 * @returns A safe name, percent-decoded; "attachment" when there is no segment, and for `data:` and `blob:`.
 */
export function filenameFromUrl(url: string): string {
  if (/^\s*(?:data|blob):/i.test(url)) return FALLBACK;

  const end = url.search(/[?#]/);
  const path = (end === -1 ? url : url.slice(0, end)).replace(
    SCHEME_REGEXP,
    "",
  );

  return safeFilename(decodePercent(lastSegment(path)));
}

/**
 * Gives a name an extension that fits its type.
 *
 * A media extension of another type is replaced (a `.jpg` that is WebP); any other ending is part of the name,
 * so `download.php` becomes `download.php.png`. With a type that is not known, or that names only the
 * wrapping (plain text, zip), a name with an extension stays as it is; so does a name with a known extension where
 * the type is a rarer one of documents.
 *
 * @param filename A safe name.
 * @param mimetype The type; case and parameters do not matter.
 * @returns A safe name.
 */
export function withFittingExtension(
  filename: string,
  mimetype: string,
): string {
  const extensions = extensionsOf(mimetype);
  const [usual] = extensions;
  if (usual === undefined) return filename;

  const extension = extname(filename).toLowerCase();
  if (extensions.includes(extension)) return filename;
  if (isCarrier(mimetype) && EXTENSION_REGEXP.test(extension)) return filename;
  if (toleratesExtension(mimetype, extension)) return filename;

  const stem = isMediaExtension(extension)
    ? filename.slice(0, -extension.length)
    : filename;

  return safeFilename(stem + usual);
}

/**
 * Gives a name another extension; a name without one gets it appended.
 *
 * @param filename A safe name.
 * @param extension The new extension with its dot.
 * @returns A safe name.
 */
export function replaceExtension(filename: string, extension: string): string {
  const old = extname(filename);
  const stem = EXTENSION_REGEXP.test(old)
    ? filename.slice(0, -old.length)
    : filename;

  return safeFilename(stem + extension);
}

// Not `basename()`: it follows the system it runs on, and a server's name may come from any.
function lastSegment(path: string): string {
  let end = path.length;
  while (end > 0 && isSeparator(path.charCodeAt(end - 1))) end--;
  let start = end;
  while (start > 0 && !isSeparator(path.charCodeAt(start - 1))) start--;

  return path.slice(start, end);
}

function isSeparator(unit: number): boolean {
  return unit === 0x2f || unit === 0x5c;
}

function withoutVariant(name: string): string {
  const [, plain = "", extension = ""] = VARIANT_REGEXP.exec(name) ?? [];

  return isMediaExtension(extension) ? plain : name;
}

// A loop, because /[\s.]+$/ takes quadratic time on a long run of dots that does not end the name.
function trimEnds(name: string): string {
  const trimmed = name.trim();
  let end = trimmed.length;
  while (
    end > 0 && (trimmed[end - 1] === "." || trimmed[end - 1]!.trim() === "")
  ) end--;

  return trimmed.slice(0, end);
}

function shorten(name: string): string {
  const extension = extname(name);
  const kept = EXTENSION_REGEXP.test(extension) ? extension : "";
  const stem = name.slice(0, name.length - kept.length);

  let characters = kept.length;
  let bytes = kept.length;
  let end = 0;
  for (const character of stem) {
    characters += character.length;
    bytes += utf8Length(character.codePointAt(0)!);
    if (characters > MAX_CHARACTERS || bytes > MAX_BYTES) {
      return trimEnds(stem.slice(0, end) + kept);
    }
    end += character.length;
  }

  return name;
}

function utf8Length(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;

  return codePoint < 0x10000 ? 3 : 4;
}

// Run by run, so that "100%_caf%C3%A9" gets its é although the first percent sign means itself.
function decodePercent(segment: string): string {
  return segment.replace(PERCENT_RUN_REGEXP, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run; // not UTF-8: the escaped form is at least readable
    }
  });
}
