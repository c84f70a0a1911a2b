/** Media that are lent as files, for libraries that want a path. */
import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { walk } from "@std/fs/walk";
import { basename, dirname, fromFileUrl, join } from "@std/path";
import {
  CacheClosedError,
  type LentFile,
  type Media,
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { LENT_NAME } from "../../../src/core/disk/file_names.ts";
import { safeFilename } from "../../../src/core/text/filename.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import {
  openFiles,
  openFilesAtLast,
} from "../../fixtures/directory/open_files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { CallFault, WriteFault } from "../../fixtures/faults/disk_faults.ts";
import { HOSTILE_NAMES } from "../../fixtures/inputs/hostile_text.ts";
import { CommandedProcess } from "../../fixtures/processes/commanded_process.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { probe } from "../../fixtures/gif/probe.ts";
import { runProgram } from "../../fixtures/processes/program.ts";
import type { UnreadWorker } from "../../fixtures/sharing/unread_worker.ts";

const WORKER = fromFileUrl(
  import.meta.resolve("../../fixtures/sharing/unread_worker.ts"),
);
const URL_A = "https://example.org/a";

/** Bytes of a body that RAM takes, and of a body that it does not. */
const LENGTHS = { inMemory: 3_000, onDisk: 300_000 };

type Where = keyof typeof LENGTHS;

/** A cache in a folder of its own. */
async function setUp(options: MediaCacheOptions = {}) {
  const dir = await tempDir();
  const recorder = new Recorder();
  const cacheDir = join(dir.path, "cache");
  const cache = await MediaCache.open({
    cacheDir,
    maxMemoryItemMb: 0.1,
    onEvent: recorder.onEvent,
    ...options,
  });
  return {
    ...{ dir: dir.path, cacheDir, cache, recorder },
    lent: join(cacheDir, LENT_NAME),
    async [Symbol.asyncDispose]() {
      await cache.close();
      assertFalse(await isThere(join(cacheDir, LENT_NAME)));
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Stores a body, and looks it up. */
async function stored(
  cache: MediaCache,
  where: Where,
  url = URL_A,
  filename = "cat.png",
): Promise<Media> {
  await cache.put(url, bytesOf(LENGTHS[where]), "image/png", filename);
  const media = await cache.get(url);
  assert(media);
  return media;
}

/** Reads a file that is lent, and compares it. */
async function assertLent(file: LentFile, bytes: Uint8Array): Promise<void> {
  assertEquals(file.size, bytes.length);
  // Text: the difference of two long arrays takes gigabytes.
  const found = String(await Deno.readFile(file.path));
  assert(found === String(bytes), `wrong bytes in ${file.path}`);
}

/** The paths of the files below a folder, from there. */
async function filesIn(lent: string): Promise<string[]> {
  if (!await isThere(lent)) return [];
  const found = await Array.fromAsync(walk(lent, { includeDirs: false }));
  return found.map(({ path }) => path.slice(lent.length + 1)).sort();
}

for (const where of ["inMemory", "onDisk"] as const) {
  Deno.test(`a Media ${where} is lent as a link under its name, and can be read beside`, async () => {
    await using test = await setUp();
    const { cache, lent, cacheDir } = test;
    await using media = await stored(cache, where);
    const { dat } = pathsOf(cacheDir, URL_A);

    await using file = await media.file();

    assertEquals(basename(file.path), "cat.png");
    assertEquals(dirname(dirname(file.path)), lent);
    await assertLent(file, bytesOf(LENGTHS[where]));
    const [linked, { ino, nlink }] = await Promise.all([
      Deno.stat(file.path),
      Deno.stat(dat),
    ]);
    assertEquals([linked.ino, nlink], [ino, 2]);
    assertEquals((await Deno.stat(dirname(file.path))).mode! & 0o777, 0o700);
    assertBytes(await media.bytes(), bytesOf(LENGTHS[where]));
    // After the one read, too.
    await using again = await media.file();
    await assertLent(again, bytesOf(LENGTHS[where]));
    assert(again.path !== file.path);
    assertEquals(basename(again.path), "cat.png");
    assertEquals(cache.stats().diskErrors, 0);
  });

  Deno.test(`with copy, the file of a Media ${where} may be changed`, async () => {
    await using test = await setUp();
    const { cache, cacheDir } = test;
    await using media = await stored(cache, where);
    const before = await snapshotOf(cacheDir);

    await using file = await media.file({ copy: true });
    await assertLent(file, bytesOf(LENGTHS[where]));
    assertEquals((await Deno.stat(file.path)).mode! & 0o777, 0o600);
    await Deno.writeTextFile(file.path, "changed");

    assertEquals(await snapshotOf(cacheDir), before);
    assertBytes(await media.bytes(), bytesOf(LENGTHS[where]));
    const { bytesServed, diskErrors } = cache.stats();
    assertEquals([bytesServed, diskErrors], [LENGTHS[where], 0]);
  });

  const goings: [string, (cache: MediaCache) => Promise<unknown>][] = [
    ["deleted", (cache) => cache.delete(URL_A)],
    ["cleared", (cache) => cache.clear()],
    [
      "replaced",
      (cache) =>
        cache.put(URL_A, bytesOf(9, 5), "image/png", "b", { replace: true }),
    ],
    ["replaced by as many bytes", (cache) => {
      const bytes = bytesOf(LENGTHS[where], 5);
      return cache.put(URL_A, bytes, "image/png", "b", { replace: true });
    }],
    ["evicted", async (cache) => {
      const bytes = new Uint8Array(1_048_576);
      assert(await cache.put("new", bytes, "image/png", "new.png"));
      assertFalse(await cache.has(URL_A));
    }],
  ];
  for (const [what, go] of goings) {
    for (const by of ["this", "another"]) {
      Deno.test(`the file of a Media ${where} stays when its entry is ${what} by ${by} cache, and can be lent after that`, async () => {
        await using test = await setUp({ maxSizeMb: 1 });
        const { cache, cacheDir } = test;
        await using media = await stored(cache, where);
        const bytes = bytesOf(LENGTHS[where]);
        await using before = await media.file();
        await using other = await MediaCache.open({ cacheDir, maxSizeMb: 1 });

        await go(by === "this" ? cache : other);

        await using after = await media.file();
        await using copy = await media.file({ copy: true });
        for (const file of [before, after, copy]) {
          await assertLent(file, bytes);
        }
        assertEquals(cache.stats().diskErrors, 0);
      });
    }
  }
}

Deno.test("a hit in RAM is lent as a link without a read of its file", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  const pair = { ageMs: 60_000 };
  const { dat } = await writePair(cacheDir, URL_A, bytesOf(3_000), pair);
  await using _first = await cache.get(URL_A);
  await using media = await cache.get(URL_A);
  assert(media?.source === "memory");

  using fault = new CallFault("readSync", new Error("Input/output error"));
  await using file = await media.file();

  assertEquals(fault.calls, 0);
  const { ino } = await Deno.stat(dat);
  assertEquals((await Deno.stat(file.path)).ino, ino);
});

Deno.test("a hit in RAM is lent as its own bytes after another program has rewritten its file", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  const pair = { ageMs: 60_000 };
  const { dat, json } = await writePair(
    cacheDir,
    URL_A,
    bytesOf(3_000),
    pair,
  );
  await using _first = await cache.get(URL_A);
  await using media = await cache.get(URL_A);
  assert(media?.source === "memory");
  const { mtime } = await Deno.stat(dat);
  assert(mtime);

  // In place, of equal length and time: only the sidecar tells.
  await Deno.writeFile(dat, bytesOf(3_000, 5));
  await Deno.utime(dat, mtime, mtime);
  await Deno.writeFile(json, await Deno.readFile(json));

  await using file = await media.file();
  await assertLent(file, bytesOf(3_000));
});

Deno.test("file() waits for the end of a download, and its link is the entry", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  for (const length of Object.values(LENGTHS)) {
    const url = `${length}`;
    const bytes = bytesOf(length);
    const { tap, call } = await begin(cache, url, { filename: "a.ogg" });
    tap.write(bytes.slice(0, 1_000));
    await using media = await call;
    let isLent = false;
    const lending = media.file().then((file) => {
      isLent = true;
      return file;
    });
    tap.write(bytes.slice(1_000));
    assertFalse(isLent);
    tap.end();

    await using file = await lending;
    await assertLent(file, bytes);
    const { ino } = await Deno.stat(pathsOf(cacheDir, url).dat);
    assertEquals((await Deno.stat(file.path)).ino, ino);
    assertBytes(await media.bytes(), bytes);
  }
});

Deno.test("a download that comes in one chunk is lent as a link", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  await using media = await cache.getOrDownload(
    URL_A,
    () => Promise.resolve(new Response(bytesOf(3_000))),
  );
  assertEquals(media.source, "download");

  await using file = await media.file();

  await assertLent(file, bytesOf(3_000));
  const { ino } = await Deno.stat(pathsOf(cacheDir, URL_A).dat);
  assertEquals((await Deno.stat(file.path)).ino, ino);
});

Deno.test("a GIF is lent as the MP4 that it becomes, under the name of the video", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  const download = () =>
    Promise.resolve({ data: gifOfDelays([10, 20, 30]), mimetype: "image/gif" });
  await using media = await cache.getOrDownload("a:/dance.gif", download);

  await using file = await media.file();

  assertEquals(basename(file.path), "dance.mp4");
  assertEquals((await probe(file.path)).codecs, ["h264"]);
  await assertLent(file, await media.bytes());
  const { ino } = await Deno.stat(pathsOf(cacheDir, "a:/dance.gif").dat);
  assertEquals((await Deno.stat(file.path)).ino, ino);
});

Deno.test("a download of another cache is lent when it has ended, read before or not", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  await using other = await MediaCache.open({ cacheDir });
  const { tap, call } = await begin(other, URL_A, { filename: "a.ogg" });
  tap.write(bytesOf(1_000));
  await using _first = await call;
  const never = () => Promise.reject(new Error("not called"));
  await using media = await cache.getOrDownload(URL_A, never);
  await using unread = await cache.getOrDownload(URL_A, never);
  const reader = media.body.getReader();
  assertEquals((await reader.read()).value, bytesOf(1_000));
  const lending = [media.file(), unread.file(), unread.file({ copy: true })];
  tap.end();

  const files = await Promise.all(lending);
  for (const file of files) await assertLent(file, bytesOf(1_000));
  await other.clear();
  for (const file of files) {
    await assertLent(file, bytesOf(1_000));
    await file[Symbol.asyncDispose]();
  }
  await reader.cancel();
});

Deno.test("file() goes on with the download that takes the place of another cache's", async () => {
  await using test = await setUp();
  const { cache, cacheDir } = test;
  const other = await MediaCache.open({ cacheDir });
  const facts = { filename: "a.ogg", size: 3_000 };
  const { tap, call } = await begin(other, URL_A, facts);
  tap.write(bytesOf(9, 7));
  const first = await call;
  const again = () =>
    Promise.resolve({
      ...{ data: bytesOf(3_000), mimetype: "application/x-test" },
      ...facts,
    });
  await using media = await cache.getOrDownload(URL_A, again);
  assertEquals(cache.stats().coalesced, 1);
  const lending = media.file();

  await other.close({ abort: true });

  await using file = await lending;
  await assertLent(file, bytesOf(3_000));
  assertBytes(await media.bytes(), bytesOf(3_000));
  await assertRejects(() => first.bytes());
});

Deno.test("parked unread Media and lent files share a folder, whatever their names", async () => {
  await using test = await setUp({ maxMemoryItems: 0 });
  const { cache, lent, cacheDir } = test;
  const all: Media[] = [];
  for (let n = 0; n < 300; n++) {
    // The names of the links of parked Media are such numbers.
    await cache.put(`${n}`, bytesOf(20_000, n), "x/unknown", `${n % 50}`);
    const media = await cache.get(`${n}`);
    assert(media);
    all.push(media);
  }
  assertEquals(await openFilesAtLast(cacheDir, 256), 256);
  assertEquals((await filesIn(lent)).length, 44);
  const before = await Promise.all(all.slice(0, 50).map((it) => it.file()));
  await cache.clear();
  const after = await Promise.all(all.slice(0, 50).map((it) => it.file()));

  for (const [n, file] of [...before, ...after].entries()) {
    await assertLent(file, bytesOf(20_000, n % 50));
    assertEquals(basename(file.path), `${n % 50}`);
  }
  for (const [n, media] of all.entries()) {
    const found = String(await media.bytes());
    assert(found === String(bytesOf(20_000, n)), `wrong bytes of ${n}`);
  }
  assertEquals((await filesIn(lent)).length, 100);
  for (const file of [...before, ...after]) await file[Symbol.asyncDispose]();
  assertFalse(await isThere(lent));
  assertEquals(openFiles(cacheDir), []);
  assertEquals(cache.stats().diskErrors, 0);
});

Deno.test("a download that is deleted on its way is lent as a copy", async () => {
  await using test = await setUp();
  const { cache } = test;
  for (const length of Object.values(LENGTHS)) {
    const { tap, call } = await begin(cache, URL_A);
    tap.write(bytesOf(length).slice(0, 9));
    await using media = await call;
    const lending = media.file();
    await cache.delete(URL_A);
    tap.write(bytesOf(length).slice(9));
    tap.end();

    await using file = await lending;
    await assertLent(file, bytesOf(length));
    assertEquals(await media.stored, false);
  }
});

Deno.test("file() rejects with the error of a download that fails", async () => {
  await using test = await setUp();
  const { tap, call } = await begin(test.cache, URL_A);
  tap.write(bytesOf(9));
  await using media = await call;
  const lending = media.file();
  const error = new Error("the origin has failed");
  const rejected = assertRejects(() => lending, Error, error.message);
  tap.fail(error);

  assertEquals(await rejected, error);
  await assertRejects(() => media.file(), Error, error.message);
  assertEquals(await filesIn(test.lent), []);
});

Deno.test("file() rejects once a download goes uncached, and the Media can still be read", async () => {
  await using test = await setUp({ maxEntryMb: 0.1 });
  const { cache } = test;
  const { tap, call } = await begin(cache, URL_A);
  tap.write(bytesOf(1_000));
  await using media = await call;
  const lending = media.file();
  const rejected = assertRejects(
    () => lending,
    MediaCacheError,
    "Cannot lend media: it could not be stored",
  );
  tap.write(bytesOf(200_000));
  await rejected;
  await assertRejects(() => media.file(), MediaCacheError, "be stored");

  const reading = media.bytes();
  tap.end();
  const expected = new Blob([bytesOf(1_000), bytesOf(200_000)]);
  assertBytes(await reading, await expected.bytes());
});

Deno.test("nothing is lent by caches that may not write or store", async () => {
  await using test = await setUp();
  const { cacheDir } = test;
  await using _media = await stored(test.cache, "onDisk");
  await test.cache.put("small", bytesOf(9), "image/png", "small.png");
  const before = await snapshotOf(cacheDir);
  {
    await using cache = await MediaCache.open({ cacheDir, readOnly: true });
    for (const url of [URL_A, "small"]) {
      await using media = await cache.get(url);
      assert(media);
      const error = await assertRejects(() => media.file(), MediaCacheError);
      assertStringIncludes(error.message, "the cache is read-only");
      await media.bytes();
    }
    assertEquals(cache.stats().diskErrors, 0);
  }
  for (const options of [{ readOnly: true }, { maxSizeMb: 0 }]) {
    await using cache = await MediaCache.open({ cacheDir, ...options });
    await using media = await cache.getOrDownload(
      "new",
      () => Promise.resolve(new Response("new")),
    );
    await assertRejects(() => media.file(), MediaCacheError, "be stored");
    assertBytes(await media.bytes(), new TextEncoder().encode("new"));
  }
  assertEquals(await snapshotOf(cacheDir), before);
});

Deno.test("file() of a Media that was disposed rejects, and one that waits does at once", async () => {
  await using test = await setUp({ whenAbandoned: "abort" });
  const { cache, lent, recorder } = test;
  const media = await stored(cache, "onDisk");
  await media[Symbol.asyncDispose]();
  await assertRejects(() => media.file(), TypeError, "it was disposed");
  const small = await stored(cache, "inMemory", "small");
  await small[Symbol.asyncDispose]();
  await assertRejects(() => small.file(), TypeError, "it was disposed");

  const { tap, call } = await begin(cache, "slow");
  tap.write(bytesOf(9));
  const waiting = await call;
  const lending = waiting.file();
  const rejected = assertRejects(() => lending, TypeError, "it was disposed");
  await waiting[Symbol.asyncDispose]();
  await rejected;
  // Nobody else wants the download.
  await recorder.seen("failed");
  assertEquals(recorder.of("failed").map(({ name }) => name), ["AbortError"]);
  assertEquals(await filesIn(lent), []);
});

Deno.test("file() rejects with the reason of the caller's signal, and keeps the download for others", async () => {
  await using test = await setUp({ whenAbandoned: "abort" });
  const { cache, lent } = test;
  const { tap, call } = await begin(cache, URL_A);
  const controller = new AbortController();
  const { signal } = controller;
  const joining = cache.getOrDownload(URL_A, () => Promise.reject(), {
    signal,
  });
  tap.write(bytesOf(1_000));
  await using media = await joining;
  await using first = await call;
  const lending = media.file();
  const reason = new Error("enough");
  const rejected = assertRejects(() => lending, Error, "enough");
  controller.abort(reason);
  assertEquals(await rejected, reason);
  await assertRejects(() => media.file(), Error, "enough");

  const other = first.file();
  tap.end();
  await using file = await other;
  await assertLent(file, bytesOf(1_000));
  assertEquals(await filesIn(lent), [file.path.slice(lent.length + 1)]);
});

Deno.test("file() keeps a download that nobody reads, and its bytes go when it ends", async () => {
  await using test = await setUp({ whenAbandoned: "abort" });
  const { cache, cacheDir } = test;
  const { tap, call } = await begin(cache, URL_A);
  tap.write(bytesOf(1_000));
  await using media = await call;
  await media.body.cancel().catch(() => {});
  const { tap: other, call: otherCall } = await begin(cache, "other");
  other.write(bytesOf(9));
  await using read = await otherCall;
  const lending = read.file();
  const reader = read.body.getReader();
  await reader.cancel();
  other.write(bytesOf(9));
  other.end();
  await using file = await lending;
  assertEquals(file.size, 18);
  tap.end();
  await read[Symbol.asyncDispose]();

  assertEquals(openFiles(cacheDir), []);
});

Deno.test("a file that was given back is gone, and giving it back twice harms no later one", async () => {
  await using test = await setUp();
  const { cache, lent } = test;
  await using media = await stored(cache, "onDisk");
  const first = await media.file();
  await Promise.all([
    first[Symbol.asyncDispose](),
    first[Symbol.asyncDispose](),
  ]);
  assertFalse(await isThere(first.path));
  assertFalse(await isThere(lent));

  await using other = await stored(cache, "onDisk", "other", "dog.png");
  await using _kept = await other.file();
  const second = await media.file();
  await second[Symbol.asyncDispose]();
  await using third = await media.file();
  assertEquals(third.path, second.path);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await assertLent(third, bytesOf(LENGTHS.onDisk));
});

Deno.test("thousands of files lent and given back leave no folder and no open file", async () => {
  await using test = await setUp();
  const { cache, cacheDir, lent } = test;
  await using large = await stored(cache, "onDisk");
  await using small = await stored(cache, "inMemory", "small", "dog.png");
  for (let n = 0; n < 500; n++) {
    await using _file = await (n % 2 === 0 ? large : small).file();
  }
  assertFalse(await isThere(lent));

  const files = await Promise.all(
    Array.from({ length: 2_000 }, (_, n) => (n % 2 ? large : small).file()),
  );
  assertEquals(new Set(files.map(({ path }) => path)).size, 2_000);
  // One folder is locked, however many files there are.
  const folders = await openFolders(cacheDir);
  assertEquals(folders.length, 1);
  await assertLent(files.at(-1)!, bytesOf(LENGTHS.onDisk));
  await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));

  assertFalse(await isThere(lent));
  assertEquals(await openFolders(cacheDir), []);
  assertEquals(cache.stats().diskErrors, 0);
});

/** The folders below a path that this process holds open. */
async function openFolders(dir: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const link = `/proc/self/fd/${name}`;
    const path = await Deno.readLink(link).catch(() => "");
    if (path.startsWith(join(dir, LENT_NAME))) paths.push(path);
  }
  return paths;
}

Deno.test("lent files count nowhere, and a small maxDiskMb does not evict for them", async () => {
  await using test = await setUp({ maxSizeMb: 1, maxDiskMb: 1 });
  const { cache, cacheDir } = test;
  await using media = await stored(cache, "onDisk");
  const { occupiedBytes, totalBytes, orphanBytes } = cache.stats();
  await using _a = await media.file({ copy: true });
  await using _b = await media.file({ copy: true });
  await using _c = await media.file({ copy: true });

  assertEquals(cache.stats().occupiedBytes, occupiedBytes);
  assert(
    await cache.put("b", bytesOf(LENGTHS.onDisk), "image/png", "b.png"),
  );
  assert(await cache.has(URL_A));
  const stats = cache.stats();
  assertEquals(stats.totalBytes, 2 * totalBytes);
  assertEquals(stats.orphanBytes, orphanBytes);
  await using other = await MediaCache.open({ cacheDir });
  assertEquals(other.stats().entries, 2);
  assertEquals((await cache.verify()).problems, []);
});

Deno.test("each name that a sender may state is lent within the folder", async () => {
  await using test = await setUp();
  const { cache, lent } = test;
  const names = [
    ...HOSTILE_NAMES,
    ...[".", "..", "a.", "a ", "CON", "con.png", "a/b", "a\\b", "\0a", "..."],
    `${"a".repeat(300)}.png`,
    `${"ä".repeat(150)}.png`,
    `${"😀".repeat(80)}.webp`,
    "\u202Egpj.exe",
    "-rf.png",
    ".hidden",
    "0",
    "a.tar.gz",
    "CAT.PNG",
    "cat.png",
  ];
  const files: [LentFile, Uint8Array][] = [];
  for (const [n, name] of names.entries()) {
    const url = `https://example.org/${n}`;
    await cache.put(url, bytesOf(30, n), "image/png", name);
    await using media = await cache.get(url);
    assert(media);
    const file = await media.file();
    assertEquals(basename(file.path), media.filename);
    assertEquals(media.filename, safeFilename(name));
    assertEquals(dirname(dirname(file.path)), lent);
    files.push([file, bytesOf(30, n)]);
  }
  for (const [file, bytes] of files) await assertLent(file, bytes);
  assertEquals((await filesIn(lent)).length, names.length);
  for (const [file] of files) await file[Symbol.asyncDispose]();
  assertFalse(await isThere(lent));
});

Deno.test("a name that a sidecar of another program holds is lent within the folder", async () => {
  await using test = await setUp();
  const { cache, cacheDir, lent } = test;
  const sidecar = { filename: "../../../escaped.png" };
  await writePair(cacheDir, URL_A, bytesOf(30), { sidecar });
  await using media = await cache.get(URL_A);
  assert(media);
  await using file = await media.file();
  assertEquals(dirname(dirname(file.path)), lent);
  await assertLent(file, bytesOf(30));
});

Deno.test("where the file system refuses links, a copy is lent", async () => {
  await using test = await setUp();
  const { cache, recorder, cacheDir } = test;
  await using media = await stored(cache, "onDisk");
  await using small = await stored(cache, "inMemory", "small");
  using _fault = new CallFault(
    "linkSync",
    new Deno.errors.PermissionDenied("Operation not permitted"),
  );
  for (const each of [media, small]) {
    await using file = await each.file();
    const { nlink, size } = await Deno.stat(file.path);
    assertEquals([nlink, size], [1, file.size]);
    await assertLent(file, await each.bytes());
  }
  assertEquals(recorder.of("degraded").length, 1);
  assertEquals((await Deno.stat(pathsOf(cacheDir, URL_A).dat)).nlink, 1);
});

Deno.test("a full disk rejects with its reason, leaves nothing, and harms no later file", async () => {
  await using test = await setUp();
  const { cache, lent, recorder } = test;
  await using media = await stored(cache, "onDisk");
  const full = Object.assign(new Error("No space left on device"), {
    code: "ENOSPC",
  });
  {
    using _fault = new WriteFault(100_000, full);
    const error = await assertRejects(
      () => media.file({ copy: true }),
      MediaCacheError,
      "Cannot lend media: its file could not be written: ENOSPC",
    );
    assertEquals(error.cause, full);
    assertFalse(error.message.includes(URL_A));
  }
  assertFalse(await isThere(lent));
  assertEquals(recorder.of("diskError").length, 1);
  await using file = await media.file({ copy: true });
  await assertLent(file, bytesOf(LENGTHS.onDisk));
});

const obstacles: [string, (lent: string, outside: string) => Promise<void>][] =
  [
    ["a file", (lent) => Deno.writeTextFile(lent, "mine")],
    ["a link to a folder", (lent, outside) => Deno.symlink(outside, lent)],
    ["a link that leads nowhere", (lent) => Deno.symlink("/nowhere", lent)],
  ];
for (const [what, put] of obstacles) {
  Deno.test(`file() rejects and touches nothing where ${what} has the name of its folder`, async () => {
    await using test = await setUp();
    const { cache, lent, dir } = test;
    const outside = join(dir, "outside");
    await Deno.mkdir(outside);
    await using media = await stored(cache, "onDisk");
    await put(lent, outside);

    for (const copy of [false, true]) {
      await assertRejects(() => media.file({ copy }), MediaCacheError);
    }
    assertEquals(await Array.fromAsync(Deno.readDir(outside)), []);
    assertBytes(await media.bytes(), bytesOf(LENGTHS.onDisk));

    await Deno.remove(lent);
    await using again = await cache.get(URL_A);
    await using file = await again!.file();
    await assertLent(file, bytesOf(LENGTHS.onDisk));
  });
}

Deno.test("files lent by a killed process go at the next start, and those of a living one stay", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  const lent = join(cacheDir, LENT_NAME);
  let paths: string[];
  {
    await using killed = new CommandedProcess<UnreadWorker>(WORKER);
    await killed.ask("open", { cacheDir }, 3);
    await killed.ask("hold", 3);
    paths = await killed.ask("lend", 3);
    assertEquals(new Set(paths.map(dirname)).size, 3);
    await using other = await MediaCache.open({ cacheDir });
    await other.clear();
    for (const [n, path] of paths.entries()) {
      assertEquals(await Deno.readFile(path), bytesOf(20_000, n));
    }
    assertEquals((await filesIn(lent)).length, 3);
  }
  await using _next = await MediaCache.open({ cacheDir });
  await _next.close();
  for (const path of paths) assertFalse(await isThere(path));
  assertFalse(await isThere(lent));
});

Deno.test("a file of a further folder goes even if the folder of its lender is gone", async () => {
  await using dir = await tempDir();
  const lent = join(dir.path, LENT_NAME);
  const beside = join(lent, `${crypto.randomUUID()}.7`);
  await Deno.mkdir(beside, { recursive: true });
  await Deno.writeTextFile(join(beside, "a.png"), "left");
  const foreign = join(lent, `${crypto.randomUUID()}.x`);
  await Deno.mkdir(foreign);

  await (await MediaCache.open({ cacheDir: dir.path })).close();

  assertFalse(await isThere(beside));
  assert(await isThere(foreign));
});

Deno.test("close() takes all files back, and later calls reject", async () => {
  await using test = await setUp();
  const { cache, lent } = test;
  const media = await stored(cache, "onDisk");
  const small = await stored(cache, "inMemory", "small");
  const files = [await media.file(), await media.file(), await small.file()];
  const { tap, call } = await begin(cache, "slow");
  tap.write(bytesOf(9));
  const waiting = await call;
  const rejected = assertRejects(() => waiting.file(), CacheClosedError);

  await cache.close({ abort: true });

  await rejected;
  assertFalse(await isThere(lent));
  for (const each of [media, small, waiting]) {
    await assertRejects(() => each.file(), CacheClosedError);
  }
  for (const file of files) await file[Symbol.asyncDispose]();
});

Deno.test("close() during a copy ends it, and leaves no file", async () => {
  await using test = await setUp({ maxMemoryItems: 0 });
  const { cache, lent, cacheDir } = test;
  await cache.put(URL_A, new Uint8Array(8_000_000), "video/mp4", "a.mp4");
  const media = await cache.get(URL_A);
  assert(media);
  const copies = [1, 2, 3].map(() => media.file({ copy: true }));
  const settled = Promise.allSettled(copies);
  await cache.close();

  for (const copy of await settled) {
    if (copy.status === "rejected") {
      assert(copy.reason instanceof CacheClosedError, String(copy.reason));
    }
  }
  assertFalse(await isThere(lent));
  assertEquals(openFiles(cacheDir), []);
});

Deno.test("wrong options are named", async () => {
  await using test = await setUp();
  await using media = await stored(test.cache, "inMemory");
  // A caller without types.
  const options = { copy: "yes" } as unknown as { copy: boolean };
  await assertRejects(
    () => media.file(options),
    TypeError,
    'Cannot lend media: copy must be a boolean: received "yes"',
  );
});

Deno.test("file() needs no other permission than to read and write the folder", async () => {
  const program = `
    const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
    await cache.put("a", new Uint8Array(300000), "image/png", "a.png");
    const media = await cache.get("a");
    const found = [];
    for (const copy of [false, true]) {
      await using file = await media.file({ copy });
      found.push((await Deno.readFile(file.path)).length);
    }
    const { diskErrors, degraded } = cache.stats();
    await cache.close();
    console.log(JSON.stringify([found, diskErrors, degraded]));
  `;
  const tmp = Deno.env.get("TMPDIR") ?? "/tmp";
  const flags = ["--no-prompt", `--allow-read=${tmp}`, `--allow-write=${tmp}`];
  const expected = [[[300_000, 300_000], 0, []]];
  assertEquals(await runProgram(program, { flags }), expected);
});
