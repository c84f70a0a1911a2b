import { chunkSource } from "../bodies/chunk_source.ts";
import type { Download, DownloadContext, Downloader } from "../api/download.ts";
import { type Source, toSource } from "./source.ts";

/**
 * Runs a downloader and reads its answer, but waits no longer than until the
 * signal: a downloader that ignores it can't keep anybody waiting.
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
  // Called here, so that it may also throw or return at once.
  const answer = (async () => await downloader(context))();
  let isLate = true;
  try {
    const result = await Promise.race([answer, aborted]);
    isLate = false;
    return toSource(result, url);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // An answer that comes too late must not keep its connection.
    if (isLate) answer.then(discard, () => {});
  }
}

async function discard(result: Response | Download): Promise<void> {
  try {
    await chunkSource(toSource(result, "").body, false).cancel(undefined);
  } catch {
    // It was none that could hold a connection.
  }
}
