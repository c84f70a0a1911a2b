import { textOf, webHost } from "./url_text.ts";

const HOST_REGEXP = /^\d{1,3}\.media\.tumblr\.com$/;

/** A path that begins with the MD5 of the upload. */
const HASHED_REGEXP = /^\/[\da-f]{32}\//;

/**
 * Images of Tumblr. The number in front of `media.tumblr.com` is one of many names of
 * the same store, and goes where the path begins with the hash of the upload. The rest
 * of the path stays: post, size, and a last part that is signature and name in one.
 *
 * Sources: https://github.com/EFForg/https-everywhere/issues/8409 (any number serves
 * a path), https://github.com/qsniyg/maxurl/issues/88 (form of the paths).
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example An image under an old number
 * ```ts
 * import { platforms, tumblr } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const path = "0e8eeab3654d4412b1b86800ad484c52/tumblr_ogqvj8Bdc11uv2sgpo1_1280.png";
 *
 * assertEquals(
 *   platforms(tumblr)(`https://67.media.tumblr.com/${path}`),
 *   `https://64.media.tumblr.com/${path}`,
 * );
 * ```
 */
export function tumblr(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined || !HOST_REGEXP.test(host)) return undefined;
  return HASHED_REGEXP.test(url.pathname)
    ? textOf(url, { host: "64.media.tumblr.com" })
    : textOf(url);
}
