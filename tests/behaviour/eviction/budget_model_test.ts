import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { assertWhole, videoMaker } from "../../model/bodies.ts";
import { assertAccounts, assertBounds, look } from "../../model/look.ts";
import { Player } from "../../model/player.ts";
import { Sequence } from "../../model/sequence.ts";
import { StillClock } from "../../model/still_clock.ts";

const MB = 1_048_576;

/** The number of successive steps; set it higher by hand for longer runs. */
const STEPS = Number(Deno.env.get("TEST_STEPS") ?? 2_000);

Deno.test("after every step entries, order, victims and numbers equal those of a simple model", async () => {
  await using temp = await tempDir();
  const ffmpeg = await videoMaker(temp.path);
  const random = new Random();
  using clock = new StillClock();
  const dir = join(temp.path, "cache");
  await Deno.mkdir(dir);
  const sequence = new Sequence({ dir, ffmpeg, random, clock });
  try {
    await sequence.run(STEPS);
  } catch (cause) {
    throw new Error(`${random.hint}\n${sequence.story}`, { cause });
  }
});

const CAPS = {
  maxBytes: 1_500_000,
  maxEntryBytes: 1_500_000,
  maxMemoryItems: 2,
  maxMemoryBytes: 1_000_000,
  maxMemoryItemBytes: 600_000,
};
const settings: Record<string, [Partial<typeof CAPS>, MediaCacheOptions]> = {
  "with memory": [{}, {}],
  "on disk alone": [{ maxMemoryItems: 0 }, {}],
  "with little room for what runs": [
    { maxEntryBytes: 400_000 },
    { whenAbandoned: "abort" },
  ],
  "with few downloads at a time": [{}, { maxConcurrentDownloads: 2 }],
};
for (const slow of [false, true]) {
  for (const [what, [some, options]] of Object.entries(settings)) {
    const where = slow ? `${what} on a slow disk` : what;
    Deno.test(`concurrent calls pass no cap, and mix up, lose or leave behind no bytes ${where}`, async () => {
      await using temp = await tempDir();
      const ffmpeg = await videoMaker(temp.path);
      const random = new Random();
      using _disk = slow ? new SlowDisk() : undefined;
      const caps = { ...CAPS, ...some };
      const open = (onEvent: MediaCacheOptions["onEvent"]) =>
        MediaCache.open({
          cacheDir: join(temp.path, "cache"),
          maxSizeMb: caps.maxBytes / MB,
          maxEntryMb: caps.maxEntryBytes / MB,
          maxMemoryItems: caps.maxMemoryItems,
          maxMemoryMb: caps.maxMemoryBytes / MB,
          maxMemoryItemMb: caps.maxMemoryItemBytes / MB,
          gifToMp4: { ffmpeg, maxConcurrent: 2 },
          ...options,
          onEvent: (event) => onEvent?.(event),
        });
      try {
        for (let round = 0; round < 2; round++) {
          await crowd(join(temp.path, "cache"), open, caps, random);
        }
      } catch (cause) {
        throw new Error(random.hint, { cause });
      }
    });
  }
}

/** Lets several callers use a cache concurrently, and checks the result. */
async function crowd(
  dir: string,
  open: (onEvent: MediaCacheOptions["onEvent"]) => Promise<MediaCache>,
  caps: typeof CAPS,
  random: Random,
): Promise<void> {
  const recorder = new Recorder();
  const cache = await open(recorder.onEvent);
  const looks: unknown[] = [];
  const lookOnce = () => {
    try {
      assertBounds(cache, look(dir), caps);
    } catch (error) {
      looks.push(error);
    }
  };
  const unsubscribe = cache.subscribe(({ type }) => {
    if (type === "evicted" || type === "stored") lookOnce();
  });
  const plays = Array.from(
    { length: 8 },
    () => new Player(cache, random, lookOnce).play(20),
  );
  const ends = await Promise.allSettled(plays);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  unsubscribe();
  assertEquals(looks, []);

  const isStaging = () =>
    [...look(dir).sizes.keys()].some((name) => name.endsWith(".part"));
  for (let i = 0; i < 10_000; i++) {
    const { inFlight, stagedBytes } = cache.stats();
    if (inFlight === 0 && stagedBytes === 0 && !isStaging()) break;
    await turn();
  }
  await assertAccounts(cache, look(dir));
  const faults = recorder.of("diskError")
    .map(({ operation, error }) => `${operation}: ${error}`);
  assertEquals(faults, []);
  const urls = await order(cache);
  await cache.close();

  await using again = await open(undefined);
  assertEquals(await order(again), urls);
  await assertAccounts(again, look(dir));
  for (const url of urls.toReversed()) {
    const media = await again.get(url);
    if (media !== undefined) assertWhole(await media.bytes());
  }
  assertEquals(await order(again), urls);
  assertBounds(again, look(dir), caps);
}

function order(cache: MediaCache): Promise<string[]> {
  return Array.fromAsync(cache.entries(), ({ url }) => url);
}
