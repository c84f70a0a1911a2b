import { parametersOf } from "./query.ts";
import { textOf, webHost } from "./url_text.ts";

/** A photo with its format, and in the old form with its size. */
const PHOTO_REGEXP =
  /^\/media\/([\w-]+)\.(jpe?g|png|webp)(?:(?::|%3A)([a-z0-9_]+))?$/i;

/**
 * Media of Twitter (X). Photos have an old form, `ID.jpg:large`, and a new form,
 * `ID?format=jpg&name=large`, for the same file: the old form becomes the new one, and
 * so does the mixed `ID.jpg?name=large`. Without a size Twitter chooses, so that such a
 * URL stays as it is. Sizes and formats stay, and so does every parameter, `tag` of
 * videos included: what it selects is not documented.
 *
 * Source: "Photo Media URL formatting" in
 * https://developer.x.com/en/docs/x-api/v1/data-dictionary/object-model/entities.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for other hosts.
 *
 * @example A photo in the old form
 * ```ts
 * import { platforms, twitter } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   platforms(twitter)("https://pbs.twimg.com/media/DOhM30VVwAEpIHq.jpg:large"),
 *   "https://pbs.twimg.com/media/DOhM30VVwAEpIHq?format=jpg&name=large",
 * );
 * ```
 */
export function twitter(url: URL): string | undefined {
  const host = webHost(url);
  if (host === "video.twimg.com") return textOf(url);
  if (host !== "pbs.twimg.com") return undefined;
  const [, id, format, size] = PHOTO_REGEXP.exec(url.pathname) ?? [];
  const text = textOf(url);
  if (id === undefined || format === undefined) return text;
  const [first, ...others] = parametersOf(url.search);
  const isNamed = first?.name === "name" && /^\w+$/.test(first.value);
  const name = first === undefined ? size : isNamed ? first.value : undefined;
  if (name === undefined || others.length > 0 || (size && first)) return text;
  return `${url.protocol}//${host}/media/${id}?format=${format}&name=${name}`;
}
