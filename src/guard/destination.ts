import { ForbiddenAddressError } from "./forbidden_address_error.ts";
import type { GuardRules } from "./guard_options.ts";

/** The place that a URL leads to, as far as the URL itself tells. */
export interface Destination {
  /** The host as it stands in the URL, with a port that is not the scheme's own. */
  readonly host: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** The name, or the address without brackets. */
  readonly hostname: string;
  /** The port, also where the URL names none. */
  readonly port: number;
  /** Whether the URL names an address, and no name. */
  readonly isAddress: boolean;
  /** Whether any address is allowed. */
  readonly isExempt: boolean;
}

const OWN_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
};

/** An IPv4 address as `URL` writes each of its spellings. */
const IPV4_REGEXP = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/**
 * Reads the destination of a URL.
 *
 * @throws {ForbiddenAddressError} If scheme or port are not allowed, or if the URL holds a
 * user name or password.
 */
export function destinationOf(url: URL, rules: GuardRules): Destination {
  const { protocol, host, origin } = url;
  const ownPort = OWN_PORTS[protocol];
  if (ownPort === undefined) {
    throw new ForbiddenAddressError(
      `Cannot fetch: scheme must be http or https: received ${
        protocol.slice(0, -1)
      }`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new ForbiddenAddressError(
      `Cannot fetch from ${host}: URL must hold no user name or password: received one with them`,
    );
  }
  const port = url.port === "" ? ownPort : Number(url.port);
  const named = rules.exempt.has(`${url.hostname}:${port}`);
  if (!named && !rules.ports.has(port)) {
    throw new ForbiddenAddressError(
      `Cannot fetch from ${host}: port must be ${
        [...rules.ports].join(" or ") || "that of a host in exempt"
      }: received ${port}`,
    );
  }
  const isIpv6 = url.hostname.startsWith("[");
  return {
    host,
    origin,
    port,
    hostname: isIpv6 ? url.hostname.slice(1, -1) : url.hostname,
    isAddress: isIpv6 || IPV4_REGEXP.test(url.hostname),
    isExempt: named || rules.exempt.has(url.hostname),
  };
}
