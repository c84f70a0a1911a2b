/** Waits for the first byte of an object that another host has stored. */
import { drain } from "../contenders/contender.ts";
import type { Sample } from "../measurement.ts";
import { summarize } from "../statistics.ts";
import type { Work } from "../work.ts";
import {
  fillBucket,
  objectUrl,
  openCache,
  type RemoteWork,
  signedUrl,
  signer,
} from "./remote_tier.ts";

/** The objects of the job. */
export interface RemoteFirstByteWork extends RemoteWork {
  /** Bytes of each, by the name of the measure. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A body, and the end of all work for it. */
interface Found {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly stored?: Promise<unknown>;
}

/** Measures the median of each size, and the same with 16 in flight. */
export async function run(work: Work): Promise<Sample> {
  const { count, warmUp, sizes } = work as RemoteFirstByteWork;
  const remote = work as RemoteWork;
  const cache = await openCache(remote, "cache");
  const client = signer(remote);
  const find = async (url: string): Promise<Found> => {
    if (remote.how === "bare") return await fetch(url);
    if (remote.how === "signed") return await client.fetch(url);
    return await cache.getOrDownload(url, () => {
      throw new Error("The object is missing");
    });
  };
  const measures: Record<string, number> = {};
  for (const [name, size] of Object.entries(sizes)) {
    const total = warmUp + 2 * count;
    const urls = Array.from(
      { length: total },
      (_, i) => `http://media.test/${name}/${i}`,
    );
    await fillBucket(remote, urls, size);
    const targets = await Promise.all(
      urls.map((url) =>
        remote.how === "bare"
          ? signedUrl(remote, url)
          : remote.how === "signed"
          ? objectUrl(remote, url)
          : url
      ),
    );
    const measure = async (url: string) => {
      const start = performance.now();
      const { body, stored } = await find(url);
      if (body === null) throw new Error("No body");
      const reader = body.getReader();
      await reader.read();
      const seconds = (performance.now() - start) / 1000;
      reader.releaseLock();
      await drain(body);
      await stored;
      return seconds;
    };
    const median = async (urls: string[], inFlight: number) => {
      const seconds: number[] = [];
      const lane = async () => {
        for (let url = urls.shift(); url !== undefined; url = urls.shift()) {
          seconds.push(await measure(url));
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      return summarize(seconds).median;
    };
    await median(targets.splice(0, warmUp), 1);
    measures[name] = await median(targets.splice(0, count), 1);
    measures[`${name}-16`] = await median(targets, 16);
  }
  return { measures };
}
