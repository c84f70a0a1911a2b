/** Many callers of one download: their results, and the memory they need. */
import { type Media, MediaCache } from "@media-cache/media-cache";
import { createHash } from "node:crypto";
import type { Sample } from "../measurement.ts";
import { peakRss, resetPeak } from "../resident.ts";
import type { Work } from "../work.ts";
import { Stopwatch } from "./job.ts";

/** The callers of the job. */
export interface ShareWork extends Work {
  /** The origin of the bodies. */
  readonly origin: string;
  /** Bytes of the body. */
  readonly size: number;
  /** Bytes of the unmeasured download before. */
  readonly warmUp: number;
  /** Callers that read as fast as they can. */
  readonly callers: number;
  /**
   * Whether another caller, in the middle, reads a chunk and waits for the
   * others to end.
   */
  readonly stalled: boolean;
  /**
   * Whether callers come all along the download; otherwise all at its start.
   */
  readonly joining: boolean;
}

type Body = Media["body"];

/**
 * Measures `seconds` until all but the stalled one are done, `growth` of
 * resident memory until then, and `growth-at-end` when the stalled one has read
 * on too.
 */
export async function run(work: Work): Promise<Sample> {
  const { dir, origin, size, warmUp, ...who } = work as ShareWork;
  const { callers, stalled, joining } = who;
  const cache = await MediaCache.open({ cacheDir: dir, maxSizeMb: 4096 });
  let downloads = 0;
  const get = async (size: number, onProgress = (_bytes: number) => {}) => {
    const { body } = await cache.getOrDownload(
      `${origin}/${size}/shared`,
      ({ url, signal }) => {
        downloads++;
        return fetch(url, { signal });
      },
      { onProgress: ({ received }) => onProgress(received) },
    );
    return body;
  };
  await readAll(get(warmUp), false);
  // An entry would answer the next download, which may be as long.
  await cache.clear();
  downloads = 0;
  const resident = resetPeak();
  const growth = () => (peakRss() ?? NaN) - resident;

  const waiting: { from: number; begin: () => void }[] = [];
  const getFrom = (from: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ from: joining ? from : 0, begin: resolve });
    return promise.then(() => get(size));
  };
  const watch = new Stopwatch();
  const bodies = [
    get(size, (received) => {
      for (const { from, begin } of waiting) if (received > from) begin();
    }),
  ];
  for (let i = 1; i < callers; i++) bodies.push(getFrom(size * i / callers));
  const others = Promise.all(bodies.map((body) => readAll(body, joining)));
  const last = stalled
    ? readAll(getFrom(size / 2), joining, others)
    : undefined;
  await watch.time("seconds", 1, 1, () => others);
  const measures: Record<string, number> = { growth: growth() };
  const results = await others;
  if (last !== undefined) results.push(await last);
  measures["growth-at-end"] = growth();

  const complete = results.filter(({ length }) => length === size).length;
  const digests = new Set(results.map(({ digest }) => digest)).size;
  Object.assign(measures, watch.measures, { downloads, complete, digests });
  return { measures, cpuMs: watch.cpuMs };
}

/**
 * Reads to the end, and after the first chunk not before `pause` has passed.
 */
async function readAll(
  body: Promise<Body>,
  digest: boolean,
  pause?: Promise<unknown>,
): Promise<{ length: number; digest: string | undefined }> {
  const hash = digest ? createHash("sha256") : undefined;
  let length = 0;
  for await (const chunk of await body) {
    hash?.update(chunk);
    length += chunk.length;
    if (pause !== undefined) await pause;
  }
  return { length, digest: hash?.digest("hex") };
}
