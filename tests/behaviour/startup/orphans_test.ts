import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  OLD_MS,
  setAge,
  writePair,
} from "../../fixtures/directory/files.ts";
import { type HeldTimer, holdTimers } from "../../fixtures/time/held_timers.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MINUTE_MS = 60_000;

/** A body without a sidecar. */
async function orphan(
  dir: string,
  url: string,
  ageMs: number,
): Promise<string> {
  const { dat, json } = await writePair(dir, url, bytesOf(5), { ageMs });
  await Deno.remove(json);
  return dat;
}

/**
 * The timer of the next clean-up: it waits for minutes, touches for seconds.
 */
function sweepOf(timers: { waiting: HeldTimer[] }): HeldTimer | undefined {
  return timers.waiting.find(({ waitMs }) => waitMs > 5_000);
}

/** Lets time pass, and each timer of the clean-up run out in it, the last one early. */
async function sweepFor(
  timers: { waiting: HeldTimer[] },
  ms: number,
): Promise<void> {
  const { now } = Date;
  const { now: elapsed } = performance;
  let passedMs = 0;
  Date.now = () => now() + passedMs;
  performance.now = () => elapsed.call(performance) + passedMs;
  try {
    while (passedMs < ms) {
      // Each sweep starts the timer of the next one at its end.
      const sweep = timers.waiting.at(-1);
      assert(sweep?.unreferenced);
      assert(sweep.waitMs <= MINUTE_MS);
      passedMs = Math.min(ms, passedMs + sweep.waitMs);
      await sweep.callback();
    }
  } finally {
    Date.now = now;
    performance.now = elapsed;
  }
}

Deno.test("a young leftover is removed after its grace period, by a timer that keeps no process alive", async () => {
  await using dir = await tempDir();
  const dat = await orphan(dir.path, "a", 4 * MINUTE_MS);
  using timers = holdTimers();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  assertEquals(cache.stats().orphanBytes, 5);

  await sweepFor(timers, 5 * MINUTE_MS);
  assertEquals([await isThere(dat), cache.stats().orphanBytes], [true, 5]);
  await setAge(dat, OLD_MS);
  await sweepFor(timers, 6 * MINUTE_MS);

  assertEquals([await isThere(dat), cache.stats().orphanBytes], [false, 0]);
});

Deno.test("the first of several leftovers sets the time of the clean-up", async () => {
  await using dir = await tempDir();
  await orphan(dir.path, "a", 1 * MINUTE_MS);
  await orphan(dir.path, "b", 9 * MINUTE_MS);
  await orphan(dir.path, "future", -99 * MINUTE_MS);
  using timers = holdTimers();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  assertEquals(cache.stats().orphanBytes, 15);

  assert((sweepOf(timers)?.waitMs ?? Infinity) <= MINUTE_MS);
});

Deno.test("close() cancels the timer of the clean-up", async () => {
  await using dir = await tempDir();
  await orphan(dir.path, "a", 0);
  using timers = holdTimers();
  const cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  assert(sweepOf(timers));

  await cache.close();

  assertEquals(timers.waiting, []);
});

Deno.test("a leftover that became an entry is not removed", async () => {
  await using dir = await tempDir();
  const dat = await orphan(dir.path, "a", 0);
  using timers = holdTimers();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  await writePair(dir.path, "a", bytesOf(5), { ageMs: OLD_MS });

  const { now } = Date;
  Date.now = () => now() + OLD_MS;
  try {
    await sweepOf(timers)?.callback();
  } finally {
    Date.now = now;
  }

  assertEquals(await isThere(dat), true);
  assertEquals(await cache.has("a"), true);
});

Deno.test("a leftover counts as an orphan no more after a put, a delete, or when it is found whole", async () => {
  await using dir = await tempDir();
  for (const url of ["put", "deleted", "whole"]) {
    await orphan(dir.path, url, 0);
  }
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  assertEquals(cache.stats().orphanBytes, 15);

  await cache.put("put", bytesOf(7), "image/png", "a.png");
  assertEquals(cache.stats().orphanBytes, 10);
  await cache.delete("deleted");
  assertEquals(cache.stats().orphanBytes, 5);
  await writePair(dir.path, "whole", bytesOf(5));
  await (await cache.get("whole"))?.bytes();
  assertEquals(cache.stats().orphanBytes, 0);
});

Deno.test("a leftover that a lookup finds is removed in time as well", async () => {
  await using dir = await tempDir();
  using timers = holdTimers();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  const { dat } = await writePair(dir.path, "a", bytesOf(5), {
    sidecar: { size: 6 },
  });

  await cache.get("a");
  await sweepFor(timers, 9 * MINUTE_MS);
  assertEquals(await isThere(dat), true);
  assert(cache.stats().orphanBytes > 5);
  await sweepFor(timers, 11 * MINUTE_MS);

  assertEquals([await isThere(dat), cache.stats().orphanBytes], [false, 0]);
});

Deno.test("a staged file stays while another process holds its lock, whatever its age", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, `${keyOf("a")}.12ab0.part`);
  await Deno.writeFile(path, bytesOf(5));
  await setAge(path, OLD_MS);
  const holder = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const file = await Deno.open(${JSON.stringify(path)});
       await file.lock(true);
       console.log("held");
       for await (const _ of Deno.stdin.readable);`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  const recorder = new Recorder();
  {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      onEvent: recorder.onEvent,
    });
    assertEquals(cache.stats().orphanBytes, 0);
    assertEquals((await cache.verify({ fix: true })).problems, []);
  }
  assertEquals(await isThere(path), true);
  assertEquals(recorder.of("skipped"), []);

  await holder.stdin.close();
  await reader.cancel();
  await holder.status;
  await using _cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("a leftover that cannot be removed is reported, and the cache opens", async () => {
  await using dir = await tempDir();
  const inTheWay = join(dir.path, `${keyOf("a")}.dat`, "full");
  await Deno.mkdir(inTheWay, { recursive: true });
  const recorder = new Recorder();

  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });

  assertEquals(recorder.of("diskError").length, 1);
  assertEquals(await isThere(inTheWay), true);
  assertEquals(await cache.put("b", bytesOf(3), "image/png", "b"), true);
});

Deno.test("a leftover dated in the future is removed after its grace period", async () => {
  await using dir = await tempDir();
  await orphan(dir.path, "future", -99 * MINUTE_MS);
  using clock = new ShiftedClock();
  using timers = holdTimers();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  clock.aheadMs = 11 * MINUTE_MS;
  await sweepOf(timers)?.callback();

  assertEquals(cache.stats().orphanBytes, 0);
});
