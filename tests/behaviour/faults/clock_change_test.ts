import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bodyBytesIn,
  bytesOf,
  isThere,
  OLD_MS,
  pathsOf,
  setAge,
  writePair,
} from "../../fixtures/directory/files.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { CallFault } from "../../fixtures/faults/disk_faults.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const YEARS_MS = 3 * 365 * 86_400_000;
const SIZE = 1_000;
const ROOM_FOR_3 = { maxSizeMb: 3 * SIZE / 1_048_576 };

async function put(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    assert(await cache.put(url, bytesOf(SIZE), "image/png", "a.png"));
  }
}

async function use(cache: MediaCache, url: string): Promise<void> {
  await using media = await cache.get(url);
  assertEquals(await media?.bytes(), bytesOf(SIZE));
}

/** The URLs of the stored entries, most recent first. */
async function order(cache: MediaCache): Promise<string> {
  return (await Array.fromAsync(cache.entries(), ({ url }) => url)).join("");
}

function open(
  cacheDir: string,
  options: MediaCacheOptions = {},
): Promise<MediaCache> {
  return MediaCache.open({ cacheDir, onEvent: () => {}, ...options });
}

async function sidecarTime(dir: string, url: string): Promise<number> {
  return JSON.parse(await Deno.readTextFile(pathsOf(dir, url).json)).ts;
}

async function mtimeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mtime?.getTime() ?? 0;
}

for (
  const [how, shiftMs] of [["back", -YEARS_MS], ["forward", YEARS_MS]] as const
) {
  Deno.test(`a clock set ${how} by years changes neither the order of uses nor the budget`, async () => {
    await using dir = await tempDir();
    using clock = new ShiftedClock();
    await using cache = await open(dir.path, ROOM_FOR_3);
    await put(cache, "a", "b", "c");

    clock.aheadMs = shiftMs;
    await use(cache, "a");
    await put(cache, "d");
    assertEquals(await order(cache), "dac");
    clock.aheadMs = 0;
    await use(cache, "c");
    await put(cache, "e");

    assertEquals(await order(cache), "ecd");
    assertEquals(await bodyBytesIn(dir.path), 3 * SIZE);
  });

  Deno.test(`ts rises within a process although the clock is set ${how} by years`, async () => {
    await using dir = await tempDir();
    using clock = new ShiftedClock();
    await using cache = await open(dir.path);
    const times: number[] = [];
    for (
      const [url, aheadMs] of [["a", 0], ["b", shiftMs], ["c", 0]] as const
    ) {
      clock.aheadMs = aheadMs;
      await put(cache, url);
      times.push(await sidecarTime(dir.path, url));
    }

    assertEquals(times, [...new Set(times)].sort((a, b) => a - b));
  });

  Deno.test(`the order of uses survives a start with a clock set ${how} by years, and a start with the right clock`, async () => {
    await using dir = await tempDir();
    {
      await using cache = await open(dir.path);
      await put(cache, "a", "b", "c", "d");
      await use(cache, "b");
    }
    {
      using _clock = new ShiftedClock(shiftMs);
      await using cache = await open(dir.path, ROOM_FOR_3);
      assertEquals(await order(cache), "bdca");
      await use(cache, "a");
    }

    await using cache = await open(dir.path);
    assertEquals(await order(cache), "abdc");
  });

  Deno.test(`a download does not time out when the clock is set ${how} by years`, async () => {
    await using dir = await tempDir();
    using clock = new ShiftedClock();
    await using cache = await open(dir.path, {
      idleTimeoutMs: 60_000,
      timeoutMs: 60_000,
    });
    const halves = [bytesOf(SIZE), bytesOf(SIZE, 2)];
    const data = new ReadableStream<Uint8Array>({
      pull(controller) {
        clock.aheadMs += shiftMs;
        const half = halves.shift();
        if (half === undefined) controller.close();
        else controller.enqueue(half);
      },
    });

    await using media = await cache.getOrDownload(
      "a",
      () => Promise.resolve({ data }),
    );

    assertEquals((await media.bytes()).length, 2 * SIZE);
    assertEquals(await media.stored, true);
  });
}

Deno.test("a use dated by a wrong clock is the last use at the next start, but not at later starts", async () => {
  await using dir = await tempDir();
  const future = await writePair(dir.path, "f", bytesOf(SIZE), {
    ageMs: -YEARS_MS,
  });
  await writePair(dir.path, "a", bytesOf(SIZE), { ageMs: OLD_MS });
  {
    // Files have times in milliseconds, and the next use may fall in the same one.
    using _clock = new ShiftedClock(-1_000);
    await using cache = await open(dir.path);
    assertEquals(await order(cache), "fa");
  }
  assert(await mtimeOf(future.dat) <= Date.now());
  {
    await using cache = await open(dir.path);
    await use(cache, "a");
  }

  await using cache = await open(dir.path);
  assertEquals(await order(cache), "af");
});

for (const minutes of [1, 4, 60]) {
  Deno.test(`the entry used last is the last to be evicted after the clock was set back by ${minutes} min between two runs`, async () => {
    await using dir = await tempDir();
    {
      await using cache = await open(dir.path);
      await put(cache, "a", "b", "c");
    }
    using _clock = new ShiftedClock(-minutes * 60_000);
    {
      await using cache = await open(dir.path);
      await use(cache, "a");
    }

    await using cache = await open(dir.path, ROOM_FOR_3);
    await put(cache, "d", "e");

    assertEquals(await order(cache), "eda");
  });

  Deno.test(`the entry used last is the last to be evicted after the clock was set back by ${minutes} min during a run`, async () => {
    await using dir = await tempDir();
    using clock = new ShiftedClock();
    {
      await using cache = await open(dir.path);
      await put(cache, "a", "b", "c");
    }
    {
      await using cache = await open(dir.path);
      clock.aheadMs = -minutes * 60_000;
      await use(cache, "a");
    }

    await using cache = await open(dir.path, ROOM_FOR_3);
    await put(cache, "d", "e");

    assertEquals(await order(cache), "eda");
  });
}

Deno.test("entries of an index keep their order after the clock was set back by minutes", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  {
    await using cache = await open(dir.path);
    await put(cache, "a", "b", "c");
  }
  using _clock = new ShiftedClock(-120_000);
  {
    await using cache = await open(dir.path);
    await use(cache, "a");
    assertEquals(await order(cache), "acb");
  }

  await using cache = await open(dir.path, ROOM_FOR_3);
  await put(cache, "d", "e");

  assertEquals(await order(cache), "eda");
});

Deno.test("a cache that only reads leaves wrong dates unchanged", async () => {
  await using dir = await tempDir();
  const { dat } = await writePair(dir.path, "f", bytesOf(SIZE), {
    ageMs: -YEARS_MS,
  });
  {
    await using cache = await open(dir.path, { readOnly: true });
    assertEquals(await order(cache), "f");
  }

  assert(await mtimeOf(dat) > Date.now());
});

Deno.test("entries dated by a wrong clock, sidecars included, are evicted in the order of their uses", async () => {
  await using dir = await tempDir();
  for (const [i, url] of ["c", "a", "b"].entries()) {
    const ageMs = -YEARS_MS - i * 1_000;
    const ts = 4e9 - i;
    await writePair(dir.path, url, bytesOf(SIZE), { ageMs, sidecar: { ts } });
  }
  await using cache = await open(dir.path, ROOM_FOR_3);
  assertEquals(await order(cache), "bac");

  await put(cache, "d", "e");

  assertEquals(await order(cache), "edb");
});

Deno.test("a leftover dated by a wrong clock gets its grace period from the first start that sees it", async () => {
  await using dir = await tempDir();
  const { dat, json } = await writePair(dir.path, "a", bytesOf(SIZE));
  await Deno.remove(json);
  const staged = join(dir.path, `${keyOf("b")}.12ab0.part`);
  await Deno.writeFile(staged, bytesOf(SIZE));
  for (const path of [dat, staged]) await setAge(path, -YEARS_MS);
  {
    await using cache = await open(dir.path);
    assertEquals(cache.stats().orphanBytes, 2 * SIZE);
  }
  using _clock = new ShiftedClock(OLD_MS);

  await using cache = await open(dir.path);

  assertEquals(cache.stats().orphanBytes, 0);
  assertEquals([await isThere(dat), await isThere(staged)], [false, false]);
});

/** A leftover of each kind. */
async function leftovers(dir: string, ageMs: number): Promise<string[]> {
  const alone = await writePair(dir, "alone", bytesOf(SIZE), { ageMs });
  await Deno.remove(alone.json);
  const bodiless = await writePair(dir, "bodiless", bytesOf(SIZE), { ageMs });
  await Deno.remove(bodiless.dat);
  const wrong = await writePair(dir, "wrong", bytesOf(SIZE), {
    ageMs,
    sidecar: { size: SIZE + 1 },
  });
  const staged = join(dir, `${keyOf("staged")}.12ab0.part`);
  const claimed = join(dir, `${keyOf("claimed")}.download.part`);
  for (const path of [staged, claimed]) {
    await Deno.writeFile(path, bytesOf(SIZE));
    await setAge(path, ageMs);
  }
  return [alone.dat, bodiless.json, wrong.dat, wrong.json, staged, claimed];
}

for (
  const [when, aheadMs] of [["an hour ahead", 3_600_000], [
    "in 2100",
    YEARS_MS * 25,
  ]] as const
) {
  Deno.test(`verify() with fix removes leftovers dated ${when}, a grace period after it first saw them`, async () => {
    await using dir = await tempDir();
    const paths = await leftovers(dir.path, -aheadMs);
    // Each run in a process of its own, like the command line.
    const verify = async (fix: boolean) => {
      const options = { cacheDir: dir.path, onEvent: () => {} };
      await using cache = new MediaCache(options);
      const { problems, fixed } = await cache.verify({ fix });
      return [problems.filter(({ young }) => young).length, fixed];
    };
    const latest = async () =>
      Math.max(...await Promise.all(paths.map(mtimeOf)));

    assertEquals(await verify(false), [5, 0]);
    assert(await latest() > Date.now() + aheadMs / 2);
    assertEquals(await verify(true), [5, 0]);
    assert(await latest() <= Date.now());
    using clock = new ShiftedClock(5 * 60_000);
    // The .part files, which nobody has locked.
    assertEquals(await verify(true), [3, 2]);
    clock.aheadMs = OLD_MS;
    assertEquals(await verify(true), [0, 3]);

    for (const path of paths) assertEquals(await isThere(path), false);
  });
}

Deno.test("leftovers dated in the future are removed after the grace period, even if their dates cannot be set", async () => {
  await using dir = await tempDir();
  const paths = await leftovers(dir.path, -YEARS_MS);
  using clock = new ShiftedClock();
  using timers = holdTimers();
  using refused = new CallFault("utimeSync", new Error("not permitted"));
  await using cache = await open(dir.path);

  // The .part files, which nobody has locked, go after 5 seconds.
  for (const [minutes, fixed] of [[0.05, 0], [3, 2], [6, 0], [9, 0]] as const) {
    clock.aheadMs = minutes * 60_000;
    assertEquals(await cache.get("wrong"), undefined);
    assertEquals((await cache.verify({ fix: true })).fixed, fixed);
  }
  clock.aheadMs = OLD_MS;
  await timers.waiting.find(({ waitMs }) => waitMs > 5_000)?.callback();

  for (const path of paths) assertEquals(await isThere(path), false);
  assertEquals(cache.stats().orphanBytes, 0);
  // Asked once for each leftover, and not at every look.
  assertEquals(refused.calls, 5);
});

Deno.test("a clock set forward by years turns no running download into a leftover", async () => {
  await using dir = await tempDir();
  await using cache = await open(dir.path);
  const source = new TransformStream<Uint8Array, Uint8Array>();
  const writer = source.writable.getWriter();
  const call = cache.getOrDownload(
    "a",
    () => Promise.resolve({ data: source.readable }),
  );
  await writer.write(bytesOf(SIZE));
  await using media = await call;
  {
    using _clock = new ShiftedClock(YEARS_MS);
    await using _other = await open(dir.path);
  }
  await writer.close();

  assertEquals(await media.bytes(), bytesOf(SIZE));
  assertEquals(await media.stored, true);
});

Deno.test("a link under a leftover's name keeps the date of its target, whatever date the leftover has", async () => {
  await using dir = await tempDir();
  await using elsewhere = await tempDir();
  const victim = join(elsewhere.path, "victim");
  await Deno.writeFile(victim, bytesOf(SIZE));
  await setAge(victim, OLD_MS);
  const before = await mtimeOf(victim);
  const { dat, json } = await writePair(dir.path, "a", bytesOf(SIZE));
  await Deno.remove(dat);
  await Deno.symlink(victim, dat);
  await setAge(json, -YEARS_MS);

  await using _cache = await open(dir.path);

  assertEquals(await mtimeOf(victim), before);
  assert(await mtimeOf(json) <= Date.now());
});

Deno.test("a use sets no time on the target of a link that has replaced the body", async () => {
  await using dir = await tempDir();
  await using elsewhere = await tempDir();
  const victim = join(elsewhere.path, "victim");
  await Deno.writeFile(victim, bytesOf(SIZE));
  await setAge(victim, OLD_MS);
  const before = await mtimeOf(victim);
  {
    await using cache = await open(dir.path);
    await put(cache, "a");
    await use(cache, "a");
    const { dat } = pathsOf(dir.path, "a");
    await Deno.remove(dat);
    await Deno.symlink(victim, dat);
  }

  assertEquals(await mtimeOf(victim), before);
});
