/** Compares measurements with targets. Pure. */
import { spreadOf, type Summary } from "./statistics.ts";

/** The largest spread of a figure that may be trusted. */
export const MAX_SPREAD = 0.3;

/** The units of limits: a ratio, bytes and seconds. */
export const UNITS = { "×": 0, "MiB": 2 ** 20, "ms": 1e-3 } as const;

/** A measured value of a row: the contender, and the measure. */
export type Measured = readonly [contender: string, measure: string];

/** A limit for a figure that is made of medians. */
export interface Target {
  /** The title for readers. */
  readonly title: string;
  /** The values that make the figure. */
  readonly needs: readonly Measured[];
  /**
   * The same for a contender that does only the necessary work: its figure
   * shows the obstacle to a missed target; empty without such a contender.
   */
  readonly floor?: readonly Measured[];
  /** Makes the figure from the medians that it needs. */
  readonly figure: (...medians: number[]) => number;
  /** The least or the largest value allowed. */
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
  /** The unit of the limit. */
  readonly unit: keyof typeof UNITS;
}

/** The result of a target. */
export type Verdict = "met" | "missed" | "not measured";

/** A target, judged. */
export interface Judgement {
  /** The title of the target. */
  readonly title: string;
  /** The bound, such as "≥ 8×". */
  readonly wanted: string;
  /** The measured figure. */
  readonly figure: number | undefined;
  /** The figure if only the necessary work was done, where known. */
  readonly floor: number | undefined;
  /** The unit of the figure. */
  readonly unit: Target["unit"];
  /** The largest spread of its values; undefined when measured once. */
  readonly spread: number | undefined;
  /** The result. */
  readonly verdict: Verdict;
}

/** Judges a target by the measurements. */
export function judge(
  target: Target,
  lookUp: (measured: Measured) => Summary | undefined,
): Judgement {
  const { title, needs, figure, limit, unit } = target;
  const known = (all: readonly Measured[]) =>
    all.map(lookUp).filter((each) => each !== undefined);
  const figureOf = (all: readonly Summary[]) =>
    figure(...all.map(({ median }) => median));
  const bound = "atLeast" in limit ? limit.atLeast : limit.atMost;
  const sign = "atLeast" in limit ? "≥" : "≤";
  const wanted = `${sign} ${bound}${unit === "×" ? unit : ` ${unit}`}`;
  const summaries = known(needs);
  const least = known(target.floor ?? []);
  const floor = least.length > 0 && least.length === target.floor?.length
    ? figureOf(least)
    : undefined;
  if (summaries.length < needs.length) {
    const nothing = { figure: undefined, floor, spread: undefined };
    return { title, wanted, unit, ...nothing, verdict: "not measured" };
  }
  const value = figureOf(summaries);
  const met = "atLeast" in limit ? value >= bound : value <= bound;
  // Half of almost nothing is not noise where far more is allowed.
  const scale = bound * UNITS[unit];
  const spreads = summaries.map((summary) => spreadOf(summary, scale));
  const spread = spreads.reduce<number | undefined>(
    (most, each) =>
      most === undefined || each === undefined
        ? undefined
        : Math.max(most, each),
    0,
  );
  const verdict = met ? "met" : "missed";
  return { title, wanted, figure: value, floor, unit, spread, verdict };
}

/**
 * Whether the measurements of a target have too large a spread, or are too few
 * to know it.
 */
export function isUnsure({ verdict, spread }: Judgement): boolean {
  return verdict !== "not measured" &&
    (spread === undefined || spread > MAX_SPREAD);
}

/** Whether a target was met with a small enough spread. */
export function isProven(judgement: Judgement): boolean {
  return judgement.verdict === "met" && !isUnsure(judgement);
}
