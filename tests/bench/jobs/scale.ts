/** Works on a directory of many entries, and keeps their number. */
import { MediaCache } from "@media-cache/media-cache";
import type { Sample } from "../measurement.ts";
import type { Work } from "../work.ts";
import { entryUrl, type FillWork } from "./fill.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** The operations of the job. */
export interface ScaleWork extends FillWork {
  /** The number of each operation. */
  readonly count: number;
  /** The number of unmeasured operations before. */
  readonly warmUp: number;
}

/** Measures `get`, `put`, and `evict`: a put that must make room for itself. */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, size, count, warmUp } = work as ScaleWork;
  const more = warmUp + count;
  const cache = await MediaCache.open({
    cacheDir: dir,
    // Full after the first of the puts.
    maxSizeMb: (entries + more) * size / 2 ** 20,
  });
  const urls: string[] = [];
  for await (const { url } of cache.entries()) urls.push(url);
  const pick = () => urls[Math.floor(Math.random() * urls.length)] ?? "";
  const data = randomBytes(size);
  const run = crypto.randomUUID();
  const put = (name: string) =>
    cache.put(`http://media.test/${run}/${name}`, data, "video/mp4", "a.mp4");
  const get = async () => {
    const media = await cache.get(pick());
    if ((await media?.bytes())?.length !== size) throw new Error("Not found");
  };

  const watch = new Stopwatch();
  await watch.time("warm-up", warmUp, 1, get);
  await watch.time("get", count, 1, get);
  await watch.time("warm-up", warmUp, 1, (i) => put(`warm-${i}`));
  await watch.time("put", count, 1, (i) => put(`put-${i}`));
  const before = cache.stats().evictions;
  await watch.time("evict", count, 1, (i) => put(`evict-${i}`));
  const evicted = cache.stats().evictions - before;
  if (evicted !== count) throw new Error(`${evicted} of ${count} evicted`);

  for (let i = 0; i < warmUp; i++) {
    await cache.delete(`http://media.test/${run}/warm-${i}`);
  }
  for (let i = 0; i < count; i++) {
    await cache.delete(`http://media.test/${run}/put-${i}`);
  }
  // Entries that are looked up later must not be the next to be evicted.
  await (await cache.get(entryUrl(0)))?.[Symbol.asyncDispose]();
  await cache.close();
  return watch;
}
