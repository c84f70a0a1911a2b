import { assert, assertEquals, assertRejects } from "@std/assert";
import { setImmediate } from "node:timers";
import { MediaCache } from "../../../mod.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("ensureLoaded() scans once, for all concurrent and later calls", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  const recorder = new Recorder();
  await using cache = new MediaCache({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });

  await Promise.all([0, 1, 2].map(() => cache.ensureLoaded()));
  await cache.ensureLoaded();

  const [loaded] = recorder.of("loaded");
  assertEquals(recorder.of("loaded").length, 1);
  assertEquals([loaded?.entries, loaded?.totalBytes], [1, 3]);
});

Deno.test("ensureLoaded() tries again after a failure", async () => {
  await using dir = await tempDir();
  const cacheDir = `${dir.path}/cache`;
  await Deno.writeTextFile(cacheDir, "in the way");
  await using cache = new MediaCache({ cacheDir });
  const failed = await cache.ensureLoaded().catch((error) => error);
  assert(failed instanceof Error);

  await Deno.remove(cacheDir);
  await cache.ensureLoaded();

  assertEquals(await cache.put("a", bytesOf(3), "image/png", "a.png"), true);
});

Deno.test("open() leaves nothing open when it fails", async () => {
  await using dir = await tempDir();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await cache.put("a", bytesOf(3), "image/png", "a.png");
  }
  const { readDir } = Deno;
  Deno.readDir = () => {
    throw new Error("Input/output error");
  };
  try {
    await assertRejects(() => MediaCache.open({ cacheDir: dir.path }));
  } finally {
    Deno.readDir = readDir;
  }
  // The sanitizer finds files left open.
});

Deno.test("a cache that was never loaded serves, stores and deletes", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  await writePair(dir.path, "b", bytesOf(3));
  await using cache = new MediaCache({ cacheDir: dir.path });

  assertEquals(await cache.has("a"), true);
  await using media = await cache.get("a");
  assertEquals(await media?.bytes(), bytesOf(3));
  assertEquals(await cache.get("x"), undefined);
  assertEquals(await cache.delete("b"), true);
  assertEquals(await cache.put("c", bytesOf(5), "image/png", "c.png"), true);

  const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(urls, ["c", "a"]);
});

Deno.test("before the scan a put of a known URL changes only the order of uses", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3), { ageMs: 9_000 });
  await writePair(dir.path, "b", bytesOf(3), { ageMs: 1_000 });
  await using cache = new MediaCache({ cacheDir: dir.path });

  assertEquals(await cache.put("a", bytesOf(5), "image/png", "x"), true);

  const entries = await Array.fromAsync(
    cache.entries(),
    ({ url, size }) => [url, size],
  );
  assertEquals(entries, [["a", 3], ["b", 3]]);
});

Deno.test("the constructor and stats() need no scan", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  await using cache = new MediaCache({ cacheDir: dir.path });

  assertEquals([cache.stats().entries, cache.inFlight()], [0, []]);
  await cache.ensureLoaded();
  assertEquals(cache.stats().entries, 1);
});

Deno.test("during the scan of a large directory calls are answered and the event loop turns", async () => {
  await using dir = await tempDir();
  const count = 5_000;
  for (let i = 0; i < count; i++) {
    await writePair(dir.path, `${i}`, bytesOf(1), { ageMs: 60_000 - i });
  }
  const recorder = new Recorder();
  await using cache = new MediaCache({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  let turns = 0;
  const interval = setInterval(() => turns++, 1);
  const loading = cache.ensureLoaded();

  await using media = await cache.get("4321");
  assertEquals(await media?.bytes(), bytesOf(1));
  assertEquals(await cache.get("x"), undefined);
  assertEquals(await cache.has("17"), true);
  await using download = await cache.getOrDownload(
    "new",
    () => Promise.resolve({ data: bytesOf(2) }),
  );
  assertEquals(await download.bytes(), bytesOf(2));
  await using again = await cache.getOrDownload("99", () => {
    throw new Error("not called");
  });
  assertEquals(await again.bytes(), bytesOf(1));
  assertEquals(recorder.of("loaded"), []);
  await cache.delete("4999");

  assertEquals(await cache.put("put", bytesOf(3), "image/png", "p"), true);
  await loading;
  clearInterval(interval);
  assertEquals(await download.stored, true);
  assert(turns > 3, `${turns} turns`);
  const entries = await Array.fromAsync(cache.entries());
  assertEquals(entries.length, count + 1);
  assertEquals(cache.stats().totalBytes, count - 1 + 5);
  const recent = entries.slice(0, 5).map(({ url }) => url).sort();
  assertEquals(recent, ["4321", "4998", "99", "new", "put"]);
  assertEquals(entries.at(-1)?.url, "0");
});

Deno.test("a scan yields to the event loop after each millisecond", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 50; i++) await writePair(dir.path, `${i}`, bytesOf(1));
  const { now } = performance;
  let time = 0;
  let turns = 0;
  let isLoading = true;
  const count = () => {
    turns++;
    if (isLoading) setImmediate(count);
  };
  performance.now = () => time += 1.5;
  try {
    await using cache = new MediaCache({ cacheDir: dir.path });
    setImmediate(count);
    await cache.ensureLoaded();
    isLoading = false;
  } finally {
    performance.now = now;
  }

  assert(turns >= 50, `${turns} turns`);
});

Deno.test("entries that a scan finds after their use keep their place", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 50; i++) {
    await writePair(dir.path, `${i}`, bytesOf(1), {
      ageMs: 90_000 - i * 1_000,
    });
  }
  await using cache = new MediaCache({ cacheDir: dir.path });

  const used = ["7", "3", "40"];
  for (const url of used) await (await cache.get(url))?.bytes();
  await cache.ensureLoaded();

  const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(urls.slice(0, 4), ["40", "3", "7", "49"]);
  assertEquals(urls.length, 50);
});

Deno.test("a directory that cannot be read for a moment is reported, and loaded by the next call", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  const recorder = new Recorder();
  const { readDir } = Deno;
  Deno.readDir = () => {
    throw Object.assign(new Error("Too many open files"), { code: "EMFILE" });
  };
  let cache: MediaCache;
  try {
    const { onEvent } = recorder;
    cache = await MediaCache.open({ cacheDir: dir.path, onEvent });
  } finally {
    Deno.readDir = readDir;
  }
  await using _closed = cache;
  assertEquals([cache.stats().entries, cache.stats().diskErrors], [0, 1]);
  const [fault] = recorder.of("diskError");
  assertEquals(fault?.operation, "list the directory");

  await cache.ensureLoaded();

  assertEquals([cache.stats().entries, cache.stats().diskErrors], [1, 1]);
  assertEquals(recorder.of("loaded").length, 1);
});
