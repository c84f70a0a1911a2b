import { extname } from "@std/path/extname";
import {
  extensionsOf,
  isCarrier,
  isMediaExtension,
  toleratesExtension,
} from "./mimetype.ts";

const FALLBACK = "attachment";

const MAX_CHARACTERS = 200;

// The longest name that ext4, APFS and most other file systems allow.
const MAX_BYTES = 255;

// A UTF-16 unit is at most three bytes of UTF-8, so a name this short needs no counting.
const SURELY_SHORT = MAX_BYTES / 3;

// Control characters, line separators, and direction marks, by which "exe.gpj"
// reads "jpg.exe". Left-to-right marks and joiners stay: right-to-left names
// and emoji need them.
const UNSAFE_REGEXP = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

// Characters besides the separators that Windows forbids in names. Chromium
// writes a `_` for each, too.
const FORBIDDEN_REGEXP = /[<>:"|?*]/g;

// Names of devices: Windows opens the device in place of a file, whatever
// extension and spaces follow.
const DEVICE_REGEXP =
  /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\.|$)/i;

// Matches whatever the slow path would change, so that nearly all names take
// the fast path: each sidecar that is read has its name checked. With the `u`
// flag, \p{Cs} is a surrogate without its other half.
const SUSPECT_REGEXP =
  /[\p{Cc}\p{Cs}/\\<>:"|?*\u2028\u2029\u202A-\u202E\u2066-\u2069]|^\s|[\s.]$/u;

// "C:photo.png" is a path on Windows.
const DRIVES_REGEXP = /^(?:\s*[A-Za-z]:)+/;

// "photo.jpg:large" is a size of photo.jpg on Twitter, and a stream of
// photo.jpg on NTFS.
const VARIANT_REGEXP = /^(.*(\.\w+)):\w*$/s;

// A short ending with a letter in it: "v1.2", "No. 5" and "Dr. Who" have no
// extension.
const EXTENSION_REGEXP = /^\.(?=[^a-z]*[a-z])[a-z0-9]{1,10}$/i;

const SCHEME_REGEXP = /^[a-z][a-z0-9+.-]+:(?:\/\/[^/\\]*)?/i;
const PERCENT_RUN_REGEXP = /(?:%[0-9a-f]{2})+/gi;

/**
 * Turns any string into a file name that every file system accepts.
 *
 * The name is a single segment, not empty, `.` or `..`; without control
 * characters, marks that change the direction of the text, spaces at its ends,
 * or a dot at its end; of at most 200 UTF-16 units and 255 bytes, with its
 * extension kept; and well-formed Unicode. Characters that Windows forbids
 * become `_`, and the name of a device gets a `_` before it: `what?.png`
 * becomes `what_.png`, `con.png` becomes `_con.png`. A colon and a word that
 * follow a media extension are cut, as of `photo.jpg:large`. A safe name is
 * returned unchanged.
 *
 * @param name Any string. Both `/` and `\` separate segments; the last segment
 * counts.
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

  // A shortened name may consist of dots and spaces alone, or name a device.
  return (DEVICE_REGEXP.test(short) ? shorten(`_${short}`) : short) || fallback;
}

/**
 * Names a file after the last segment of a URL's path.
 *
 * @param url The URL, or any string that serves as a key.
 * @param fallback The name when there is no segment, and for `data:` and `blob:`.
 * @returns A safe name, percent-decoded, or the fallback.
 */
export function filenameFromUrl(
  url: string,
  fallback: string = FALLBACK,
): string {
  if (/^\s*(?:data|blob):/i.test(url)) return fallback;

  const end = url.search(/[?#]/);
  const path = (end === -1 ? url : url.slice(0, end)).replace(
    SCHEME_REGEXP,
    "",
  );

  return safeFilename(decodePercent(lastSegment(path)), fallback);
}

/**
 * Gives a name an extension that fits its type.
 *
 * A media extension of another type is replaced, as a `.jpg` of WebP; any other
 * ending is part of the name, so `download.php` becomes `download.php.png`. A
 * name keeps its extension where the type is unknown, where the type only names
 * a container (plain text, zip), and where the type is a rare document type and
 * the extension a known one.
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

// Not `basename()`, which splits by the rules of the system that it runs on:
// the name may come from any system.
function lastSegment(path: string): string {
  let end = path.length;
  while (end > 0 && isSeparator(path[end - 1])) end--;
  const kept = path.slice(0, end);
  const start = Math.max(kept.lastIndexOf("/"), kept.lastIndexOf("\\")) + 1;

  return kept.slice(start);
}

function isSeparator(character: string | undefined): boolean {
  return character === "/" || character === "\\";
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

// Decodes each run of escapes by itself: the first percent sign of
// "100%_caf%C3%A9" is no escape.
function decodePercent(segment: string): string {
  return segment.replace(PERCENT_RUN_REGEXP, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run; // not UTF-8: the escaped form is at least readable
    }
  });
}
