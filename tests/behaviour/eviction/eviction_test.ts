import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { digest } from "../../fixtures/bodies/bytes.ts";
import {
  bodyBytesIn,
  bytesOf,
  namesIn,
  streamOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** Room for three bodies of this size. */
const SIZE = 1_000;
const maxSizeMb = 3 * SIZE / 1_048_576;

async function put(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    assert(await cache.put(url, bytesOf(SIZE), "image/png", `${url}.png`));
  }
}

async function use(cache: MediaCache, ...urls: string[]): Promise<void> {
  for (const url of urls) {
    await using media = await cache.get(url);
    assert(media);
  }
}

async function order(cache: MediaCache): Promise<string> {
  const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
  return urls.join("");
}

Deno.test("storing evicts the least recently used entry and its two files", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb,
    onEvent: recorder.onEvent,
  });
  await put(cache, "a", "b", "c");
  await use(cache, "a");

  await put(cache, "d");

  assertEquals(await order(cache), "dac");
  assertEquals(await cache.has("b"), false);
  assertEquals((await namesIn(dir.path)).length, 6);
  const { evictions, totalBytes, entriesInMemory } = cache.stats();
  assertEquals([evictions, totalBytes, entriesInMemory], [1, 3 * SIZE, 3]);
  assertEquals(
    recorder.of("evicted").map(({ url, filename, size }) => [
      url,
      filename,
      size,
    ]),
    [["b", "b.png", SIZE]],
  );
});

Deno.test("entries() lists the most recent first, with every property", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const before = Date.now();
  await put(cache, "a", "b");
  await use(cache, "a");

  const entries = await Array.fromAsync(cache.entries());

  assertEquals(entries.map(({ url }) => url), ["a", "b"]);
  const [first] = entries;
  assert(first);
  const { storedAt, lastAccess, ...rest } = first;
  assertEquals(rest, {
    key: rest.key,
    url: "a",
    mimetype: "image/png",
    filename: "a.png",
    size: SIZE,
    sha256: await digest(new Blob([bytesOf(SIZE)]).stream()),
  });
  assert(before <= storedAt && storedAt < lastAccess);
});

Deno.test("entries() shows the state at its first step", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await put(cache, "a", "b");
  const times: number[] = [];

  for await (const { lastAccess } of cache.entries()) {
    times.push(lastAccess);
    await use(cache, "a", "b");
  }

  assertEquals(times, times.toSorted((a, b) => b - a));
});

Deno.test("a hit from memory counts as a use", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");

  await using media = await cache.get("a");
  assertEquals(media?.source, "memory");
  await put(cache, "d", "e");

  assertEquals(await order(cache), "eda");
});

Deno.test("an oversize put evicts nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");

  for (const data of [bytesOf(3 * SIZE + 1), new Blob([bytesOf(4 * SIZE)])]) {
    assertEquals(await cache.put("x", data, "image/png", "x"), false);
  }
  assertEquals(
    await cache.put("x", streamOf(bytesOf(4 * SIZE)).stream, "image/png", "x"),
    false,
  );

  assertEquals(await order(cache), "cba");
  assertEquals(cache.stats().evictions, 0);
});

Deno.test("a put of exactly the budget evicts every other entry", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");

  assert(await cache.put("x", bytesOf(3 * SIZE), "image/png", "x"));

  assertEquals(await order(cache), "x");
  assertEquals(await bodyBytesIn(dir.path), 3 * SIZE);
});

Deno.test("a failed put evicts nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");
  const { stream } = streamOf(bytesOf(2 * SIZE), new Error("reset"));

  await cache.put("x", stream, "image/png", "x").catch(() => {});

  assertEquals(await order(cache), "cba");
});

Deno.test("a failed download evicts nothing, at whatever byte it fails", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");
  const { stream } = streamOf(bytesOf(2 * SIZE), new Error("reset"));

  const media = await cache.getOrDownload(
    "x",
    () => Promise.resolve({ data: stream }),
  );
  assertEquals(await media.stored, false);
  await media[Symbol.asyncDispose]();

  assertEquals(await order(cache), "cba");
});

Deno.test("replacing an entry evicts no other if there is room without the old bytes", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");

  for (const url of ["a", "c"]) {
    assert(
      await cache.put(url, bytesOf(SIZE, 2), "image/png", "x", {
        replace: true,
      }),
    );
  }

  assertEquals(await order(cache), "cab");
  assertEquals(cache.stats().evictions, 0);
});

Deno.test("a larger replacement evicts others, never the replaced entry", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "a", "b", "c");
  const replace = { replace: true };

  assert(
    await cache.put("a", bytesOf(2 * SIZE), "image/png", "a", replace),
  );

  assertEquals(await order(cache), "ac");
  assertEquals(await bodyBytesIn(dir.path), 3 * SIZE);
});

Deno.test("opening a directory above the budget evicts nothing, the next store does", async () => {
  await using dir = await tempDir();
  for (const [i, url] of ["a", "b", "c", "d", "e"].entries()) {
    await writePair(dir.path, url, bytesOf(SIZE), { ageMs: 60_000 - i });
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  assertEquals(await order(cache), "edcba");
  await use(cache, "a");
  assertEquals(cache.stats().entries, 5);

  await put(cache, "f");

  assertEquals(await order(cache), "fae");
  assertEquals(await bodyBytesIn(dir.path), 3 * SIZE);
});

Deno.test("the bodies on disk never exceed the budget", async () => {
  const random = new Random();
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb,
    onEvent(event) {
      if (event.type !== "stored" && event.type !== "evicted") return;
      let bytes = 0;
      for (const { name } of Deno.readDirSync(dir.path)) {
        if (!name.endsWith(".dat")) continue;
        bytes += Deno.statSync(`${dir.path}/${name}`).size;
      }
      largest = Math.max(largest, bytes);
    },
  });
  let largest = 0;

  await Promise.all(Array.from({ length: 100 }, async () => {
    const url = `${random.integer(0, 19)}`;
    const size = random.integer(1, 2 * SIZE);
    const replace = random.integer(0, 1) === 1;
    await cache.put(url, bytesOf(size), "image/png", "x", { replace });
    await (await cache.get(`${random.integer(0, 19)}`))?.bytes();
    assert(cache.stats().totalBytes <= 3 * SIZE, random.hint);
  }));

  assert(largest > 0 && largest <= 3 * SIZE, random.hint);
  assertEquals(await bodyBytesIn(dir.path), cache.stats().totalBytes);
});

Deno.test("a Media returned before its eviction can be read to its end", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb,
    maxMemoryItems: 0,
  });
  await put(cache, "a");
  await using media = await cache.get("a");

  await put(cache, "b", "c", "d");

  assertEquals(await cache.has("a"), false);
  assertEquals(await media?.bytes(), bytesOf(SIZE));
});
