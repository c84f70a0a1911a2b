import type { CacheStats } from "../../mod.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";
import { median } from "./verdict.ts";
import type { Sample } from "./watch.ts";

const MB = 1_048_576;

/** Puts the results into words. */
export function reportOf(
  samples: readonly Sample[],
  tally: Tally,
  stats: CacheStats,
  faults: Faults,
  neighbour: { tally: Tally; stats: CacheStats },
  wrongs: readonly string[],
): string {
  const seconds = samples.at(-1)?.at ?? 1;
  const rss = samples.map((sample) => sample.rss / MB);
  const files = samples.map((sample) => sample.files);
  const { hits, misses, coalesced, evictions, bytesServed, diskErrors } = stats;
  const lines = [
    "",
    `seconds            ${seconds}`,
    `calls              ${counts(tally.calls)}`,
    `hits, misses       ${hits}, ${misses} (${coalesced} joined)`,
    `evictions          ${evictions}`,
    `bytes served       ${mb(bytesServed)} MiB, ${
      mb(bytesServed / seconds)
    } MiB/s`,
    `bytes downloaded   ${mb(stats.bytesDownloaded)} MiB`,
    `bytes checked      ${
      mb(tally.checkedBytes)
    } MiB, ${tally.wholeBodies} whole bodies`,
    `broken downloads   ${counts(faults.counts)}`,
    `errors             ${counts(tally.errors)}`,
    `disk errors        ${diskErrors}`,
    `RSS in MiB         ${spread(rss)}`,
    `open files         ${spread(files)}`,
    `the other process  ${counts(neighbour.tally.calls)}; ` +
    `${neighbour.stats.hits} hits, ${neighbour.stats.misses} misses, ` +
    `${neighbour.stats.evictions} evictions, ` +
    `errors ${counts(neighbour.tally.errors)}`,
    ...wrongs.slice(0, 20).map((wrong) => `WRONG: ${wrong}`),
    wrongs.length === 0 ? "all is well" : `${wrongs.length} wrong`,
  ];
  return lines.join("\n");
}

/** The head of a table of samples. */
export const HEAD =
  "   at  RSS MiB  heap MiB  buffers MiB  files  entries  in flight";

/** A row of the table of samples. */
export function rowOf(sample: Sample): string {
  const { at, rss, heap, buffers, files, entries, inFlight } = sample;
  return [
    cell(at, 5),
    cell(mb(rss), 9),
    cell(mb(heap), 10),
    cell(mb(buffers), 13),
    cell(files, 7),
    cell(entries, 9),
    cell(inFlight, 11),
  ].join("");
}

function cell(value: unknown, width: number): string {
  return String(value).padStart(width);
}

function counts(by: Record<string, number>): string {
  const words = Object.entries(by).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([what, count]) => `${what} ${count}`);
  return words.length === 0 ? "none" : words.join(", ");
}

function spread(numbers: readonly number[]): string {
  const [min, middle, max] = [
    Math.min(...numbers),
    median(numbers),
    Math.max(...numbers),
  ].map((number) => number.toFixed(0));
  return `${min} at least, ${middle} in the middle, ${max} at the most`;
}

function mb(bytes: number): string {
  return (bytes / MB).toFixed(0);
}
