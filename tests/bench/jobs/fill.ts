/** Fills a directory with entries, as any user of the package would. */
import { MediaCache } from "@media-cache/media-cache";
import type { Sample } from "../measurement.ts";
import type { Work } from "../work.ts";
import { randomBytes, Stopwatch } from "./job.ts";

/** What to fill it with. */
export interface FillWork extends Work {
  /** How many entries. */
  readonly entries: number;
  /** Bytes of each. */
  readonly size: number;
}

/** Measures `put`, and leaves a directory that was closed cleanly. */
export async function run(work: Work): Promise<Sample> {
  const { dir, entries, size } = work as FillWork;
  const cache = await MediaCache.open({ cacheDir: dir, maxSizeMb: 100_000 });
  const data = randomBytes(size);
  const watch = new Stopwatch();
  await watch.time("put", entries, 16, async (i) => {
    const name = `clip-${i}.mp4`;
    if (!await cache.put(entryUrl(i), data, "video/mp4", name)) {
      throw new Error("Not stored");
    }
  });
  await cache.close();
  return watch;
}

/** The URL of the entry of a number. As long as those of chat services are. */
export function entryUrl(i: number): string {
  const id = 1_000_000_000_000_000_000n + BigInt(i) * 7919n;
  return `https://cdn.example.test/attachments/${id}/clip-${i}.mp4?ex=67f00000&is=67efffff`;
}
