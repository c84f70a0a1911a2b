import { assert, assertEquals } from "@std/assert";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import {
  bodyBytesIn,
  bytesOf,
  namesIn,
  pathsOf,
  setAge,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 1_000;

async function put(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    assert(await cache.put(url, bytesOf(SIZE), "image/png", "a.png"));
  }
}

async function use(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    await using media = await cache.get(url);
    assert(media);
  }
}

/** The URLs of a directory's entries, most recent first, in a new cache. */
async function reopened(
  cacheDir: string,
  options: MediaCacheOptions = {},
): Promise<string[]> {
  await using cache = await MediaCache.open({ cacheDir, ...options });
  return await Array.fromAsync(cache.entries(), ({ url }) => url);
}

Deno.test("a new cache serves the entries of an earlier cache", async () => {
  await using dir = await tempDir();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await put(cache, "a", "b");
  }

  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const { entries, totalBytes, entriesInMemory } = cache.stats();
  assertEquals([entries, totalBytes, entriesInMemory], [2, 2 * SIZE, 0]);
  for (const url of ["a", "b"]) {
    await using media = await cache.get(url);
    assertEquals(await media?.bytes(), bytesOf(SIZE));
  }
});

Deno.test("the order of uses survives a restart, hits from memory and puts of known URLs included", async () => {
  await using dir = await tempDir();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await put(cache, "a", "b", "c", "d");
    await use(cache, "b", "a");
    await put(cache, "c");
  }

  assertEquals(await reopened(dir.path), ["c", "a", "b", "d"]);
});

Deno.test("the order of hits from disk survives a restart", async () => {
  await using dir = await tempDir();
  for (const [i, url] of ["a", "b", "c"].entries()) {
    await writePair(dir.path, url, bytesOf(SIZE), { ageMs: 9_000 - i });
  }
  {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      maxMemoryItems: 0,
    });
    await use(cache, "b", "a");
  }

  assertEquals(await reopened(dir.path), ["a", "b", "c"]);
});

Deno.test("hundreds of puts and uses within milliseconds keep their order over a restart", async () => {
  await using dir = await tempDir();
  const urls = Array.from({ length: 400 }, (_, i) => `${i}`);
  const uses = urls.filter((_, i) => i % 3 === 0).reverse();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await put(cache, ...urls);
    await use(cache, ...uses);
  }

  const rest = urls.filter((_, i) => i % 3 !== 0);
  assertEquals(await reopened(dir.path), [...rest, ...uses].reverse());
});

Deno.test("puts within one millisecond keep their order even without a flush", async () => {
  await using dir = await tempDir();
  using _timers = holdTimers();
  const { now } = Date;
  const time = now();
  Date.now = () => time;
  const urls = Array.from({ length: 50 }, (_, i) => `${i}`);
  const killed = new MediaCache({ cacheDir: dir.path });
  try {
    await put(killed, ...urls);
  } finally {
    Date.now = now;
  }

  assertEquals(await reopened(dir.path), urls.toReversed());
  await killed.close();
});

Deno.test("uses are on disk within 5 seconds, without a close", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(SIZE), { ageMs: 9_000 });
  await writePair(dir.path, "b", bytesOf(SIZE), { ageMs: 8_000 });
  using timers = holdTimers();
  const killed = await MediaCache.open({ cacheDir: dir.path });
  await use(killed, "a");

  const flushes = timers.waiting.filter(({ waitMs }) =>
    waitMs > 1_000 && waitMs <= 5_000
  );
  assertEquals(flushes.map(({ unreferenced }) => unreferenced), [true]);
  await flushes[0]?.callback();

  assertEquals(await reopened(dir.path), ["a", "b"]);
  await killed.close();
});

Deno.test("eviction after a restart follows the order of uses", async () => {
  await using dir = await tempDir();
  const maxSizeMb = 3 * SIZE / 1_048_576;
  {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      maxSizeMb,
    });
    await put(cache, "a", "b", "c");
    await use(cache, "a");
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });

  await put(cache, "d", "e");

  const order = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(order, ["e", "d", "a"]);
  assertEquals(await bodyBytesIn(dir.path), 3 * SIZE);
});

Deno.test("last access is the mtime of the body, and storedAt the ts of the sidecar", async () => {
  await using dir = await tempDir();
  const { dat } = await writePair(dir.path, "a", bytesOf(SIZE), {
    sidecar: { ts: 1_700_000_000.5 },
  });
  await Deno.utime(dat, 1_710_000_000, 1_710_000_000);
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const [entry] = await Array.fromAsync(cache.entries());

  assertEquals(entry?.storedAt, 1_700_000_000_500);
  assertEquals(entry?.lastAccess, 1_710_000_000_000);
});

Deno.test("a body dated in the future is no more recent than an entry used now", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "future", bytesOf(SIZE), { ageMs: -3_600_000 });
  await writePair(dir.path, "old", bytesOf(SIZE), { ageMs: 3_600_000 });
  const maxSizeMb = 2 * SIZE / 1_048_576;
  {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      maxSizeMb,
    });
    const [first] = await Array.fromAsync(cache.entries());
    assert((first?.lastAccess ?? Infinity) <= Date.now());
    await use(cache, "old");
    await put(cache, "new");
    assertEquals(await cache.has("future"), false);
  }
});

Deno.test("equal mtimes are ordered by the time of storing", async () => {
  await using dir = await tempDir();
  const urls = ["c", "a", "d", "b"];
  for (const [i, url] of urls.entries()) {
    const { dat } = await writePair(dir.path, url, bytesOf(SIZE), {
      sidecar: { ts: 1_700_000_000 + i / 1_000_000 },
    });
    await Deno.utime(dat, 1_710_000_000, 1_710_000_000);
  }

  assertEquals(await reopened(dir.path), urls.toReversed());
});

Deno.test("opening and closing changes no file", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(SIZE), { ageMs: 60_000 });
  await writePair(dir.path, "b", bytesOf(SIZE), { ageMs: -60_000 });
  const before = await snapshotOf(dir.path);

  assertEquals(await reopened(dir.path), ["b", "a"]);
  assertEquals(await reopened(dir.path, { maxSizeMb: 0 }), ["b", "a"]);

  assertEquals(await snapshotOf(dir.path), before);
});

Deno.test("a smaller budget takes effect with the next put", async () => {
  await using dir = await tempDir();
  for (const [i, url] of ["a", "b", "c"].entries()) {
    const { dat } = await writePair(dir.path, url, bytesOf(SIZE));
    await setAge(dat, 9_000 - i);
  }
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: SIZE / 1_048_576,
  });

  await put(cache, "d");

  const { key } = pathsOf(dir.path, "d");
  assertEquals(await namesIn(dir.path), [`${key}.dat`, `${key}.json`]);
});
