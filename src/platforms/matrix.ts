import { decodeEscapes, parametersOf, withoutParameters } from "./query.ts";
import type { PlatformRule } from "./platform_rule.ts";
import { isWeb, textOf } from "./url_text.ts";

/** All paths of the media of a homeserver, `preview_url` and `config` included. */
const MEDIA_REGEXP =
  /^\/_matrix\/(?:media|client\/(?:v1|unstable\/[^/]+)\/media)\//;

/** Version of the API, kind, server name, media id, and a name of the caller. */
const DOWNLOAD_REGEXP =
  /^\/_matrix\/(?:media\/(?:r0|v[123])|client\/v1\/media)\/download\/([^/]+)\/([\w-]+)(\/[^/]+)?$/;
const THUMBNAIL_REGEXP =
  /^\/_matrix\/(?:media\/(?:r0|v[123])|client\/v1\/media)\/thumbnail\/([^/]+)\/([\w-]+)$/;

const SERVER_NAME_REGEXP = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** Parameters that select no bytes: the right, and how long and where to look. */
const NOT_SELECTING: ReadonlySet<string> = new Set([
  ...["access_token", "allow_redirect", "allow_remote", "timeout_ms"],
]);

/**
 * Media of Matrix. `mxc://` URLs stay. URLs of the media API (`media` r0 and v1 to
 * v3, `client/v1/media`) become `mxc://` URLs where the homeserver can be trusted with
 * the name: it is named here, or has the name itself, over HTTPS. Elsewhere only
 * `access_token` goes, since any server could answer for any `mxc://` URL.
 *
 * A name behind the media id stays as a third part, since the response is named after
 * it. Thumbnails keep size, method and `animated` as the query of the `mxc://` URL.
 * A URL with parameters that the API does not have loses `access_token` alone.
 *
 * Sources: "Content repository" of the Client-Server API,
 * https://spec.matrix.org/v1.12/client-server-api/#content-repository (paths,
 * parameters, characters of a media id), and "Server Name" in
 * https://spec.matrix.org/v1.12/appendices/#server-name.
 *
 * @param homeservers Origins of homeservers whose answers are trusted for all media,
 * as `https://matrix.example.org`.
 * @returns The rule.
 * @throws {TypeError} If a homeserver is not an `http:` or `https:` URL.
 *
 * @example The media of a homeserver, with and without its address
 * ```ts
 * import { matrix, platforms } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(matrix(["https://matrix.example.org"]));
 *
 * assertEquals(
 *   canonical("https://matrix.example.org/_matrix/client/v1/media/download/other.org/AbC"),
 *   "mxc://other.org/AbC",
 * );
 * ```
 */
export function matrix(homeservers: readonly string[] = []): PlatformRule {
  const origins = new Set(homeservers.map(originOf));
  return (url) => {
    if (!isWeb(url) || !MEDIA_REGEXP.test(url.pathname)) return undefined;
    return mxcOf(url, origins) ?? textOf(url, {
      isGone: ({ name }) => name === "access_token",
      keepsUser: !origins.has(url.origin),
    });
  };
}

function originOf(homeserver: string): string {
  const url = URL.parse(homeserver);
  if (url === null || !isWeb(url)) {
    throw new TypeError(
      "Cannot make the rule: homeservers must be http: or https: URLs",
    );
  }
  return url.origin;
}

function mxcOf(url: URL, origins: ReadonlySet<string>): string | undefined {
  const download = DOWNLOAD_REGEXP.exec(url.pathname);
  const [, escaped, id, name = ""] = download ??
    THUMBNAIL_REGEXP.exec(url.pathname) ?? [];
  if (escaped === undefined || id === undefined) return undefined;
  const server = decodeEscapes(escaped);
  const isTrusted = origins.has(url.origin) ||
    (url.protocol === "https:" && url.host === server);
  if (!isTrusted || !SERVER_NAME_REGEXP.test(server)) return undefined;
  const search = withoutParameters(
    url.search,
    ({ name }) => NOT_SELECTING.has(name),
  );
  // The query tells a thumbnail from the media itself.
  const isComplete = download !== null
    ? search === ""
    : ["width", "height"].every((size) =>
      parametersOf(search).some(({ name }) => name === size)
    );
  return isComplete ? `mxc://${server}/${id}${name}${search}` : undefined;
}
