import { assert, assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  pathsOf,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { nextMillisecond } from "../../fixtures/time/next_millisecond.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL_A = "https://example.org/a.png";

Deno.test("get() of an unknown URL is undefined and counts nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  assertEquals(await cache.get(URL_A), undefined);
  assertEquals(await cache.has(URL_A), false);
  assertEquals(await cache.getByKey(keyOf(URL_A)), undefined);

  const { hits, misses, hitRate } = cache.stats();
  assertEquals([hits, misses, hitRate], [0, 0, 0]);
});

Deno.test("get() returns the facts given to put(), first from memory, after a restart from disk", async () => {
  await using dir = await tempDir();
  const facts = {
    key: keyOf(URL_A),
    url: URL_A,
    mimetype: "image/png",
    filename: "a.png",
    size: 3,
  };
  const factsOf = async (cache: MediaCache) => {
    await using media = await cache.get(URL_A);
    assert(media);
    assertEquals(await media.stored, true);
    assertEquals(await media.bytes(), bytesOf(3));
    const { key, url, mimetype, filename, size, source } = media;
    return { key, url, mimetype, filename, size, source };
  };

  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await cache.put(URL_A, bytesOf(3), "image/png", "a.png");
    assertEquals(await factsOf(cache), { ...facts, source: "memory" });
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  assertEquals(await factsOf(cache), { ...facts, source: "disk" });
  assertEquals(await factsOf(cache), { ...facts, source: "memory" });
  assertEquals(cache.stats().hits, 2);
});

Deno.test("get() treats a URL object like its text, and normalises neither", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const url = new URL("https://example.org/a?b=1#c");
  await cache.put(url, bytesOf(3), "image/png", "a.png");

  await using media = await cache.get(url.href);
  assert(media);
  assertEquals(await cache.has("https://EXAMPLE.org/a?b=1#c"), false);
  assertEquals(await cache.has("https://example.org/a?b=1"), false);
  assertEquals(await cache.has(new URL(url)), true);
});

Deno.test("get() refuses values that are not a URL", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  for (const url of [undefined, null, 5, {}, ["a"]]) {
    // @ts-expect-error like a caller without types
    await assertRejects(() => cache.get(url), TypeError, "url");
    // @ts-expect-error like a caller without types
    await assertRejects(() => cache.has(url), TypeError, "url");
    // @ts-expect-error like a caller without types
    await assertRejects(() => cache.delete(url), TypeError, "url");
  }
  // @ts-expect-error like a caller without types
  await assertRejects(() => cache.getByKey(5), TypeError, "key");
});

Deno.test("get() accepts any string as a URL: empty, long or not valid Unicode", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const urls = ["", " ", "a\0b", "../x", "x".repeat(20_000), "\u{1f600}", "é"];

  for (const [i, url] of urls.entries()) {
    assert(await cache.put(url, bytesOf(3, i), "image/png", "a.png"));
  }
  await cache.put("\ud800", bytesOf(9), "image/png", "a.png");

  for (const [i, url] of urls.entries()) {
    await using media = await cache.get(url);
    assertEquals(await media?.bytes(), bytesOf(3, i));
  }
  await using media = await cache.get("\ud800");
  assertEquals(await media?.bytes(), bytesOf(9));
  await using reopened = await MediaCache.open({ cacheDir: dir.path });
  await using again = await reopened.get("\ud800");
  assertEquals(await again?.bytes(), bytesOf(9));
});

Deno.test("get() returns bytes that the caller may change, from memory and from disk", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, URL_A, bytesOf(3));
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  for (let round = 0; round < 4; round++) {
    await using media = await cache.get(URL_A);
    const bytes = await media?.bytes();
    assertEquals(bytes, bytesOf(3));
    bytes?.fill(0);
    await using streamed = await cache.get(URL_A);
    for await (const chunk of streamed?.body ?? []) chunk.fill(0);
  }
});

Deno.test("has() changes no order and no count", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3), { ageMs: 5_000 });
  await writePair(dir.path, "b", bytesOf(3), { ageMs: 1_000 });
  const before = await snapshotOf(dir.path);
  {
    const recorder = new Recorder();
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      onEvent: recorder.onEvent,
    });

    assertEquals(await cache.has("a"), true);

    const order = await Array.fromAsync(cache.entries(), ({ url }) => url);
    assertEquals(order, ["b", "a"]);
    const { hits, misses, entriesInMemory } = cache.stats();
    assertEquals([hits, misses, entriesInMemory], [0, 0, 0]);
    assertEquals(recorder.events.map(({ type }) => type), ["loaded"]);
  }
  assertEquals(await snapshotOf(dir.path), before);
});

Deno.test("getByKey() finds an entry by the hash that names its files", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put(URL_A, bytesOf(3), "image/png", "a.png");

  await using media = await cache.getByKey(keyOf(URL_A));

  assertEquals([media?.url, await media?.bytes()], [URL_A, bytesOf(3)]);
  assertEquals(cache.stats().hits, 1);
  for (const key of ["", "../a", keyOf(URL_A).toUpperCase(), `${URL_A}`]) {
    assertEquals(await cache.getByKey(key), undefined);
  }
});

Deno.test("the first hit of an entry a moment after it was put opens only its body", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using cache = await MediaCache.open(options);
  // The first put of a process does not know yet how many changes there are.
  await cache.put("first", bytesOf(3), "image/png", "first.png");
  await cache.put(URL_A, bytesOf(3), "image/png", "a.png");
  const { dat } = pathsOf(dir.path, URL_A);
  // Later than the look of the commit is trusted.
  const putAt = Date.now();
  while (Date.now() < putAt + 21) await nextMillisecond();
  const { open, openSync } = Deno;
  const opened: string[] = [];
  Deno.openSync = (path, options) => {
    opened.push(String(path));
    return openSync(path, options);
  };
  Deno.open = (path, options) => {
    opened.push(String(path));
    return open(path, options);
  };

  try {
    assertEquals(await (await cache.get(URL_A))?.bytes(), bytesOf(3));
  } finally {
    Object.assign(Deno, { open, openSync });
  }

  // A small body is opened by node:fs.
  assertEquals(opened.filter((path) => path !== dat), []);
});
