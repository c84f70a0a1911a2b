/** The first bytes of media in hexadecimal, `..` for any byte. No compressed format begins so. */
const SIGNATURES = [
  "89504e47", // PNG
  "ffd8ff", // JPEG
  "47494638", // GIF
  "52494646", // RIFF: WebP, WAV, AVI
  "424d", // BMP
  "........66747970", // MP4, MOV, M4A, HEIC, AVIF
  "........6d6f6f76", // MOV without a `ftyp` box
  "........6d646174",
  "1a45dfa3", // WebM, Matroska
  "4f676753", // Ogg
  "494433", // MP3 with a tag
  "fffb",
  "fffa",
  "fff3",
  "fff2",
  "fff1", // AAC
  "fff9",
  "664c6143", // FLAC
  "2321414d52", // AMR
  "4d546864", // MIDI
  "464c56", // FLV
  "3026b275", // WMV, WMA
  "000001b", // MPEG
  "49492a00", // TIFF, DNG
  "4d4d002a",
  "00000100", // ICO
  "ff0a", // JXL
  "0000000c4a584c20",
  "38425053", // PSD
  "464f524d", // AIFF
  "25504446", // PDF
  "504b0304", // ZIP, and what is made of it
  "774f46", // WOFF
].map((signature) => new RegExp(`^${signature}`));

const SIGNATURE_BYTES = 12;

// Controls that no text holds: all but tab, line feed, form feed, carriage return and escape.
// deno-lint-ignore no-control-regex -- controls are what it looks for
const CONTROL_REGEXP = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]/;

/**
 * Whether bytes are media or text, and so not compressed.
 *
 * @param bytes The first bytes of a body, at least 16 if the body has so many.
 * @returns True for a known signature, and for UTF-8 without control characters.
 */
export function looksPlain(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, SIGNATURE_BYTES);
  const hex = Array.from(start, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  if (SIGNATURES.some((signature) => signature.test(hex))) return true;
  try {
    // Decoded as a stream, since the last character may be cut.
    const text = new TextDecoder("utf-8", { fatal: true })
      .decode(bytes, { stream: true });
    return !CONTROL_REGEXP.test(text);
  } catch {
    return false;
  }
}
