import { parseHttpDate } from "./http_date.ts";

/** The longest validator that is kept, in characters. */
const MAX_VALIDATOR_CHARS = 256;

/** The validators that an origin has sent with a body. */
export interface OriginValidators {
  /**
   * The entity tag, strong or weak; in a note also a list, where servers tag the bytes
   * differently.
   */
  readonly etag?: string;
  /** The `Last-Modified` date. */
  readonly lastModified?: string;
}

/** Whether a value is a string that is short enough to be kept as a validator. */
export function isKeptValidator(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_VALIDATOR_CHARS;
}

/** Entity tags (RFC 9110 §8.8.3), which hold neither a space nor a quotation mark inside. */
const ETAGS_REGEXP =
  /^(?:W\/)?"[!#-~\x80-\xff]*"(?:, (?:W\/)?"[!#-~\x80-\xff]*")*$/;

/** Separates the entity tags of a list. */
const SEPARATOR = ", ";

/**
 * Makes the headers by which an origin answers 304 if its body is still the same (RFC 9110
 * §13.1.2 and §13.1.3). They are empty without a validator, and a value of another form is
 * left out: it comes from a file, which may hold anything. A date is the date of one server:
 * beside several tags it is left out (RFC 9111 §4.3.1), since nginx would want it, too.
 */
export function conditionsOf(
  { etag = "", lastModified = "" }: OriginValidators,
): Headers {
  const headers = new Headers();
  const isTagged = ETAGS_REGEXP.test(etag);
  if (isTagged) headers.set("If-None-Match", etag);
  if (isTagged && etag.includes(SEPARATOR)) return headers;
  // Sent as it came: some origins compare the text.
  if (parseHttpDate(lastModified) !== undefined) {
    headers.set("If-Modified-Since", lastModified);
  }
  return headers;
}

/**
 * Picks the validators by which an origin is asked next, after an answer 200 has brought the
 * same bytes again. A tag that comes back tells of several servers that tag the bytes
 * differently: all their tags are then sent. A tag alone is sent before that, and to a server
 * that has a tag of the list and answers 200: MinIO and Ceph read no list.
 *
 * @param received The validators of that answer.
 * @param sent The validators by which the origin was asked.
 * @param first The validators that came with the bytes when they were stored.
 */
export function nextValidators(
  received: OriginValidators,
  sent: OriginValidators,
  first: OriginValidators,
): OriginValidators {
  const { etag } = received;
  if (etag === undefined || sent.etag === undefined) return received;
  const tags = sent.etag.split(SEPARATOR);
  const isAlternating = tags.length > 1 || etag === first.etag;
  if (!isAlternating || tags.includes(etag)) return received;
  const list = [etag, ...tags].join(SEPARATOR);
  // A tag of another form would make the whole list useless.
  const isList = isKeptValidator(list) && ETAGS_REGEXP.test(list);
  return isList ? { ...received, etag: list } : received;
}
