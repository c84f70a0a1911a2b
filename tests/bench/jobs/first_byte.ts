/** Waits for the first byte of a miss. */
import { drain, type OpenContender } from "../contenders/contender.ts";
import type { Sample } from "../measurement.ts";
import { summarize } from "../statistics.ts";
import type { Work } from "../work.ts";

/** The downloads of the job. */
export interface FirstByteWork extends Work {
  /** The origin of the bodies. */
  readonly origin: string;
  /** Bytes of each. */
  readonly size: number;
  /** The number of measured downloads. */
  readonly count: number;
  /** The number of unmeasured downloads before. */
  readonly warmUp: number;
}

/**
 * Measures `first-byte`, the median of many, and the same with 16 in flight.
 */
export async function run(
  work: Work,
  open: OpenContender | undefined,
): Promise<Sample> {
  const { dir, origin, size, count, warmUp } = work as FirstByteWork;
  const contender = await open?.(dir);
  const measure = async (name: string) => {
    const start = performance.now();
    const download = await contender?.download?.(`${origin}/${size}/${name}`);
    const body = download?.body;
    if (!(body instanceof ReadableStream)) throw new Error("It can't stream");
    const reader = body.getReader();
    await reader.read();
    const seconds = (performance.now() - start) / 1000;
    reader.releaseLock();
    await drain(body);
    await download?.stored;
    return seconds;
  };
  const median = async (count: number, inFlight: number, name: string) => {
    const seconds: number[] = [];
    let next = 0;
    const lane = async () => {
      while (next < count) seconds.push(await measure(`${name}-${next++}`));
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return summarize(seconds).median;
  };
  await median(warmUp, 1, "warm-up");
  return {
    measures: {
      "first-byte": await median(count, 1, "one"),
      "first-byte-16": await median(count, 16, "many"),
    },
  };
}
