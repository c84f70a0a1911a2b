/** The time for which work holds the event loop. */
import { MediaCache } from "@media-cache/media-cache";
import { drain } from "../contenders/contender.ts";
import type { Sample } from "../measurement.ts";
import { quantile } from "../statistics.ts";
import type { Work } from "../work.ts";

/** The work to watch. */
export interface HoldWork extends Work {
  /** The name of the work. */
  readonly what: "fetch" | "miss" | "open" | "evict";
  /** The origin of the body. */
  readonly origin: string;
  /** Bytes of the body. */
  readonly size: number;
}

/**
 * The time for which the probe watches an idle process, to learn its usual
 * lateness.
 */
const IDLE_MS = 250;

/**
 * Measures `longest` and `p999`: the lateness of ticks beyond that of an idle
 * process.
 */
export async function run(work: Work): Promise<Sample> {
  const act = await prepared(work as HoldWork);
  const idle = await ticksDuring(pause);
  const usual = quantile(idle, 0.5);
  const start = performance.now();
  const ticks = await ticksDuring(act);
  const seconds = (performance.now() - start) / 1000;
  const lateness = (share: number) =>
    Math.max(0, quantile(ticks, share) - usual) / 1000;
  return { measures: { longest: lateness(1), p999: lateness(0.999), seconds } };
}

/** Prepares the work; the preparation is not watched. */
async function prepared(
  { what, dir, origin, size }: HoldWork,
): Promise<() => Promise<unknown>> {
  const url = `${origin}/${size}/held`;
  if (what === "fetch") {
    return async () => {
      const { body } = await fetch(url);
      if (body !== null) await drain(body);
    };
  }
  if (what === "open") {
    return async () => {
      const options = { cacheDir: dir, maxSizeMb: 100_000 };
      const cache = await MediaCache.open(options);
      // Background work after that counts, too.
      for await (const _entry of cache.entries()) break;
      await cache.close();
    };
  }
  // Opening never evicts; the first put has to do it.
  const maxSizeMb = what === "evict" ? 1 : 100_000;
  const cache = await MediaCache.open({ cacheDir: dir, maxSizeMb });
  if (what === "evict") {
    return () => cache.put(url, new Uint8Array(1024), "video/mp4", "a.mp4");
  }
  return async () => {
    const media = await cache.getOrDownload(url, ({ url }) => fetch(url));
    await drain(media.body);
    await media.stored;
  };
}

/**
 * The times between ticks of a timer during some work by `clock()`, sorted, in
 * milliseconds.
 */
async function ticksDuring(work: () => Promise<unknown>): Promise<number[]> {
  const ticks: number[] = [];
  let last = clock();
  let timer: ReturnType<typeof setTimeout>;
  const tick = () => {
    const now = clock();
    ticks.push(now - last);
    last = now;
    timer = setTimeout(tick, 0);
  };
  timer = setTimeout(tick, 0);
  await work();
  clearTimeout(timer);
  // The last hold of the loop has let no tick pass.
  ticks.push(clock() - last);
  return ticks.sort((a, b) => a - b);
}

/**
 * A time in milliseconds, which stands still while the thread waits for a processor that
 * another process has: Linux may take it for 10 ms, and no work of ours holds the loop then.
 */
function clock(): number {
  const [, waitedNs] = Deno.readTextFileSync("/proc/thread-self/schedstat")
    .split(" ");
  return performance.now() - Number(waitedNs) / 1e6;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_MS));
}
