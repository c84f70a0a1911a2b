/** Statuses whose Location is followed (Fetch, "redirect status"). */
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([
  ...[301, 302, 303, 307, 308],
]);

/** Headers that describe a body, which go with it (Fetch, "request-body-header name"). */
const BODY_HEADERS = [
  ...["content-encoding", "content-language"],
  ...["content-location", "content-type"],
];

/** Headers that prove a right, which another origin must not see. */
const SECRET_HEADERS = ["authorization", "cookie", "proxy-authorization"];

/** A request that may be sent several times. */
export interface Hop {
  /** The URL. */
  readonly url: URL;
  /** The method, in upper case where Fetch knows it. */
  readonly method: string;
  /** The headers of the caller, with the type of the body. */
  readonly headers: Headers;
  /** The body; a stream can be sent once. */
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
}

/** Tells whether a response of this status redirects. */
export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.has(status);
}

/**
 * Returns the request that follows a redirect: method, body and headers as Fetch says
 * (HTTP-redirect fetch), but without the headers that prove a right where the origin is
 * another one, subdomains included.
 *
 * @throws {TypeError} If the Location is no URL, or the body can't be sent again.
 */
export function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = URL.parse(location, hop.url);
  if (url === null) {
    throw new TypeError(
      `Cannot fetch from ${hop.url.host}: a redirect must have a URL as its Location: received another text`,
    );
  }
  if (hop.body instanceof ReadableStream && status !== 303) {
    throw new TypeError(
      `Cannot fetch from ${hop.url.host}: a body that is a stream, or that of a Request, can't be sent again after a redirect`,
    );
  }
  const headers = new Headers(hop.headers);
  const { method } = hop;
  const becomesGet = status === 303
    ? method !== "GET" && method !== "HEAD"
    : method === "POST" && (status === 301 || status === 302);
  if (becomesGet) BODY_HEADERS.forEach((name) => headers.delete(name));
  if (url.origin !== hop.url.origin) {
    SECRET_HEADERS.forEach((name) => headers.delete(name));
  }
  return becomesGet
    ? { url, method: "GET", headers, body: null }
    : { url, method, headers, body: hop.body };
}
