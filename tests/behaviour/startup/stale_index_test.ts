/** The index is compared with the disk, and its wrong records are corrected. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  CacheClosedError,
  MediaCache,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { bytesOf, pathsOf } from "../../fixtures/directory/files.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 100;
const COUNT = 100;
const HOUR_MS = 3_600_000;

/** Pairs with bodies used one after the other, up to an hour ago. */
async function fill(dir: string, count = COUNT): Promise<string[]> {
  const urls = Array.from({ length: count }, (_, i) => `${i}`);
  const start = Date.now() - HOUR_MS;
  for (const [i, url] of urls.entries()) {
    const { dat, json } = pathsOf(dir, url);
    Deno.writeFileSync(dat, bytesOf(SIZE, i));
    Deno.writeTextFileSync(json, JSON.stringify({ url, size: SIZE, ts: 1 }));
    const time = new Date(start + 10 * i);
    Deno.utimeSync(dat, time, time);
  }
  await using _cache = await MediaCache.open({ cacheDir: dir });
  return urls.reverse();
}

/** Writes a body and its sidecar in place, as the Python original does. */
async function rewrite(dir: string, url: string, text: string): Promise<void> {
  const { dat, json } = pathsOf(dir, url);
  const sidecar = { url, mimetype: "text/new", filename: "new.txt" };
  await Deno.writeTextFile(dat, text);
  await Deno.writeTextFile(json, JSON.stringify(sidecar));
}

async function order(cache: MediaCache): Promise<string[]> {
  return await Array.fromAsync(cache.entries(), ({ url }) => url);
}

async function served(
  cache: MediaCache,
  url: string,
): Promise<[type: string, text: string] | undefined> {
  await using media = await cache.get(url);
  if (media === undefined) return undefined;
  return [media.mimetype, new TextDecoder().decode(await media.bytes())];
}

for (const verifyOnRead of [false, true]) {
  const how = verifyOnRead ? "with verifyOnRead" : "without verifyOnRead";

  Deno.test(`an entry rewritten in place at the same length is served as it is now, ${how}`, async () => {
    using _indexing = indexEverything();
    await using dir = await tempDir();
    const text = "x".repeat(SIZE);
    const open = () => MediaCache.open({ cacheDir: dir.path, verifyOnRead });
    {
      await using cache = await open();
      for (const url of ["a", "b"]) {
        await cache.put(url, bytesOf(SIZE), "image/png", "a.png");
      }
    }
    {
      await using cache = await open();
      // While it runs, and then it is closed as usual.
      assert(await cache.has("a"));
      await rewrite(dir.path, "a", text);
      await served(cache, "a");
    }
    await rewrite(dir.path, "b", text);

    for (let start = 0; start < 3; start++) {
      await using cache = await open();
      // Before and after the comparison.
      assertEquals(await served(cache, "a"), ["text/new", text]);
      assertEquals(await served(cache, "b"), ["text/new", text]);
      assertEquals((await order(cache)).length, 2);
      assertEquals((await cache.infoByKey(keyOf("a")))?.filename, "new.txt");
    }
  });
}

Deno.test("a sidecar broken after the index was written is a miss at once, and reported", async (t) => {
  const breakages: Record<string, (json: string, other: string) => unknown> = {
    "cut": (json) => Deno.truncate(json, 20),
    "emptied": (json) => Deno.truncate(json, 0),
    "removed": (json) => Deno.remove(json),
    "of another entry": (json, other) => Deno.copyFile(other, json),
    "in a folder's place": async (json) => {
      await Deno.remove(json);
      await Deno.mkdir(json);
    },
  };
  for (const [what, breakIt] of Object.entries(breakages)) {
    for (const early of [true, false]) {
      await t.step(
        `${what}, ${early ? "before" : "after"} the comparison`,
        async () => {
          using _indexing = indexEverything();
          await using dir = await tempDir();
          await fill(dir.path);
          const [a, b] = ["7", "8"].map((url) => pathsOf(dir.path, url));
          assert(a && b);
          await breakIt(a.json, b.json);
          const recorder = new Recorder();
          await using cache = await MediaCache.open({
            cacheDir: dir.path,
            onEvent: recorder.onEvent,
          });
          if (!early) await order(cache);

          assertEquals(await cache.get("7"), undefined);
          assertEquals(await cache.has("7"), false);

          assertEquals((await order(cache)).includes("7"), false);
          assertEquals(cache.stats().entries, COUNT - 1);
          assert(recorder.of("skipped").length >= 1);
          assert(await cache.put("7", bytesOf(5), "a/b", "c"));
          assert(await cache.has("7"));
        },
      );
    }
  }
});

Deno.test("put() right after opening stores an entry that another process has removed", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const urls = await fill(dir.path);
  const removed = urls.filter((_, i) => i % 3 === 0);
  for (const url of removed) {
    const { dat, json } = pathsOf(dir.path, url);
    await Deno.remove(dat);
    await Deno.remove(json);
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  for (const url of removed) {
    assert(await cache.put(url, bytesOf(SIZE), "image/png", "a.png"));
  }

  for (const url of removed) assert(await cache.has(url));
  assertEquals(cache.stats().entries, COUNT);
});

Deno.test("uses dated in the future keep their order, with and without an index", async (t) => {
  for (const isTold of [true, false]) {
    await t.step(
      isTold ? "the index tells of them" : "the disk does",
      async () => {
        using _indexing = indexEverything();
        await using dir = await tempDir();
        const cacheDir = dir.path;
        const urls = await fill(cacheDir);
        for (const [i, url] of urls.toReversed().entries()) {
          const time = new Date(Date.now() + HOUR_MS + 10 * i);
          await Deno.utime(pathsOf(cacheDir, url).dat, time, time);
        }
        if (isTold) {
          using _clock = new ShiftedClock(2 * HOUR_MS);
          // So that nothing is corrected, but the index is written.
          await using cache = await MediaCache.open({ cacheDir });
          await cache.put("new", bytesOf(1), "a/b", "c");
          await cache.delete("new");
        }

        await using cache = await MediaCache.open({ cacheDir });

        assertEquals(await order(cache), urls);
      },
    );
  }
});

Deno.test("a use during the comparison of the index counts, also of a replaced entry", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const cacheDir = dir.path;
  const urls = await fill(cacheDir);
  const replaced = urls.filter((_, i) => i % 4 === 0);
  for (const url of replaced) {
    const { dat } = pathsOf(cacheDir, url);
    await Deno.copyFile(dat, `${dat}.new`);
    const time = new Date(Date.now() - 2 * HOUR_MS);
    await Deno.utime(`${dat}.new`, time, time);
    await Deno.rename(`${dat}.new`, dat);
  }
  const used: string[] = [];
  {
    await using cache = await MediaCache.open({ cacheDir });
    const comparing = order(cache);
    for (const url of replaced.slice(0, 20)) {
      assert(await cache.put(url, bytesOf(1), "a/b", "c"));
      used.unshift(url);
      const other = replaced.at(-used.length) ?? "";
      await using _media = await cache.getByKey(keyOf(other), { peek: true });
    }
    await comparing;
    assertEquals((await order(cache)).slice(0, used.length), used);
  }

  await using cache = await MediaCache.open({ cacheDir });
  assertEquals((await order(cache)).slice(0, used.length), used);
});

Deno.test("a lookup before the index is read counts an entry once, and peeks do not move it", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const urls = await fill(dir.path);
  const cache = new MediaCache({ cacheDir: dir.path });
  await using _closed = cache;
  const [oldest, used] = [urls.at(-1) ?? "", urls.at(-2) ?? ""];

  await using peeked = await cache.getByKey(keyOf(oldest), { peek: true });
  assertEquals(await peeked?.bytes(), bytesOf(SIZE, 0));
  assert(await served(cache, used));
  await cache.ensureLoaded();

  const { entries, totalBytes } = cache.stats();
  assertEquals([entries, totalBytes], [COUNT, COUNT * SIZE]);
  const rest = urls.filter((url) => url !== used);
  assertEquals(await order(cache), [used, ...rest]);
});

Deno.test("entries() rejects if the cache is closed before all entries are known", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, 1_000);
  const cache = await MediaCache.open({ cacheDir: dir.path });

  const listing = order(cache);
  await Promise.all([
    assertRejects(() => listing, CacheClosedError),
    cache.close(),
  ]);

  assertEquals(cache.stats().diskErrors, 0);
});

Deno.test("close() does not wait for others to write its index", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const urls = await fill(dir.path);
  const options: MediaCacheOptions = { cacheDir: dir.path };
  const cache = await MediaCache.open(options);
  await order(cache);
  assert(await served(cache, urls[5] ?? ""));
  const busy = await Deno.open(join(dir.path, CHANGES_NAME), { write: true });
  await busy.lock(true);
  const closed = cache.close({ abort: true }).then(() => "closed");
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("late"), 5_000);

  assertEquals(await Promise.race([closed, late.promise]), "closed");

  clearTimeout(timer);
  busy.close();
  await using again = await MediaCache.open(options);
  assertEquals((await order(again))[0], urls[5]);
});
