import { decodeEscapes } from "./query.ts";
import { isWeb, textOf } from "./url_text.ts";

/** The id and the secret of a bot, in a decoded segment of a path. */
const TOKEN_REGEXP = /^bot(\d+):(.+)$/;

/** Slashes, and escaped ones: some programs escape a path as a whole. */
const SEPARATOR_REGEXP = /(\/|%2F|%5C)/i;

/** No token is without a colon: most paths are not split. */
const COLON_REGEXP = /:|%3a/i;

/**
 * File URLs of the Bot API, `…/file/bot<id>:<secret>/<path>`. The secret goes, which
 * would let anybody act as the bot; the id stays, since paths are those of one bot.
 * A Bot API server that runs with `--local` names files by absolute paths with a folder
 * `<id>:<secret>`, or with a `~` where names have no colons: the secret goes there too.
 * Slashes may be escaped. Users may run the server anywhere, so the rule takes any host,
 * and keeps it.
 *
 * The path names a file for some hours: a bot that has the message keeps its media
 * under the `file_unique_id` instead.
 *
 * Sources: https://core.telegram.org/bots/api#getfile and "Using a Local Bot API
 * Server" there; https://github.com/tdlib/telegram-bot-api/issues/96.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for URLs without a token of a bot.
 *
 * @example A URL without the bot's secret
 * ```ts
 * import { platforms, telegram } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   platforms(telegram)("https://api.telegram.org/file/bot1234:AAF-x9/photos/file_0.jpg"),
 *   "https://api.telegram.org/file/bot1234/photos/file_0.jpg",
 * );
 * ```
 */
export function telegram(url: URL): string | undefined {
  if (!isWeb(url) || !COLON_REGEXP.test(url.pathname)) return undefined;
  // Segments of the path, with the separators between them.
  const segments = url.pathname.split(SEPARATOR_REGEXP);
  const decoded = segments.map(decodeEscapes);
  const tokens = new Map<string, string>();
  for (const [i, segment] of decoded.entries()) {
    if (decoded[i - 2] !== "file") continue;
    const [, id, secret] = TOKEN_REGEXP.exec(segment) ?? [];
    if (id === undefined || secret === undefined) continue;
    segments[i] = `bot${id}`;
    tokens.set(`${id}:${secret}`, `${id}:`).set(`${id}~${secret}`, `${id}~`);
  }
  if (tokens.size === 0) return undefined;
  const path = segments
    .map((segment, i) => tokens.get(decoded[i] ?? "") ?? segment).join("");
  return textOf(url, { path });
}
