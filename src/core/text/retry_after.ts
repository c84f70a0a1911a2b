import { parseHttpDate } from "./http_date.ts";

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): seconds, or an HTTP-date.
 *
 * @param value The header's value, if there is one.
 * @param now The present, in milliseconds since the epoch.
 * @returns Milliseconds to wait from `now` on, 0 for a date that has passed; undefined where the value is neither, or
 * is a number of seconds beyond all integers.
 */
export function parseRetryAfter(
  value: string | null | undefined,
  now: number = Date.now(),
): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) {
    const waitMs = Number(text) * 1000;

    return Number.isSafeInteger(waitMs) ? waitMs : undefined;
  }
  const date = parseHttpDate(text, now);

  return date === undefined ? undefined : Math.max(0, date - now);
}
