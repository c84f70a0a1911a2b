import type { Pacer } from "./pacer.ts";

/** So many values are sorted at once, which takes a third of a millisecond. */
const RUN_LENGTH = 1024;

/** After so many merged values the clock is read. */
const CHECK_EVERY = 256;

/**
 * Sorts values into a new array and gives the event loop its turns, where
 * `Array.sort` would hold it for 30 ms for 100,000 of them. `compare` may change
 * its mind meanwhile: no value is lost, but some may be out of order.
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
