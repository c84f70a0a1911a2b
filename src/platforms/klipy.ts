import { textOf, webHost } from "./url_text.ts";

const HOST_REGEXP = /^static[12]?\.klipy\.com$/;

/** A file: a hash of 32 digits, two folders of two, and a name. */
const FILE_REGEXP = /^\/ii\/[\da-f]{32}\/[\da-f]{2}\/[\da-f]{2}\/[^/]+$/;

/**
 * Klipy's media. The same file is under three hosts, all of them Klipy's. Each
 * rendition has a path of its own, which stays, and so does every parameter.
 *
 * Sources: the hosts in https://docs.klipy.com/network-requirements; paths as in
 * answers of the API.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A GIF under two hosts
 * ```ts
 * import { klipy, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(klipy);
 * const path = "/ii/935d7ab9d8c6202580a668421940ec81/14/af/um0L4dFH.gif";
 *
 * assertEquals(
 *   canonical(`https://static2.klipy.com${path}`),
 *   canonical(`https://static.klipy.com${path}`),
 * );
 * ```
 */
export function klipy(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined || !HOST_REGEXP.test(host)) return undefined;
  return FILE_REGEXP.test(url.pathname)
    ? textOf(url, { host: "static.klipy.com" })
    : textOf(url);
}
