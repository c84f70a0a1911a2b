import { chunkSource } from "../bodies/chunk_source.ts";
import type { Download, DownloadContext, Downloader } from "../api/download.ts";
import { type Source, toSource } from "./source.ts";

/**
 * Runs a downloader and reads its answer. Waits only until the signal is aborted: a
 * downloader that ignores the signal can't keep its callers waiting.
 *
 * @throws The downloader's own error, or the signal's reason.
 */
export async function answerOf(
  downloader: Downloader,
  context: DownloadContext,
): Promise<Source> {
  const { url, signal } = context;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  // Called in an async function: a downloader may also throw, or return no promise.
  const answer = (async () => await downloader(context))();
  let isLate = true;
  try {
    const result = await Promise.race([answer, aborted]);
    isLate = false;
    return toSource(result, url);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A late answer is cancelled, so that its connection does not stay open.
    if (isLate) answer.then(discard, () => {});
  }
}

async function discard(result: Response | Download): Promise<void> {
  try {
    await chunkSource(toSource(result, "").body, false).cancel(undefined);
  } catch {
    // Not a valid answer: no connection to close.
  }
}
