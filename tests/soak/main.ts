/**
 * Many callers use a cache for a long time, during many faults: of the origin,
 * the disk, the directory, and another process that uses it too. Every byte is
 * checked, and memory and open files are watched.
 *
 *     deno task soak [--seconds 600] [--callers 200] [--urls 5000] [--max-size-mb 96]
 */
// deno-lint-ignore-file no-console
import { join } from "@std/path";
import { type CacheStats, MediaCache } from "../../mod.ts";
import { Random } from "../fixtures/inputs/random.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { pause } from "./caller.ts";
import { Crowd } from "./crowd.ts";
import { endsInTime } from "./ends_in_time.ts";
import { Faults } from "./faults.ts";
import { HelperProcess } from "./helper_process.ts";
import { parseOptions, type SoakOptions } from "./options.ts";
import { HEAD, reportOf, rowOf } from "./report.ts";
import { Tally } from "./tally.ts";
import { makeTrouble } from "./troublemaker.ts";
import { growth, vacuity } from "./verdict.ts";
import { filesIn, watch } from "./watch.ts";

/** One of this many downloads is broken. */
const FAULTY_ONE_IN = 25;

/** The approximate number of rows of the table. */
const ROWS = 12;

const options = parseOptions(Deno.args);
const random = new Random();
const tally = new Tally();
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tally.wrong(`unhandled: ${event.reason?.stack ?? event.reason}`);
});
console.log(
  `${options.callers} callers, ${options.urls} URLs, ${options.seconds} s; ${random.hint}`,
);
await using temp = await tempDir();
const dir = join(temp.path, "cache");
const origin = new HelperProcess("origin.ts", [], "null");
const address = `http://127.0.0.1:${await origin.said()}`;
const { urls, maxSizeMb } = options;
await Deno.mkdir(dir);
const beside = new HelperProcess(
  "neighbour.ts",
  [dir, address, `${urls}`, `${maxSizeMb}`],
);
// Rejections are counted, so that this one must be reported by hand.
const { samples, stats, faults } = await soak(options, dir, address)
  .catch((error) => {
    console.error(error);
    Deno.exit(1);
  });
const neighbour = JSON.parse(await beside.end());
await origin.end();
const wrongs = [
  ...tally.wrongs,
  ...neighbour.tally.wrongs,
  ...growth(samples),
  ...vacuity(tally, stats, faults),
];
console.log(reportOf(samples, tally, stats, faults, neighbour, wrongs));
if (wrongs.length > 0) Deno.exitCode = 1;

/** Starts all callers, and checks the state after they have ended. */
async function soak(
  { seconds, callers, urls, maxSizeMb }: SoakOptions,
  dir: string,
  origin: string,
) {
  const faults = new Faults();
  const controller = new AbortController();
  const { signal } = controller;
  const client = Deno.createHttpClient({});
  const cache = await MediaCache.open({
    cacheDir: dir,
    maxSizeMb,
    maxEntryMb: maxSizeMb / 2,
    maxMemoryMb: 16,
    idleTimeoutMs: 3_000,
    onEvent() {},
  });
  const world = {
    ...{ cache, origin, urls, faultyOneIn: FAULTY_ONE_IN, faults, tally },
    ...{ random, client, signal },
  };
  const crowd = new Crowd(world, callers);
  const troubling = makeTrouble(dir, seconds, random, faults, tally, signal);
  const rowEvery = Math.ceil(seconds / ROWS);
  console.log(HEAD);
  const watching = watch(cache, dir, faults, tally, signal, (sample) => {
    if (sample.at % rowEvery === 0) console.log(rowOf(sample));
  });
  await pause(seconds * 1_000);
  controller.abort();
  if (!await endsInTime(troubling)) tally.wrong("the trouble does not end");
  const samples = await watching;
  await crowd.end(cache);
  const stats: CacheStats = cache.stats();
  client.close();
  // Unread Media are released by the garbage collector at the latest.
  for (const path of filesIn(dir)) tally.wrong(`left open: ${path}`);
  if (stats.stagedBytes !== 0) tally.wrong(`staged: ${stats.stagedBytes}`);
  return { samples, stats, faults };
}
