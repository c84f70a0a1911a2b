import type { CacheStats } from "../../mod.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";
import { troublesIn } from "./troublemaker.ts";
import type { Sample } from "./watch.ts";

/**
 * How much more a process may hold in RAM in the last quarter than in the second.
 * Buffers that nobody has collected yet make it swing by 70 MiB without growing in
 * minutes; a leak of one body in fifty is above that after half a minute.
 */
const RSS_ALLOWANCE = 96 * 1_048_576;

/**
 * The same of open files and sockets. Callers come and go, and with them between 150
 * and 210 files; of those that are left open none may be there in the end.
 */
const FILES_ALLOWANCE = 48;

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

/** What a soak must have seen before it may say that all is well, and did not. */
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
