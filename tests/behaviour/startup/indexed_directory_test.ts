/**
 * A directory of many entries, with an index, behaves like any other directory.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { INDEX_NAME } from "../../../src/core/disk/file_names.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bodyBytesIn,
  bytesOf,
  isThere,
  namesIn,
  OLD_MS,
  pathsOf,
  setAge,
  writePair,
} from "../../fixtures/directory/files.ts";
import { openFiles } from "../../fixtures/directory/open_files.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { HeldListing } from "../../fixtures/directory/held_listing.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 100;

function urls(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`);
}

async function put(cache: MediaCache, ...all: string[]): Promise<void> {
  for (const url of all) {
    assert(await cache.put(url, bytesOf(SIZE), "image/png", "a.png"));
  }
}

async function use(cache: MediaCache, ...all: string[]): Promise<void> {
  for (const url of all) {
    await using media = await cache.get(url);
    assert(media);
  }
}

/** Stores entries, the last of them the most recent, and closes. */
async function fill(cacheDir: string, all: string[]): Promise<void> {
  await using cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
  await put(cache, ...all);
}

/** Files of this many entries, and an index of them. */
async function fillQuickly(cacheDir: string, count: number): Promise<string[]> {
  const all = urls(count);
  for (const [i, url] of all.entries()) {
    const { dat, json } = pathsOf(cacheDir, url);
    Deno.writeFileSync(dat, bytesOf(SIZE));
    Deno.writeTextFileSync(json, JSON.stringify({ url, size: SIZE, ts: 1 }));
    const time = new Date(1.7e12 + i);
    Deno.utimeSync(dat, time, time);
  }
  await using _cache = await MediaCache.open({ cacheDir });
  return all;
}

async function order(cache: MediaCache): Promise<string[]> {
  return await Array.fromAsync(cache.entries(), ({ url }) => url);
}

/**
 * The URLs of a directory, most recent first; asserts that the counts match.
 */
async function reopened(
  cacheDir: string,
  options: MediaCacheOptions = {},
): Promise<string[]> {
  await using cache = await MediaCache.open({ cacheDir, ...options });
  const { entries, totalBytes } = cache.stats();
  const all = await order(cache);
  assertEquals([entries, totalBytes], [
    all.length,
    await bodyBytesIn(cacheDir),
  ]);
  return all;
}

function hasIndex(dir: string): Promise<boolean> {
  return isThere(join(dir, INDEX_NAME));
}

Deno.test("a directory of few entries gets no index, and keeps none", async () => {
  await using dir = await tempDir();
  {
    using _indexing = indexEverything();
    await fill(dir.path, urls(3));
    assertEquals(await hasIndex(dir.path), true);
  }

  assertEquals(await reopened(dir.path), ["2", "1", "0"]);
  assertEquals(await hasIndex(dir.path), false);
});

Deno.test("open() counts the entries of an index without a look at the directory", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(300));
  const { readDir } = Deno;
  Deno.readDir = () => {
    throw new Error("Input/output error");
  };
  const recorder = new Recorder();
  const options = { cacheDir: dir.path, onEvent: recorder.onEvent };
  await using cache = await MediaCache.open(options);
  try {
    const { entries, totalBytes } = cache.stats();
    assertEquals([entries, totalBytes], [300, 300 * SIZE]);
    const [{ entries: told } = {}] = recorder.of("loaded");
    assertEquals(told, 300);
    await use(cache, "7");
    await put(cache, "w");
    while (recorder.of("diskError").length === 0) await turn();
    // Other files in the directory are not known.
    assertEquals(cache.stats().comparing, true);
  } finally {
    Deno.readDir = readDir;
  }

  await put(cache, "x");

  assertEquals((await order(cache)).slice(0, 4), ["x", "w", "7", "299"]);
  assertEquals(cache.stats().entries, 302);
  assertEquals(cache.stats().comparing, false);
});

/** The bytes of the bodies in a directory, read synchronously. */
function bodyBytesNow(dir: string): number {
  const bodies = [...Deno.readDirSync(dir)]
    .filter(({ name }) => name.endsWith(".dat"));
  return bodies.reduce(
    (sum, { name }) => sum + Deno.statSync(join(dir, name)).size,
    0,
  );
}

Deno.test("the first store after opening by an index evicts within the budget, before the comparison", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const maxSizeMb = 10 * SIZE / 1_048_576;
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const options = { cacheDir: dir.path, maxSizeMb, onEvent };
  {
    const held = new HeldListing();
    await using cache = await MediaCache.open(options);
    // Disposed before the cache, whose close() waits for the listing.
    using _held = held;
    // A use by another process.
    await setAge(pathsOf(dir.path, "1").dat, -1);

    await put(cache, "x", "y", "z");

    assertEquals(cache.stats().comparing, true);
    assertEquals(recorder.of("evicted").map(({ url }) => url), ["0", "2", "3"]);
    assertEquals(bodyBytesNow(dir.path), 10 * SIZE);
    assertEquals(cache.stats().totalBytes, 10 * SIZE);
  }

  const all = await reopened(dir.path);
  assertEquals([...all].sort(), [..."1456789xyz"]);
});

/** Records the lengths of long reads, which are not those of sidecars. */
class LongReads {
  readonly #readSync = Deno.FsFile.prototype.readSync;
  readonly lengths: number[] = [];

  constructor() {
    const { lengths } = this;
    const readSync = this.#readSync;
    Deno.FsFile.prototype.readSync = function (bytes) {
      if (bytes.length > 20_000) lengths.push(bytes.length);
      return readSync.call(this, bytes);
    };
  }

  /** Ends the recording. */
  [Symbol.dispose](): void {
    Deno.FsFile.prototype.readSync = this.#readSync;
  }
}

Deno.test("opening by an index reads no entries, and the first eviction or hit reads one block of them", async () => {
  await using dir = await tempDir();
  const COUNT = 4_096;
  await fillQuickly(dir.path, COUNT);
  const { size } = await Deno.stat(join(dir.path, INDEX_NAME));
  const [blocks, slots] = [COUNT / 1_024, 2 * COUNT * 2];
  const list = blocks * 32 + slots * 4;
  const block = (size - list) / blocks;
  const maxSizeMb = COUNT * SIZE / 1_048_576;
  using reads = new LongReads();
  const held = new HeldListing();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  using _held = held;

  assertEquals(cache.stats().entries, COUNT);
  assertEquals(reads.lengths, [list]);
  await put(cache, "x", "y", "z");
  assertEquals(reads.lengths.length, 2);
  await use(cache, "4000", "4001", "5", "y");

  assertEquals(cache.stats().comparing, true);
  assertEquals(cache.stats().evictions, 3);
  const [, ...read] = reads.lengths;
  assertEquals(read.length, 2);
  for (const length of read) assert(Math.abs(length - block) < block / 10);
});

Deno.test("an index is closed once all its entries are compared", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const held = new HeldListing();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  using _held = held;
  assertEquals(openFiles(dir.path), [join(dir.path, INDEX_NAME)]);

  held[Symbol.dispose]();
  await order(cache);

  assertEquals(openFiles(dir.path), []);
});

Deno.test("on a slow disk an index is read at once, so that no later read holds the event loop", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const held = new HeldListing();
  using _slow = new SlowDisk();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  using _held = held;

  assertEquals(openFiles(dir.path), []);
  assertEquals(cache.stats().entries, 10);
  await use(cache, "0");
  held[Symbol.dispose]();

  assertEquals(await order(cache), ["0", ..."987654321"]);
});

Deno.test("entries of an index that is damaged after opening are found in the directory", async (t) => {
  using _indexing = indexEverything();
  const damages: Record<string, (path: string) => Promise<void>> = {
    "cut": (path) => Deno.truncate(path, 300),
    "zeroed": (path) => Deno.writeFile(path, new Uint8Array(9_000)),
  };
  for (const [name, damage] of Object.entries(damages)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      await fill(dir.path, urls(10));
      const maxSizeMb = 10 * SIZE / 1_048_576;
      const options = { cacheDir: dir.path, maxSizeMb };
      {
        const held = new HeldListing();
        await using cache = await MediaCache.open(options);
        using _held = held;
        await damage(join(dir.path, INDEX_NAME));
        await use(cache, "0");
        await put(cache, "x");
        held[Symbol.dispose]();
        await order(cache);

        await put(cache, "y");

        assertEquals(await order(cache), ["y", "x", "0", ..."9876543"]);
        assertEquals(cache.stats().totalBytes, 10 * SIZE);
        assertEquals(cache.stats().diskErrors, 0);
      }
      assertEquals(await reopened(dir.path), ["y", "x", "0", ..."9876543"]);
    });
  }
});

Deno.test("a disk that fails to read an index after opening is told once, and costs no entry", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const held = new HeldListing();
  await using cache = await MediaCache.open({ cacheDir: dir.path, onEvent });
  using _held = held;
  const { readSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.readSync = () => {
    throw new Error("Input/output error");
  };
  try {
    assertEquals(await cache.has("unknown"), false);
    await cache.get("0").catch(() => {});
  } finally {
    Deno.FsFile.prototype.readSync = readSync;
  }
  const told = recorder.of("diskError").map(({ operation }) => operation);
  assertEquals(told.filter((it) => it === "read the index"), [
    "read the index",
  ]);
  held[Symbol.dispose]();

  assertEquals((await order(cache)).toSorted(), urls(10));
  assertEquals(cache.stats().totalBytes, 10 * SIZE);
});

Deno.test("changes of other processes since the index was written count for the first store", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const maxSizeMb = 12 * SIZE / 1_048_576;
  // This cache writes no index before it is closed, like a killed process.
  await using other = await MediaCache.open({ cacheDir: dir.path });
  await put(other, "a", "b", "c");
  await other.delete("9");
  await other.put("8", bytesOf(2 * SIZE), "image/png", "8", { replace: true });
  assertEquals(bodyBytesNow(dir.path), 13 * SIZE);
  const held = new HeldListing();
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  using _held = held;
  assertEquals(cache.stats().totalBytes, 13 * SIZE);

  await put(cache, "x");

  assertEquals(cache.stats().comparing, true);
  assertEquals(bodyBytesNow(dir.path), 12 * SIZE);
  assertEquals([await cache.has("0"), await cache.has("1")], [false, false]);
  assertEquals(await cache.has("2"), true);
});

Deno.test("comparing is true after opening by an index, until all entries are compared", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    assertEquals(cache.stats().comparing, false);
    await put(cache, ...urls(10));
    assertEquals(cache.stats().comparing, false);
  }
  await using cache = new MediaCache({ cacheDir: dir.path });
  assertEquals(cache.stats().comparing, false);
  await cache.ensureLoaded();
  assertEquals(cache.stats().comparing, true);
  await order(cache);
  assertEquals(cache.stats().comparing, false);
});

Deno.test("the order of uses survives a restart with an index", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(300));
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await use(cache, "5", "150", "0", "5");
    await order(cache);
  }
  const rest = urls(300).reverse()
    .filter((url) => !["5", "150", "0"].includes(url));
  const expected = ["5", "0", "150", ...rest];

  assertEquals(await reopened(dir.path), expected);
  await Deno.remove(join(dir.path, INDEX_NAME));
  assertEquals(await reopened(dir.path), expected);
});

Deno.test("storing evicts the least recently used entry of an index", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const maxSizeMb = 10 * SIZE / 1_048_576;
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await use(cache, "0");

  await put(cache, "x", "y");

  assertEquals(await order(cache), [
    ..."yx0",
    ..."9876543",
  ]);
  assertEquals(await bodyBytesIn(dir.path), 10 * SIZE);
});

Deno.test("a damaged or missing index makes no difference", async (t) => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(300));
  const path = join(dir.path, INDEX_NAME);
  const bytes = await Deno.readFile(path);
  const random = new Random();
  const flip = (at: number) => {
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 1 << random.integer(0, 7);
    return flipped;
  };
  const damages: Record<string, () => Uint8Array | undefined> = {
    "gone": () => undefined,
    "empty": () => new Uint8Array(),
    "of another version": () => flip(8),
    "cut at random": () => bytes.subarray(0, random.integer(1, bytes.length)),
    "cut in the last block": () => bytes.subarray(0, -1),
    "flipped in the counts": () => flip(12),
    "flipped in a record": () => flip(random.integer(128, 4_000)),
    "flipped in the texts": () => flip(bytes.length - 6_000),
    "flipped anywhere": () => flip(random.integer(0, bytes.length - 1)),
  };

  for (const [name, damage] of Object.entries(damages)) {
    await t.step(name, async () => {
      const damaged = damage();
      if (damaged === undefined) await Deno.remove(path);
      else await Deno.writeFile(path, damaged);
      {
        await using cache = await MediaCache.open({ cacheDir: dir.path });
        assertEquals(cache.stats().entries, 300, random.hint);
        await use(cache, "299");
        assertEquals(await order(cache), urls(300).reverse(), random.hint);
        assertEquals(cache.stats().totalBytes, 300 * SIZE);
        assertEquals(cache.stats().diskErrors, 0);
      }
      // The index was written anew.
      assertEquals(await reopened(dir.path), urls(300).reverse());
    });
  }
});

Deno.test("changes of another cache since the index was written are known at once", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(300));
  // `other` writes no index until the end, as if it were killed.
  await using other = await MediaCache.open({ cacheDir: dir.path });
  await put(other, "new");
  await other.delete("7");
  await other.put("8", bytesOf(5), "image/png", "b", { replace: true });
  await use(other, "9");

  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const { entries, totalBytes } = cache.stats();
  assertEquals([entries, totalBytes], [300, 299 * SIZE + 5]);
  assertEquals(await cache.has("7"), false);
  await using media = await cache.get("8");
  assertEquals(await media?.bytes(), bytesOf(5));
  const rest = urls(300).reverse().filter((url) =>
    !["7", "8", "9"].includes(url)
  );
  assertEquals((await order(cache)).filter((url) => url !== "9"), [
    ...["8", "new"],
    ...rest,
  ]);
});

Deno.test("uses since the index was written count as soon as they are on disk", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(300));
  const soon = Date.now() + 5;
  for (const [i, url] of ["4", "200", "0"].entries()) {
    const time = new Date(soon + i);
    await Deno.utime(pathsOf(dir.path, url).dat, time, time);
  }
  const rest = urls(300).reverse()
    .filter((url) => !["4", "200", "0"].includes(url));

  // So that they are not in the future.
  while (Date.now() < soon + 5) await turn();

  assertEquals(await reopened(dir.path), ["0", "200", "4", ...rest]);
});

Deno.test("changes of other programs since then count for the budget once they were compared", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  await writePair(dir.path, "foreign", bytesOf(3 * SIZE), { ageMs: OLD_MS });
  await Deno.remove(pathsOf(dir.path, "3").dat);
  await Deno.remove(pathsOf(dir.path, "3").json);
  await writePair(dir.path, "4", bytesOf(2 * SIZE), { ageMs: -1 });
  const maxSizeMb = 11 * SIZE / 1_048_576;
  await using cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb });
  await put(cache, "w");
  await order(cache);

  await put(cache, "x");

  assertEquals(await bodyBytesIn(dir.path), 11 * SIZE);
  assertEquals(cache.stats().totalBytes, 11 * SIZE);
  assertEquals(await cache.has("foreign"), false);
  await using media = await cache.get("4");
  assertEquals(await media?.bytes(), bytesOf(2 * SIZE));
});

Deno.test("a directory copied with its index is scanned anew", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await using copy = await tempDir();
  await fill(dir.path, urls(300));
  for (const name of await Array.fromAsync(Deno.readDir(dir.path))) {
    const [from, to] = [dir.path, copy.path].map((dir) => join(dir, name.name));
    assert(from && to);
    await Deno.copyFile(from, to);
    const { mtime } = await Deno.stat(from);
    assert(mtime);
    await Deno.utime(to, mtime, mtime);
  }
  const expected = urls(300).reverse();
  assertEquals(await reopened(copy.path), expected);

  await using cache = await MediaCache.open({ cacheDir: copy.path });
  assertEquals(await order(cache), expected);
  await use(cache, "0");
  assertEquals(cache.stats().diskErrors, 0);
});

Deno.test("leftovers are found and cleaned although there is an index", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(10));
  const { dat } = await writePair(dir.path, "lone", bytesOf(5));
  await Deno.remove(pathsOf(dir.path, "lone").json);
  const staged = join(dir.path, `${keyOf("a")}.12ab0.part`);
  await Deno.writeFile(staged, bytesOf(5));
  await setAge(staged, OLD_MS);
  await Deno.remove(pathsOf(dir.path, "5").dat);
  const recorder = new Recorder();
  const options = { cacheDir: dir.path, onEvent: recorder.onEvent };
  await using cache = await MediaCache.open(options);

  assertEquals(await order(cache), [..."9876", ..."43210"]);
  await cache.close();

  assertEquals(recorder.of("skipped").length, 3);
  assertEquals(await isThere(staged), false);
  assertEquals(await isThere(dat), true);
  assertEquals((await namesIn(dir.path)).length, 2 * 9 + 2);
});

Deno.test("two caches of one directory may close in either order", async () => {
  using _indexing = indexEverything();
  for (const isFirst of [true, false]) {
    await using dir = await tempDir();
    await fill(dir.path, urls(200));
    const one = await MediaCache.open({ cacheDir: dir.path });
    const two = await MediaCache.open({ cacheDir: dir.path });
    await put(one, "a");
    await put(two, "b");
    await two.delete("3");
    await one.delete("4");

    for (const cache of isFirst ? [one, two] : [two, one]) await cache.close();

    const rest = urls(200).reverse().filter((url) => !["3", "4"].includes(url));
    assertEquals(await reopened(dir.path), ["b", "a", ...rest]);
  }
});

Deno.test("a read-only cache reads an index and writes none", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(200));
  const path = join(dir.path, INDEX_NAME);
  const before = await Deno.readFile(path);
  await writePair(dir.path, "x", bytesOf(SIZE));
  {
    const options = { cacheDir: dir.path, readOnly: true };
    await using cache = await MediaCache.open(options);
    await use(cache, "7");
    assertEquals((await order(cache)).length, 201);
  }
  assertEquals(await Deno.readFile(path), before);
  await Deno.remove(path);

  assertEquals((await reopened(dir.path, { readOnly: true })).length, 201);

  assertEquals(await hasIndex(dir.path), false);
});

Deno.test("clear() leaves no index of deleted entries", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  await fill(dir.path, urls(200));
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await cache.clear();

  assertEquals(cache.stats().entries, 0);
  assertEquals(await hasIndex(dir.path), false);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("the index is also written after enough changes, in case the process is killed", async () => {
  using _indexing = indexEverything(10);
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await put(cache, ...urls(30));
  while (!await hasIndex(dir.path)) await turn();

  assertEquals(await reopened(dir.path), urls(30).reverse());
});

Deno.test("closing while the index is read changes nothing", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const all = await fillQuickly(dir.path, 3_000);
  {
    using _timers = holdTimers();
    const cache = await MediaCache.open({ cacheDir: dir.path });
    await use(cache, "17");
    await cache.close();
  }

  const rest = all.toReversed().filter((url) => url !== "17");
  assertEquals(await reopened(dir.path), ["17", ...rest]);
});

Deno.test("a call that needs all entries hurries the reading of the index", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const all = await fillQuickly(dir.path, 3_000);
  using timers = holdTimers();
  const cache = await MediaCache.open({ cacheDir: dir.path });
  assertEquals(timers.waiting.every((timer) => timer.unreferenced), true);

  assertEquals(await order(cache), all.toReversed());
  await put(cache, "x");
  await cache.close();

  assertEquals(timers.waiting, []);
});

Deno.test("the numbers are those of the directory at every moment while the index is read", async () => {
  using _indexing = indexEverything();
  await using dir = await tempDir();
  const all = await fillQuickly(dir.path, 3_000);
  const random = new Random();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const look = (what: string) => {
    const bodies = [...Deno.readDirSync(dir.path)]
      .filter(({ name }) => name.endsWith(".json")).length;
    assertEquals(cache.stats().entries, bodies, `${what}, ${random.hint}`);
  };

  look("open");
  for (let i = 0; i < 150; i++) {
    const url = random.pick(all);
    const what = random.pick(["get", "get", "delete", "put", "replace"]);
    if (what === "get") await (await cache.get(url))?.[Symbol.asyncDispose]();
    else if (what === "delete") await cache.delete(url);
    else {
      await cache.put(url, bytesOf(SIZE), "image/png", "a.png", {
        replace: what === "replace",
      });
    }
    look(`${what} ${url}`);
    if (i % 10 === 0) await turn();
  }

  assertEquals((await order(cache)).length, cache.stats().entries);
  assertEquals(cache.stats().totalBytes, await bodyBytesIn(dir.path));
});
