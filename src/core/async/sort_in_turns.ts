import type { Pacer } from "./pacer.ts";

/** Values sorted without a turn for the event loop: a third of a millisecond of work. */
const RUN_LENGTH = 1024;

/** Values merged before the clock is read. */
const CHECK_EVERY = 256;

/**
 * Sorts values into a new array and gives the event loop its turns; `Array.sort`
 * would hold the loop for 30 ms with 100,000 values. If the order changes
 * meanwhile, no value is lost, but some may be out of place.
 */
export async function sortInTurns<T>(
  values: readonly T[],
  compare: (a: T, b: T) => number,
  pacer: Pacer,
): Promise<T[]> {
  let runs: T[][] = [];
  for (let i = 0; i < values.length; i += RUN_LENGTH) {
    runs.push(values.slice(i, i + RUN_LENGTH).sort(compare));
    if (pacer.due) await pacer.yield();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(
        await merge(runs[i] ?? [], runs[i + 1] ?? [], compare, pacer),
      );
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<T>(
  first: readonly T[],
  second: readonly T[],
  compare: (a: T, b: T) => number,
  pacer: Pacer,
): Promise<T[]> {
  const merged: T[] = [];
  let i = 0;
  for (const value of second) {
    for (; i < first.length; i++) {
      const other = first[i] as T;
      if (compare(other, value) > 0) break;
      merged.push(other);
    }
    merged.push(value);
    if (merged.length % CHECK_EVERY === 0 && pacer.due) await pacer.yield();
  }
  return merged.concat(first.slice(i));
}
