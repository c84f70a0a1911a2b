/** Part of a body: from `start` up to but not including `end`. */
export interface ByteRange {
  /** The first byte. */
  readonly start: number;
  /** The byte after the last. */
  readonly end: number;
}

// One range, given from the front or from the end (RFC 9110 §14.1.2).
const RANGE_REGEXP = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Reads a Range header. One that can't be understood is ignored, as RFC 9110
 * §14.2 wants it, and so is one with several ranges: whoever asks for these must
 * be ready for the whole.
 *
 * @param header The header, if there is one.
 * @param size Bytes of the body.
 * @returns The range within the body, or what else is to be answered.
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
