import { assert, assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readAll,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { CallFault, WriteFault } from "../../fixtures/faults/disk_faults.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

const MB = 2 ** 20;
const BODY = pattern(4 * MB);
const download = () =>
  Promise.resolve({ data: new ReadySource(BODY).data, size: BODY.length });

async function openCache() {
  const temp = await tempDir();
  const recorder = new Recorder();
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    onEvent: recorder.onEvent,
  });
  return {
    cache,
    recorder,
    async [Symbol.asyncDispose]() {
      assertEquals(cache.stats().stagedBytes, 0);
      await cache.close();
      // A fault must leave no file behind that a working disk could remove.
      const names = await namesIn(temp.path);
      assertEquals(names.length, 2 * cache.stats().entries);
      await temp[Symbol.asyncDispose]();
    },
  };
}

for (const after of [0, 1, 65_536, 2 * MB + 5, 4 * MB]) {
  Deno.test(`a disk that is full after ${after} bytes does not break a download`, async () => {
    await using opened = await openCache();
    const { cache, recorder } = opened;
    {
      using _fault = new WriteFault(after);

      const media = await cache.getOrDownload("a:", download);
      assertBytes(await media.bytes(), BODY);
      assertEquals(await media.stored, false);
    }

    assert(cache.stats().diskErrors > 0);
    assertEquals(recorder.of("evicted"), []);
    const again = await cache.getOrDownload("a:", download);
    assertBytes(await again.bytes(), BODY);
    assertEquals(await again.stored, true);
  });
}

Deno.test("readers of a download continue when its disk fails, at any position", async () => {
  await using opened = await openCache();
  using _fault = new WriteFault(2 * MB + 5);

  const calls = [1, 2].map(() => opened.cache.getOrDownload("a:", download));
  const [late, first] = await Promise.all(calls);
  const reader = late!.body.getReader();
  const start = await readSome(reader, 1);
  const slice = readAll(first!.slice(MB, 3 * MB));
  const [bytes, rest] = await Promise.all([first!.bytes(), readRest(reader)]);

  assertBytes(bytes, BODY);
  assertBytes(await new Blob([start, rest]).bytes(), BODY);
  assertBytes(await slice, BODY.slice(MB, 3 * MB));
});

Deno.test("later callers run their own downloader once the disk has failed", async () => {
  await using opened = await openCache();
  const { cache } = opened;
  let calls = 0;
  const counted = () => {
    calls++;
    return download();
  };
  using _fault = new WriteFault(0);

  const first = await cache.getOrDownload("a:", counted);
  const second = await cache.getOrDownload("a:", counted);
  const [one, two] = await Promise.all([first.bytes(), second.bytes()]);

  assertBytes(one, BODY);
  assertBytes(two, BODY);
  assertEquals(calls, 2);
});

const DENIED = new Deno.errors.PermissionDenied(
  "Permission denied (os error 13)",
);
const errors = [
  new Error("Too many open files (os error 24)"),
  DENIED,
  new Error("Read-only file system (os error 30)"),
];
for (const name of ["openSync", "renameSync", "utimeSync"] as const) {
  for (const error of errors) {
    for (const skip of [0, 1]) {
      Deno.test(`${name} that fails after ${skip} calls with "${error.message}" breaks no download`, async () => {
        await using opened = await openCache();
        const { cache } = opened;
        {
          using fault = new CallFault(name, error, skip);

          const media = await cache.getOrDownload("a:", download);
          assertBytes(await media.bytes(), BODY);
          const isStored = await media.stored;
          // A file system that refuses to set times can be used on.
          const isRefused = name === "utimeSync" && error === DENIED;
          const isBroken = fault.calls > skip && !isRefused;
          assertEquals(isStored, !isBroken);
          assertEquals(cache.stats().diskErrors > 0, isBroken);
        }

        const again = await cache.getOrDownload("a:", download);
        assertBytes(await again.bytes(), BODY);
        assertEquals(await again.stored, true);
      });
    }
  }
}

Deno.test("a directory deleted while the cache runs is made again", async () => {
  await using temp = await tempDir();
  const cacheDir = `${temp.path}/cache`;
  await using cache = await MediaCache.open({ cacheDir });
  await Deno.remove(cacheDir);

  const media = await cache.getOrDownload("a:", download);
  assertBytes(await media.bytes(), BODY);

  assertEquals(await media.stored, true);
});

Deno.test("a directory deleted during a download costs its readers nothing", async () => {
  await using temp = await tempDir();
  const cacheDir = `${temp.path}/cache`;
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir,
    onEvent: recorder.onEvent,
  });

  const tap = new Tap();
  const call = cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(BODY.slice(0, MB));
  const media = await call;
  await Deno.remove(cacheDir, { recursive: true });
  tap.write(BODY.slice(MB));
  tap.end();

  assertBytes(await media.bytes(), BODY);
  assertEquals(await media.stored, false);
});

Deno.test("without a usable directory downloads are uncached", async () => {
  await using temp = await tempDir();
  const cacheDir = `${temp.path}/file`;
  await Deno.writeTextFile(cacheDir, "in the way");
  const recorder = new Recorder();
  await using cache = new MediaCache({ cacheDir, onEvent: recorder.onEvent });

  await assertRejects(() => cache.ensureLoaded(), Error, cacheDir);
  const media = await cache.getOrDownload("a:", download);

  assertBytes(await media.bytes(), BODY);
  assertEquals(await media.stored, false);
});
