/**
 * A content coding. `unknown` stands for all others, such as `dcb` or a
 * misspelt name: their bytes can't be recognised.
 */
export type ContentCoding =
  | "gzip"
  | "deflate"
  | "br"
  | "zstd"
  | "compress"
  | "unknown";

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
  ["zstd", "zstd"],
  ["compress", "compress"],
  ["x-compress", "compress"],
]);

/** Names that say nothing about how the bytes are coded. */
const NO_CODINGS: ReadonlySet<string> = new Set([
  "",
  "identity",
  "none",
  "null",
  "binary",
  "7bit",
  "8bit",
  "aws-chunked",
  "chunked",
]);

/**
 * Reads a Content-Encoding header (RFC 9110 §8.4).
 *
 * Values that name no coding are left out: `identity`, and what servers write
 * there by mistake (`none`, `aws-chunked`, a charset or a media type). Browsers
 * do not decode such bodies either.
 *
 * @param header The header's value, if there is one.
 * @returns The codings in the order in which they were applied.
 */
export function parseContentCodings(
  header: string | null | undefined,
): ContentCoding[] {
  if (!header) return [];
  return header.split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => !isNoCoding(name))
    .map((name) => CODINGS.get(name) ?? "unknown");
}

function isNoCoding(name: string): boolean {
  if (NO_CODINGS.has(name) || name.includes("/")) return true;
  try {
    return new TextDecoder(name).encoding !== "";
  } catch {
    return false; // no charset
  }
}
