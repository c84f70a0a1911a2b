/** Measures one thing about downloads, in a process of its own. Prints JSON. */
// deno-lint-ignore-file no-console
import { type Downloader, MediaCache } from "@media-cache/media-cache";
import { createHash } from "node:crypto";

/** What to measure. */
export type Job = BareJob | ShareJob | ThroughputJob;

/** The memory of a bare fetch, to compare with. */
export interface BareJob {
  kind: "bare";
  /** Where bodies come from. */
  origin: string;
  /** Bytes of the body. */
  size: number;
}

/** What a bare fetch costs. */
export interface BareResult {
  /** Peak of resident memory above what was resident after the warm-up. */
  growth: number;
}

/** Many callers of one download. */
export interface ShareJob {
  kind: "share";
  /** Where bodies come from. */
  origin: string;
  /** Bytes of the body. */
  size: number;
  /** Callers that read as fast as they can. */
  callers: number;
  /** Whether one more, in the middle, reads a chunk and waits for the others to end. */
  stalled: boolean;
  /** Whether they come all along the download; otherwise all at its start. */
  spread: boolean;
  /** Whether to compare digests. */
  digest: boolean;
}

/** What many callers got. */
export interface ShareResult {
  /** Calls of the downloader. */
  downloads: number;
  /** Callers that got as many bytes as there are. */
  complete: number;
  /** Different digests. */
  digests: number;
  /** Until all were done but the stalled one. */
  seconds: number;
  /** Peak of resident memory by then, above what was resident after the warm-up. */
  growth: number;
  /** The same when the stalled one has read on to the end. */
  growthAtEnd: number;
}

/** A miss against a bare fetch. */
export interface ThroughputJob {
  kind: "throughput";
  /** Where bodies come from. */
  origin: string;
  /** Bytes of the body. */
  size: number;
  /** How often each is measured. */
  rounds: number;
}

/** Seconds of each round. */
export interface ThroughputResult {
  /** A fetch, until the last byte was read. */
  bare: number[];
  /** The same through the cache. */
  miss: number[];
  /** The same, until the entry is stored. */
  stored: number[];
}

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

const WARM_UP_BYTES = 128 * 1_048_576;

const job: Job = JSON.parse(Deno.args[0]!);
const cacheDir = await Deno.makeTempDir({ prefix: "media-cache-bench-" });
const cache = await MediaCache.open({ cacheDir, maxSizeMb: 2048 });
let downloads = 0;
const download: Downloader = ({ url, signal }) => {
  downloads++;
  return fetch(url, { signal });
};
console.log(JSON.stringify(await measure(job)));
await cache.close();
await Deno.remove(cacheDir, { recursive: true });

function measure(job: Job): Promise<unknown> {
  switch (job.kind) {
    case "bare":
      return bare(job);
    case "share":
      return share(job);
    case "throughput":
      return compare(job);
  }
}

async function bare({ origin, size }: BareJob): Promise<BareResult> {
  const fetchAll = async (size: number) => {
    const { body } = await fetch(`${origin}/${size}/bare`);
    if (body !== null) await drain(body);
  };
  await fetchAll(WARM_UP_BYTES);
  const resident = startPeak();
  await fetchAll(size);
  return { growth: peak() - resident };
}

async function share(job: ShareJob): Promise<ShareResult> {
  const { origin, size, callers, stalled, spread } = job;
  const url = `${origin}/${size}/shared`;
  await drain(await get(`${origin}/${WARM_UP_BYTES}/warm-up`));
  downloads = 0;
  const resident = startPeak();

  const waiting: { from: number; begin: () => void }[] = [];
  const getFrom = (from: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ from: spread ? from : 0, begin: resolve });
    return promise.then(() => get(url));
  };
  const start = performance.now();
  const first = get(url, (received) => {
    for (const { from, begin } of waiting) if (received > from) begin();
  });
  const bodies = [first];
  for (let i = 1; i < callers; i++) bodies.push(getFrom(size * i / callers));
  const others = Promise.all(bodies.map((body) => read(body)));
  const last = stalled ? read(getFrom(size / 2), others) : undefined;
  const results = await others;
  const seconds = (performance.now() - start) / 1000;
  const growth = peak() - resident;
  if (last !== undefined) results.push(await last);

  return {
    downloads,
    complete: results.filter(({ length }) => length === size).length,
    digests: new Set(results.map(({ digest }) => digest)).size,
    seconds,
    growth,
    growthAtEnd: peak() - resident,
  };

  /** Reads to the end, and after the first chunk not before `pause` has passed. */
  async function read(body: Promise<Body>, pause?: Promise<unknown>) {
    const hash = job.digest ? createHash("sha256") : undefined;
    let length = 0;
    for await (const chunk of await body) {
      hash?.update(chunk);
      length += chunk.length;
      if (pause !== undefined) await pause;
    }
    return { length, digest: hash?.digest("hex") };
  }
}

async function compare(job: ThroughputJob): Promise<ThroughputResult> {
  const { origin, size, rounds } = job;
  const url = `${origin}/${size}/compared`;
  const result: ThroughputResult = { bare: [], miss: [], stored: [] };
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    let start = performance.now();
    await drain((await fetch(url)).body!);
    const bare = performance.now() - start;

    start = performance.now();
    const media = await cache.getOrDownload(url, download);
    await drain(media.body);
    const miss = performance.now() - start;
    await media.stored;
    const stored = performance.now() - start;
    await cache.delete(url);

    if (round === 0) continue;
    result.bare.push(bare / 1000);
    result.miss.push(miss / 1000);
    result.stored.push(stored / 1000);
  }
  return result;
}

async function get(
  url: string,
  onReceived: (bytes: number) => void = () => {},
): Promise<Body> {
  const { body } = await cache.getOrDownload(url, download, {
    onProgress: ({ received }) => onReceived(received),
  });
  return body;
}

/** Reads to the end; returns the number of bytes. */
async function drain(body: ReadableStream<Uint8Array>): Promise<number> {
  const reader = body.getReader();
  for (let length = 0;;) {
    const { value } = await reader.read();
    if (value === undefined) return length;
    length += value.length;
  }
}

/** Begins to look for the peak of resident memory; returns what is resident now. */
function startPeak(): number {
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return status("VmRSS");
}

/** The peak of resident memory, in bytes. */
function peak(): number {
  return status("VmHWM");
}

function status(name: string): number {
  const text = Deno.readTextFileSync("/proc/self/status");
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
  return Number(match?.[1]) * 1024;
}
