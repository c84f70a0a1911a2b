/**
 * The disk usage that `stats()` states, compared with the blocks on the disk.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import {
  bytesOf,
  OLD_MS,
  pathsOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** The blocks of all files in a directory, in bytes, as `du` counts them. */
async function blocksIn(dir: string): Promise<number> {
  let bytes = 0;
  for await (const { name } of Deno.readDir(dir)) {
    const { blocks, size } = await Deno.lstat(join(dir, name));
    // Windows has no number of blocks.
    bytes += blocks === null ? Math.ceil(size / 4096) * 4096 : blocks * 512;
  }
  return bytes;
}

/** Asserts that the estimate is right within 2 %, or within two blocks. */
async function assertNear(
  cache: MediaCache,
  dir: string,
  what: string,
): Promise<void> {
  const { occupiedBytes } = cache.stats();
  const actual = await blocksIn(dir);
  const off = Math.abs(occupiedBytes - actual);
  assert(
    off <= Math.max(0.02 * actual, 8192),
    `${what}: ${occupiedBytes} of ${actual}`,
  );
}

function open(
  cacheDir: string,
  options: MediaCacheOptions = {},
): Promise<MediaCache> {
  return MediaCache.open({ cacheDir, onEvent: () => {}, ...options });
}

function urlOf(i: number): string {
  return `https://cdn.example.org/attachments/${i}/image.png`;
}

async function put(
  cache: MediaCache,
  url: string,
  size: number,
): Promise<void> {
  const options = { replace: true };
  assert(await cache.put(url, bytesOf(size), "image/png", "a.png", options));
}

Deno.test("occupiedBytes is the disk usage of many small bodies, after evictions and deletions", async () => {
  await using dir = await tempDir();
  await using cache = await open(dir.path, { maxSizeMb: 0.05 });
  assertEquals(cache.stats().occupiedBytes, 0);

  // A third of them is evicted.
  for (let i = 0; i < 250; i++) await put(cache, urlOf(i), 300);
  assertEquals(cache.stats().entries, 174);
  assert(cache.stats().occupiedBytes > 25 * cache.stats().totalBytes);
  await assertNear(cache, dir.path, "small bodies");

  for (let i = 150; i < 200; i++) await cache.delete(urlOf(i));
  await assertNear(cache, dir.path, "after deletions");

  await cache.clear();
  await assertNear(cache, dir.path, "after clear()");
});

Deno.test("occupiedBytes is right for bodies and sidecars of all sizes, replaced ones included", async () => {
  await using dir = await tempDir();
  await using cache = await open(dir.path);
  const sizes = [1, 4095, 4096, 4097, 10_000, 65_536, 300_001];

  for (const [i, size] of sizes.entries()) await put(cache, urlOf(i), size);
  await assertNear(cache, dir.path, "mixed sizes");
  for (const [i, size] of sizes.toReversed().entries()) {
    await put(cache, urlOf(i), size);
  }
  await assertNear(cache, dir.path, "replaced");
  // Sidecars of several blocks, and of sizes around one block.
  for (const length of [3000, 3500, 4000, 9000, 50_000]) {
    await put(cache, `https://example.org/${"a".repeat(length)}`, 10);
  }
  await assertNear(cache, dir.path, "long URLs");
});

Deno.test("occupiedBytes is right after a restart, with and without an index, and at each step of the start", async () => {
  await using dir = await tempDir();
  using _indexing = indexEverything();
  const count = 300;
  const fill = async () => {
    await using cache = await open(dir.path);
    for (let i = 0; i < count; i++) await put(cache, urlOf(i), 10 * i + 1);
    await cache.close();
    return cache.stats().occupiedBytes;
  };
  const closed = await fill();
  {
    using _timers = holdTimers();
    await using cache = await open(dir.path);
    assertEquals(cache.stats().occupiedBytes, closed);
    await assertNear(cache, dir.path, "from an index");
    // An entry that a lookup finds counts once.
    assert(await cache.has(urlOf(1)));
    await cache.get(urlOf(2));
    assertEquals(cache.stats().occupiedBytes, closed);
  }
  {
    await using cache = await open(dir.path);
    for await (const { size } of cache.entries()) assert(size > 0);
    assertEquals(cache.stats().occupiedBytes, closed);
  }
  await Deno.remove(join(dir.path, ".media-cache.index"));
  await using cache = await open(dir.path);
  // An index is being written now, and is complete when the cache is closed.
  await cache.close();
  assertEquals(cache.stats().occupiedBytes, closed);
  await assertNear(cache, dir.path, "from sidecars");
});

Deno.test("occupiedBytes counts an entry of another process once it is known", async () => {
  await using dir = await tempDir();
  await using one = await open(dir.path);
  await using other = await open(dir.path);
  for (let i = 0; i < 50; i++) await put(one, urlOf(i), 300);

  await put(other, urlOf(50), 300);

  await assertNear(other, dir.path, "another's entries");
  await one.delete(urlOf(0));
  await put(other, urlOf(51), 300);
  await assertNear(other, dir.path, "another's deletion");
});

Deno.test("occupiedBytes counts staged files, and leftovers until they are removed", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 20; i++) {
    const { json } = await writePair(dir.path, urlOf(i), bytesOf(5000));
    if (i % 2 === 0) await Deno.remove(json);
    else await Deno.remove(pathsOf(dir.path, urlOf(i)).dat);
  }
  await using cache = await open(dir.path);
  await assertNear(cache, dir.path, "leftovers");
  const source = new TransformStream<Uint8Array, Uint8Array>();
  const writer = source.writable.getWriter();
  const call = cache.getOrDownload(
    "a",
    () => Promise.resolve({ data: source.readable }),
  );
  for (let i = 0; i < 5; i++) await writer.write(bytesOf(30_001));
  await using media = await call;
  await assertNear(cache, dir.path, "a running download");
  await writer.close();
  await media.bytes();
  assertEquals(await media.stored, true);
  await assertNear(cache, dir.path, "a download that is stored");

  const { now } = Date;
  Date.now = () => now() + OLD_MS;
  try {
    assertEquals((await cache.verify({ fix: true })).fixed, 20);
  } finally {
    Date.now = now;
  }
  await assertNear(cache, dir.path, "without leftovers");
});
