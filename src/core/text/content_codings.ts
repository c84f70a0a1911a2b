/** A content coding that bytes can be known by, or decoded from. */
export type ContentCoding = "gzip" | "deflate" | "br" | "zstd" | "compress";

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
  ["zstd", "zstd"],
  ["compress", "compress"],
  ["x-compress", "compress"],
]);

/**
 * Reads a Content-Encoding header (RFC 9110 §8.4).
 *
 * `identity` and names that are no coding (`utf-8`, `none`, `aws-chunked`) are left out: browsers pass such bodies on.
 *
 * @param header The header's value, if there is one.
 * @returns The codings in the order in which they were applied.
 */
export function parseContentCodings(
  header: string | null | undefined,
): ContentCoding[] {
  return (header ?? "").split(",")
    .map((name) => CODINGS.get(name.trim().toLowerCase()))
    .filter((coding) => coding !== undefined);
}
