/** Summaries of many measurements of one value. Pure. */

/** A median, and the spread of the measurements. */
export interface Summary {
  /** The middle value; the mean of the two in the middle of an even number. */
  readonly median: number;
  /** From the first quartile to the third. Undefined for a single value. */
  readonly interquartile: number | undefined;
  /** The smallest value. */
  readonly min: number;
  /** The largest value. */
  readonly max: number;
  /** The number of values. */
  readonly count: number;
}

/** Summarizes measurements; at least one is needed. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) {
    throw new RangeError("Cannot summarize: values must not be empty");
  }
  return {
    median: quantile(sorted, 0.5),
    interquartile: sorted.length < 2
      ? undefined
      : quantile(sorted, 0.75) - quantile(sorted, 0.25),
    min,
    max,
    count: sorted.length,
  };
}

/**
 * The value below which a share of sorted values lies, by linear interpolation.
 */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/**
 * The interquartile range as a share of the median, or of `scale` where that is
 * larger.
 */
export function spreadOf(
  { median, interquartile }: Summary,
  scale = 0,
): number | undefined {
  if (interquartile === undefined) return undefined;
  return interquartile === 0 ? 0 : interquartile / Math.max(median, scale);
}
