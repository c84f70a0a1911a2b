import { errorFacts } from "../core/text/failure_reason.ts";
import { type Connection, ProtocolError } from "../http1/connection.ts";
import { exchange } from "../http1/exchange.ts";
import { type Endpoint, openConnection } from "../http1/open_connection.ts";
import { settled } from "../http1/settled.ts";
import { type Destination, destinationOf } from "./destination.ts";
import { isPastProxy, proxyVariable, requireNetwork } from "./environment.ts";
import { codedError, failureAt } from "./fetch_failure.ts";
import { ForbiddenAddressError } from "./forbidden_address_error.ts";
import {
  type GuardOptions,
  type GuardRules,
  guardRules,
} from "./guard_options.ts";
import { IdleConnections } from "./idle_connections.ts";
import { type Hop, isRedirect, nextHop } from "./redirect.ts";
import { type Network, SYSTEM_NETWORK } from "./system_network.ts";

/** Codes of a connection that was not made, so that the next address may be tried. */
const UNREACHED: ReadonlySet<string | undefined> = new Set([
  ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"],
  "EADDRNOTAVAIL", // of IPv6 addresses, on hosts without IPv6
]);

/** The most addresses of a name that are tried. */
const MAX_ADDRESSES = 4;

/**
 * The longest wait for a connection while another address is left, in milliseconds. The
 * kernel of Linux gives up after two minutes, behind the idle time of most downloads.
 */
const MAX_CONNECT_MS = 10_000;

/** The bytes that a header has beside its name and value: `: ` and the line's end. */
const HEADER_OVERHEAD = 4;

/** Methods that may be sent twice: a kept connection may be closed by the server meanwhile. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

type Init = RequestInit & { client?: Deno.HttpClient };

/** Makes the `fetch` of {@linkcode guard}, on a network that tests may replace. */
export function makeGuard(
  options: GuardOptions,
  network: Network = SYSTEM_NETWORK,
  maxConnectMs: number = MAX_CONNECT_MS,
): typeof fetch & Disposable {
  const guarded = new GuardedFetch(guardRules(options), network, maxConnectMs);
  return Object.assign(
    (input: URL | Request | string, init?: Init) => guarded.fetch(input, init),
    { [Symbol.dispose]: () => guarded[Symbol.dispose]() },
  );
}

class GuardedFetch implements Disposable {
  readonly #rules: GuardRules;
  readonly #network: Network;
  readonly #maxConnectMs: number;
  readonly #idle = new IdleConnections();
  #isDisposed = false;

  constructor(rules: GuardRules, network: Network, maxConnectMs: number) {
    this.#rules = rules;
    this.#network = network;
    this.#maxConnectMs = maxConnectMs;
  }

  async fetch(
    input: URL | Request | string,
    init: Init = {},
  ): Promise<Response> {
    if (this.#isDisposed) {
      throw new TypeError("Cannot fetch: the guard is disposed");
    }
    if (init.client !== undefined) {
      throw new TypeError(
        "Cannot fetch: client must be left out, since the guard connects itself: received one",
      );
    }
    requireNetwork();
    const request = requestOf(input, init);
    const ofInput = input instanceof Request ? input.signal : undefined;
    const signal = init.signal === undefined
      ? ofInput
      : init.signal ?? undefined;
    let hop: Hop = {
      url: new URL(request.url),
      method: request.method,
      headers: new Headers(request.headers),
      body: isWhole(init.body) ? await request.bytes() : request.body,
    };
    for (let redirects = 0;; redirects++) {
      const response = await this.#send(hop, signal);
      this.#checkHeaders(hop, response);
      const location = response.headers.get("location");
      const isFinal = !isRedirect(response.status) ||
        request.redirect === "manual" ||
        (location === null && request.redirect === "follow");
      if (isFinal) return redirects === 0 ? response : asRedirected(response);
      response.body?.cancel().catch(() => {});
      if (request.redirect === "error") {
        throw new TypeError(
          `Cannot fetch from ${hop.url.host}: no redirect is allowed: received one`,
        );
      }
      if (redirects === this.#rules.maxRedirects) {
        throw new TypeError(
          `Cannot fetch from ${hop.url.host}: at most ${this.#rules.maxRedirects} redirects are followed: received one more`,
        );
      }
      hop = nextHop(hop, response.status, location ?? "");
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#idle[Symbol.dispose]();
  }

  /** Sends a request to the first checked address that can be reached. */
  async #send(hop: Hop, signal: AbortSignal | undefined): Promise<Response> {
    const destination = destinationOf(hop.url, this.#rules);
    const addresses = await this.#addresses(destination, signal);
    if (addresses === undefined) {
      return await sendByDeno(hop, destination, signal);
    }
    for (const [i, address] of addresses.entries()) {
      const isLast = hop.body !== null ||
        i === addresses.length - 1 || i === MAX_ADDRESSES - 1;
      const maxConnectMs = isLast ? undefined : this.#maxConnectMs;
      try {
        return await this.#sendTo(
          address,
          hop,
          destination,
          maxConnectMs,
          signal,
        );
      } catch (error) {
        signal?.throwIfAborted();
        if (isLast || !UNREACHED.has(errorFacts(error).code)) {
          throw failureAt(destination.host, error);
        }
      }
    }
    throw new Error("not reached: a name has an address");
  }

  async #sendTo(
    address: string,
    hop: Hop,
    { host, hostname, origin, port }: Destination,
    maxConnectMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const key = keyOf(origin, address);
    const send = (connection: Connection) =>
      exchange(connection, hop, {
        maxHeaderBytes: this.#rules.maxHeaderBytes,
        signal,
        release: () => this.#idle.put(key, connection),
        failure: (error) => failureAt(host, error),
      });
    const isRepeatable = hop.body === null && REPEATABLE.has(hop.method);
    const kept = isRepeatable ? this.#idle.take(key) : undefined;
    if (kept !== undefined) {
      kept.hasReceived = false;
      try {
        return await send(kept);
      } catch (error) {
        // The server has closed it since: a new connection is due.
        if (signal?.aborted || kept.hasReceived) throw error;
      }
    }
    // TLS knows no dot at the end of a name (RFC 6066, 3).
    const tlsName = hop.url.protocol === "https:"
      ? hostname.replace(/\.$/, "")
      : undefined;
    const endpoint = { hostname: address, port, tlsName };
    return await send(await connected(endpoint, maxConnectMs, signal));
  }

  /**
   * Returns the checked addresses of a destination: the first is that of a connection that
   * is kept. Undefined where Deno may choose the address: for an exempt host, and behind a
   * proxy that is trusted.
   */
  async #addresses(
    destination: Destination,
    signal: AbortSignal | undefined,
  ): Promise<string[] | undefined> {
    const { host, hostname, origin, isAddress, isExempt } = destination;
    const proxy = proxyVariable();
    if (proxy !== undefined) this.#checkProxy(proxy);
    signal?.throwIfAborted();
    if (isExempt) return undefined;
    if (isAddress) {
      if (this.#network.isPublic(hostname)) {
        return proxy === undefined ? [hostname] : undefined;
      }
      throw new ForbiddenAddressError(
        `Cannot fetch from ${host}: address must be public: it is not`,
      );
    }
    if (proxy !== undefined) {
      if (!isPastProxy(hostname)) return undefined;
      throw new TypeError(
        `Cannot fetch from ${host}: NO_PROXY must not name this host, since Deno would choose the address itself: it does`,
      );
    }
    const addresses = await settled(this.#resolve(destination), signal);
    if (!addresses.every((each) => this.#network.isPublic(each))) {
      throw new ForbiddenAddressError(
        `Cannot fetch from ${host}: all addresses of this name must be public: received another`,
      );
    }
    const kept = addresses.findIndex((each) =>
      this.#idle.has(keyOf(origin, each))
    );
    if (kept > 0) addresses.unshift(...addresses.splice(kept, 1));
    return addresses;
  }

  async #resolve({ host, hostname }: Destination): Promise<string[]> {
    let addresses: readonly string[];
    try {
      addresses = await this.#network.resolve(hostname);
    } catch (error) {
      const { code, name } = errorFacts(error);
      throw codedError(`Cannot find ${host}: ${code ?? name}`, code);
    }
    if (addresses.length > 0) return [...addresses];
    throw codedError(
      `Cannot find ${host}: the name has no address`,
      "ENOTFOUND",
    );
  }

  #checkProxy(variable: string): void {
    if (this.#rules.isProxyTrusted) return;
    throw new TypeError(
      `Cannot fetch: ${variable} must not be set, since a proxy chooses addresses itself, or the option proxy must be "trusted": received neither`,
    );
  }

  /** Ends a response whose headers are too long. */
  #checkHeaders({ url }: Hop, response: Response): void {
    const { maxHeaderBytes } = this.#rules;
    let bytes = 0;
    for (const [name, value] of response.headers) {
      bytes += name.length + value.length + HEADER_OVERHEAD;
    }
    if (bytes <= maxHeaderBytes) return;
    response.body?.cancel().catch(() => {});
    throw failureAt(
      url.host,
      new ProtocolError(
        `headers must have at most ${maxHeaderBytes} bytes: received more`,
      ),
    );
  }
}

/** Connects within a time; after it the error has the code `ETIMEDOUT`. */
async function connected(
  endpoint: Endpoint,
  maxMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  if (maxMs === undefined) return await openConnection(endpoint, signal);
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(codedError("Cannot connect in time", "ETIMEDOUT"));
  }, maxMs);
  const signals = signal === undefined ? [] : [signal];
  try {
    return await openConnection(
      endpoint,
      AbortSignal.any([...signals, limit.signal]),
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a request as any other of the program, but for redirects. */
async function sendByDeno(
  { url, method, headers, body }: Hop,
  { host }: Destination,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    const init = { method, headers, body, ...(signal && { signal }) };
    return await fetch(url, { ...init, redirect: "manual" });
  } catch (error) {
    signal?.throwIfAborted();
    throw failureAt(host, error);
  }
}

/** Makes the first request; a text that is no URL is an error that does not show it. */
function requestOf(input: URL | Request | string, init: Init): Request {
  if (!(input instanceof Request) && URL.parse(String(input)) === null) {
    throw new TypeError(
      "Cannot fetch: the URL must be absolute: received another text",
    );
  }
  return new Request(input, init);
}

/** Whether a body is in memory, so that it can be sent again. */
function isWhole(body: BodyInit | null | undefined): boolean {
  return typeof body === "string" || body instanceof Blob ||
    body instanceof FormData || body instanceof URLSearchParams ||
    body instanceof ArrayBuffer || ArrayBuffer.isView(body);
}

/** Makes a response tell that it came behind a redirect, which `fetch` alone can set. */
function asRedirected(response: Response): Response {
  return Object.defineProperty(response, "redirected", { value: true });
}

function keyOf(origin: string, address: string): string {
  return `${origin} ${address}`;
}
