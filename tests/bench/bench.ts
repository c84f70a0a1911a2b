/** The parts that all rows use. */
import type { Cell, Sample } from "./measurement.ts";
import { original, type Python } from "./python.ts";
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
}

/** The names of contenders in tables. The key is the name of the file. */
export const NAMES = {
  ours: "media-cache",
  original: "Python original",
  web_cache: "Web Cache API",
  cacache: "cacache",
  undici: "undici + SQLite",
  node_fetch_cache: "node-fetch-cache",
  bare_files: "bare files",
  bare_pairs: "bare pairs",
  bare_fetch: "bare fetch",
} as const;

/** This package. */
export const OURS = NAMES.ours;

/** The contender that does only the work that this package's files need. */
export const FLOOR = NAMES.bare_pairs;

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
    run: (dir) => {
      const work: Work = { ...options, job, dir, origin: bench.origin };
      return contender === "original"
        ? original(bench.python, work)
        : deno({ ...work, contender });
    },
  }));
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
