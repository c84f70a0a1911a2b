import { isMetaProof } from "./meta_proof.ts";
import { textOf, webHost } from "./url_text.ts";

/** Hosts of images and videos; the part between names the edge. */
const HOST_REGEXP = /^(scontent|video)(?:[-.][a-z0-9.-]+)?\.fbcdn\.net$/;

/**
 * Media of Facebook. `oh`, `oe` and `_nc_…` go, and so does the edge in the host
 * (`scontent.fsal1-1.fna`, `scontent-cdg4-1.xx`): all are Meta's. `stp`, which selects
 * size and format, stays, and so does every other parameter. Attachments of Messenger
 * are on `cdn.fbsbx.com`, which has no edges.
 *
 * Sources: URLs of the Graph API and of pages, https://developers.facebook.com/docs/graph-api.
 * Meta documents none of the parameters.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A photo from two edges
 * ```ts
 * import { facebook, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(facebook);
 * const path = "/v/t39.30808-6/466874192_87273_n.jpg?stp=cp6_dst-jpg";
 *
 * assertEquals(
 *   canonical(`https://scontent.fcky4-1.fna.fbcdn.net${path}&_nc_cat=102&oh=00_A&oe=676B6B20`),
 *   canonical(`https://scontent-cdg4-1.xx.fbcdn.net${path}&_nc_cat=102&oh=00_B&oe=686B6B20`),
 * );
 * ```
 */
export function facebook(url: URL): string | undefined {
  const host = webHost(url) ?? "";
  if (host === "cdn.fbsbx.com") return textOf(url, { isGone: isMetaProof });
  const [, kind] = HOST_REGEXP.exec(host) ?? [];
  return kind === undefined
    ? undefined
    : textOf(url, { host: `${kind}.xx.fbcdn.net`, isGone: isMetaProof });
}
