import type {
  Download,
  DownloadContext,
  Downloader,
} from "../core/api/download.ts";
import { HttpStatusError } from "../core/api/errors.ts";
import {
  isRefusedStatus,
  refusedStatusOf,
} from "../core/text/refused_status.ts";
import { member } from "./api_request.ts";

/** The reason for a refresh. */
export interface RefreshContext {
  /** Aborts when the download is no longer wanted. */
  readonly signal: AbortSignal;
  /** The status by which the origin refused the link: 401, 403, 404 or 410. */
  readonly status: number;
}

/**
 * Asks for a new link in place of a refused one.
 *
 * @param url The refused link.
 * @param context The reason, and the signal of the download.
 * @returns The new link.
 */
export type Refresh = (url: string, context: RefreshContext) => Promise<string>;

/**
 * Makes a downloader that asks for a new link when the origin refuses the present one
 * with 401, 403, 404 or 410, and then downloads the new link, once. Each is counted in
 * `stats().refreshed`. A refusal is a response of such a status, or an error of the
 * downloader with such a `status`.
 *
 * @param downloader The downloader of both links.
 * @param refresh Asks for the new link. If it rejects, the download fails with an
 * `HttpStatusError` of the refused link, whose `cause` is that rejection, so that the
 * link of another caller can be tried.
 * @returns The downloader. It rejects with a TypeError if `refresh` resolves to anything
 * but a string.
 * @throws {TypeError} If an argument is not a function.
 *
 * @example A link that has expired
 * ```ts
 * import { MediaCache } from "@media-cache/media-cache";
 * import { withRefresh } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * await using cache = await MediaCache.open({ cacheDir: await Deno.makeTempDir() });
 * const download = ({ url }: { url: string }) =>
 *   Promise.resolve(new Response("meow", { status: url.endsWith("new") ? 200 : 403 }));
 *
 * await using media = await cache.getOrDownload(
 *   "https://example.com/cat?signature=old",
 *   withRefresh(download, (url) => Promise.resolve(url.replace("old", "new"))),
 * );
 *
 * assertEquals(await media.bytes(), new TextEncoder().encode("meow"));
 * assertEquals(cache.stats().refreshed, 1);
 * ```
 */
export function withRefresh(
  downloader: Downloader,
  refresh: Refresh,
): Downloader {
  for (const [name, value] of Object.entries({ downloader, refresh })) {
    if (typeof value === "function") continue;
    throw new TypeError(
      `Cannot refresh: ${name} must be a function: received ${typeof value}`,
    );
  }
  return async (context) => {
    const { url, signal, attempt, countRefresh } = context;
    const answer = await answerOf(downloader, context);
    if ("result" in answer) return answer.result;
    const { status } = answer;
    const fresh = await freshLink(refresh, url, { signal, status });
    countRefresh?.();
    return await downloader({
      url: fresh,
      signal,
      attempt,
      countRefresh,
      // Not copied: the cache notices which downloaders read the headers.
      get headers() {
        return context.headers;
      },
    });
  };
}

/** Runs a downloader: its result, or the status by which the origin refuses the link. */
async function answerOf(
  downloader: Downloader,
  context: DownloadContext,
): Promise<{ result: Response | Download } | { status: number }> {
  try {
    const result = await downloader(context);
    const status = member(result, "status");
    if (typeof status !== "number" || !isRefusedStatus(status)) {
      return { result };
    }
    // Read by nobody: without the cancel, the connection would stay open.
    if ("body" in result) result.body?.cancel().catch(() => {});
    return { status };
  } catch (error) {
    const status = refusedStatusOf(error);
    if (status === undefined) throw error;
    return { status };
  }
}

async function freshLink(
  refresh: Refresh,
  url: string,
  context: RefreshContext,
): Promise<string> {
  const { signal } = context;
  let fresh: unknown;
  try {
    fresh = await refresh(url, context);
  } catch (cause) {
    signal.throwIfAborted();
    throw new HttpStatusError(context.status, { cause });
  }
  // A refresh may ignore the signal: nobody wants its link any more.
  signal.throwIfAborted();
  if (typeof fresh === "string") return fresh;
  throw new TypeError(
    `Cannot refresh: the new link must be a string: received ${typeof fresh}`,
  );
}
