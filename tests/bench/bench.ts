/** The parts that all rows use. */
import type { Cell, Sample } from "./measurement.ts";
import { join } from "@std/path";
import { original, type Python } from "./python.ts";
import type { RemoteEngine } from "./remote_engine.ts";
import { deno, type Work } from "./work.ts";

/** One run of the benchmark. */
export interface Bench {
  /** Whether sizes, counts and rounds are small. */
  readonly quick: boolean;
  /** The parent folder of the directories of all cells. */
  readonly dir: string;
  /** The origin that serves bodies. */
  readonly origin: string;
  /** Python, if the machine has it. */
  readonly python: Python | undefined;
  /** The object store of remote tiers. */
  readonly engine: RemoteEngine;
}

/** The names of contenders in tables. The key is the name of the file. */
export const NAMES = {
  ours: "media-cache",
  original: "Python original",
  web_cache: "Web Cache API",
  cacache: "cacache",
  undici: "undici + SQLite",
  node_fetch_cache: "node-fetch-cache",
  bare_pairs: "bare pairs",
  bare_fetch: "bare fetch",
} as const;

/** This package. */
export const OURS = NAMES.ours;

/** The contender that does only the work that this package's files need. */
export const FLOOR = NAMES.bare_pairs;

/** nginx, which has no file in `contenders/`. */
export const NGINX = "nginx, sendfile";

/** The end of the name of a contender that may only use its folder. */
export const LIMITED = ", limited permissions";

/** Contenders without a limit, whose figures need fewer rounds. */
const SHOWN: ReadonlySet<ContenderFile> = new Set([
  "cacache",
  "undici",
  "node_fetch_cache",
]);

/** The first words of the names of processes without a cache. */
export const BARE_DENO = "bare Deno";

/** Whether a cell measures something else than this package. */
export function isRival(contender: string): boolean {
  const rivals = [...Object.values(NAMES), NGINX, BARE_DENO]
    .filter((each) => each !== OURS);
  return rivals.some((rival) => contender.startsWith(rival));
}

/** The files in `contenders/`, and the original. */
export type ContenderFile = keyof typeof NAMES;

/** Options of a job beside the common ones. */
export type WorkOptions = Readonly<Record<string, unknown>>;

/** The same work for many contenders. */
export function cells(
  bench: Bench,
  job: string,
  contenders: readonly ContenderFile[],
  options: WorkOptions,
): Cell[] {
  return contenders.map((contender) => ({
    contender: NAMES[contender],
    ...(SHOWN.has(contender) && { rounds: 3 }),
    run: (dir) => {
      const work: Work = { ...options, job, dir, origin: bench.origin };
      return contender === "original"
        ? original(bench.python, work)
        : deno({ ...work, contender });
    },
  }));
}

/**
 * The same for contenders with read and write access to their own folder alone,
 * as users run them: Deno checks each path then.
 */
export function limitedCells(
  bench: Bench,
  job: string,
  contenders: readonly Exclude<ContenderFile, "original">[],
  options: WorkOptions,
): Cell[] {
  return cells(bench, job, contenders, { ...options, limited: true })
    .map(({ contender, run }) => ({
      contender: `${contender}${LIMITED}`,
      run: (dir) => inUsualFolder(dir, run),
    }));
}

/**
 * Deno opens nothing below /dev, so nothing in /dev/shm, without all
 * permissions.
 */
async function inUsualFolder(
  dir: string,
  run: Cell["run"],
): Promise<Sample> {
  if (!dir.startsWith("/dev/")) return await run(dir);
  const temp = await Deno.makeTempDir({ prefix: "media-cache-bench-" });
  try {
    return await run(join(temp, "cache"));
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
}

/** Work of this package alone, under a name of its own. */
export function cell(
  { origin }: Bench,
  contender: string,
  job: string,
  options: WorkOptions,
): Cell {
  const run = (dir: string): Promise<Sample> =>
    deno({ dir, origin, ...options, job });
  return { contender, run };
}

/** 2^20 bytes. */
export const MIB = 1_048_576;
