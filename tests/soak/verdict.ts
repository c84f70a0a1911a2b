import type { CacheStats } from "../../mod.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";
import { troublesIn } from "./troublemaker.ts";
import type { Sample } from "./watch.ts";

/**
 * The growth of RAM that a process may show from the second quarter to the
 * last. Uncollected buffers make the RAM vary by 70 MiB without growth in
 * minutes; a leak of one body in fifty exceeds that after half a minute.
 */
const RSS_ALLOWANCE = 96 * 1_048_576;

/**
 * The same for open files and sockets. Callers come and go, and with them
 * between 150 and 210 files; none of the files left open may remain at the end.
 */
const FILES_ALLOWANCE = 48;

/** The median of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * The values that have grown from the second quarter of the time to the last.
 */
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

/** Events that a soak must have seen before it may pass, and has not seen. */
export function vacuity(
  tally: Tally,
  { evictions, hits, diskErrors }: CacheStats,
  faults: Faults,
): string[] {
  const seen: Record<string, number> = {
    "whole bodies": tally.wholeBodies,
    hits,
    evictions,
    "disk errors": diskErrors,
  };
  for (const [fault, count] of Object.entries(faults.counts)) {
    seen[`downloads that are broken, ${fault}`] = count;
  }
  for (const [trouble, count] of Object.entries(troublesIn(tally))) {
    seen[`trouble, ${trouble}`] = count;
  }
  return Object.entries(seen).filter(([, count]) => count === 0)
    .map(([what]) => `there were none: ${what}`);
}
