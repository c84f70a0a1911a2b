/**
 * `maxDiskMb`: all files of the directory, in whole blocks, compared with a simple
 * model and with the blocks on the disk.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  setAge,
  writePair,
} from "../../fixtures/directory/files.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const BLOCK = 4096;
const MB = 1_048_576;

/** The number of steps; set it higher by hand for longer runs. */
const STEPS = Number(Deno.env.get("TEST_STEPS") ?? 600);

const NO_ROOM = "maxDiskMb leaves no room for it";

/** `maxDiskMb` of so many blocks. */
function blocks(count: number): { maxDiskMb: number } {
  return { maxDiskMb: count * BLOCK / MB };
}

function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK);
}

function open(
  cacheDir: string,
  options: MediaCacheOptions,
): Promise<MediaCache> {
  return MediaCache.open({ cacheDir, onEvent: () => {}, ...options });
}

function put(
  cache: MediaCache,
  url: string,
  size: number,
  replace = false,
): Promise<boolean> {
  const options = { replace };
  return cache.put(url, bytesOf(size), "image/png", "a.png", options);
}

/** The URLs of the entries, most recent first. */
function order(cache: MediaCache): Promise<string[]> {
  return Array.fromAsync(cache.entries(), ({ url }) => url);
}

/** The blocks of all files in a directory, as `du` counts them. */
function blocksIn(dir: string): number {
  let count = 0;
  for (const { name, isFile } of Deno.readDirSync(dir)) {
    if (!isFile) continue;
    const { blocks, size } = Deno.lstatSync(join(dir, name));
    // Windows has no number of blocks.
    count += blocks === null ? inBlocks(size) : blocks * 512 / BLOCK;
  }
  return count;
}

/** What a directory holds, by the documents alone. */
class Model {
  /** Sizes by URL, the least recently used first. */
  entries = new Map<string, number>();
  evicted: string[] = [];
  readonly #max: number;
  /** Keys in the list of changes. */
  #changes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** The blocks of bodies, sidecars and the list of changes. */
  get blocks(): number {
    return this.#entryBlocks + this.#listBlocks(0);
  }

  put(url: string, size: number, replace: boolean): boolean {
    if (this.entries.has(url) && !replace) {
      this.use(url);
      return true;
    }
    const own = inBlocks(size) + 1;
    if (own + this.#listBlocks(1) > this.#max) return this.entries.has(url);
    const old = this.entries.get(url);
    const victims = [...this.entries.keys()].filter((it) => it !== url);
    const isTooMuch = () =>
      this.#entryBlocks - (old === undefined ? 0 : inBlocks(old) + 1) + own +
          this.#listBlocks(1) > this.#max;
    while (isTooMuch()) {
      const victim = victims.shift();
      assert(victim !== undefined);
      this.delete(victim);
      this.evicted.push(victim);
    }
    this.entries.delete(url);
    this.entries.set(url, size);
    this.#changes++;
    return true;
  }

  use(url: string): void {
    const size = this.entries.get(url);
    if (size === undefined) return;
    this.entries.delete(url);
    this.entries.set(url, size);
  }

  /** A deletion of no entry writes nothing. */
  delete(url: string): void {
    if (this.entries.delete(url)) this.#changes++;
  }

  get #entryBlocks(): number {
    let sum = 0;
    for (const size of this.entries.values()) sum += inBlocks(size) + 1;
    return sum;
  }

  /** The blocks of the list with so many more keys. */
  #listBlocks(more: number): number {
    return inBlocks(65 * (1 + this.#changes + more));
  }
}

Deno.test("entries, victims and occupiedBytes are those of a simple model, for bodies of all sizes, replaced and after restarts", async () => {
  const random = new Random();
  await using dir = await tempDir();
  const max = 120;
  const model = new Model(max);
  const evicted: string[] = [];
  const onEvent: MediaCacheOptions["onEvent"] = (event) => {
    if (event.type === "evicted") evicted.push(event.url);
  };
  const options = { ...blocks(max), maxEntryMb: 40 * BLOCK / MB, onEvent };
  let cache = await open(dir.path, options);
  const sizeOf = () =>
    random.pick([
      () => random.integer(1, 300),
      () => random.integer(1, 3) * BLOCK + random.integer(-1, 1),
      () => random.integer(1, 60_000),
      () => random.integer(130_000, 40 * BLOCK),
    ])();
  try {
    // The list of changes begins with the first.
    assert(model.put("first", 1, false) && await put(cache, "first", 1));
    for (let i = 0; i < STEPS; i++) {
      const url = `https://example.org/${random.integer(0, 150)}`;
      const what = random.integer(0, 99);
      if (what < 70) {
        const size = sizeOf();
        const replace = random.chance(3);
        const isStored = model.put(url, size, replace);
        assertEquals(await put(cache, url, size, replace), isStored);
      } else if (what < 90) {
        model.use(url);
        await using media = await cache.get(url);
        assertEquals(media?.size, model.entries.get(url));
      } else if (what < 97) {
        model.delete(url);
        await cache.delete(url);
      } else {
        await cache.close();
        cache = await open(dir.path, options);
        // The list of changes is first looked at under its lock.
        await cache.delete("none");
      }
      assertEquals(await order(cache), [...model.entries.keys()].reverse());
      assertEquals(evicted, model.evicted);
      const { occupiedBytes } = cache.stats();
      assertEquals(occupiedBytes, model.blocks * BLOCK);
      assert(occupiedBytes <= max * BLOCK);
      assert(blocksIn(dir.path) <= max, "on the disk");
    }
  } catch (cause) {
    throw new Error(random.hint, { cause });
  } finally {
    await cache.close();
  }
  assert(evicted.length > STEPS / 10);
});

Deno.test("both caches of a directory keep all files within maxDiskMb when they store", async () => {
  const random = new Random();
  await using dir = await tempDir();
  const max = 60;
  await using one = await open(dir.path, blocks(max));
  await using two = await open(dir.path, blocks(max));
  for (let i = 0; i < 200; i++) {
    const cache = random.pick([one, two]);
    const size = random.pick([1, 300, BLOCK, 30_000]);
    assert(await put(cache, `${random.integer(0, 60)}`, size, true));
    assert(cache.stats().occupiedBytes <= max * BLOCK, random.hint);
    assert(blocksIn(dir.path) <= max, random.hint);
  }
  // As many as fit.
  assert(blocksIn(dir.path) > max - 20);
});

Deno.test("at the first store after an open with less room, entries go until all fit; opening evicts nothing", async () => {
  await using dir = await tempDir();
  {
    await using cache = await open(dir.path, {});
    for (let i = 0; i < 30; i++) await put(cache, `${i}`, 10);
  }
  await using cache = await open(dir.path, blocks(21));
  assertEquals(cache.stats().entries, 30);

  assert(await put(cache, "new", 10));

  assertEquals(await order(cache), [
    "new",
    ...Array.from({ length: 9 }, (_, i) => `${29 - i}`),
  ]);
  assertEquals(blocksIn(dir.path), 21);
});

Deno.test("a body that can't fit is not stored, and nothing is evicted for it", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  await using cache = await open(dir.path, { ...blocks(20), onEvent });
  for (const url of "abc") assert(await put(cache, url, 10));

  // Its sidecar, or the list of changes, would be too much.
  for (const size of [20 * BLOCK, 19 * BLOCK, 18 * BLOCK + 1]) {
    assertEquals(await put(cache, "large", size), false);
    const data = bytesOf(size);
    await using media = await cache.getOrDownload(
      "large",
      () => Promise.resolve({ data }),
    );
    assertEquals(await media.bytes(), data);
    assertEquals(await media.stored, false);
  }
  const reasons = recorder.of("uncached").map(({ reason }) => reason);
  assertEquals(reasons, Array(6).fill(NO_ROOM));
  assertEquals(await put(cache, "larger", 20 * BLOCK + 1), false);
  const last = recorder.of("uncached").at(-1);
  assertEquals(last?.reason, "it is larger than maxEntryMb");
  assertEquals(await order(cache), ["c", "b", "a"]);
  assertEquals(recorder.of("evicted"), []);
  assertEquals(cache.stats().diskErrors, 0);

  assert(await put(cache, "all", 18 * BLOCK));
  assertEquals(await order(cache), ["all"]);
  assertEquals(cache.stats().occupiedBytes, 20 * BLOCK);
});

Deno.test("leftovers take their room, and a store is refused if they leave none", async () => {
  await using dir = await tempDir();
  const leave = async (url: string, size: number) => {
    const { json } = await writePair(dir.path, url, bytesOf(size));
    await Deno.remove(json);
  };
  await leave("half", 10 * BLOCK);
  const recorder = new Recorder();
  const { onEvent } = recorder;
  {
    await using cache = await open(dir.path, { ...blocks(20), onEvent });
    for (const url of "abcdef") assert(await put(cache, url, 10));
    assertEquals(await order(cache), ["f", "e", "d", "c"]);
    assertEquals(blocksIn(dir.path), 19);
  }
  await leave("other half", 2 * BLOCK);
  await using cache = await open(dir.path, { ...blocks(13), onEvent });

  assertEquals(await put(cache, "g", 10), false);

  assertEquals(await order(cache), ["f", "e", "d", "c"]);
  assertEquals(recorder.of("uncached").at(-1)?.reason, NO_ROOM);
  // The half of an entry that is stored is a leftover no more.
  await cache.delete("half");
  assert(await put(cache, "g", 10));
});

Deno.test("nothing is evicted for a .part file that will be gone within seconds", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  const options = { ...blocks(20), onEvent: recorder.onEvent };
  {
    await using cache = await open(dir.path, options);
    for (const url of "abcdefghi") assert(await put(cache, url, 10));
    assertEquals(cache.stats().evictions, 0);
  }
  // A process was killed in the midst of a download.
  const part = join(dir.path, `${keyOf("x")}.download.part`);
  await Deno.writeFile(part, bytesOf(9 * BLOCK));
  await setAge(part, 0);
  using clock = new ShiftedClock();
  using timers = holdTimers();
  await using cache = await open(dir.path, options);

  assertEquals(await put(cache, "j", 10), false);
  assertEquals(recorder.of("uncached").at(-1)?.reason, NO_ROOM);
  assertEquals(cache.stats().entries, 9);
  // A body for which there is room is stored.
  assert(await put(cache, "a", 20, true) === false);
  clock.aheadMs = 5_000;
  await timers.waiting.findLast(({ unreferenced }) => unreferenced)?.callback();

  assertEquals(await isThere(part), false);
  assert(await put(cache, "j", 10));
  assertEquals(cache.stats().evictions, 1);
});

Deno.test("what running downloads have written takes its room at each store", async () => {
  await using dir = await tempDir();
  await using cache = await open(dir.path, blocks(41));
  for (let i = 0; i < 20; i++) assert(await put(cache, `${i}`, 10));
  const source = new TransformStream<Uint8Array, Uint8Array>();
  const writer = source.writable.getWriter();
  const size = 20 * BLOCK;
  const call = cache.getOrDownload(
    "download",
    () => Promise.resolve({ data: source.readable, size }),
  );
  await writer.write(bytesOf(10 * BLOCK));
  await using media = await call;
  // Nothing is evicted before a store.
  assertEquals(cache.stats().entries, 20);

  assert(await put(cache, "new", 10));
  assertEquals(cache.stats().occupiedBytes, 41 * BLOCK);
  assertEquals(cache.stats().entries, 15);
  await writer.write(bytesOf(10 * BLOCK));
  await writer.close();
  await media.bytes();

  assertEquals(await media.stored, true);
  assertEquals(blocksIn(dir.path), 41 - 1);
  assertEquals((await order(cache)).length, 10);
});

Deno.test("nothing is evicted for a GIF whose video takes its place", async () => {
  const gif = gifOfDelays([10, 20, 30]);
  /** Stores an entry and a video, and returns the room that they take. */
  async function store(options: MediaCacheOptions): Promise<number> {
    await using dir = await tempDir();
    await using cache = await open(dir.path, options);
    await put(cache, "old", 100);
    const download = () => Promise.resolve({ data: gif });
    const media = await cache.getOrDownload("video", download);
    assertEquals(media.mimetype, "video/mp4");
    await media.bytes();
    assertEquals(await media.stored, true);
    assertEquals(await order(cache), ["video", "old"]);
    return cache.stats().occupiedBytes;
  }
  const occupied = await store({});

  await store(blocks(inBlocks(occupied)));
});

Deno.test("an index is written only where it fits into maxDiskMb", async () => {
  await using dir = await tempDir();
  using _indexing = indexEverything(20);
  const max = 200;
  for (let round = 0; round < 3; round++) {
    const cache = await open(dir.path, blocks(max));
    assert(cache.stats().occupiedBytes <= max * BLOCK);
    for (let i = 0; i < 150; i++) {
      // The texts of the second round take more room in an index than is kept for it.
      const url = `${round} ${i} ${"u".repeat(round === 1 ? 3_000 : 10)}`;
      assert(await put(cache, url, 10));
      assert(cache.stats().occupiedBytes <= max * BLOCK);
    }
    await cache.close();
    assert(cache.stats().occupiedBytes <= max * BLOCK);
    assert(blocksIn(dir.path) <= max);
    const hasIndex = await isThere(join(dir.path, ".media-cache.index"));
    assertEquals(hasIndex, true);
  }
});

Deno.test("without maxDiskMb there is no limit on disk, and with 0 nothing is stored", async () => {
  await using dir = await tempDir();
  {
    await using cache = await open(dir.path, {});
    assertEquals(cache.limits.maxDiskBytes, Infinity);
  }
  await using cache = await open(dir.path, { maxDiskMb: 0 });
  assertEquals(cache.limits.maxDiskBytes, 0);
  assertEquals(await put(cache, "a", 10), false);
  assertEquals(await isThere(pathsOf(dir.path, "a").dat), false);
});
