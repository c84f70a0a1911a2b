import type { IsGone } from "./query.ts";
import { textOf, webHost } from "./url_text.ts";

const PROOFS: ReadonlySet<string> = new Set(["ex", "is", "hm"]);

const ATTACHMENT_REGEXP = /^\/(?:ephemeral-)?attachments\//;

/** Host names of the proxy for images of other sites: several, by number. */
const PROXY_HOST_REGEXP = /^images-ext(?:-\d+)?\.discordapp\.net$/;

/** An HMAC-SHA256 of 43 characters, before an escaped query and the target. */
const PROXIED_REGEXP =
  /^(\/external)\/[\w-]{43}(\/(?:%3F[^/]*\/)?https?\/[^/]+\/.*)$/i;

/**
 * Discord's files. `ex`, `is` and `hm` of attachments go: expiry, time of issue and
 * signature. On emojis `name` goes, which only labels them. Every other parameter
 * stays, also on `media.discordapp.net`, which encodes images anew and is therefore
 * never taken for `cdn.discordapp.com`. Of `images-ext-N`, the proxy for images of
 * other sites, number and signature go.
 *
 * Sources: "Signed Attachment CDN URLs" in
 * https://docs.discord.com/developers/reference. The proxy's form is not documented;
 * it was read from URLs that bots have in their code.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example The same attachment, linked in two messages
 * ```ts
 * import { discord, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(discord);
 * const file = "https://cdn.discordapp.com/attachments/10/20/cat.png";
 *
 * assertEquals(canonical(`${file}?ex=65d903de&is=65c68ede&hm=2481f3&`), file);
 * assertEquals(canonical(`${file}?ex=66d903de&is=66c68ede&hm=9fee13&`), file);
 * ```
 */
export function discord(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined) return undefined;
  if (PROXY_HOST_REGEXP.test(host)) {
    const [, start, target] = PROXIED_REGEXP.exec(url.pathname) ?? [];
    return start === undefined || target === undefined ? textOf(url) : textOf(
      url,
      { host: "images-ext.discordapp.net", path: start + target },
    );
  }
  if (host !== "cdn.discordapp.com" && host !== "media.discordapp.net") {
    return undefined;
  }
  return textOf(url, { isGone: goneOf(url.pathname) });
}

function goneOf(path: string): IsGone {
  if (ATTACHMENT_REGEXP.test(path)) return ({ name }) => PROOFS.has(name);
  if (path.startsWith("/emojis/")) return ({ name }) => name === "name";
  return () => false;
}
