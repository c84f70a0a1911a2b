import ipaddr from "ipaddr.js";

/**
 * Azure's address for its own services on a host, which no register lists:
 * https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
 */
const AZURE_HOST = "168.63.129.16";

/** The addresses that IANA gives out for the internet. ipaddr.js calls all others "unicast", too. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/**
 * Prefixes of IPv6 addresses that stand for an IPv4 address, and the byte at which that
 * begins: mapped (RFC 4291, 2.5.5.2), NAT64 (RFC 6052), 6to4 (RFC 3056).
 */
const CARRIERS = [
  { prefix: ipaddr.IPv6.parseCIDR("::ffff:0:0/96"), start: 12 },
  { prefix: ipaddr.IPv6.parseCIDR("64:ff9b::/96"), start: 12 },
  { prefix: ipaddr.IPv6.parseCIDR("2002::/16"), start: 2 },
] as const;

/**
 * Tells whether an address belongs to the public internet: not to this machine, its
 * networks, a carrier, a tunnel, a test, multicast or a range that is not given out.
 *
 * An IPv6 address that stands for an IPv4 address is judged by that.
 *
 * @param text The address as `node:dns` gives it, or as in a URL, without brackets. Any
 * other text, and an address with a zone, is not public.
 */
export function isPublicAddress(text: string): boolean {
  if (text.includes("%") || !ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  return "octets" in address
    ? isPublicIpv4(address.octets)
    : isPublicIpv6(address);
}

function isPublicIpv4(octets: number[]): boolean {
  const address = new ipaddr.IPv4(octets);
  return address.range() === "unicast" && address.toString() !== AZURE_HOST;
}

function isPublicIpv6(address: ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  const carrier = CARRIERS.find(({ prefix }) => address.match(prefix));
  if (carrier !== undefined) {
    return isPublicIpv4(bytes.slice(carrier.start, carrier.start + 4));
  }
  return address.match(GLOBAL_UNICAST) && address.range() === "unicast" &&
    (!isIsatap(bytes) || isPublicIpv4(bytes.slice(12)));
}

/** Whether the last 8 bytes are those of a tunnel to an IPv4 address (RFC 5214, 6.1). */
function isIsatap(bytes: readonly number[]): boolean {
  const [first = 0, second, third, fourth] = bytes.slice(8);
  return (first & 0xfd) === 0 && second === 0 && third === 0x5e &&
    fourth === 0xfe;
}
