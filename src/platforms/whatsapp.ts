import { isMetaProof } from "./meta_proof.ts";
import { textOf, webHost } from "./url_text.ts";

/** Hosts that a client may choose from for any file: the main one, and edges. */
const MEDIA_HOST_REGEXP =
  /^(?:mmg(?:-fna)?|media-[a-z0-9-]+\.cdn|media\.[a-z0-9-]+\.fna)\.whatsapp\.net$/;

/**
 * Media of WhatsApp. On the hosts of its clients (`mmg`, edges `media-….cdn`, and
 * `pps` for pictures of profiles) `oh`, `oe` and `_nc_…` go, and the edge goes. Media
 * of the Cloud API lose `ext` and `hash`, expiry and signature, and keep `mid`. Every
 * other parameter stays.
 *
 * Sources: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media;
 * https://github.com/tulir/whatsmeow `download.go`, which tries a path on each host
 * that the server offers.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example Media of the Cloud API
 * ```ts
 * import { platforms, whatsapp } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const media = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=17619";
 *
 * assertEquals(platforms(whatsapp)(`${media}&ext=1728904986&hash=ATta-PkM`), media);
 * ```
 */
export function whatsapp(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined) return undefined;
  if (host === "lookaside.fbsbx.com") {
    return url.pathname.startsWith("/whatsapp_business/attachments/")
      ? textOf(url, { isGone: ({ name }) => name === "ext" || name === "hash" })
      : undefined;
  }
  if (host === "pps.whatsapp.net") return textOf(url, { isGone: isMetaProof });
  return MEDIA_HOST_REGEXP.test(host)
    ? textOf(url, { host: "mmg.whatsapp.net", isGone: isMetaProof })
    : undefined;
}
