/** Whether a target is met. Pure. */
import { spreadOf, type Summary } from "./statistics.ts";

/** The largest spread that a figure may have to be trusted. */
export const MAX_SPREAD = 0.3;

/** One of the things measured in a row: whose, and which. */
export type Measured = readonly [contender: string, measure: string];

/** What a figure made of medians must come to. */
export interface Target {
  /** What is wanted, for people. */
  readonly title: string;
  /** What the figure is made of. */
  readonly needs: readonly Measured[];
  /**
   * The same for what does nothing but the necessary, which shows what stands in
   * the way of a target that is missed; empty where there is no such thing.
   */
  readonly floor?: readonly Measured[];
  /** Makes the figure of the medians of what it needs. */
  readonly figure: (...medians: number[]) => number;
  /** The least that is wanted, or the most. */
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
  /** What the limit is counted in: a ratio (×), or MiB. */
  readonly unit: "×" | "MiB";
}

/** How a target came out. */
export type Verdict = "met" | "missed" | "not measured";

/** A target, judged. */
export interface Judgement {
  /** What was wanted. */
  readonly title: string;
  /** The bound, such as "≥ 8×". */
  readonly wanted: string;
  /** What was measured. */
  readonly figure: number | undefined;
  /** What would be measured if nothing but the necessary was done, where known. */
  readonly floor: number | undefined;
  /** What it is counted in. */
  readonly unit: Target["unit"];
  /** The largest spread of what it is made of; undefined when measured once. */
  readonly spread: number | undefined;
  /** How it came out. */
  readonly verdict: Verdict;
}

/** Judges a target by what was measured. */
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
  // Half of next to nothing is no noise where far more is allowed.
  const scale = unit === "MiB" ? bound * 2 ** 20 : 0;
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

/** Whether the measurements of a target lie too far apart, or are too few to tell. */
export function isUnsure({ verdict, spread }: Judgement): boolean {
  return verdict !== "not measured" &&
    (spread === undefined || spread > MAX_SPREAD);
}

/** Whether a target was met beyond doubt. */
export function isProven(judgement: Judgement): boolean {
  return judgement.verdict === "met" && !isUnsure(judgement);
}
