import { fileBody } from "../bodies/stored_body.ts";
import type { OpenEntry } from "../entries/discovery.ts";
import type { DownloadListener, DownloadParts } from "./download_parts.ts";

/** Hands all callers of a download the entry that another process has just stored. */
export async function handOutEntry(
  { files, counters, peek }: DownloadParts,
  listener: DownloadListener,
  { entry, file }: OpenEntry,
): Promise<true> {
  if (listener.callers.isSelective) {
    listener.refuse(await peek.sourceType(entry));
  }
  listener.onHandout({
    facts: entry,
    size: entry.size,
    body: () => fileBody(files, file, entry.size, counters),
  });
  listener.onEnded();
  file.release(true);
  return true;
}
