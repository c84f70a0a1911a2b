/** Looks up bodies that are in memory. */
import { MediaCache } from "@media-cache/media-cache";
import type { Work } from "../work.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** The lookups of the job. */
export interface MemoryWork extends Work {
  /** The number of bodies in memory. */
  readonly entries: number;
  /** Bytes of each body. */
  readonly size: number;
  /** The number of lookups. */
  readonly count: number;
}

/** Measures `get`, and `bytes`, which copies the body too. */
export async function run(work: Work): Promise<Stopwatch> {
  const { dir, entries, size, count } = work as MemoryWork;
  const cache = await MediaCache.open({
    cacheDir: dir,
    // As many as the Python original's default keeps, or more.
    maxMemoryItems: entries,
    maxMemoryMb: Math.max(64, entries * size / 2 ** 20),
  });
  const data = randomBytes(size);
  const urls = Array.from(
    { length: entries },
    (_, i) => `http://media.test/${i}`,
  );
  for (const url of urls) await cache.put(url, data, "video/mp4", "clip.mp4");
  const get = async (i: number) => {
    const media = await cache.get(urls[i % entries] ?? "");
    if (media?.source !== "memory") throw new Error("Not in memory");
    return media;
  };
  const bytes = async (i: number) => await (await get(i)).bytes();
  const watch = new Stopwatch();
  await watch.time("warm-up", Math.max(count / 10, entries), 1, bytes);
  await watch.time("get", count, 1, get);
  await watch.time("bytes", count, 1, bytes);
  return watch;
}
