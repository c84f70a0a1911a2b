import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MB = 1_048_576;

Deno.test("delete() removes both files, the entry, and its bytes in memory", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  await cache.put("b", bytesOf(5), "image/png", "b.png");

  assertEquals(await cache.delete("a"), true);

  assertEquals(await cache.get("a"), undefined);
  assertEquals(await cache.has("a"), false);
  const { entries, totalBytes, memoryBytes, entriesInMemory, evictions } = cache
    .stats();
  assertEquals(
    { entries, totalBytes, memoryBytes, entriesInMemory, evictions },
    {
      entries: 1,
      totalBytes: 5,
      memoryBytes: 5,
      entriesInMemory: 1,
      evictions: 0,
    },
  );
  const { dat, json, key } = pathsOf(dir.path, "b");
  assertEquals((await namesIn(dir.path)).map((name) => join(dir.path, name)), [
    dat,
    json,
  ]);
  assertEquals(recorder.of("deleted").map(({ url, size }) => [url, size]), [
    ["a", 3],
  ]);
  assertEquals(key.length, 64);
});

Deno.test("a deletion that finds nothing writes nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  const list = join(dir.path, ".media-cache.changes");
  const before = await Deno.readTextFile(list);

  assertEquals(await cache.delete("b"), false);

  assertEquals(await Deno.readTextFile(list), before);
  assertEquals(await cache.delete("a"), true);
  assertEquals((await Deno.stat(list)).size > before.length, true);
});

Deno.test("delete() of an unknown URL returns false and sends no event", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });

  assertEquals(await cache.delete("a"), false);
  assertEquals(recorder.of("deleted"), []);
});

Deno.test("delete() removes a file without its partner, which is not an entry", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  await Deno.writeFile(pathsOf(dir.path, "a").dat, bytesOf(3));

  assertEquals(await cache.delete("a"), false);

  assertEquals(recorder.of("deleted"), []);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("delete() removes an entry that another cache stored, whether known or not", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await using other = await MediaCache.open({ cacheDir: dir.path });
  await other.put("a", bytesOf(3), "image/png", "a.png");

  assertEquals(await cache.delete("a"), true);

  assertEquals(await namesIn(dir.path), []);
  assertEquals(await other.has("a"), false);
});

Deno.test("delete() works before the scan has run", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  await using cache = new MediaCache({ cacheDir: dir.path });

  assertEquals(await cache.delete("a"), true);

  await cache.ensureLoaded();
  assertEquals([cache.stats().entries, await namesIn(dir.path)], [0, []]);
});

Deno.test("a Media returned before a delete can be read to its end", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
  });
  const bytes = bytesOf(MB);
  await cache.put("a", bytes, "image/png", "a.png");
  await using unread = await cache.get("a");
  await using begun = await cache.get("a");
  const reader = begun?.body.getReader();
  const first = await reader?.read();

  await cache.delete("a");
  await cache.put("a", bytesOf(9), "image/png", "a.png");

  assertEquals(await unread?.bytes(), bytes);
  let size = first?.value?.length ?? 0;
  for (;;) {
    const piece = await reader?.read();
    if (piece?.value === undefined) break;
    assertEquals(piece.value, bytes.subarray(size, size + piece.value.length));
    size += piece.value.length;
  }
  assertEquals(size, MB);
});

Deno.test("clear() removes every entry, known or not, and no foreign file", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await using other = await MediaCache.open({ cacheDir: dir.path });
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  await other.put("b", bytesOf(3), "image/png", "b.png");
  await writePair(dir.path, "c", bytesOf(3));
  const foreign = ["README.md", "data.json", "x.dat", "0".repeat(63) + ".dat"];
  for (const name of foreign) {
    await Deno.writeTextFile(join(dir.path, name), "mine");
  }
  await Deno.mkdir(join(dir.path, "folder"));

  await cache.clear();

  assertEquals(await namesIn(dir.path), [...foreign, "folder"].sort());
  const { entries, totalBytes, memoryBytes } = cache.stats();
  assertEquals([entries, totalBytes, memoryBytes], [0, 0, 0]);
  assertEquals(await Array.fromAsync(cache.entries()), []);
});

Deno.test("clear() sends one event for each entry that it deletes", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  for (const url of ["a", "b"]) {
    await cache.put(url, bytesOf(3), "image/png", "a.png");
  }

  await cache.clear();

  assertEquals(recorder.of("deleted").map(({ url }) => url).sort(), ["a", "b"]);
});

Deno.test("clear() before the scan leaves no entry for the scan to find", async () => {
  await using dir = await tempDir();
  for (const url of ["a", "b", "c"]) {
    await writePair(dir.path, url, bytesOf(3));
  }
  await using cache = new MediaCache({ cacheDir: dir.path });

  const loading = cache.ensureLoaded();
  await cache.clear();
  await loading;

  assertEquals(await namesIn(dir.path), []);
  assertEquals(cache.stats().entries, 0);
});

Deno.test("an entry put after clear() is stored", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put("a", bytesOf(3), "image/png", "a.png");

  await cache.clear();
  await cache.put("a", bytesOf(5), "image/png", "a.png");

  await using media = await cache.get("a");
  assertEquals(await media?.bytes(), bytesOf(5));
});
