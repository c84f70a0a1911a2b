import type { OptionCheck } from "./option_check.ts";

/** The options for downloads that fail. */
export interface FailureOptions {
  /**
   * How often a download is tried again after a failure that may pass: status 408, 429, 502,
   * 503 or 504, a body that breaks, or no answer, as a TypeError of `fetch` tells, or the code
   * of another error, such as `ECONNRESET`. Not after a URL that `fetch` refuses, and not
   * after the first byte was handed out. The wait is random, 300 to 3,000 ms, or that of
   * `Retry-After`; if that is above 10 s, or beyond `timeoutMs`, the call rejects at once.
   *
   * @default {0}
   */
  retries?: number;
  /**
   * For how long a URL that has failed rejects with the same error without a request, in
   * milliseconds, or a function that returns this time for an error. Stored bytes that are too
   * old (`maxAgeMs`) serve meanwhile. Counts for the URL as the caller gives it, so that a link
   * that has expired shuts out no other link to the same media. At most 10,000 failures are
   * remembered, in RAM; `delete()` and `clear()` forget them.
   *
   * @default {0}
   */
  failureTtlMs?: number | ((error: unknown) => number);
}

/** {@linkcode FailureOptions}, checked and complete. */
export interface ResolvedFailures {
  /** How often a failure that may pass is retried. */
  retries: number;
  /** For how long a failure is remembered. */
  failureTtlMs: number | ((error: unknown) => number);
}

/** Checks the number of retries. */
export function checkRetries(check: OptionCheck, retries: number): number {
  const wanted = "an integer of at least 0";
  const isCount = (n: number) =>
    n >= 0 && (Number.isInteger(n) || n === Infinity);
  return check.value("retries", retries, "number", wanted, isCount);
}

/** Checks the options for downloads that fail. */
export function resolveFailures(
  check: OptionCheck,
  retries: number,
  failureTtlMs: ResolvedFailures["failureTtlMs"],
): ResolvedFailures {
  checkRetries(check, retries);
  if (typeof failureTtlMs !== "function") {
    const wanted = "a function, or a number of at least 0";
    check.value(
      "failureTtlMs",
      failureTtlMs,
      "number",
      wanted,
      (ms) => ms >= 0,
    );
  }
  return { retries, failureTtlMs };
}
