import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  namesIn,
  OLD_MS,
  writePair,
} from "../../fixtures/directory/files.ts";
import { StoppedClock } from "../../fixtures/time/stopped_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** As many as a process leaves that is killed over and over. */
const COUNT = 10_000;

/** Leaves staged files that no process writes: one file, by many names. */
function leaveStaged(dir: string, ageMs: number): void {
  const path = (i: number) =>
    join(dir, `${keyOf(`${i}`)}.0a1b2c3d${i.toString(36)}.part`);
  const time = new Date(Date.now() - ageMs);
  Deno.writeTextFileSync(path(0), "part");
  Deno.utimeSync(path(0), time, time);
  for (let i = 1; i < COUNT; i++) Deno.linkSync(path(0), path(i));
}

Deno.test("thousands of stale staged files are removed at the start, while timers run and lookups are answered", async () => {
  await using dir = await tempDir();
  leaveStaged(dir.path, OLD_MS);
  const { key } = await writePair(dir.path, "a", bytesOf(5));
  await using cache = new MediaCache({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  let turns = 0;
  const timer = setInterval(() => turns++, 0);

  const loading = cache.ensureLoaded();
  await using media = await cache.get("a");
  assertEquals(await media?.bytes(), bytesOf(5));
  await loading;
  clearInterval(timer);

  assertEquals(await namesIn(dir.path), [`${key}.dat`, `${key}.json`]);
  assertEquals(cache.stats().orphanBytes, 0);
  assertEquals(turns > 1, true);
});

Deno.test("thousands of young staged files stay for their grace period, and are counted", async () => {
  await using dir = await tempDir();
  using _clock = new StoppedClock();
  leaveStaged(dir.path, 0);
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  assertEquals(cache.stats().orphanBytes, 4 * COUNT);
  assertEquals((await namesIn(dir.path)).length, COUNT);
  assertEquals(await cache.put("a", bytesOf(5), "image/png", "a.png"), true);
});
