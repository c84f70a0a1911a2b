import { MediaCacheError } from "../core/api/errors.ts";
import {
  askApi,
  member,
  type PlatformApi,
  platformApi,
} from "./api_request.ts";
import { discord } from "./discord.ts";
import type { Refresh } from "./with_refresh.ts";

/** How long links are collected for one request, in milliseconds. */
const BATCH_MS = 20;

/** The most links that Discord takes in one request. */
const MAX_BATCH = 50;

/** Hosts and paths of attachments, the only links that Discord signs anew. */
const ATTACHMENT_REGEXP =
  /^https?:\/\/(?:cdn\.discordapp\.com|media\.discordapp\.net)\/(?:ephemeral-)?attachments\//i;

/** Options of {@linkcode discordRefresh}. */
export interface DiscordRefreshOptions {
  /**
   * The address of the API with its version.
   *
   * @default {"https://discord.com/api/v10"}
   */
  readonly apiRoot?: string | undefined;
}

/** The links of one request, and the callers that wait for it. */
interface Batch {
  /** A promise of the new link, for each link. */
  readonly links: Map<string, PromiseWithResolvers<string>>;
  /** The callers that still wait. */
  waiting: number;
  /** Aborts when nobody waits any more: no request is made then, or the request ends. */
  readonly controller: AbortController;
}

/**
 * Makes the `refresh` of {@linkcode withRefresh} for attachments of Discord. Links that
 * are asked for within 20 ms go into one request of at most 50, POST
 * `/attachments/refresh-urls`. Discord does not document this endpoint: it may change.
 *
 * The result rejects with a TypeError for a link that is no attachment of Discord, with
 * an `HttpStatusError` if Discord refuses the request (429 with `retryAfterMs`), with a
 * `MediaCacheError` if its answer lacks a link to the same attachment, and with the reason
 * of the signal. A caller that leaves keeps the link of no other caller back.
 *
 * @param token The token of the bot, without the word `Bot`.
 * @param options The address of the API.
 * @returns The function that asks for a new link.
 * @throws {TypeError} If an argument is of a wrong form, or an option is unknown.
 *
 * @example A bot for Discord
 * ```ts ignore
 * import { MediaCache } from "@media-cache/media-cache";
 * import { discordRefresh, platforms, withRefresh } from "@media-cache/media-cache/platforms";
 *
 * const cache = await MediaCache.open({ canonicalUrl: platforms() });
 * const download = withRefresh(({ url, signal, headers }) => fetch(url, { signal, headers }), discordRefresh(token));
 * await using media = await cache.getOrDownload(attachment.url, download);
 * ```
 */
export function discordRefresh(
  token: string,
  options: DiscordRefreshOptions = {},
): Refresh {
  const root = "https://discord.com/api/v10";
  const api = platformApi("Discord", token, options, root);
  const collecting = new Set<Batch>();

  /** The batch that has the link, or takes it. */
  function batchFor(url: string): Batch {
    const found = collecting.values().find(({ links }) => links.has(url)) ??
      collecting.values().find(({ links }) => links.size < MAX_BATCH);
    if (found !== undefined) return found;
    const controller = new AbortController();
    const batch: Batch = { links: new Map(), waiting: 0, controller };
    collecting.add(batch);
    const timer = setTimeout(() => {
      collecting.delete(batch);
      send(api, batch);
    }, BATCH_MS);
    controller.signal.addEventListener("abort", () => {
      collecting.delete(batch);
      clearTimeout(timer);
    });
    return batch;
  }

  return async (url, { signal }) => {
    if (!ATTACHMENT_REGEXP.test(url)) {
      throw new TypeError(
        "Cannot refresh: the link must be an attachment of Discord: received another URL",
      );
    }
    signal.throwIfAborted();
    const batch = batchFor(url);
    const link = batch.links.get(url) ?? Promise.withResolvers<string>();
    batch.links.set(url, link);
    return await waitFor(link.promise, batch, signal);
  };
}

/** Waits for a link until the caller leaves; the last one that leaves ends the batch. */
async function waitFor(
  link: Promise<string>,
  batch: Batch,
  signal: AbortSignal,
): Promise<string> {
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener("abort", leave);
  batch.waiting++;
  try {
    return await Promise.race([link, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
    if (--batch.waiting === 0) batch.controller.abort();
  }
}

/** Sends a batch, and settles each of its links. Never rejects. */
async function send(
  api: PlatformApi,
  { links, controller: { signal } }: Batch,
): Promise<void> {
  try {
    const answer = await askApi(api, `${api.root}/attachments/refresh-urls`, {
      method: "POST",
      headers: {
        "authorization": `Bot ${api.token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ attachment_urls: [...links.keys()] }),
      signal,
    });
    const fresh = refreshedLinks(answer);
    for (const [url, link] of links) {
      const found = fresh.get(url);
      if (found !== undefined) link.resolve(found);
      else {
        link.reject(
          new MediaCacheError(
            "Cannot refresh: the answer of Discord must have the link: it has not",
          ),
        );
      }
    }
  } catch (error) {
    for (const link of links.values()) link.reject(error);
  }
}

/** The new links of an answer by the links that they replace. */
function refreshedLinks(answer: unknown): Map<string, string> {
  const found = new Map<string, string>();
  const list = member(answer, "refreshed_urls");
  for (const each of Array.isArray(list) ? list : []) {
    const original = member(each, "original");
    const refreshed = member(each, "refreshed");
    if (
      typeof original === "string" && typeof refreshed === "string" &&
      attachmentOf(refreshed) === attachmentOf(original)
    ) found.set(original, refreshed);
  }
  return found;
}

/**
 * The attachment that a link names, without proofs and by HTTPS. A link to any other would
 * store other bytes under the URL of the refused link.
 */
function attachmentOf(link: string): string | undefined {
  const url = URL.parse(link);
  return url === null ? undefined : discord(url)?.replace(/^http:/, "https:");
}
