/** Looks for objects that the bucket does not have. */
import type { Sample } from "../measurement.ts";
import { summarize } from "../statistics.ts";
import type { Work } from "../work.ts";
import {
  objectUrl,
  openCache,
  type RemoteWork,
  signer,
} from "./remote_tier.ts";

/**
 * Measures `lookup`, the median time from a call until the origin would be asked, and the
 * same with 16 in flight.
 */
export async function run(work: Work): Promise<Sample> {
  const remote = work as RemoteWork;
  const { count, warmUp, how } = remote;
  const cache = await openCache(remote, "cache");
  const client = signer(remote);
  const data = new Uint8Array(10);
  const measure = async (url: string) => {
    const start = performance.now();
    let end = NaN;
    if (how === "signed") {
      const response = await client.fetch(objectUrl(remote, url));
      end = performance.now();
      await response.body?.cancel();
      if (response.status !== 404) throw new Error(`${response.status}`);
    } else {
      const media = await cache.getOrDownload(url, () => {
        end = performance.now();
        return Promise.resolve({ data });
      });
      await media.bytes();
      await media.stored;
    }
    return (end - start) / 1000;
  };
  const median = async (count: number, inFlight: number, name: string) => {
    const seconds: number[] = [];
    let next = 0;
    const lane = async () => {
      while (next < count) {
        seconds.push(await measure(`http://media.test/${name}/${next++}`));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return summarize(seconds).median;
  };
  await median(warmUp, 1, "warm-up");
  return {
    measures: {
      lookup: await median(count, 1, "one"),
      "lookup-16": await median(count, 16, "many"),
    },
  };
}
