import { textOf, webHost } from "./url_text.ts";

const HOST_REGEXP = /^(?:media[0-4]?|i)\.giphy\.com$/;

/** A rendition, perhaps behind a token. */
const MEDIA_REGEXP = /^\/media\/(?:v1\.[^/]+\/)?([A-Za-z0-9]+\/[^/]+)$/;

/** Parameters that count views: who asks, kind, endpoint, rendition. */
const TRACKING: ReadonlySet<string> = new Set(["cid", "ct", "ep", "rid"]);

/**
 * Giphy's media. The hosts `media`, `media0` to `media4` and `i` are Giphy's and serve
 * the same paths below `/media/`. A token `v1.…` in the path is the base64 of
 * `cid=…&ep=…&ct=…`, which older URLs have as parameters: both go. Renditions
 * (`giphy.gif`, `200w.mp4`) stay, and so do short URLs of the host `i`, whose
 * rendition is not told.
 *
 * Sources: https://developers.giphy.com/docs/api/schema (renditions, and that
 * parameters of media URLs serve analytics); the token was decoded.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A GIF that two searches found
 * ```ts
 * import { giphy, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(giphy);
 *
 * assertEquals(
 *   canonical("https://media4.giphy.com/media/v1.Y2lkPTc5MGI3/YRw676NBrmPeM/giphy.gif"),
 *   canonical("https://media0.giphy.com/media/YRw676NBrmPeM/giphy.gif?cid=790b&ct=g"),
 * );
 * ```
 */
export function giphy(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined || !HOST_REGEXP.test(host)) return undefined;
  const isGone = ({ name }: { name: string }) => TRACKING.has(name);
  const [, media] = MEDIA_REGEXP.exec(url.pathname) ?? [];
  return media === undefined ? textOf(url, { isGone }) : textOf(url, {
    host: "media.giphy.com",
    path: `/media/${media}`,
    isGone,
  });
}
