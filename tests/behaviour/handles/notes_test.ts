/** Handles are kept in notes, whatever becomes of the entry, the disk or the note. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  setAge,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { CallFault, WriteFault } from "../../fixtures/faults/disk_faults.ts";
import { python, standIn } from "../../fixtures/python/original.ts";
import { hasPython } from "../../fixtures/python/python.ts";

const URL = "https://example.org/a.png";
const PLACE = "telegram:123:photo";

/** The path of the note of a URL. */
function noteOf(dir: string, url = URL): string {
  return join(dir, `${pathsOf(dir, url).key}.note`);
}

/** A cache in a new folder. */
async function open(options: MediaCacheOptions = {}) {
  const temp = await tempDir();
  const recorder = new Recorder();
  const all = { cacheDir: temp.path, onEvent: recorder.onEvent, ...options };
  const cache = await MediaCache.open(all);
  return {
    cache,
    recorder,
    dir: temp.path,
    reopen: () => MediaCache.open(all),
    put: (url: string, length = 100, replace = false) =>
      cache.put(url, bytesOf(length), "image/png", "a.png", { replace }),
    async [Symbol.asyncDispose]() {
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a note is one JSON file beside the entry, for its owner alone", async () => {
  await using it = await open();
  await it.put(URL);

  await it.cache.setHandle(URL, PLACE, "AgAC");
  await it.cache.setHandle(URL, "123", "other");

  const path = noteOf(it.dir);
  assertEquals(JSON.parse(await Deno.readTextFile(path)), {
    version: 1,
    handles: { [PLACE]: "AgAC", "123": "other" },
    places: [PLACE, "123"],
  });
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }
  assertEquals((await namesIn(it.dir)).length, 3);
  const { key } = pathsOf(it.dir, URL);
  assertEquals(await it.cache.placesByKey(key), ["123", PLACE]);
  assertEquals(await it.cache.placesByKey("no key"), []);

  await it.cache.setHandle(URL, PLACE, undefined);
  await it.cache.setHandle(URL, "123", undefined);
  assertEquals((await namesIn(it.dir)).length, 2);
  assertEquals(await it.cache.handle(URL, PLACE), undefined);
});

Deno.test("concurrent changes of one note lose none", async () => {
  await using it = await open();
  const places = Array.from({ length: 32 }, (_, i) => `place ${i}`);

  await Promise.all(
    places.map((place) => it.cache.setHandle(URL, place, `of ${place}`)),
  );

  const { key } = pathsOf(it.dir, URL);
  assertEquals(await it.cache.placesByKey(key), places.reverse());
});

Deno.test("the 33rd place takes the room of the one set longest ago", async () => {
  await using it = await open();
  for (let i = 0; i < 32; i++) await it.cache.setHandle(URL, `${i}`, "h");
  await it.cache.setHandle(URL, "0", "anew");
  await it.cache.setHandle(URL, "33rd", "h");

  assertEquals(await it.cache.handle(URL, "1"), undefined);
  assertEquals(await it.cache.handle(URL, "0"), "anew");
});

Deno.test("handles survive eviction and a restart, and exist for bodies that are never stored", async () => {
  await using it = await open({ maxSizeMb: 1000 / 1_048_576 });
  const huge = "https://example.org/huge";
  const steps = {
    again: (handle: string) => Promise.resolve(handle),
    first: () => Promise.resolve({ result: "first", handle: "known" }),
  };
  const send = (cache: MediaCache, url: string, length: number) =>
    cache.sendOnce(
      url,
      PLACE,
      () => Promise.resolve({ data: bytesOf(length) }),
      steps,
    );
  assertEquals(await send(it.cache, URL, 900), "first");
  await it.put("https://example.org/other", 900);
  assertEquals(await it.cache.has(URL), false);
  assertEquals(await send(it.cache, huge, 5000), "first");
  assertEquals(await it.cache.has(huge), false);

  await it.cache.close();
  await using cache = await it.reopen();

  assertEquals(await send(cache, URL, 900), "known");
  assertEquals(await send(cache, huge, 5000), "known");
});

Deno.test("put keeps a handle, and put with replace, delete and clear forget it", async () => {
  await using it = await open();
  const set = () => it.cache.setHandle(URL, PLACE, "h");
  const get = () => it.cache.handle(URL, PLACE);
  await it.put(URL);
  await set();
  await it.put(URL);
  assertEquals(await get(), "h");

  await it.put(URL, 50, true);
  assertEquals(await get(), undefined);

  await set();
  assertEquals(await it.cache.delete(URL), true);
  assertEquals(await get(), undefined);

  // Without an entry, too.
  await set();
  assertEquals(await it.cache.delete(URL), false);
  assertEquals(await get(), undefined);
  await set();
  await it.cache.deleteByKey(pathsOf(it.dir, URL).key);
  assertEquals(await get(), undefined);

  await set();
  await it.cache.setHandle("https://example.org/b", PLACE, "h");
  await it.cache.clear();
  assertEquals(await namesIn(it.dir), []);
});

Deno.test("notes that are cut, hostile, huge or of another version count as none, and are written anew", async () => {
  await using it = await open();
  const path = noteOf(it.dir);
  const hostile = [
    "",
    `{"handles":{"${PLACE}":"h`,
    `{"version":2,"handles":{"${PLACE}":"h"}}`,
    `{"handles":{"${PLACE}":{"toString":1}}}`,
    `{"__proto__":{"handles":{"${PLACE}":"h"}}}`,
    "\ufeff{}",
    "9".repeat(700_000),
  ];
  for (const text of hostile) {
    await Deno.writeTextFile(path, text);
    assertEquals(await it.cache.handle(URL, PLACE), undefined, text);
    assertEquals(await it.cache.handle(URL, "__proto__"), undefined);
    await it.cache.setHandle(URL, PLACE, "new");
    assertEquals(await it.cache.handle(URL, PLACE), "new");
  }
  await Deno.writeFile(path, new Uint8Array([0xff, 0xfe]));
  assertEquals(await it.cache.handle(URL, PLACE), undefined);
  assertEquals(it.cache.stats().diskErrors, 0);
});

Deno.test("what is no regular file is no note, and is left alone", async () => {
  await using it = await open();
  const path = noteOf(it.dir);
  await Deno.mkdir(path);
  await Deno.writeTextFile(join(path, "mine"), "mine");

  assertEquals(await it.cache.handle(URL, PLACE), undefined);
  await it.cache.setHandle(URL, PLACE, "in RAM");
  assertEquals(await it.cache.handle(URL, PLACE), "in RAM");
  await it.put(URL);
  assertEquals(await it.cache.delete(URL), true);
  await it.cache.clear();

  assertEquals(await Deno.readTextFile(join(path, "mine")), "mine");
});

Deno.test("verify reports notes that can't be read, and removes them with fix", async () => {
  await using it = await open();
  await it.put(URL);
  await it.cache.setHandle(URL, PLACE, "h");
  const later = noteOf(it.dir, "later");
  await Deno.writeTextFile(later, `{"version":2}`);
  const broken = noteOf(it.dir, "broken");
  await Deno.writeTextFile(broken, "{");

  const wanted = {
    names: [broken.slice(it.dir.length + 1)],
    bytes: 1,
    reason: "note is not JSON",
    young: false,
  };
  const { problems } = await it.cache.verify();
  assertEquals(problems, [wanted]);
  const { problems: again, fixed, entries } = await it.cache.verify({
    fix: true,
  });
  assertEquals([again, fixed, entries], [[wanted], 1, 1]);
  await assertRejects(() => Deno.stat(broken), Deno.errors.NotFound);
  assertEquals(await it.cache.handle(URL, PLACE), "h");
  assertEquals(await Deno.readTextFile(later), `{"version":2}`);
});

Deno.test("notes count in occupiedBytes, after a restart too", async () => {
  await using it = await open();
  const before = it.cache.stats().occupiedBytes;
  for (let i = 0; i < 3; i++) {
    await it.cache.setHandle(`https://example.org/${i}`, PLACE, "h");
  }
  assertEquals(it.cache.stats().occupiedBytes - before, 3 * 4096);
  for (let i = 0; i < 6; i++) {
    await it.cache.setHandle("https://example.org/0", `${i}`, "x".repeat(1024));
  }
  assertEquals(it.cache.stats().occupiedBytes - before, 4 * 4096);
  await it.cache.delete("https://example.org/1");
  const counted = it.cache.stats().occupiedBytes;

  await it.cache.close();
  await using cache = await it.reopen();
  await using _other = await cache.getOrDownload(
    "https://example.org/uncached",
    () => Promise.resolve({ data: new Uint8Array() }),
  );

  // The list of changes has its block in both.
  assert(cache.stats().occupiedBytes >= before + 2 * 4096);
  assert(cache.stats().occupiedBytes <= counted);
  await cache.clear();
  assert(cache.stats().occupiedBytes <= 4096);
});

Deno.test("notes take room from entries, within maxDiskMb", async () => {
  await using it = await open({ maxDiskMb: 20 * 4096 / 1_048_576 });
  for (let i = 0; i < 5; i++) await it.put(`https://example.org/${i}`);
  assertEquals(it.cache.stats().entries, 5);
  for (let i = 0; i < 5; i++) {
    await it.cache.setHandle(`https://example.org/note/${i}`, PLACE, "h");
  }

  for (let i = 5; i < 10; i++) await it.put(`https://example.org/${i}`);

  const { occupiedBytes, entries } = it.cache.stats();
  assert(occupiedBytes <= 20 * 4096, `${occupiedBytes}`);
  assert(entries >= 5, `${entries}`);
});

Deno.test("a handle beyond the share of notes takes the place of the oldest, so that puts go on", async () => {
  await using it = await open({ maxDiskMb: 0.1 });
  const url = (i: number) => `https://example.org/${i}`;
  await it.put(URL);
  await it.cache.setHandle(URL, PLACE, "of an entry");
  for (let i = 0; i < 100; i++) await it.cache.setHandle(url(i), PLACE, "h");
  // The note of 94 becomes the newest.
  await it.cache.setHandle(url(94), "other", "h");
  await it.cache.setHandle(url(100), PLACE, "h");

  const kept: number[] = [];
  for (let i = 0; i <= 100; i++) {
    if (await it.cache.handle(url(i), PLACE) !== undefined) kept.push(i);
  }
  // A quarter of 25 blocks.
  assertEquals(kept, [94, 96, 97, 98, 99, 100]);
  assertEquals(await it.cache.handle(URL, PLACE), "of an entry");
  assertEquals(await it.put("https://example.org/new"), true);
  assert(it.cache.stats().occupiedBytes <= 0.1 * 1_048_576);
  assertEquals(it.recorder.of("uncached"), []);
});

Deno.test("many handles at once leave no more notes than may stay", async () => {
  await using it = await open({ maxDiskMb: 0.1 });
  const urls = Array.from({ length: 40 }, (_, i) => `https://example.org/${i}`);
  await Promise.all(
    [...urls, ...urls].map((url, i) =>
      it.cache.setHandle(url, `place ${i}`, "h")
    ),
  );

  assertEquals((await namesIn(it.dir)).length, 6);
});

Deno.test("of more than 10,000 notes without an entry the oldest go, of those with an entry none", async () => {
  await using temp = await tempDir();
  const text = `{"handles":{"${PLACE}":"h"}}`;
  const url = (i: number) => `https://example.org/${i}`;
  for (let i = 0; i < 10_003; i++) {
    const path = noteOf(temp.path, url(i));
    Deno.writeTextFileSync(path, text);
    if (i < 5) await setAge(path, (10 - i) * 60_000);
  }
  await writePair(temp.path, url(0), bytesOf(5));

  const cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.setHandle(url(10_003), PLACE, "h");
  await cache.close();

  const names = await namesIn(temp.path);
  const notes = names.filter((name) => name.endsWith(".note"));
  assertEquals(notes.length, 10_001);
  const has = (i: number) =>
    notes.includes(`${pathsOf(temp.path, url(i)).key}.note`);
  const oldest = [0, 1, 2, 3, 4].map(has);
  assertEquals(oldest, [true, false, false, false, true]);
  assert(has(10_003));
});

Deno.test("a disk that is full keeps the handle in RAM, and the caller knows nothing", async () => {
  await using it = await open();
  await it.cache.setHandle(URL, "old", "old");
  {
    using _fault = new WriteFault(0);
    await it.cache.setHandle(URL, PLACE, "in RAM");
    assertEquals(await it.cache.handle(URL, PLACE), "in RAM");
    assertEquals(await it.cache.handle(URL, "old"), "old");
  }
  assertEquals(it.cache.stats().diskErrors, 1);
  assertEquals(it.recorder.of("diskError")[0]?.operation, "write a note");

  // The next change is written with it.
  await it.cache.setHandle(URL, "new", "new");
  await using other = await MediaCache.open({ cacheDir: it.dir });
  assertEquals(await other.handle(URL, PLACE), "in RAM");
  assertEquals((await namesIn(it.dir)).length, 1);
});

Deno.test("a note that the disk does not let go is hidden, and keeps no replacement", async () => {
  await using it = await open();
  await it.put(URL);
  await it.cache.setHandle(URL, PLACE, "h");
  {
    using _fault = new CallFault("removeSync", new Error("Input/output error"));
    assertEquals(await it.put(URL, 50, true), false);
  }
  assertEquals(await it.cache.handle(URL, PLACE), undefined);
  await using media = await it.cache.get(URL);
  assertEquals(await media?.bytes(), bytesOf(100));
});

Deno.test("a read-only cache reads notes, keeps handles in RAM, and writes nothing", async () => {
  await using it = await open();
  await it.put(URL);
  await it.cache.setHandle(URL, "old", "old");
  const before = await snapshotOf(it.dir);
  await using cache = await MediaCache.open({
    cacheDir: it.dir,
    readOnly: true,
  });

  assertEquals(await cache.handle(URL, "old"), "old");
  await cache.setHandle(URL, PLACE, "h");
  await cache.setHandle(URL, "old", undefined);

  assertEquals(await cache.handle(URL, PLACE), "h");
  assertEquals(await cache.handle(URL, "old"), undefined);
  await cache.clear();
  assertEquals(await cache.handle(URL, PLACE), "h");
  assertEquals(await snapshotOf(it.dir), before);
  // Another cache has replaced the bytes: what RAM knows is outdated.
  await it.cache.delete(URL);
  assertEquals(await cache.handle(URL, PLACE), undefined);
});

for (const original of hasPython ? [standIn, python] : [standIn]) {
  Deno.test(`a folder of the original gets notes, which it never reads (${original.name})`, async () => {
    await using temp = await tempDir();
    const entry = {
      url: URL,
      mimetype: "image/png",
      filename: "a.png",
      data: bytesOf(10),
    };
    await original.write(temp.path, [entry]);
    await using cache = await MediaCache.open({ cacheDir: temp.path });

    const send = () =>
      cache.sendOnce(URL, PLACE, () => Promise.reject(new Error("stored")), {
        again: (handle) => Promise.resolve(handle),
        first: async (media) => ({
          result: `${(await media.bytes()).length} bytes`,
          handle: "h",
        }),
      });
    assertEquals(await send(), "10 bytes");
    assertEquals(await send(), "h");

    await original.write(temp.path, [{ ...entry, url: `${URL}?b` }]);
    assertEquals(await cache.has(`${URL}?b`), true);
    assertEquals(await send(), "h");
  });
}
