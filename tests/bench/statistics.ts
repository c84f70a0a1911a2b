/** What many measurements of one thing say. Pure. */

/** A median, and how far the measurements lie apart. */
export interface Summary {
  /** The middle one; the mean of the two in the middle of an even number. */
  readonly median: number;
  /** From the first quartile to the third. Undefined when there is only one. */
  readonly interquartile: number | undefined;
  /** The least. */
  readonly min: number;
  /** The most. */
  readonly max: number;
  /** How many there are. */
  readonly count: number;
}

/** Sums up measurements, of which there must be one at least. */
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

/** The value below which a share of sorted values lies, by linear interpolation. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The interquartile range as a share of the median, or of `scale` where that is larger. */
export function spreadOf(
  { median, interquartile }: Summary,
  scale = 0,
): number | undefined {
  if (interquartile === undefined) return undefined;
  return interquartile === 0 ? 0 : interquartile / Math.max(median, scale);
}
