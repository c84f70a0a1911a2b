import type { IsGone } from "./query.ts";
import { textOf, webHost } from "./url_text.ts";

/** The title of a post before the name of an image that was uploaded. */
const UPLOAD_REGEXP = /^\/[^/]+-v0-([a-z0-9]+\.[a-z0-9]+)$/;

/** The title of a post before the hash of an image from another site. */
const EXTERNAL_REGEXP = /^\/[^/]+-v0-([\w-]{43,100}\.[a-z0-9]+)$/;

const isSignature: IsGone = ({ name }) => name === "s";

/**
 * Media of Reddit. Of `preview`, `external-preview` and `i` the signature `s` goes,
 * which covers the parameters beside it, and the title in front of `-v0-`. Size, crop
 * and format stay, and so do the hosts: previews are encoded anew. Of manifests on `v`
 * the parameter `a` goes, a time and a signature.
 *
 * Sources: https://github.com/qsniyg/maxurl/issues/1133 and
 * https://github.com/nopperl/load-reddit-images-directly/issues/8 (titles),
 * https://github.com/michael-lazar/rtv/issues/653 (the signature covers the
 * parameters). Reddit documents none of it.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A preview with and without the title of its post
 * ```ts
 * import { platforms, reddit } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   platforms(reddit)(
 *     "https://preview.redd.it/a-cat-v0-87udn5gszb6a1.jpg?width=640&auto=webp&s=b9ceef6c",
 *   ),
 *   "https://preview.redd.it/87udn5gszb6a1.jpg?width=640&auto=webp",
 * );
 * ```
 */
export function reddit(url: URL): string | undefined {
  switch (webHost(url)) {
    case "i.redd.it":
    case "preview.redd.it":
      return textOf(url, withoutTitle(url, UPLOAD_REGEXP));
    case "external-preview.redd.it":
      return textOf(url, withoutTitle(url, EXTERNAL_REGEXP));
    case "v.redd.it":
      return textOf(url, {
        isGone: ({ name, value }) => name === "a" && /^\d+,/.test(value),
      });
    default:
      return undefined;
  }
}

function withoutTitle(
  { pathname }: URL,
  titled: RegExp,
): { path: string; isGone: IsGone } {
  const [, name] = titled.exec(pathname) ?? [];
  return {
    path: name === undefined ? pathname : `/${name}`,
    isGone: isSignature,
  };
}
