/** The lock of the directory and the list of changes in it, when others misuse them. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "@media-cache/media-cache";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { yieldToEventLoop } from "../../../src/core/async/pacer.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { bytesOf, pathsOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";

function put(cache: MediaCache, url: string): Promise<boolean> {
  return cache.put(url, bytesOf(10), "image/png", "a.png");
}

Deno.test("a lock that is never given back ends a download after a second, and no later call waits for it", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using cache = await MediaCache.open({ cacheDir, onEvent: () => {} });
  assert(await put(cache, "a"));
  const holder = await Deno.open(join(cacheDir, CHANGES_NAME), { write: true });
  await holder.lock(true);

  let waitedMs = 0;
  {
    using time = new FakeTime();
    const data = bytesOf(10);
    const media = await cache
      .getOrDownload("b", () => Promise.resolve({ data }));
    let isOver = false;
    const bytes = media.bytes().finally(() => isOver = true);
    for (; !isOver; waitedMs++) {
      time.tick(1);
      for (let i = 0; i < 5; i++) await yieldToEventLoop();
    }
    assertEquals(await bytes, data);
    assertEquals(await media.stored, false);
    // With a clock that stands still: whoever waits now waits for ever.
    assertEquals(await put(cache, "c"), false);
    assertEquals(await cache.delete("a"), false);
    await (await cache.get("a"))?.bytes();
  }
  assert(waitedMs <= 1_500, `it waited for ${waitedMs} ms`);

  holder.close();
  assertEquals([await put(cache, "c"), await cache.has("c")], [true, true]);
});

for (const releasedAt of [2_500, Infinity]) {
  const end = releasedAt < Infinity ? "is stored" : "fails after seconds";
  Deno.test(`a put waits while other processes pass the lock on, and ${end}`, async () => {
    await using dir = await tempDir();
    const cacheDir = dir.path;
    await using cache = await MediaCache.open({ cacheDir, onEvent: () => {} });
    assert(await put(cache, "a"));
    using others = await Deno.open(join(cacheDir, CHANGES_NAME), {
      append: true,
    });
    await others.lock(true);
    const record = new TextEncoder().encode(`${pathsOf(cacheDir, "c").key}\n`);

    let waitedMs = 0;
    {
      using time = new FakeTime();
      let isOver = false;
      const stored = put(cache, "b").finally(() => isOver = true);
      for (; !isOver; waitedMs++) {
        if (waitedMs % 500 === 0) others.writeSync(record);
        if (waitedMs === releasedAt) others.unlockSync();
        time.tick(1);
        for (let i = 0; i < 5; i++) await yieldToEventLoop();
      }
      assertEquals(await stored, releasedAt < Infinity);
    }
    assert(waitedMs >= 2_500 && waitedMs <= 6_000, `${waitedMs} ms`);

    if (releasedAt === Infinity) others.unlockSync();
    assert(await put(cache, "b"));
    assertEquals(cache.stats().entries, 2);
  });
}

Deno.test("a list of changes that somebody has made long is not read", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using one = await MediaCache.open({ cacheDir });
  await using two = await MediaCache.open({ cacheDir });
  assert(await put(one, "a"));
  assert(await two.has("a"));
  const list = join(cacheDir, CHANGES_NAME);
  await Deno.truncate(list, 2 ** 31);
  const { readSync, read } = Deno.FsFile.prototype;
  let bytesRead = 0;
  Deno.FsFile.prototype.readSync = function (view) {
    bytesRead += view.length;
    return readSync.call(this, view);
  };
  Deno.FsFile.prototype.read = function (view) {
    bytesRead += view.length;
    return read.call(this, view);
  };

  try {
    assert(await put(two, "b"));
    assertEquals(await Array.fromAsync(one.entries(), ({ url }) => url), [
      "b",
      "a",
    ]);
  } finally {
    Object.assign(Deno.FsFile.prototype, { readSync, read });
  }
  assert(bytesRead < 10_000_000, `it read ${bytesRead} bytes`);
  assert((await Deno.stat(list)).size < 10_000_000);
});

/** Another process replaces an entry while the directory is listed, and ends when its lock is asked for. */
function replaceDuringListing(dir: string, url: string): Disposable {
  const { dat, json } = pathsOf(dir, url);
  const { readDir } = Deno;
  const { tryLockSync } = Deno.FsFile.prototype;
  let lock: Deno.FsFile | undefined;
  let end = () => {};
  Deno.readDir = (path) => {
    Deno.readDir = readDir;
    lock = Deno.openSync(join(dir, CHANGES_NAME), { write: true });
    tryLockSync.call(lock, true);
    const { sha256: _old, ...sidecar } = JSON.parse(
      Deno.readTextFileSync(json),
    );
    Deno.removeSync(json);
    Deno.writeFileSync(dat, bytesOf(7));
    end = () => {
      end = () => {};
      Deno.writeTextFileSync(json, JSON.stringify({ ...sidecar, size: 7 }));
      lock?.close();
    };
    return readDir(path);
  };
  Deno.FsFile.prototype.tryLockSync = function (exclusive) {
    const isLocked = tryLockSync.call(this, exclusive);
    if (!isLocked) end();
    return isLocked;
  };
  return {
    [Symbol.dispose]() {
      end();
      Deno.readDir = readDir;
      Deno.FsFile.prototype.tryLockSync = tryLockSync;
    },
  };
}

Deno.test("an entry that another process replaces during open() is no leftover", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using other = await MediaCache.open({ cacheDir });
  assert(await put(other, "a"));
  const recorder = new Recorder();
  const { onEvent } = recorder;
  let cache: MediaCache;
  {
    using _replacing = replaceDuringListing(cacheDir, "a");
    cache = await MediaCache.open({ cacheDir, onEvent });
  }
  await using _cache = cache;

  assertEquals(recorder.of("skipped"), []);
  const { entries, totalBytes, orphanBytes } = cache.stats();
  assertEquals([entries, totalBytes, orphanBytes], [1, 7, 0]);
});

Deno.test("an entry that another process replaces during verify() is no problem", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using cache = await MediaCache.open({ cacheDir });
  assert(await put(cache, "a"));

  using _replacing = replaceDuringListing(cacheDir, "a");
  const { entries, bytes, problems } = await cache.verify();

  assertEquals([entries, bytes, problems], [1, 7, []]);
});
