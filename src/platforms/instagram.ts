import { isMetaProof } from "./meta_proof.ts";
import { textOf, webHost } from "./url_text.ts";

/** Edges of Instagram's own, and edges at the providers of its users. */
const HOST_REGEXP =
  /^(?:scontent(?:-[a-z0-9-]+)?\.cdninstagram\.com|instagram\.[a-z0-9-]+\.fna\.fbcdn\.net)$/;

/**
 * Media of Instagram. `oh`, `oe` and `_nc_…` go, and so does the edge in the host
 * (`scontent-mad1-1.cdninstagram.com`, `instagram.fmty5-1.fna.fbcdn.net`): all are
 * Meta's. `stp`, which selects size and format, stays, and so does every other
 * parameter. Attachments of messages, `lookaside.fbsbx.com/ig_messaging_cdn/`, lose
 * `signature` and keep `asset_id`.
 *
 * Sources: URLs of the Graph API and of pages,
 * https://developers.facebook.com/docs/instagram-platform. Meta documents none of the
 * parameters.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A photo from two edges
 * ```ts
 * import { instagram, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(instagram);
 * const path = "/v/t51.2885-15/3138998_14180_n.jpg?stp=dst-jpg_e35";
 *
 * assertEquals(
 *   canonical(`https://scontent-lcy1-2.cdninstagram.com${path}&oh=00_A&oe=636AAF17`),
 *   canonical(`https://instagram.fmty5-1.fna.fbcdn.net${path}&oh=00_B&oe=646AAF17`),
 * );
 * ```
 */
export function instagram(url: URL): string | undefined {
  const host = webHost(url) ?? "";
  if (
    host === "lookaside.fbsbx.com" &&
    url.pathname.startsWith("/ig_messaging_cdn/")
  ) return textOf(url, { isGone: ({ name }) => name === "signature" });
  return HOST_REGEXP.test(host)
    ? textOf(url, { host: "scontent.cdninstagram.com", isGone: isMetaProof })
    : undefined;
}
