import { textOf, webHost } from "./url_text.ts";

const HOSTS: ReadonlySet<string> = new Set([
  ...["media.tenor.com", "media1.tenor.com", "c.tenor.com"],
]);

/** An id of 11 characters with its suffix of 5, which names the rendition. */
const MEDIA_REGEXP = /^\/(?:m\/)?([\w-]{11}AAA[\w-]{2})(?:\/[^/]*)?$/;

/**
 * Tenor's media. The id with its suffix names media and rendition: `…AAAAC` is a GIF,
 * `…AAAPo` its MP4. The three hosts are Tenor's; the path `/m/` and the name behind
 * the id, made of the title, select nothing. Every parameter stays, and so do URLs of
 * the form before 2021, `/images/<hash>/tenor.gif`.
 *
 * Sources: the formats in https://developers.google.com/tenor/guides/response-objects-and-errors;
 * hosts and names as in URLs of the API and of bots, where one id has several.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A GIF under two hosts and names
 * ```ts
 * import { platforms, tenor } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(tenor);
 *
 * assertEquals(
 *   canonical("https://media1.tenor.com/m/kiw3AxGnfSgAAAAC/smile.gif"),
 *   canonical("https://c.tenor.com/kiw3AxGnfSgAAAAC/tenor.gif"),
 * );
 * ```
 */
export function tenor(url: URL): string | undefined {
  const host = webHost(url);
  if (host === undefined || !HOSTS.has(host)) return undefined;
  const [, id] = MEDIA_REGEXP.exec(url.pathname) ?? [];
  return id === undefined
    ? textOf(url)
    : textOf(url, { host: "media.tenor.com", path: `/${id}` });
}
