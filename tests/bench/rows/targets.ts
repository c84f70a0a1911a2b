/** The kinds of targets. */
import { FLOOR, OURS } from "../bench.ts";
import { type Measured, type Target, UNITS } from "../verdict.ts";

/** A measure of this package and of another contender. */
export interface Comparison {
  /** The work, for the title. */
  readonly what: string;
  /** The measure, in seconds. */
  readonly measure: string;
  /** The cell of this package; its usual name by default. */
  readonly ours?: string;
  /** The other contender. */
  readonly other: string;
}

/** A bound of a rate ("at least"), or of a time ("at most"). */
export type Limit = Target["limit"];

/**
 * The rate of this package is at least, or its time at most, so many times that
 * of another contender.
 */
export function compare(comparison: Comparison, limit: Limit): Target {
  const { what, measure, ours = OURS, other } = comparison;
  const isRate = "atLeast" in limit;
  // Only an operation of this package as a whole has a floor.
  const hasFloor = ours === OURS && other !== FLOOR;
  return {
    title: `${what}, against ${other}`,
    needs: [[ours, measure], [other, measure]],
    floor: hasFloor ? [[FLOOR, measure], [other, measure]] : [],
    figure: (mine = NaN, theirs = NaN) =>
      isRate ? theirs / mine : mine / theirs,
    limit,
    unit: "×",
  };
}

/** One call at a time, and 16 in flight. */
export function compareBoth(
  comparison: Comparison,
  one: Limit,
  many: Limit,
): Target[] {
  const { what, measure } = comparison;
  return [
    compare(comparison, one),
    compare(
      { ...comparison, what: `${what} ×16`, measure: `${measure}-16` },
      many,
    ),
  ];
}

/** Memory or time is at most so much, or so much more than another. */
export function atMost(
  limit: number,
  unit: "MiB" | "ms",
  title: string,
  measured: Measured,
  other?: Measured,
): Target {
  return {
    title,
    needs: other === undefined ? [measured] : [measured, other],
    figure: (value = NaN, less = 0) => (value - less) / UNITS[unit],
    limit: { atMost: limit },
    unit,
  };
}
