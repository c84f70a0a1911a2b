/** Many hits at once. */
import { MediaCache } from "@media-cache/media-cache";
import type { Sample } from "../measurement.ts";
import { peakRss, resetPeak } from "../resident.ts";
import type { Work } from "../work.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** The hits of the job. */
export interface HitsWork extends Work {
  /** The number of entries, of which some are in memory. */
  readonly entries: number;
  /** Bytes of each. */
  readonly size: number;
  /** The number of hits that begin before any of them has ended. */
  readonly count: number;
}

/**
 * Measures `seconds` until all have their bytes, `growth` of resident memory
 * until then, and the number of `complete` bodies.
 */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, size, count } = work as HitsWork;
  const cache = await MediaCache.open({ cacheDir: dir });
  const urlOf = (i: number) => `http://media.test/${i % entries}`;
  const data = randomBytes(size);
  for (let i = 0; i < entries; i++) {
    await cache.put(urlOf(i), data, "video/mp4", "clip.mp4");
  }
  let complete = 0;
  const hit = async (i: number) => {
    const media = await cache.get(urlOf(i));
    if ((await media?.bytes())?.length === size) complete++;
  };
  for (let i = 0; i < entries; i++) await hit(i);
  complete = 0;
  const resident = resetPeak();
  const watch = new Stopwatch();
  await watch.time(
    "seconds",
    1,
    1,
    () => Promise.all(Array.from({ length: count }, (_, i) => hit(i))),
  );
  const growth = (peakRss() ?? NaN) - resident;
  await cache.close();
  return { ...watch, measures: { ...watch.measures, growth, complete } };
}
