import type { CacheStats } from "../../core/api/stats.ts";
import type { Sample } from "./history.ts";

/** Columns of a chart. */
export const COLUMNS = 60;

/** Lengths of time that a chart may show, in milliseconds. */
const SPANS_MS = [120_000, 600_000, 3_600_000];

/** Name of a number among the stats. */
export type StatName = Exclude<
  keyof CacheStats,
  "comparing" | "degraded" | "remote"
>;

/** Samples cut into columns of equal time. */
export class Timeline {
  /** Length of time shown, in milliseconds. */
  readonly spanMs: number;
  /**
   * The stats at the end of each column, after the stats before the first
   * column.
   */
  readonly #ends: readonly CacheStats[];

  /**
   * Shows the shortest length of time that holds all samples, an hour at most.
   */
  constructor(samples: readonly [Sample, ...Sample[]], now: number) {
    const age = now - samples[0].time;
    this.spanMs = SPANS_MS.find((span) => age <= span) ?? 3_600_000;
    const columnMs = this.spanMs / COLUMNS;
    // Ends at a whole column, so that bars grow in place and don't move.
    const end = Math.ceil(now / columnMs) * columnMs;
    let at = 0;
    let current = samples[0].stats;
    this.#ends = Array.from({ length: COLUMNS + 1 }, (_, i) => {
      const until = end - (COLUMNS - i) * columnMs;
      for (
        let next = samples[at];
        next !== undefined && next.time <= until;
        next = samples[++at]
      ) current = next.stats;
      return current;
    });
  }

  /** Returns a number at the end of each column. */
  levels(name: StatName): number[] {
    return this.#ends.slice(1).map((stats) => stats[name]);
  }

  /** Returns the growth of a number in each column. */
  growth(name: StatName): number[] {
    return this.levels(name).map((level, i) =>
      level - (this.#ends[i]?.[name] ?? level)
    );
  }
}
