import { OptionCheck } from "../core/api/option_check.ts";

/** Options of {@linkcode guard}. */
export interface GuardOptions {
  /**
   * The ports that a URL may lead to, besides those of hosts in `exempt`.
   *
   * @default {[80, 443]}
   */
  readonly ports?: readonly number[] | undefined;
  /**
   * Hosts that may have any address, such as a Bot API server of one's own: `localhost`,
   * or `localhost:8081`, which allows that port as well. The host is compared as it
   * stands in the URL, so that `localhost` is not `127.0.0.1`. A stranger who knows the
   * host can name it, too.
   *
   * @default {[]}
   */
  readonly exempt?: readonly string[] | undefined;
  /**
   * The most redirects that are followed.
   *
   * @default {5}
   */
  readonly maxRedirects?: number | undefined;
  /**
   * The most bytes of the head of a response, interim responses included. For an exempt
   * host, and behind a proxy, Deno itself reads 500 KB at most before that is counted.
   *
   * @default {65536}
   */
  readonly maxHeaderBytes?: number | undefined;
  /**
   * `"trusted"` sends requests through the proxy that the environment names. The proxy
   * chooses the addresses then, and must refuse those that are not public. Without
   * this, a call rejects where the environment names a proxy.
   *
   * @default {undefined}
   */
  readonly proxy?: "trusted" | undefined;
}

/** The options of a guard, checked. */
export interface GuardRules {
  /** The ports that any host may have. */
  readonly ports: ReadonlySet<number>;
  /** Hosts, and hosts with ports, as they stand in URLs. */
  readonly exempt: ReadonlySet<string>;
  /** The most redirects. */
  readonly maxRedirects: number;
  /** The most bytes of headers. */
  readonly maxHeaderBytes: number;
  /** Whether the proxy of the environment may choose addresses. */
  readonly isProxyTrusted: boolean;
}

const CHECK = new OptionCheck("make a guard");

const PORTS_WANTED = "an array of integers from 1 to 65535";
const EXEMPT_WANTED =
  'an array of hosts, such as "localhost" or "localhost:8081"';

/**
 * Checks the options of a guard.
 *
 * @throws {TypeError} If an option is unknown or has a wrong type.
 * @throws {RangeError} If the value of an option is not allowed.
 */
export function guardRules(options: GuardOptions): GuardRules {
  CHECK.object("options", options);
  const {
    ports = [80, 443],
    exempt = [],
    maxRedirects = 5,
    maxHeaderBytes = 65_536,
    proxy,
    ...others
  } = options;
  CHECK.nothingLeft(others);
  if (proxy !== undefined) CHECK.choice("proxy", proxy, ["trusted"]);
  return {
    ports: new Set(list("ports", ports, PORTS_WANTED).map(port)),
    exempt: new Set(list("exempt", exempt, EXEMPT_WANTED).map(exemptHost)),
    maxRedirects: count("maxRedirects", maxRedirects, 0),
    maxHeaderBytes: count("maxHeaderBytes", maxHeaderBytes, 1),
    isProxyTrusted: proxy === "trusted",
  };
}

function list<T>(
  name: string,
  value: readonly T[],
  wanted: string,
): readonly T[] {
  if (Array.isArray(value)) return value;
  throw CHECK.error(TypeError, name, wanted, typeof value);
}

function count(name: string, value: number, min: number): number {
  return CHECK.value(
    name,
    value,
    "number",
    `an integer of at least ${min}`,
    (each) => Number.isSafeInteger(each) && each >= min,
  );
}

function port(value: number): number {
  return CHECK.value(
    "ports",
    value ?? null,
    "number",
    PORTS_WANTED,
    (each) => Number.isInteger(each) && each >= 1 && each <= 65_535,
  );
}

/** A host as it stands in a URL, with its port if the option names one. */
function exemptHost(value: string): string {
  CHECK.value("exempt", value ?? null, "string", EXEMPT_WANTED);
  // A scheme hides its own port, so that both are asked.
  const [http, https] = ["http", "https"].map((scheme) =>
    /[\s/\\?#@]/.test(value) ? null : URL.parse(`${scheme}://${value}`)
  );
  if (!http || !https) {
    throw CHECK.error(
      RangeError,
      "exempt",
      EXEMPT_WANTED,
      JSON.stringify(value),
    );
  }
  const { hostname } = http;
  const given = http.port || https.port;
  return given === "" ? hostname : `${hostname}:${given}`;
}
