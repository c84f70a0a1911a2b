/** The kinds of targets. */
import { type ContenderFile, FLOOR, MIB, NAMES, OURS } from "../bench.ts";
import type { Measured, Target } from "../verdict.ts";

/**
 * The time of this package is at least this many times shorter than that of
 * another contender.
 */
export function timesFaster(
  what: string,
  measure: string,
  than: ContenderFile | { ours: string; other: ContenderFile },
  atLeast: number,
): Target {
  const who = typeof than === "string" ? { ours: OURS, other: than } : than;
  const { ours, other } = { ...who, other: NAMES[who.other] };
  return {
    title: `${what}${ours === OURS ? "" : ` ${ours}`}, against ${other}`,
    needs: [[ours, measure], [other, measure]],
    floor: floorOf(ours, other, measure),
    figure: (ours, theirs) => over(theirs, ours),
    limit: { atLeast },
    unit: "×",
  };
}

/**
 * The time of this package is at most this many times that of another
 * contender.
 */
export function timesSlower(
  what: string,
  measure: string,
  contenders: { ours: string; other: string },
  atMost: number,
): Target {
  const { ours, other } = contenders;
  return {
    title: `${what}, against ${other}`,
    needs: [[ours, measure], [other, measure]],
    floor: floorOf(ours, other, measure),
    figure: (mine, theirs) => over(mine, theirs),
    limit: { atMost },
    unit: "×",
  };
}

/** Memory is at most this many MiB. */
export function mebibytes(
  what: string,
  measure: string,
  contender: string,
  atMost: number,
): Target {
  return {
    title: what,
    needs: [[contender, measure]],
    figure: (bytes = NaN) => bytes / MIB,
    limit: { atMost },
    unit: "MiB",
  };
}

/** One contender needs at most this many MiB more memory than another. */
export function mebibytesMore(
  what: string,
  measure: string,
  contenders: { more: string; less: string },
  atMost: number,
): Target {
  const { more, less } = contenders;
  return {
    title: what,
    needs: [[more, measure], [less, measure]],
    figure: (a = NaN, b = NaN) => (a - b) / MIB,
    limit: { atMost },
    unit: "MiB",
  };
}

/** Only operations of this package as a whole have a floor. */
function floorOf(ours: string, other: string, measure: string): Measured[] {
  return ours === OURS ? [[FLOOR, measure], [other, measure]] : [];
}

function over(a = NaN, b = NaN): number {
  return a / b;
}
