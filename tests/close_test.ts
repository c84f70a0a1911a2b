import { assert, assertEquals, assertRejects } from "@std/assert";
import { CacheClosedError, MediaCache } from "../mod.ts";
import { bytesOf, pathsOf, writePair } from "./fixtures/files.ts";
import { holdTimers } from "./fixtures/held_timers.ts";
import { tempDir } from "./fixtures/temp_dir.ts";

/** The paths below a directory that this process has open. */
function openFilesIn(dir: string): string[] {
  const paths: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
      if (path.startsWith(dir)) paths.push(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return paths;
}

Deno.test("close() writes the last uses, and leaves no file and no timer", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5), { ageMs: 60_000 });
  using timers = holdTimers();
  const cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
  });
  const before = Date.now();
  const unread = await cache.get("a");
  assert(unread);
  await cache.put("b", bytesOf(5), "image/png", "b.png");
  assertEquals(openFilesIn(dir.path).length, 1);

  await cache.close();

  assertEquals(openFilesIn(dir.path), []);
  assertEquals(timers.waiting, []);
  const { mtime } = await Deno.stat(pathsOf(dir.path, "a").dat);
  assert((mtime?.getTime() ?? 0) >= before);
  await assertRejects(() => unread.bytes(), CacheClosedError);
});

Deno.test("a stream that was begun before close() can be read to its end", async () => {
  await using dir = await tempDir();
  const bytes = bytesOf(2_000_000);
  const cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
  });
  await cache.put("a", bytes, "image/png", "a.png");
  const media = await cache.get("a");
  const reader = media!.body.getReader();
  const chunks = [(await reader.read()).value!];

  await cache.close();

  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) break;
    chunks.push(value);
  }
  assertEquals(await new Blob(chunks).bytes(), bytes);
  assertEquals(openFilesIn(dir.path), []);
});

Deno.test("after close() all that could use the disk rejects, and the rest still tells", async () => {
  await using dir = await tempDir();
  const cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  await cache.close();

  for (
    const call of [
      () => cache.ensureLoaded(),
      () => cache.get("a"),
      () => cache.getByKey("0".repeat(64)),
      () => cache.has("a"),
      () => cache.put("a", bytesOf(3), "image/png", "a.png"),
      () => cache.getOrDownload("a", () => Promise.resolve(new Response("a"))),
      () => cache.delete("a"),
      () => cache.clear(),
      () => cache.verify(),
      () => Array.fromAsync(cache.entries()),
    ]
  ) {
    await assertRejects(call, CacheClosedError);
  }
  assertEquals(cache.stats().entries, 1);
  assertEquals(cache.inFlight(), []);
  cache.subscribe(() => {})();
});

Deno.test("close() may be called again, at the same time and by await using", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await Promise.all([cache.close(), cache.close({ abort: true })]);
  await cache.close({ timeoutMs: 1 });
});

Deno.test("close() of a cache that was never loaded makes no directory", async () => {
  await using dir = await tempDir();
  const cache = new MediaCache({ cacheDir: `${dir.path}/cache` });

  await cache.close();

  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

Deno.test("close() during a scan, a lookup or a put leaves no file and no timer, at any step", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 20; i++) {
    await writePair(dir.path, `${i}`, bytesOf(5));
  }
  for (let steps = 0; steps < 60; steps += 1) {
    using timers = holdTimers();
    const cache = new MediaCache({
      cacheDir: dir.path,
      maxMemoryItems: steps % 2,
    });
    const running = Promise.allSettled([
      cache.get("1"),
      cache.getByKey(pathsOf(dir.path, "2").key),
      cache.put("3", bytesOf(5), "image/png", "a.png"),
      cache.put(`new ${steps}`, bytesOf(5), "image/png", "a.png"),
      cache.ensureLoaded(),
      cache.verify(),
      cache.delete("4"),
    ]);
    for (let step = 0; step < steps; step++) await Promise.resolve();

    await cache.close();
    const after = openFilesIn(dir.path);
    const results = await running;

    assertEquals(after, [], `open after ${steps} steps`);
    assertEquals(openFilesIn(dir.path), [], `later, after ${steps} steps`);
    assertEquals(timers.waiting, [], `timers after ${steps} steps`);
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      assert(result.reason instanceof CacheClosedError, `${result.reason}`);
    }
  }
});
