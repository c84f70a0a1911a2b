/** Stores into a full directory as soon as it is open. */
import { MediaCache } from "@media-cache/media-cache";
import type { Sample } from "../measurement.ts";
import type { Work } from "../work.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** What is opened. */
export interface FirstStoreWork extends Work {
  /** How many entries there must be. */
  readonly entries: number;
  /** Bytes of each, and of what is stored. */
  readonly size: number;
}

/** Measures `open`, and then `store`, which evicts an entry. */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, size } = work as FirstStoreWork;
  const maxSizeMb = entries * size / 2 ** 20;
  const url = `http://media.test/${crypto.randomUUID()}`;
  const data = randomBytes(size);
  const watch = new Stopwatch();
  let cache: MediaCache | undefined;
  await watch.time("open", 1, 1, async () => {
    cache = await MediaCache.open({ cacheDir: dir, maxSizeMb });
  });
  await watch.time("store", 1, 1, async () => {
    const isStored = await cache?.put(url, data, "video/mp4", "a.mp4");
    if (!isStored) throw new Error("Not stored");
  });
  const { evictions, totalBytes } = cache?.stats() ?? {};
  if (evictions !== 1) throw new Error(`${evictions} evicted of ${totalBytes}`);
  for await (const _entry of cache?.entries() ?? []) break;
  await cache?.close();
  return watch;
}
