import { parseContentCodings } from "./content_codings.ts";
import { parseHttpDate } from "./http_date.ts";

/** The part of a body that has come, and the version that it is of. */
export interface ReceivedPart {
  /** The bytes that have come, from the first on. */
  readonly received: number;
  /** The bytes of the whole body, where known. */
  readonly size: number | undefined;
  /** The strong validator of the body. */
  readonly validator: string;
}

/** A strong entity tag (RFC 9110 §8.8.3). */
const STRONG_TAG_REGEXP = /^"[!#-~\x80-\xff]*"$/;

/**
 * The time in milliseconds between `Last-Modified` and `Date` from which that date is a
 * strong validator: a body that changes twice within a second keeps its date, and clocks
 * differ (RFC 7232 §2.2.2; RFC 9110 §8.8.2.2 leaves the length to the client).
 */
const STRONG_AFTER_MS = 60_000;

/** A single range of a body of known length, without numbers that lose digits. */
const CONTENT_RANGE_REGEXP = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i;

/**
 * Returns the validator by which the rest of a body may be asked for (RFC 9110 §13.1.5): a
 * strong entity tag, or without any tag a date that is strong.
 *
 * @param headers The headers of a response with the whole body.
 * @returns The value of `ETag` or `Last-Modified`; undefined where neither is strong, or the
 * server serves no ranges.
 */
export function strongValidatorOf(headers: Headers): string | undefined {
  if (/^none$/i.test(headers.get("accept-ranges") ?? "")) return undefined;
  const tag = headers.get("etag") ?? undefined;
  // A client that has a tag, if only a weak one, must not send a date.
  if (tag !== undefined) return STRONG_TAG_REGEXP.test(tag) ? tag : undefined;
  const date = headers.get("last-modified") ?? "";
  const modified = parseHttpDate(date);
  const sent = parseHttpDate(headers.get("date") ?? "");
  if (modified === undefined || sent === undefined) return undefined;
  return sent - modified >= STRONG_AFTER_MS ? date : undefined;
}

/** Returns the headers that ask for the rest of a body. */
export function restHeaders({ received, validator }: ReceivedPart): Headers {
  return new Headers({
    "Range": `bytes=${received}-`,
    "If-Range": validator,
  });
}

/**
 * Checks that a response brings the rest of a body: 206 with the range from there to the
 * end, the same length in all, the same validator, and no coding.
 *
 * @returns The bytes of the whole body; undefined for any other response.
 */
export function sizeByRest(
  { status, headers }: Pick<Response, "status" | "headers">,
  { received, size, validator }: ReceivedPart,
): number | undefined {
  if (status !== 206) return undefined;
  const codings = parseContentCodings(headers.get("content-encoding"));
  if (codings.length > 0) return undefined;
  const name = validator.startsWith('"') ? "etag" : "last-modified";
  if (headers.get(name) !== validator) return undefined;
  const range = CONTENT_RANGE_REGEXP.exec(headers.get("content-range") ?? "");
  const [, first, last, all] = range?.map(Number) ?? [];
  const isRest = first === received && all !== undefined &&
    last === all - 1 && last >= first && all === (size ?? all);
  const length = headers.get("content-length") ?? undefined;
  const isOfLength = length === undefined ||
    Number(length) === (all ?? 0) - received;
  return isRest && isOfLength ? all : undefined;
}
