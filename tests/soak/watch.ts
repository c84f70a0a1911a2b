import { join } from "@std/path";
import type { MediaCache } from "../../mod.ts";
import { pause } from "./caller.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";

/** What may come and go while the directory is looked at. */
const LOOK_BYTES = 8 * 1_048_576;

/** What is looked at every second. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  /** Bytes of the process in RAM. */
  readonly rss: number;
  /** Of these, bytes of objects that are alive or not collected yet. */
  readonly heap: number;
  /** The same of buffers. */
  readonly buffers: number;
  /** Open files, sockets and the like. */
  readonly files: number;
  /** Entries on disk. */
  readonly entries: number;
  /** Downloads that run. */
  readonly inFlight: number;
}

/** Looks at a process and its cache every second, until the end. */
export async function watch(
  cache: MediaCache,
  dir: string,
  faults: Faults,
  tally: Tally,
  signal: AbortSignal,
  onSample: (sample: Sample) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const start = performance.now();
  while (!signal.aborted) {
    await pause(1_000);
    const now = performance.now();
    const { entries, inFlight } = cache.stats();
    const { rss, heapUsed: heap, external: buffers } = Deno.memoryUsage();
    const at = Math.round((now - start) / 1_000);
    const files = countFiles();
    const sample = { at, rss, heap, buffers, files, entries, inFlight };
    samples.push(sample);
    onSample(sample);
    // What was moved away and back, for one, is above the cap until the next store.
    if (!faults.wasCalm(now - 1_000)) continue;
    checkCaps(cache, tally);
    checkDirectory(cache, dir, tally);
  }
  return samples;
}

/** How many files, sockets and the like this process holds open. */
export function countFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** The files in a directory that this process holds open. */
export function filesIn(dir: string): string[] {
  const paths: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      paths.push(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      // It was closed meanwhile, the one that reads this directory for sure.
    }
  }
  return paths.filter((path) => path.startsWith(dir));
}

function checkCaps(cache: MediaCache, tally: Tally): void {
  const { totalBytes, stagedBytes, memoryBytes, entriesInMemory } = cache
    .stats();
  const { maxBytes, maxEntryBytes, maxMemoryBytes, maxMemoryItems } =
    cache.limits;
  const caps: [string, number, number][] = [
    // What the other stored may be known here before what it evicted for that.
    ["committed", totalBytes, maxBytes + LOOK_BYTES],
    ["staged", stagedBytes, maxEntryBytes],
    ["in memory", memoryBytes, maxMemoryBytes],
    ["in memory, items", entriesInMemory, maxMemoryItems],
  ];
  for (const [what, bytes, most] of caps) {
    if (bytes > most) tally.wrong(`${what}: ${bytes} of ${most} at the most`);
  }
}

/** The bodies of both processes together, which change while they are looked at. */
function checkDirectory(cache: MediaCache, dir: string, tally: Tally): void {
  const { maxBytes } = cache.limits;
  let bytes = 0;
  for (const { name } of Deno.readDirSync(dir)) {
    if (!name.endsWith(".json")) continue;
    const path = join(dir, name);
    try {
      bytes += Deno.statSync(path.replace(/json$/, "dat")).size;
    } catch {
      // It was evicted since.
    }
  }
  if (bytes > maxBytes + LOOK_BYTES) {
    tally.wrong(`on disk: ${bytes} of ${maxBytes} at the most`);
  }
}
