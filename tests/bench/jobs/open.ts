/** Opens a directory of many entries. */
import { MediaCache } from "@media-cache/media-cache";
import type { Sample } from "../measurement.ts";
import { currentRss } from "../resident.ts";
import type { Work } from "../work.ts";
import { Stopwatch } from "./job.ts";

/** The directory to open. */
export interface OpenWork extends Work {
  /** The number of entries that it must have. */
  readonly entries: number;
  /** The URL of an entry, to look up. */
  readonly url: string;
}

/**
 * Measures `open`, until an entry was looked up too; `whole`, the time after
 * that until every entry was compared with the directory and can be listed;
 * `rss` and `heap`, the growth of memory then for each entry; and `close`.
 */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, url } = work as OpenWork;
  const watch = new Stopwatch();
  collectGarbage();
  const rss = currentRss() ?? NaN;
  const heap = Deno.memoryUsage().heapUsed;
  let cache: MediaCache | undefined;
  await watch.time("open", 1, 1, async () => {
    cache = await MediaCache.open({ cacheDir: dir, maxSizeMb: 100_000 });
    if (await cache.get(url) === undefined) throw new Error("Not found");
  });
  const found = cache?.stats().entries;
  await watch.time("whole", 1, 1, async () => {
    await cache?.entries()[Symbol.asyncIterator]().next();
  });
  if (found !== entries) throw new Error(`${found} of ${entries} entries`);
  collectGarbage();
  const measures = {
    heap: (Deno.memoryUsage().heapUsed - heap) / entries,
    rss: ((currentRss() ?? NaN) - rss) / entries,
  };
  await watch.time("close", 1, 1, async () => await cache?.close());
  return { ...watch, measures: { ...watch.measures, ...measures } };
}

/** Workers run with `--expose-gc` for it. */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}
