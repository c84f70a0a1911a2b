// deno-lint-ignore-file camelcase -- the Bot API's names
import type { Download, Downloader } from "../core/api/download.ts";
import { MediaCacheError } from "../core/api/errors.ts";
import {
  askApi,
  fetchSecretly,
  member,
  type PlatformApi,
  platformApi,
} from "./api_request.ts";

/** A file as messages of the Bot API describe it: a photo, sticker, voice note, document … */
export interface TelegramFile {
  /** The name by which this bot can get the file. */
  readonly file_id: string;
  /** The name of the file for all bots and for ever, by which nobody can get it. */
  readonly file_unique_id: string;
  /** The place on the file server, if `getFile` was called already. */
  readonly file_path?: string | undefined;
  /** The media type that the message names; default: what the file server says. */
  readonly mime_type?: string | undefined;
  /** The file name that the message names; default: that of the place on the server. */
  readonly file_name?: string | undefined;
}

/** Options of {@linkcode telegramFile}. */
export interface TelegramFileOptions {
  /**
   * The address of the Bot API server.
   *
   * @default {"https://api.telegram.org"}
   */
  readonly apiRoot?: string | undefined;
}

/** The URL and the downloader of each file, as {@linkcode telegramFile} gives them. */
export interface TelegramFiles {
  /**
   * The URL under which the cache keeps a file: `tg:` and its `file_unique_id`. No token
   * is in it.
   *
   * @throws {TypeError} If the file has no `file_unique_id`.
   */
  readonly url: (file: TelegramFile) => string;
  /**
   * The downloader of a file. Without a `file_path` it calls `getFile` first. When the
   * file server answers 404, because the path is too old, it calls `getFile` and fetches
   * once more. A download that breaks goes on where it stopped, if the file server tells a
   * version of the file.
   *
   * It rejects with an `HttpStatusError` for another status of the file server or of the
   * API: 400 for a file above 20 MB, 429 with `retryAfterMs`; its `cause` tells what the
   * API says. It rejects with a `MediaCacheError` if the API gives no path, or the path of
   * a local file, as a server does that runs with `--local`. No error holds the token.
   */
  readonly downloader: (file: TelegramFile) => Downloader;
}

/**
 * Files of Telegram under a URL that stays: the same media has the same
 * `file_unique_id` in every message and for every bot, while a file URL holds the bot's
 * token, and its path does not survive a restart of the server.
 *
 * Sources: https://core.telegram.org/bots/api#file and
 * https://github.com/tdlib/telegram-bot-api/issues/96.
 *
 * @param token The token of the bot.
 * @param options The address of the API.
 * @returns The URL and the downloader of each file.
 * @throws {TypeError} If an argument is of a wrong form, or an option is unknown.
 *
 * @example A photo that a message brings
 * ```ts ignore
 * import { telegramFile } from "@media-cache/media-cache/platforms";
 *
 * const files = telegramFile(token);
 * bot.on("message:photo", async (ctx) => {
 *   const photo = ctx.message.photo.at(-1);
 *   if (photo === undefined) return;
 *   await using media = await cache.getOrDownload(files.url(photo), files.downloader(photo));
 * });
 * ```
 *
 * @example The URL has no token
 * ```ts
 * import { telegramFile } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const { url } = telegramFile("1234:AAF-x9");
 *
 * assertEquals(url({ file_id: "AgACAgQ", file_unique_id: "AQADtUk" }), "tg:AQADtUk");
 * ```
 */
export function telegramFile(
  token: string,
  options: TelegramFileOptions = {},
): TelegramFiles {
  const root = "https://api.telegram.org";
  const api = platformApi("Telegram", token, options, root);
  return {
    url: ({ file_unique_id: id }) => `tg:${checked("file_unique_id", id)}`,
    downloader: (file) => {
      checked("file_id", file.file_id);
      return ({ signal, headers }) => download(api, file, { signal, headers });
    },
  };
}

/** The signal and headers of a request to the file server. */
interface FetchInit {
  readonly signal: AbortSignal;
  readonly headers: Headers;
}

async function download(
  api: PlatformApi,
  file: TelegramFile,
  init: FetchInit,
): Promise<Response | Download> {
  const { signal } = init;
  const known = file.file_path || await askPath(api, file, signal);
  const first = await fetchFile(api, known, init);
  if (first.status !== 404) return answer(first, known, file);
  await first.body?.cancel();
  const path = await askPath(api, file, signal);
  return answer(await fetchFile(api, path, init), path, file);
}

/** Asks for the place of a file on the file server. */
async function askPath(
  api: PlatformApi,
  file: TelegramFile,
  signal: AbortSignal,
): Promise<string> {
  const url = `${api.root}/bot${api.token}/getFile?file_id=${
    encodeURIComponent(file.file_id)
  }`;
  const path = member(
    member(await askApi(api, url, { signal }), "result"),
    "file_path",
  );
  if (typeof path === "string" && path !== "") return path;
  throw new MediaCacheError(
    "Cannot download from Telegram: getFile must give a file_path: it gave none",
  );
}

async function fetchFile(
  api: PlatformApi,
  path: string,
  init: FetchInit,
): Promise<Response> {
  if (/^([/\\]|[a-z]:)/i.test(path)) {
    throw new MediaCacheError(
      "Cannot download from Telegram: file_path must be on the file server: received that of a local file",
    );
  }
  return await fetchSecretly(
    api,
    `${api.root}/file/bot${api.token}/${path}`,
    init,
  );
}

/**
 * The body with the type and name of the message, or else of the server and the path: the
 * URL for the cache names no file. The headers let a download that breaks go on. Any other
 * status than 200 is left to the cache.
 */
function answer(
  response: Response,
  path: string,
  { mime_type: type, file_name: name }: TelegramFile,
): Response | Download {
  if (response.status !== 200) return response;
  const { headers, body } = response;
  const length = headers.get("content-encoding") === null
    ? headers.get("content-length")
    : null;
  return {
    data: body ?? new Uint8Array(0),
    mimetype: type ?? headers.get("content-type") ?? undefined,
    filename: name ?? path.slice(path.lastIndexOf("/") + 1),
    size: length === null ? undefined : Number(length),
    headers,
  };
}

function checked(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(
    `Cannot name a file of Telegram: ${name} must be a string that is not empty: received ${
      value === "" ? "an empty one" : typeof value
    }`,
  );
}
