/**
 * Directories that were filled when the index had version 2: their entries are all
 * there, and their list of changes and index are used or replaced, never believed
 * where they don't fit.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { CHANGES_NAME, INDEX_NAME } from "../../../src/core/disk/file_names.ts";
import { identityOf, stampOf } from "../../../src/core/disk/file_identity.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  setAge,
} from "../../fixtures/directory/files.ts";
import { indexEverything } from "../../fixtures/cache/indexing.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import {
  type Version2Entry,
  writeVersion2Index,
  writeVersion2List,
} from "../../fixtures/directory/version_2.ts";

const COUNT = 300;
const SIZE = 100;

/** Writes a pair as it was stored then, used `ageMs` ago. */
function store(dir: string, url: string, seed: number, ageMs: number): void {
  const { dat, json } = pathsOf(dir, url);
  Deno.writeFileSync(dat, bytesOf(SIZE, seed));
  const time = new Date(Date.now() - ageMs);
  const ts = time.getTime() / 1000;
  const facts = { url, mimetype: "image/png", filename: "a.png" };
  const sidecar = { ...facts, size: SIZE, ts };
  Deno.writeTextFileSync(json, JSON.stringify(sidecar, null, 2));
  for (const path of [dat, json]) Deno.utimeSync(path, time, time);
}

/** What the index says of a pair. */
function entryOf(dir: string, url: string): Version2Entry {
  const { key, dat, json } = pathsOf(dir, url);
  const [body, sidecar] = [factsOf(dat), factsOf(json)];
  const storedAt = JSON.parse(Deno.readTextFileSync(json)).ts * 1000;
  return {
    ...{ key, url, mimetype: "image/png", filename: "a.png" },
    ...{ size: body.size, storedAt, mtimeMs: body.mtimeMs },
    inode: body.identity,
    sidecarStamp: stampOf(sidecar),
  };
}

function factsOf(path: string) {
  const { ino, birthtime, size, mtime } = Deno.statSync(path);
  const identity = identityOf(ino ?? 0, birthtime?.getTime());
  return { identity, size, mtimeMs: mtime?.getTime() ?? 0 };
}

/** Fills a directory; returns the URLs, most recently used first. */
function fill(dir: string): string[] {
  const urls = Array.from({ length: COUNT }, (_, i) => `${i}`);
  for (const [i, url] of urls.entries()) {
    store(dir, url, i, 60_000 + 10 * (COUNT - i));
  }
  return urls.reverse();
}

function order(cache: MediaCache): Promise<string[]> {
  return Array.fromAsync(cache.entries(), ({ url }) => url);
}

/** Asserts that nothing was reported. */
function assertSilent(recorder: Recorder): void {
  for (const type of ["skipped", "dropped", "diskError", "degraded"] as const) {
    assertEquals(recorder.of(type), []);
  }
}

Deno.test("a directory with an index of version 2 opens as it is; the list is read, and the index replaced", async () => {
  await using dir = await tempDir();
  using _indexing = indexEverything();
  const urls = fill(dir.path);
  const entries = urls.map((url) => entryOf(dir.path, url));
  // What has changed since the index was written stands in the list.
  const changed = ["7", "8", "new"];
  store(dir.path, "7", 777, 5_000);
  for (const path of Object.values(pathsOf(dir.path, "8")).slice(1)) {
    await Deno.remove(path);
  }
  store(dir.path, "new", 999, 4_000);
  const before = ["1", "2"].map((url) => pathsOf("", url).key);
  const since = changed.map((url) => pathsOf("", url).key);
  writeVersion2List(dir.path, [...before, ...since]);
  writeVersion2Index(dir.path, entries, before.length);
  const list = Deno.readTextFileSync(join(dir.path, CHANGES_NAME));
  const index = Deno.readFileSync(join(dir.path, INDEX_NAME));
  const expected = [
    "new",
    "7",
    ...urls.filter((url) => url !== "7" && url !== "8"),
  ];

  const recorder = new Recorder();
  const options = { cacheDir: dir.path, onEvent: recorder.onEvent };
  {
    await using cache = await MediaCache.open(options);
    // Not by the index.
    assertEquals(cache.stats().comparing, false);
    assertEquals(await order(cache), expected);
    assertEquals(cache.stats().totalBytes, expected.length * SIZE);
    for (const [url, seed] of [["7", 777], ["new", 999], ["12", 12]] as const) {
      await using media = await cache.get(url);
      assertEquals(await media?.bytes(), bytesOf(SIZE, seed));
    }
    assertEquals(await cache.get("8"), undefined);
    await cache.put("newest", bytesOf(SIZE), "image/png", "a.png");
  }
  assertSilent(recorder);
  const listNow = Deno.readTextFileSync(join(dir.path, CHANGES_NAME));
  assert(listNow.startsWith(list) && listNow.length > list.length);
  assertNotEquals(Deno.readFileSync(join(dir.path, INDEX_NAME)), index);

  await using again = await MediaCache.open(options);
  assertEquals(again.stats().comparing, true);
  assertEquals(await order(again), [
    "newest",
    ...["12", "new", "7"],
    ...expected.filter((url) => !["12", "new", "7"].includes(url)),
  ]);
  assertSilent(recorder);
});

Deno.test("eviction goes by the uses of a directory that was filled when the index had version 2", async () => {
  await using dir = await tempDir();
  using _indexing = indexEverything();
  const urls = fill(dir.path);
  writeVersion2List(dir.path, urls.map((url) => pathsOf("", url).key));
  const entries = urls.map((url) => entryOf(dir.path, url));
  writeVersion2Index(dir.path, entries, COUNT);
  const evicted: string[] = [];
  const onEvent: MediaCacheOptions["onEvent"] = (event) => {
    if (event.type === "evicted") evicted.push(event.url);
  };
  const maxSizeMb = COUNT * SIZE / 1_048_576;
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb,
    onEvent,
  });

  await cache.put("a", bytesOf(3 * SIZE), "image/png", "a.png");

  assertEquals(evicted, ["0", "1", "2"]);
  assertEquals(cache.stats().entries, COUNT - 2);
});

Deno.test("an index and a list of version 2 that don't fit the directory are not believed", async () => {
  await using dir = await tempDir();
  using _indexing = indexEverything();
  const urls = fill(dir.path);
  const gone = { ...entryOf(dir.path, "5"), ...pathsOf("", "gone") };
  const entries = [
    { ...gone, url: "gone" },
    ...urls.map((url) => ({ ...entryOf(dir.path, url), size: 1e9 })),
  ];
  writeVersion2Index(dir.path, entries, 50);
  // A list that does not reach to the place of the index, and ends in half a key.
  writeVersion2List(dir.path, [pathsOf("", "gone").key]);
  const listPath = join(dir.path, CHANGES_NAME);
  await Deno.writeTextFile(listPath, "0123", { append: true });
  // Files that processes have left that were killed then.
  const { key } = pathsOf("", "half");
  const left = ["download", "description", "0a1b2c3d7"].map((name) =>
    join(dir.path, `${key}.${name}.part`)
  );
  left.push(join(dir.path, `${INDEX_NAME}.new`));
  for (const path of left) {
    await Deno.writeFile(path, bytesOf(10));
    await setAge(path, 6_000);
  }
  const recorder = new Recorder();
  const { onEvent } = recorder;
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path, onEvent });
    assertEquals(await order(cache), urls);
    assertEquals(cache.stats().totalBytes, COUNT * SIZE);
    assertEquals(cache.stats().orphanBytes, 0);
    assertEquals(await cache.get("gone"), undefined);
    assert(await cache.put("gone", bytesOf(SIZE), "image/png", "a.png"));
  }
  assertEquals(recorder.of("diskError"), []);
  for (const path of left) assertEquals(await isThere(path), false);

  await using again = await MediaCache.open({ cacheDir: dir.path, onEvent });
  assertEquals(await order(again), ["gone", ...urls]);
});
