/** Stores bodies of one size, and reads them from disk by each kind of call. */
import type { Contender, OpenContender } from "../contenders/contender.ts";
import { drain } from "../contenders/contender.ts";
import type { Work } from "../work.ts";
import { assertLength, randomBytes, Stopwatch } from "./job.ts";

/** The bodies of the job. */
export interface StoreWork extends Work {
  /** The origin for contenders that only fetch. */
  readonly origin: string;
  /** Bytes of each body. */
  readonly size: number;
  /** The number of bodies. */
  readonly count: number;
  /** Seconds after which a measure ends early. */
  readonly seconds: number;
  /** The number of unmeasured bodies before, more than fit in memory. */
  readonly warmUp: number;
  /** The number of unmeasured hits before the others. */
  readonly warmHits: number;
  /** Whether to read streams, too. */
  readonly streams: boolean;
}

const IN_FLIGHT = 16;
const BYOB_BYTES = 262_144;

/**
 * Measures `put`, and `hit` or `byob`, `reader` and `bytes`, and the same with
 * 16 in flight.
 */
export async function run(
  work: Work,
  open: OpenContender | undefined,
): Promise<Stopwatch> {
  const { dir, origin, size, seconds, ...how } = work as StoreWork;
  const { count, warmUp, warmHits, streams } = how;
  const contender = await open?.(dir);
  if (contender === undefined) throw new Error("There is no contender");
  const url = (i: number | string) => `${origin}/${size}/${i}`;
  const data = randomBytes(size);
  const ways = streams && contender.stream
    ? { byob: readByob, reader: readDefault, bytes: readBytes }
    : { hit: readBytes };
  for (let i = 0; i < warmUp; i++) await contender.put(url(`w${i}`), data);

  const watch = new Stopwatch(seconds);
  const stored = new Map<number, number>();
  for (const inFlight of [1, IN_FLIGHT]) {
    const name = (measure: string) =>
      inFlight === 1 ? measure : `${measure}-${inFlight}`;
    const put = (i: number) => contender.put(url(`${inFlight}-${i}`), data);
    stored.set(
      inFlight,
      await watch.time(name("put"), count, inFlight, put),
    );
  }
  // By now the first bodies have left the memory of contenders that use it.
  for (const read of Object.values(ways)) {
    await watch.time("warm-up", warmHits, 1, async (i) => {
      assertLength(await read(contender, url(`w${i % warmUp}`)), size);
    });
  }
  for (const inFlight of [1, IN_FLIGHT]) {
    for (const [way, read] of Object.entries(ways)) {
      const name = inFlight === 1 ? way : `${way}-${inFlight}`;
      const all = stored.get(inFlight) ?? NaN;
      await watch.time(name, all, inFlight, async (i) => {
        assertLength(await read(contender, url(`${inFlight}-${i}`)), size);
      });
    }
  }
  return watch;
}

async function readBytes(contender: Contender, url: string): Promise<number> {
  return await contender.bytes(url);
}

async function readDefault(contender: Contender, url: string): Promise<number> {
  const stream = await contender.stream?.(url);
  return stream === undefined ? NaN : await drain(stream);
}

/** One buffer for the whole body, if the stream can fill it. */
async function readByob(contender: Contender, url: string): Promise<number> {
  const stream = await contender.stream?.(url);
  if (stream === undefined) return NaN;
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    return await drain(stream);
  }
  let buffer = new Uint8Array(BYOB_BYTES);
  for (let length = 0;;) {
    const { value, done } = await reader.read(buffer);
    if (done || value === undefined) return length;
    length += value.length;
    buffer = new Uint8Array(value.buffer);
  }
}
