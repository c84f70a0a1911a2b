/**
 * Facts of an error that are safe to show. The message is not among them: it
 * may hold a URL with a token, a path or a line break.
 */
export interface ErrorFacts {
  /**
   * Name of the error's class; for a thrown value that is no Error, its type.
   */
  readonly name: string;
  /** A code such as `ECONNREFUSED`, of the error or of one of its causes. */
  readonly code: string | undefined;
  /** An HTTP status, of the error or of one of its causes. */
  readonly status: number | undefined;
}

/** The longest chain of causes that is followed. A chain may be circular. */
const MAX_CAUSES = 8;

/**
 * Codes of the system errors for which Deno sets no `code`, by number
 * (errno.h).
 */
const UNNAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  linux: {
    23: "ENFILE",
    26: "ETXTBSY",
    31: "EMLINK",
    37: "ENOLCK",
    38: "ENOSYS",
    112: "EHOSTDOWN",
    116: "ESTALE",
    121: "EREMOTEIO",
    122: "EDQUOT",
  },
  darwin: {
    23: "ENFILE",
    26: "ETXTBSY",
    31: "EMLINK",
    64: "EHOSTDOWN",
    69: "EDQUOT",
    70: "ESTALE",
    77: "ENOLCK",
    78: "ENOSYS",
  },
};

const NAME_REGEXP = /^\w{1,64}$/;
const CODE_REGEXP = /^[A-Z][A-Z0-9_]{1,63}$/;

/**
 * Messages of the errors of Deno's `fetch` (2.9.6), which have no code, and the
 * codes that Node uses for the same failures. For certificates, where Node has
 * many codes, there is one. Windows writes messages in the user's language, so
 * its numbers are matched.
 */
const FETCH_CODES: readonly (readonly [RegExp, code: string])[] = [
  [/dns error/, "ENOTFOUND"],
  [/connection refused|os error 10061/i, "ECONNREFUSED"],
  [/connection reset|os error 10054/i, "ECONNRESET"],
  [/connection closed before message completed/, "ECONNRESET"],
  [/tls handshake eof|without sending TLS close_notify/, "ECONNRESET"],
  [/^error reading a body from connection/, "ECONNRESET"],
  [/(?:stream|connection) error received/, "ERR_HTTP2_STREAM_ERROR"],
  [/^unexpected end of file$/, "Z_BUF_ERROR"],
  [/broken pipe/i, "EPIPE"],
  [/timed out|os error 10060/i, "ETIMEDOUT"],
  [/no route to host|os error 10065/i, "EHOSTUNREACH"],
  [/network is unreachable|os error 10051/i, "ENETUNREACH"],
  [/invalid peer certificate/, "ERR_TLS_CERT_INVALID"],
  [/received (?:corrupt message|fatal alert)/, "EPROTO"],
  [/^(?:Invalid URL|Url scheme )/, "ERR_INVALID_URL"],
  [/^Fetch failed: (?:Requests to port|Can not redirect)/, "ERR_INVALID_URL"],
  [/^Fetch failed: Maximum number of redirects/, "ERR_TOO_MANY_REDIRECTS"],
  // Of the cache itself: the result of a downloader is of a wrong kind.
  [/^Cannot (?:download|read)/, "ERR_INVALID_ARG_TYPE"],
];

/** Returns the facts of a thrown value. Never throws itself. */
export function errorFacts(error: unknown): ErrorFacts {
  const chain = causesOf(error);
  // `fetch` throws a TypeError. Errors before it in the chain wrap it.
  const thrown = chain.findIndex((each) => nameOf(each) === "TypeError");
  const ofFetch = thrown === -1 ? [] : chain.slice(thrown);
  const find = <T>(pick: (error: unknown) => T | undefined, among = chain) =>
    among.map(pick).find((found) => found !== undefined);
  return {
    name: nameOf(error),
    code: find(codeOf) ?? find(fetchCodeOf, ofFetch),
    status: find(statusOf),
  };
}

/**
 * Returns a short reason for a failure: the status, else the code, else the
 * name.
 */
export function failureReason({ name, code, status }: ErrorFacts): string {
  return status === undefined ? code ?? name : `HTTP ${status}`;
}

/**
 * Lists an error and its causes. An AggregateError, as of `Promise.any()`, is
 * followed by its first error.
 */
function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (
    let next = error;
    next !== undefined && chain.length < MAX_CAUSES;
    next = read(next, "cause") ?? read(read(next, "errors"), "0")
  ) chain.push(next);
  return chain;
}

function nameOf(error: unknown): string {
  if (!isError(error)) return typeof error;
  const name = read(error, "name");
  return typeof name === "string" && NAME_REGEXP.test(name) ? name : "Error";
}

function codeOf(error: unknown): string | undefined {
  const code = read(error, "code");
  if (typeof code === "string" && CODE_REGEXP.test(code)) return code;
  const message = read(error, "message");
  const [, number = ""] =
    /\(os error (\d+)\)/.exec(typeof message === "string" ? message : "") ?? [];
  return UNNAMED[Deno.build.os]?.[number];
}

function statusOf(error: unknown): number | undefined {
  const status = read(error, "status");
  const isStatus = typeof status === "number" && Number.isInteger(status) &&
    status >= 100 && status <= 999;
  return isStatus ? status : undefined;
}

function fetchCodeOf(error: unknown): string | undefined {
  const message = read(error, "message");
  if (typeof message !== "string") return undefined;
  // The URL stands before this text and may contain any word.
  const text = message.slice(
    Math.max(0, message.lastIndexOf("client error (")),
  );
  return FETCH_CODES.find(([pattern]) => pattern.test(text))?.[1];
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/**
 * Reads a member of any value; undefined where that is impossible or a getter
 * throws.
 */
function read(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return Reflect.get(value, name);
  } catch {
    return undefined;
  }
}
