import { join } from "@std/path";
import type { MediaCache } from "../../mod.ts";
import { pause } from "./caller.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";

/** Bytes that may come and go while the directory is read. */
const LOOK_BYTES = 8 * 1_048_576;

/** The values that are recorded every second. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  /** The resident memory in bytes. */
  readonly rss: number;
  /** Of these, bytes of objects that are alive or not collected yet. */
  readonly heap: number;
  /** Of these, bytes of buffers. */
  readonly buffers: number;
  /** Open files, sockets and pipes. */
  readonly files: number;
  /** Entries on disk. */
  readonly entries: number;
  /** Running downloads. */
  readonly inFlight: number;
}

/** Records a process and its cache every second, until the end. */
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
    // A directory moved away and back, for example, exceeds the cap until the
    // next store.
    if (!faults.wasCalm(now - 1_000)) continue;
    checkCaps(cache, tally);
    checkDirectory(cache, dir, tally);
  }
  return samples;
}

/** The number of files, sockets and pipes that this process holds open. */
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
      // Closed meanwhile, like the file that reads this directory.
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
    // A store of the other process may be known here before its eviction.
    ["committed", totalBytes, maxBytes + LOOK_BYTES],
    ["staged", stagedBytes, maxEntryBytes],
    ["in memory", memoryBytes, maxMemoryBytes],
    ["in memory, items", entriesInMemory, maxMemoryItems],
  ];
  for (const [what, bytes, most] of caps) {
    if (bytes > most) tally.wrong(`${what}: ${bytes} of ${most} at the most`);
  }
}

/** The bodies of both processes together, which change during the look. */
function checkDirectory(cache: MediaCache, dir: string, tally: Tally): void {
  const { maxBytes } = cache.limits;
  let bytes = 0;
  for (const { name } of Deno.readDirSync(dir)) {
    if (!name.endsWith(".json")) continue;
    const path = join(dir, name);
    try {
      bytes += Deno.statSync(path.replace(/json$/, "dat")).size;
    } catch {
      // Evicted since then.
    }
  }
  if (bytes > maxBytes + LOOK_BYTES) {
    tally.wrong(`on disk: ${bytes} of ${maxBytes} at the most`);
  }
}
