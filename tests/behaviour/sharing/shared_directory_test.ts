import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { PairStore } from "../../../src/core/disk/pair_store.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  setAge,
} from "../../fixtures/directory/files.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { nextMillisecond } from "../../fixtures/time/next_millisecond.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 1_000;
const maxSizeMb = 3 * SIZE / 1_048_576;

async function put(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    // Within one millisecond the order of two caches would be unknown.
    await nextMillisecond();
    assert(await cache.put(url, bytesOf(SIZE), "image/png", "a.png"));
  }
}

Deno.test("two caches of one directory find each other's entries", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });

  await put(one, "a");
  await put(two, "b");

  for (const [cache, url] of [[one, "b"], [two, "a"]] as const) {
    assertEquals(await cache.has(url), true);
    await using media = await cache.getOrDownload(url, () => {
      throw new Error("not called");
    });
    assertEquals(media.source, "disk");
    assertEquals(await media.bytes(), bytesOf(SIZE));
    assertEquals(cache.stats().entries, 2);
  }
  const { key } = pathsOf(dir.path, "b");
  await using media = await one.getByKey(key);
  assertEquals(media?.url, "b");
});

Deno.test("open() does not wait for others that change the directory all the time", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");
  const busy = await Deno.open(join(dir.path, CHANGES_NAME), { write: true });
  await busy.lock(true);
  await using two = await MediaCache.open({ cacheDir: dir.path });
  assertEquals(two.stats().entries, 1);
  busy.close();

  await put(one, "b");
  await one.delete("a");
  await put(two, "c");

  const urls = await Array.fromAsync(two.entries(), ({ url }) => url);
  assertEquals(urls, ["c", "b"]);
});

Deno.test("the lock of commits is free while readers are half-way and downloads run", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);
  const size = 1_000_000;
  await one.put("stored", bytesOf(size), "image/png", "a.png");
  const { tap, call } = await begin(one, "running", { size });
  using lock = await Deno.open(join(dir.path, CHANGES_NAME), { write: true });
  // A commit may end a few turns later where the disk is slow; a reader with
  // the lock would never give it back here.
  const becomesFree = async () => {
    for (let turns = 0; turns < 10_000; turns++) {
      const free = lock.tryLockSync(true);
      if (free) return lock.unlockSync();
      await turn();
    }
    throw new Error("Somebody holds the lock");
  };
  await becomesFree();

  tap.write(bytesOf(size / 2));
  const never = () => Promise.reject(new Error("not called"));
  const readers = [];
  for (const cache of [one, two]) {
    const running = cache === one
      ? call
      : cache.getOrDownload("running", never);
    for (const media of [await cache.get("stored"), await running]) {
      const reader = media!.body.getReader();
      await readSome(reader, 1);
      await becomesFree();
      readers.push(reader);
    }
  }
  tap.write(bytesOf(size / 2));
  tap.end();

  for (const reader of readers) {
    await readRest(reader);
    await becomesFree();
  }
});

Deno.test("a put of a URL that the other cache stored keeps its bytes", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");

  assertEquals(await two.put("a", bytesOf(5), "image/png", "x"), true);

  await using media = await two.get("a");
  assertEquals(await media?.bytes(), bytesOf(SIZE));
});

Deno.test("an entry that the other cache replaced is served anew from disk", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);
  await put(one, "a");
  await using before = await one.get("a");

  await two.put("a", bytesOf(7), "audio/ogg", "b.oga", { replace: true });

  await using media = await one.get("a");
  assertEquals([media?.mimetype, media?.size], ["audio/ogg", 7]);
  assertEquals(await media?.bytes(), bytesOf(7));
  assertEquals(await before?.bytes(), bytesOf(SIZE));
  assertEquals([one.stats().entries, one.stats().totalBytes], [1, 7]);
});

Deno.test("an entry that the other cache replaced twice is served anew, even with the old inode", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);
  await put(one, "a");
  // Repeated until every step falls into one tick of the disk's clock.
  for (let i = 0; i < 100; i++) {
    for (const n of [1, 2, 3]) {
      if (n === 2) await (await one.get("a"))?.bytes();
      await two.put("a", bytesOf(SIZE, n), `test/x-${n}`, "b", {
        replace: true,
      });
    }

    await using media = await one.get("a");
    assertEquals(media?.mimetype, "test/x-3");
    assertEquals(await media?.bytes(), bytesOf(SIZE, 3));
  }
});

/**
 * Puts an entry, dates it, looks it up, and puts an equal entry in its place.
 */
async function replaceAlike(
  dir: string,
  ages: { beforeMs: number; afterMs: number },
): Promise<MediaCache> {
  const cache = await MediaCache.open({ cacheDir: dir, maxMemoryItems: 0 });
  await put(cache, "a");
  const { dat, json } = pathsOf(dir, "a");
  const now = Date.now();
  const date = async (ageMs: number) => {
    const time = new Date(now - ageMs);
    await Deno.utime(dat, time, time);
  };
  await date(ages.beforeMs);
  await (await cache.get("a"))?.bytes();

  // In place, so that the inode is the same.
  const sidecar = JSON.parse(await Deno.readTextFile(json));
  const other = { ...sidecar, mimetype: "test/x", ts: sidecar.ts + 1 };
  await Deno.writeTextFile(json, JSON.stringify(other));
  await Deno.writeFile(dat, bytesOf(SIZE, 9));
  await date(ages.afterMs);
  return cache;
}

Deno.test("an entry rewritten at the same length is served anew", async () => {
  await using dir = await tempDir();
  const ages = { beforeMs: 60_000, afterMs: 0 };
  await using cache = await replaceAlike(dir.path, ages);

  await using media = await cache.get("a");
  assertEquals(media?.mimetype, "test/x");
  assertEquals(await media?.bytes(), bytesOf(SIZE, 9));
});

Deno.test("an entry looked up just after it was written is served anew, even with equal facts", async () => {
  await using dir = await tempDir();
  const ages = { beforeMs: -5000, afterMs: -5000 };
  await using cache = await replaceAlike(dir.path, ages);
  const { key } = pathsOf(dir.path, "a");
  assertEquals((await cache.infoByKey(key))?.mimetype, "test/x");

  await using media = await cache.get("a");
  assertEquals(media?.mimetype, "test/x");
  assertEquals(await media?.bytes(), bytesOf(SIZE, 9));
});

Deno.test("the sidecars of two puts within a millisecond differ in mtime, and from what is written later", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  const { json } = pathsOf(dir.path, "a");
  await put(one, "first");
  const { now } = Date;
  const stillMs = now();
  Date.now = () => stillMs;
  const mtimes: number[] = [];

  try {
    for (const cache of [one, two]) {
      assert(await cache.put("a", bytesOf(SIZE), "image/png", "a.png"));
      mtimes.push(Deno.statSync(json).mtime?.getTime() ?? NaN);
      assert(await two.delete("a"));
    }
  } finally {
    Date.now = now;
  }

  const [first = NaN, second = NaN] = mtimes;
  assert(first < second && second < stillMs - 100, `${mtimes} ${stillMs}`);
});

Deno.test("an entry that the other cache deleted is a miss, once it is not in memory", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
    onEvent: () => {},
  });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");

  await two.delete("a");

  assertEquals(await one.has("a"), false);
  assertEquals(await one.get("a"), undefined);
  assertEquals([one.stats().entries, one.stats().diskErrors], [0, 0]);
});

Deno.test("a touch in one cache protects from eviction by the other", async () => {
  await using dir = await tempDir();
  using timers = holdTimers();
  await using one = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(one, "a", "b", "c");
  for (const [i, url] of ["a", "b", "c"].entries()) {
    await setAge(pathsOf(dir.path, url).dat, 60_000 - i);
  }
  await using two = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await using three = await MediaCache.open({ cacheDir: dir.path });
  const pending = timers.waiting.length;
  await (await three.get("a"))?.bytes();
  await timers.waiting[pending]?.callback();

  await put(two, "d");

  assertEquals(await two.has("a"), true);
  assertEquals(await two.has("b"), false);
  const urls = await Array.fromAsync(two.entries(), ({ url }) => url);
  assertEquals(urls, ["d", "a", "c"]);
});

Deno.test("a touch that is flushed late does not undo a later touch of the other cache", async () => {
  await using dir = await tempDir();
  using timers = holdTimers();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  const { now } = Date;
  Date.now = () => now() - 3_000;
  try {
    await put(one, "a");
  } finally {
    Date.now = now;
  }
  const { dat } = pathsOf(dir.path, "a");
  const [flush] = timers.waiting;
  const later = Date.now() - 1_000;
  await Deno.utime(dat, new Date(later), new Date(later));

  await flush?.callback();

  assertEquals((await Deno.stat(dat)).mtime?.getTime(), later);
});

Deno.test("an entry that the other cache evicted does not count when the next is stored", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(one, "a", "b", "c");
  await using two = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await two.clear();

  await put(one, "d");

  assertEquals(one.stats().evictions, 0);
  assertEquals(await one.has("d"), true);
  assertEquals((await namesIn(dir.path)).length, 2);
});

Deno.test("a closed cache rejects, and the other continues", async () => {
  await using dir = await tempDir();
  const one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");

  await one.close();

  await assertRejects(() => one.get("a"), Error, "closed");
  await using media = await two.get("a");
  assertEquals(await media?.bytes(), bytesOf(SIZE));
});

Deno.test("two caches that both store keep the directory within the budget", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxSizeMb };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);

  for (let i = 0; i < 10; i++) {
    await put(i % 3 === 0 ? one : two, `${i}`);
    const dats = (await namesIn(dir.path)).filter((name) =>
      name.endsWith(".dat")
    );
    assertEquals(dats.length, Math.min(i + 1, 3));
  }
  await put(one, "last");
  assertEquals([one.stats().entries, one.stats().totalBytes], [3, 3 * SIZE]);
});

Deno.test("an entry of the other cache is listed, and a deleted one is not", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  const listed = async () => {
    const entries = await Array.fromAsync(two.entries());
    return entries.map(({ url }) => url);
  };

  await put(one, "a", "b");
  assertEquals(await listed(), ["b", "a"]);
  await one.delete("a");
  assertEquals(await listed(), ["b"]);
  await one.clear();
  assertEquals(await listed(), []);
  assertEquals(two.stats().totalBytes, 0);
});

for (const change of ["deleted", "replaced"]) {
  Deno.test(`an entry that the other cache ${change} is not served from memory any more`, async () => {
    await using dir = await tempDir();
    await using one = await MediaCache.open({ cacheDir: dir.path });
    await using two = await MediaCache.open({ cacheDir: dir.path });
    await put(one, "a");
    await using before = await one.get("a");
    assertEquals(before?.source, "memory");

    if (change === "deleted") await two.delete("a");
    else {
      await two.put("a", bytesOf(7), "audio/ogg", "b.oga", { replace: true });
    }
    using _later = new ShiftedClock(20);

    await using media = await one.get("a");
    assertEquals(media?.size, change === "deleted" ? undefined : 7);
    assertEquals(await before?.bytes(), bytesOf(SIZE));
  });
}

Deno.test("a deleted list of changes loses no entry, and the budget holds", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxSizeMb };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);
  await put(one, "a");
  await put(two, "b");

  await Deno.remove(join(dir.path, CHANGES_NAME));
  await put(one, "c");
  await put(two, "d");

  const urls = [];
  for await (const { url } of two.entries()) urls.push(url);
  assertEquals(urls, ["d", "c", "b"]);
});

Deno.test("put() stores again an entry that the other cache has deleted", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");
  assert(await two.has("a"));
  await using _known = await two.get("a");
  await one.delete("a");

  assertEquals(await two.put("a", bytesOf(5), "image/png", "a.png"), true);

  assertEquals([await one.has("a"), await two.has("a")], [true, true]);
});

Deno.test("uses in the other cache are learned although the list of changes is lost", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a", "b", "c");
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await nextMillisecond();
  const now = new Date();
  await Deno.utime(pathsOf(dir.path, "a").dat, now, now);
  await Deno.remove(join(dir.path, CHANGES_NAME));

  await put(one, "d");
  await put(two, "e");

  const urls = await Array.fromAsync(two.entries(), ({ url }) => url);
  assertEquals(urls, ["e", "d", "a", "c", "b"]);
});

for (const change of ["deleted", "replaced"] as const) {
  Deno.test(`an entry ${change} during its first lookup is not served afterwards`, async () => {
    await using dir = await tempDir();
    await using one = await MediaCache.open({ cacheDir: dir.path });
    await using two = await MediaCache.open({
      cacheDir: dir.path,
      maxMemoryItemMb: 2 * SIZE / 1_048_576,
    });
    const replace = true;
    // At each of the points at which the lookup yields.
    for (let point = 0; point < 60; point++) {
      await put(one, "a");
      const lookup = async () => {
        for (let i = 0; i < point; i++) await undefined;
        await (await two.get("a"))?.bytes();
      };
      const body = bytesOf(3 * SIZE, 7);
      const changed = change === "deleted"
        ? two.delete("a")
        : two.put("a", body, "audio/ogg", "b.oga", { replace });
      await Promise.all([lookup(), changed]);

      const media = await two.get("a");
      const found = media && [media.mimetype, await media.bytes()];
      const wanted = change === "deleted" ? undefined : ["audio/ogg", body];
      assertEquals(found, wanted, `at point ${point}`);
      assertEquals(two.stats().entries, change === "deleted" ? 0 : 1);
      await two.delete("a");
    }
  });
}

for (const way of ["linked elsewhere and deleted", "moved away"] as const) {
  Deno.test(`a cache whose list of changes was ${way} soon sees the changes of another`, async () => {
    await using dir = await tempDir();
    const cacheDir = join(dir.path, "cache");
    await using one = await MediaCache.open({ cacheDir });
    await put(one, "a", "b");
    if (way === "moved away") {
      const copy = join(dir.path, "copy");
      await Deno.mkdir(copy);
      for (const name of await namesIn(cacheDir)) {
        await Deno.copyFile(join(cacheDir, name), join(copy, name));
      }
      await Deno.rename(cacheDir, join(dir.path, "old"));
      await Deno.rename(copy, cacheDir);
    } else {
      const list = join(cacheDir, CHANGES_NAME);
      await Deno.link(list, join(dir.path, "link"));
      await Deno.remove(list);
    }
    await using two = await MediaCache.open({ cacheDir });

    await two.put("a", bytesOf(7), "audio/ogg", "b.oga", { replace: true });
    await two.delete("b");

    while ((await one.get("a"))?.size !== 7) await turn();
    while (await one.get("b") !== undefined) await turn();
    assertEquals(one.stats().entries, 1);
  });
}

Deno.test("get() waits for the entry with which another process replaces an entry", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using one = await MediaCache.open(options);
  await using two = await MediaCache.open(options);
  await put(one, "a");
  await (await two.get("a"))?.bytes();
  const { dat, json } = pathsOf(dir.path, "a");
  const sidecar = JSON.parse(await Deno.readTextFile(json));
  using lock = await Deno.open(join(dir.path, CHANGES_NAME), { write: true });

  // Half of a commit, with the lock held.
  lock.tryLockSync(true);
  await Deno.remove(json);
  await Deno.writeFile(dat, bytesOf(7));
  const lookup = two.get("a");
  await turn();
  await Deno.writeTextFile(json, JSON.stringify({ ...sidecar, size: 7 }));
  lock.unlockSync();

  assertEquals((await lookup)?.size, 7);
});

Deno.test("files deleted during a lookup are not an entry", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(one, "a");
  const { find } = PairStore.prototype;
  PairStore.prototype.find = async function (key) {
    const found = await find.call(this, key);
    PairStore.prototype.find = find;
    assertEquals(await two.delete("a"), true);
    return found;
  };

  try {
    // The lookup began before, so it may have the bytes.
    assertEquals(await (await two.get("a"))?.bytes(), bytesOf(SIZE));
  } finally {
    PairStore.prototype.find = find;
  }

  assertEquals(await two.get("a"), undefined);
  const { entries, entriesInMemory } = two.stats();
  assertEquals([entries, entriesInMemory], [0, 0]);
});

Deno.test("an entry deleted during its first lookup, while this cache learns of it, does not count", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  await put(two, "b");
  await put(one, "a");
  const { find } = PairStore.prototype;
  PairStore.prototype.find = async function (key) {
    const found = await find.call(this, key);
    PairStore.prototype.find = find;
    assertEquals(await one.delete("a"), true);
    // Its turn reads that "a" has changed, which this cache does not know yet.
    await put(two, "c");
    return found;
  };

  try {
    await (await two.get("a"))?.bytes();
  } finally {
    PairStore.prototype.find = find;
  }

  await put(two, "d");
  const { entries, totalBytes } = two.stats();
  assertEquals([entries, totalBytes], [3, 3 * SIZE]);
});
