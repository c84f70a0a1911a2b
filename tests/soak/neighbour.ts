/**
 * Another process that uses the directory: `neighbour.ts DIR ORIGIN URLS
 * MAX_MB`. Ends with its standard input, and prints its results.
 */
// deno-lint-ignore-file no-console
import { MediaCache } from "../../mod.ts";
import { Random } from "../fixtures/inputs/random.ts";
import { Crowd } from "./crowd.ts";
import { Faults } from "./faults.ts";
import { Tally } from "./tally.ts";

const CALLERS = 20;

const [dir = "", origin = "", urls, maxSizeMb] = Deno.args;
const tally = new Tally();
const faults = new Faults();
// It knows neither the disturbances of the disk nor the downloads of the other
// process.
faults.trouble();
const controller = new AbortController();
const random = new Random();
const client = Deno.createHttpClient({});
const cache = await MediaCache.open({
  cacheDir: dir,
  maxSizeMb: Number(maxSizeMb),
  maxMemoryMb: 8,
  onEvent() {},
});
const world = {
  ...{ cache, origin, urls: Number(urls), faultyOneIn: Infinity },
  ...{ faults, tally, random, client, signal: controller.signal },
};
const crowd = new Crowd(world, CALLERS);
await Deno.stdin.readable.pipeTo(new WritableStream());
controller.abort();
await crowd.end(cache);
client.close();
console.log(JSON.stringify({ tally, stats: cache.stats() }));
// Calls that do not end by themselves have been told to.
Deno.exit();
