import { HttpStatusError, IncompleteBodyError } from "../api/errors.ts";
import { errorFacts } from "../text/failure_reason.ts";

/**
 * The statuses of failures that pass: the server was too slow, is asked too often, is down
 * for a while, or its own server is (RFC 9110 §15.5.9, §15.6; RFC 6585 §4).
 */
const PASSING: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/**
 * The codes of failures that pass: of connections and of bodies that broke, as Node names
 * them, and as `errorFacts()` does for Deno's `fetch`; the last four are those of undici. A
 * URL that `fetch` refuses has another.
 */
const PASSING_CODES: ReadonlySet<string> = new Set([
  ...["ENOTFOUND", "EAI_AGAIN"],
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN"],
  ...["ERR_HTTP2_STREAM_ERROR", "Z_BUF_ERROR"],
  ...["UND_ERR_SOCKET", "UND_ERR_CONNECT_TIMEOUT"],
  ...["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"],
]);

/** The shortest wait before another attempt, in milliseconds. */
const MIN_WAIT_MS = 300;

/** The longest wait that no server has asked for, in milliseconds. */
const MAX_WAIT_MS = 3_000;

/** The longest wait that a server may ask for, in milliseconds. */
const MAX_ASKED_MS = 10_000;

/**
 * Whether a request that failed so may succeed when it is repeated: by its status, by the
 * code of the error or of a cause, or since the body was cut. A TypeError without a code
 * counts as well: `fetch` tells by it that there was no answer, for whatever reason.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof IncompleteBodyError) {
    return error.received < error.expected;
  }
  const { name, status, code } = errorFacts(error);
  if (status !== undefined) return PASSING.has(status);
  return code === undefined ? name === "TypeError" : PASSING_CODES.has(code);
}

/**
 * Returns how long to wait before another attempt: random, so that clients that failed
 * together don't come back together, and longer after each failure.
 *
 * @param error The failure; an `HttpStatusError` may say how long the server asks to wait.
 * @param retried The attempts since the first, or since the last byte.
 * @param leftMs The time left, in milliseconds.
 * @param random A number from 0 up to, but not including, 1.
 * @returns Milliseconds, from 300 up to 3,000, or up to 10,000 where the server asks for it;
 * undefined where it asks for more, or not so much time is left.
 */
export function retryWaitMs(
  error: unknown,
  retried: number,
  leftMs: number,
  random: number = Math.random(),
): number | undefined {
  const askedMs = error instanceof HttpStatusError
    ? error.retryAfterMs ?? 0
    : 0;
  if (askedMs > MAX_ASKED_MS) return undefined;
  const maxMs = Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** (retried + 1));
  const waitMs = Math.max(
    askedMs,
    MIN_WAIT_MS + random * (maxMs - MIN_WAIT_MS),
  );
  return waitMs < leftMs ? waitMs : undefined;
}
