import type { EntryInfo } from "../catalog/entry.ts";

/** What tells one version of a body from another. */
export interface Validators {
  /** The strong entity tag. */
  readonly etag: string;
  /** The `Last-Modified` date; undefined where nobody noted it. */
  readonly lastModified: string | undefined;
}

const SHA256_REGEXP = /^[0-9a-f]{64}$/i;
const TAG_REGEXP = /(?:W\/)?"[^"]*"/g;

/** The validators of an entry: its digest where that is known, else its key and the time it was stored. */
export function validatorsOf(entry: EntryInfo): Validators {
  const { key, storedAt, sha256 = "" } = entry;
  // In microseconds: the sidecar's seconds are floats, and finer is noise.
  const version = Math.round(storedAt * 1000).toString(36);
  const tag = SHA256_REGEXP.test(sha256)
    ? sha256.toLowerCase()
    : `${key.slice(0, 16)}-${version}`;
  const lastModified = storedAt > 0
    ? new Date(storedAt).toUTCString()
    : undefined;
  return { etag: `"${tag}"`, lastModified };
}

/**
 * Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2.
 *
 * @returns The status to answer with instead of the body, if any.
 */
export function preconditionOf(
  headers: Headers,
  { etag, lastModified }: Validators,
): 304 | 412 | undefined {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null) {
    if (!lists(ifMatch, etag, (tag) => tag)) return 412;
  } else if (isAfter(lastModified, headers.get("If-Unmodified-Since"))) {
    return 412;
  }
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch !== null) {
    return lists(ifNoneMatch, etag, strengthen) ? 304 : undefined;
  }
  const since = headers.get("If-Modified-Since");
  return isAfter(lastModified, since) === false ? 304 : undefined;
}

/** Whether a Range header may be heeded: the rest of the body is still the one that was begun. */
export function ifRangeHolds(
  header: string | undefined,
  validators: Validators | undefined,
): boolean {
  if (header === undefined) return true;
  return validators !== undefined &&
    (header === validators.etag || header === validators.lastModified);
}

/** Whether a request has a condition at all. */
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
  etag: string,
  compared: (tag: string) => string,
): boolean {
  if (header.trim() === "*") return true;
  return (header.match(TAG_REGEXP) ?? []).some((tag) => compared(tag) === etag);
}

/** If-None-Match compares weakly: `W/"x"` is as good as `"x"`. */
function strengthen(tag: string): string {
  return tag.replace(/^W\//, "");
}

/** Undefined where one of the two is no date, so that nothing is concluded. */
function isAfter(
  date: string | undefined,
  limit: string | null,
): boolean | undefined {
  const [a, b] = [Date.parse(date ?? ""), Date.parse(limit ?? "")];
  return Number.isNaN(a) || Number.isNaN(b) ? undefined : a > b;
}
