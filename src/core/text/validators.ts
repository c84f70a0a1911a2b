import { parseHttpDate } from "./http_date.ts";

/** Facts of a stored body that tell its version. */
export interface VersionFacts {
  /** SHA-256 of the URL as 64 hexadecimal digits. */
  readonly key: string;
  /**
   * When the body was stored, in milliseconds since the epoch; 0 where unknown.
   */
  readonly storedAt: number;
  /** SHA-256 of the body as hexadecimal digits, where known. */
  readonly sha256?: string;
}

/** The values that tell one version of a body from another. */
export interface Validators {
  /** The strong entity tag. */
  readonly etag: string;
  /** The `Last-Modified` date; undefined where the sidecar has no time. */
  readonly lastModified: string | undefined;
  /** Whether `lastModified` belongs to this version alone. */
  readonly isDateStrong: boolean;
}

const SHA256_REGEXP = /^[0-9a-f]{64}$/i;

/** An entity tag of a list, with what separates it from the others (RFC 9110 §8.8.3). */
const TAG_REGEXP = /(?<=^|,)[ \t]*((?:W\/)?"[!#-~\x80-\xff]*")[ \t]*(?=,|$)/g;

/**
 * Age from which the date of an entry is a strong validator, in milliseconds.
 * Dates have whole seconds, so that two versions may share a date; the rest
 * allows for clocks that differ (RFC 7232 §2.2.2; RFC 9110 §8.8.2.2 leaves the
 * length to the server).
 */
const STRONG_AFTER_MS = 60_000;

/**
 * Returns the validators of an entry. The tag is its digest where known, else
 * its key and the time when it was stored.
 *
 * @param entry The entry.
 * @param now Current time in milliseconds since the epoch, the limit of
 * `lastModified` (RFC 9110 §8.8.2.1).
 */
export function validatorsOf(
  entry: VersionFacts,
  now: number = Date.now(),
): Validators {
  const { key, storedAt, sha256 = "" } = entry;
  // In microseconds: the sidecar has float seconds, of which finer digits are
  // noise.
  const version = Math.round(storedAt * 1000).toString(36);
  const tag = SHA256_REGEXP.test(sha256)
    ? sha256.toLowerCase()
    : `${key.slice(0, 16)}-${version}`;
  const lastModified = storedAt > 0
    ? new Date(Math.min(storedAt, now)).toUTCString()
    : undefined;
  const isDateStrong = storedAt > 0 && now - storedAt >= STRONG_AFTER_MS;
  return { etag: `"${tag}"`, lastModified, isDateStrong };
}

/**
 * Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2.
 *
 * @param headers The headers of the request.
 * @param validators Undefined for a body that has none, as a running download.
 * @param isRead Whether the method is GET or HEAD: other methods never get a
 * 304.
 * @returns The status to answer with; undefined where the request may go on.
 */
export function preconditionOf(
  headers: Headers,
  validators: Validators | undefined,
  isRead: boolean,
): 304 | 412 | undefined {
  const { etag, lastModified } = validators ?? {};
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null) {
    if (!lists(ifMatch, etag, (tag) => tag)) return 412;
  } else if (isAfter(lastModified, headers.get("If-Unmodified-Since"))) {
    return 412;
  }
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch !== null) {
    const isKnown = lists(ifNoneMatch, etag, strengthen);
    return isKnown ? isRead ? 304 : 412 : undefined;
  }
  if (!isRead) return undefined;
  const since = headers.get("If-Modified-Since");
  return isAfter(lastModified, since) === false ? 304 : undefined;
}

/**
 * Tells whether If-Range lets a Range header count: the client must hold a part
 * of this version. Tag or date must be strong, and equal (RFC 9110 §13.1.5).
 */
export function ifRangeHolds(
  header: string | undefined,
  validators: Validators | undefined,
): boolean {
  if (header === undefined) return true;
  if (validators === undefined) return false;
  const { etag, lastModified, isDateStrong } = validators;
  return header === etag || isDateStrong && header === lastModified;
}

/** Tells whether a request has any condition. */
export function isConditional(headers: Headers): boolean {
  return CONDITIONS.some((name) => headers.has(name));
}

const CONDITIONS = [
  "If-Match",
  "If-None-Match",
  "If-Modified-Since",
  "If-Unmodified-Since",
] as const;

function lists(
  header: string,
  etag: string | undefined,
  compared: (tag: string) => string,
): boolean {
  if (header === "*") return true;
  return header.matchAll(TAG_REGEXP).some(([, tag = ""]) =>
    compared(tag) === etag
  );
}

/** If-None-Match compares weakly: `W/"x"` equals `"x"`. */
function strengthen(tag: string): string {
  return tag.replace(/^W\//, "");
}

/** Undefined where a value is no date, so that the condition is ignored. */
function isAfter(
  date: string | undefined,
  limit: string | null,
): boolean | undefined {
  // Most requests have no date, and to read one takes 2 µs (measured).
  if (limit === null) return undefined;
  const [a, b] = [parseHttpDate(date ?? ""), parseHttpDate(limit)];
  return a === undefined || b === undefined ? undefined : a > b;
}
