import type { CacheStats } from "../../core/api/stats.ts";
import type { Sample } from "./history.ts";

/** How many columns a chart has. */
export const COLUMNS = 60;

/** The last so many milliseconds that a chart may show. */
const SPANS_MS = [120_000, 600_000, 3_600_000];

/** A number among the stats. */
export type StatName = Exclude<keyof CacheStats, "degraded">;

/** The samples of the last while, cut into columns of equal time. */
export class Timeline {
  /** How long it is, in milliseconds. */
  readonly spanMs: number;
  /** The sample in force at the end of each column, the first one before all. */
  readonly #ends: readonly CacheStats[];

  /** Shows all samples, as far as an hour holds them. */
  constructor(samples: readonly [Sample, ...Sample[]], now: number) {
    const age = now - samples[0].time;
    this.spanMs = SPANS_MS.find((span) => age <= span) ?? 3_600_000;
    const columnMs = this.spanMs / COLUMNS;
    // Whole columns, so that bars grow in place and don't crawl.
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

  /** What a number was at the end of each column. */
  levels(name: StatName): number[] {
    return this.#ends.slice(1).map((stats) => stats[name]);
  }

  /** How much a number has grown in each column. */
  growth(name: StatName): number[] {
    return this.levels(name).map((level, i) =>
      level - (this.#ends[i]?.[name] ?? level)
    );
  }
}
