/** Part of a body: from `start` up to but not including `end`. */
export interface ByteRange {
  /** Position of the first byte. */
  readonly start: number;
  /** Position after the last byte. */
  readonly end: number;
}

// A single range, counted from the front or from the end (RFC 9110 §14.1.2).
const RANGE_REGEXP = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Reads a Range header (RFC 9110 §14.2). An invalid header is ignored, and so
 * is a header with several ranges: its client must accept the whole body.
 *
 * @param header The header, if there is one.
 * @param size Bytes of the body.
 * @returns The range within the body; "whole" for no range or an ignored
 * header; "unsatisfiable" for a range behind the end (status 416).
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "whole" | "unsatisfiable" {
  const [, first, last] = RANGE_REGEXP.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined) return "whole";
  if (first === "") {
    if (last === "") return "whole";
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return "whole";
  return start >= size ? "unsatisfiable" : { start, end };
}
