import { parseHttpDate } from "./http_date.ts";

/** The longest validator that is kept, in characters. */
const MAX_VALIDATOR_CHARS = 256;

/** The validators that an origin has sent with a body. */
export interface OriginValidators {
  /** The entity tag, strong or weak. */
  readonly etag?: string;
  /** The `Last-Modified` date. */
  readonly lastModified?: string;
}

/** Whether a value is a string that is short enough to be kept as a validator. */
export function isKeptValidator(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_VALIDATOR_CHARS;
}

/** An entity tag (RFC 9110 §8.8.3). */
const ETAG_REGEXP = /^(?:W\/)?"[!#-~\x80-\xff]*"$/;

/**
 * Makes the headers by which an origin answers 304 if its body is still the same (RFC 9110
 * §13.1.2 and §13.1.3). They are empty without a validator, and a value of another form is
 * left out: it comes from a file, which may hold anything.
 */
export function conditionsOf(
  { etag = "", lastModified = "" }: OriginValidators,
): Headers {
  const headers = new Headers();
  if (ETAG_REGEXP.test(etag)) headers.set("If-None-Match", etag);
  // Sent as it came: some origins compare the text.
  if (parseHttpDate(lastModified) !== undefined) {
    headers.set("If-Modified-Since", lastModified);
  }
  return headers;
}
