import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  setAge,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 1_000;
const maxSizeMb = 3 * SIZE / 1_048_576;

/** A full cache of a, b and c, oldest first. */
async function full(
  dir: string,
): Promise<{ cache: MediaCache; recorder: Recorder }> {
  for (const [i, url] of ["a", "b", "c"].entries()) {
    await writePair(dir, url, bytesOf(SIZE), { ageMs: 60_000 - i * 1_000 });
  }
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cache = await MediaCache.open({ cacheDir: dir, maxSizeMb, onEvent });
  return { cache, recorder };
}

function put(cache: MediaCache, url: string): Promise<boolean> {
  return cache.put(url, bytesOf(SIZE), "image/png", "a.png");
}

async function order(cache: MediaCache): Promise<string> {
  const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
  return urls.join("");
}

Deno.test("a victim touched meanwhile is spared, and moves to the place of its time", async () => {
  await using dir = await tempDir();
  const { cache, recorder } = await full(dir.path);
  await using _cache = cache;
  await setAge(pathsOf(dir.path, "a").dat, 58_500);

  assert(await put(cache, "d"));

  assertEquals(recorder.of("evicted").map(({ url }) => url), ["b"]);
  assertEquals(await order(cache), "dca");
});

Deno.test("when every entry was touched, the entry with the oldest touch is evicted", async () => {
  await using dir = await tempDir();
  const { cache, recorder } = await full(dir.path);
  await using _cache = cache;
  for (const [i, url] of ["b", "c", "a"].entries()) {
    await setAge(pathsOf(dir.path, url).dat, 30_000 - i * 1_000);
  }

  assert(await put(cache, "d"));
  assert(await put(cache, "e"));

  assertEquals(recorder.of("evicted").map(({ url }) => url), ["b", "c"]);
});

Deno.test("a victim with a touch in the future is spared once only", async () => {
  await using dir = await tempDir();
  const { cache } = await full(dir.path);
  await using _cache = cache;
  await setAge(pathsOf(dir.path, "a").dat, -3_600_000);

  for (const url of ["d", "e", "f", "g"]) assert(await put(cache, url));

  assertEquals(await order(cache), "gfe");
});

Deno.test("a victim that is already gone makes room, and does not count as evicted", async () => {
  await using dir = await tempDir();
  const { cache, recorder } = await full(dir.path);
  await using _cache = cache;
  await Deno.remove(pathsOf(dir.path, "a").dat);

  assert(await put(cache, "d"));

  assertEquals(recorder.of("evicted"), []);
  assertEquals(await order(cache), "dcb");
});

Deno.test("a victim that cannot be removed is reported and counts as an orphan, and the put succeeds", async () => {
  await using dir = await tempDir();
  const { cache, recorder } = await full(dir.path);
  await using _cache = cache;
  const { dat } = pathsOf(dir.path, "a");
  const { removeSync } = Deno;
  Deno.removeSync = (path) => {
    if (path === dat) throw new Deno.errors.PermissionDenied("no");
    removeSync(path);
  };
  try {
    assert(await put(cache, "d"));
  } finally {
    Deno.removeSync = removeSync;
  }

  assertEquals(await isThere(dat), true);
  assertEquals(recorder.of("diskError").length, 1);
  const { orphanBytes, totalBytes } = cache.stats();
  assertEquals([orphanBytes, totalBytes], [SIZE, 3 * SIZE]);
});

Deno.test("a put many times larger than the old entries evicts as many as needed", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  for (let i = 0; i < 100; i++) {
    await cache.put(`${i}`, bytesOf(30), "image/png", "a.png");
  }

  await cache.put("large", bytesOf(2_010), "image/png", "a.png");

  const { entries, evictions, totalBytes } = cache.stats();
  assertEquals([entries, evictions, totalBytes], [34, 67, 3_000]);
  assertEquals([await cache.has("66"), await cache.has("67")], [false, true]);
});

Deno.test("a victim that the disk does not delete stays an entry, and another makes room", async () => {
  await using dir = await tempDir();
  const { cache, recorder } = await full(dir.path);
  await using _cache = cache;
  const { removeSync } = Deno;
  const { json } = pathsOf(dir.path, "a");
  Deno.removeSync = (path, options) => {
    if (path === json) throw new Deno.errors.PermissionDenied("not now");
    removeSync(path, options);
  };

  try {
    assert(await put(cache, "d"));
  } finally {
    Deno.removeSync = removeSync;
  }

  assertEquals(recorder.of("evicted").map(({ url }) => url), ["b"]);
  assertEquals(cache.stats().diskErrors, 1);
  assertEquals((await order(cache)).split("").sort().join(""), "acd");
  assertEquals(cache.stats().totalBytes, 3 * SIZE);
  assertEquals(cache.stats().evictions, 1);
  assertEquals(cache.stats().orphanBytes, 0);
});

Deno.test("nothing is stored if the disk deletes no victim", async () => {
  await using dir = await tempDir();
  const { cache } = await full(dir.path);
  await using _cache = cache;
  const { removeSync, remove } = Deno;
  Deno.removeSync = (path, options) => {
    if (String(path).endsWith(".json")) {
      throw new Deno.errors.PermissionDenied("not now");
    }
    removeSync(path, options);
  };
  // A busy machine makes any disk slow.
  Deno.remove = (path, options) =>
    Promise.try(() => Deno.removeSync(path, options));

  try {
    assertEquals(await put(cache, "d"), false);
  } finally {
    Object.assign(Deno, { removeSync, remove });
  }

  assertEquals((await order(cache)).split("").sort().join(""), "abc");
  assert(await put(cache, "d"));
});

Deno.test("an entry used while it is about to be evicted stays", async () => {
  for (let point = 0; point < 40; point++) {
    await using dir = await tempDir();
    const { cache, recorder } = await full(dir.path);
    await using _cache = cache;
    const used: string[] = [];
    const use = async () => {
      for (let i = 0; i < point; i++) await undefined;
      await (await cache.get("a"))?.bytes();
      used.push(...recorder.of("evicted").map(({ url }) => url));
    };

    await Promise.all([put(cache, "d"), use()]);

    const [evicted] = recorder.of("evicted").map(({ url }) => url);
    assertEquals(evicted, used[0] ?? "b", `at point ${point}`);
  }
});
