import { type Connection, ProtocolError } from "./connection.ts";

/** The most headers of a response, as many as Deno's `fetch` takes (2.9.6). */
const MAX_HEADERS = 100;

const STATUS_LINE_REGEXP = /^HTTP\/1\.([01]) ([2-9]\d\d|1\d\d)(?: (.*))?$/;

/** A line of the head (RFC 9112, 5): no space before the colon, no line that goes on. */
const HEADER_REGEXP = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/;

/** Headers that belong to the connection, not to the caller. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...["host", "connection", "keep-alive", "proxy-connection", "upgrade"],
  ...["transfer-encoding", "content-length", "te", "trailer", "expect"],
]);

/** A request as it is written. */
export interface RequestHead {
  /** The URL. */
  readonly url: URL;
  /** The method. */
  readonly method: string;
  /** The headers of the caller. */
  readonly headers: Headers;
  /** Bytes of the body; `"chunked"` where they are not known, undefined without a body. */
  readonly length: number | "chunked" | undefined;
  /** Whether the server is to close the connection behind its answer. */
  readonly isLast: boolean;
}

/** The head of a response. */
export interface ResponseHead {
  /** The status. */
  readonly status: number;
  /** The words behind the status. */
  readonly statusText: string;
  /** The headers. */
  readonly headers: Headers;
  /** Whether the server keeps the connection open after the body. */
  readonly isKept: boolean;
}

/** Writes the head of a request, with the headers that Deno's `fetch` adds. */
export function requestBytes(
  { url, method, headers, length, isLast }: RequestHead,
): Uint8Array {
  const all = new Headers(headers);
  OWN_HEADERS.forEach((name) => all.delete(name));
  const defaults = {
    "accept": "*/*",
    "accept-language": "*",
    // Media are packed already, and a small packed body may be a large one.
    "accept-encoding": "identity",
    "user-agent": navigator.userAgent,
  };
  for (const [name, value] of Object.entries(defaults)) {
    if (!all.has(name)) all.set(name, value);
  }
  if (isLast) all.set("connection", "close");
  if (length === "chunked") all.set("transfer-encoding", "chunked");
  if (typeof length === "number") all.set("content-length", `${length}`);
  const lines = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    ...[...all].map(([name, value]) => `${name}: ${value}`),
    "\r\n",
  ];
  return Uint8Array.from(lines.join("\r\n"), (each) => each.charCodeAt(0));
}

/**
 * Reads the head of a response; interim responses before it are skipped.
 *
 * @param maxBytes The most bytes of the head, with those of interim responses.
 * @throws {ProtocolError} If it is longer, has too many headers, or is malformed.
 */
export async function readHead(
  connection: Connection,
  maxBytes: number,
): Promise<ResponseHead> {
  let left = maxBytes;
  const readLine = async () => {
    let line: string;
    try {
      line = await connection.receiveLine(left);
    } catch (error) {
      if (!/too long/.test(String(error))) throw error;
      throw new ProtocolError(
        `headers must have at most ${maxBytes} bytes: received more`,
      );
    }
    left -= line.length + 2;
    return line;
  };
  for (;;) {
    const [, minor, code = "", statusText = ""] =
      STATUS_LINE_REGEXP.exec(await readLine()) ?? [];
    const status = Number(code);
    if (minor === undefined || status >= 600) {
      throw new ProtocolError("the answer must be HTTP/1.1: received another");
    }
    if (status === 101) {
      throw new ProtocolError("the server must not change the protocol");
    }
    const headers = await readHeaders(readLine);
    if (status < 200) continue;
    const connectionOptions = headers.get("connection")?.toLowerCase() ?? "";
    const isKept = minor === "1" && !/\bclose\b/.test(connectionOptions);
    return { status, statusText, headers, isKept };
  }
}

async function readHeaders(readLine: () => Promise<string>): Promise<Headers> {
  const headers = new Headers();
  for (let count = 0;; count++) {
    const line = await readLine();
    if (line === "") return headers;
    if (count === MAX_HEADERS) {
      throw new ProtocolError(
        `a response must have at most ${MAX_HEADERS} headers: received more`,
      );
    }
    const [, name, value = ""] = HEADER_REGEXP.exec(line) ?? [];
    try {
      if (name === undefined) throw new TypeError("no name");
      headers.append(name, value);
    } catch {
      throw new ProtocolError("a header must have a name and a value");
    }
  }
}
