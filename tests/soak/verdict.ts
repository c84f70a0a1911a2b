import type { Sample } from "./watch.ts";

/** How much more a process may hold in RAM in the last quarter than in the second. */
const RSS_ALLOWANCE = 48 * 1_048_576;

/** The same of open files and sockets, of which callers come and go. */
const FILES_ALLOWANCE = 24;

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** What has grown from the second quarter of the time to the last. */
export function growth(samples: readonly Sample[]): string[] {
  const quarter = Math.floor(samples.length / 4);
  const second = samples.slice(quarter, 2 * quarter);
  const last = samples.slice(-quarter);
  const wrongs: string[] = [];
  const compare = (what: "rss" | "files", allowance: number) => {
    const before = median(second.map((sample) => sample[what]));
    const after = median(last.map((sample) => sample[what]));
    if (after <= before + allowance) return;
    wrongs.push(
      `${what} has grown from ${before} to ${after}, by more than ${allowance}`,
    );
  };
  compare("rss", RSS_ALLOWANCE);
  compare("files", FILES_ALLOWANCE);
  return wrongs;
}
