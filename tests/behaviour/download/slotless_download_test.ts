/** Steps of a download that hold no slot. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Downloader, MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { heard, stub } from "../../fixtures/gif/stub.ts";
import { pair } from "../../fixtures/sharing/pair.ts";

const MB = 2 ** 20;
const PICTURE = pattern(1000);
const picture: Downloader = () => Promise.resolve({ data: PICTURE });

Deno.test("GIFs in conversion hold up no picture that comes behind them", async () => {
  await using temp = await tempDir();
  const ffmpeg = await stub(
    temp.path,
    'echo $$ >"$here/said"; exec sleep 1000',
  );
  const cache = await MediaCache.open({
    cacheDir: join(temp.path, "cache"),
    gifToMp4: { ffmpeg, maxConcurrent: 1 },
    maxConcurrentDownloads: 1,
  });
  const data = gifOfDelays([10, 20, 30]);
  const gifs = [1, 2, 3].map((n) =>
    cache.getOrDownload(`gif:${n}`, () => Promise.resolve({ data }))
  );
  const settled = Promise.allSettled(gifs);
  await heard(temp.path);

  const media = await cache.getOrDownload("picture:", picture);

  assertBytes(await media.bytes(), PICTURE);
  assertEquals(cache.inFlight().map(({ phase }) => phase), [
    "converting",
    "converting",
    "converting",
  ]);
  await cache.close({ abort: true });
  await settled;
});

Deno.test("64 stalled readers of bodies that are not stored hold up no other URL", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxEntryMb: 0.5,
    maxMemoryMb: 1,
  });
  const body = pattern(MB);
  const stalled = await Promise.all(
    Array.from({ length: 64 }, async (_, n) => {
      const { data } = new ReadySource(body);
      const media = await cache.getOrDownload(
        `large:${n}`,
        () => Promise.resolve({ data, size: body.length }),
      );
      const reader = media.body.getReader();
      return { reader, start: await readSome(reader, 1) };
    }),
  );

  for (const url of ["a:", "b:"]) {
    const media = await cache.getOrDownload(url, picture);
    assertBytes(await media.bytes(), PICTURE);
    assertEquals(await media.stored, true);
  }

  for (const { reader, start } of stalled) {
    const rest = await readRest(reader);
    assertBytes(await new Blob([start, rest]).bytes(), body);
  }
});

Deno.test("a download whose reader reads on goes on at once, and others begin after it", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxEntryMb: 0.5,
    maxConcurrentDownloads: 1,
  });
  const body = pattern(4 * MB);
  const { data } = new ReadySource(body);
  const download = () => Promise.resolve({ data, size: body.length });
  const media = await cache.getOrDownload("large:", download);
  const reader = media.body.getReader();
  const start = await readSome(reader, 1);

  const { tap, call } = await begin(cache, "small:");
  const third = cache.getOrDownload("third:", picture);
  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), body);
  assertEquals(cache.inFlight().map(({ phase }) => phase), [
    "downloading",
    "waiting",
  ]);
  tap.end();

  assertEquals((await (await call).bytes()).length, 0);
  assertBytes(await (await third).bytes(), PICTURE);
});

Deno.test("a cache that follows another holds no slot, and waits for one when it takes over", async () => {
  await using caches = await pair({ maxConcurrentDownloads: 1 });
  const { one, two } = caches;
  const { call } = await begin(one, "a:");
  const following = two.getOrDownload("a:", picture);
  while (two.inFlight()[0]?.phase !== "waiting") await turn();
  const tap = new Tap();
  const other = two
    .getOrDownload(
      "b:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(pattern(10));
  const media = await other;

  const ended = call.catch((error) => error);
  await one.close({ abort: true });
  assert(await ended instanceof Error);
  tap.end();

  assertBytes(await media.bytes(), pattern(10));
  assertBytes(await (await following).bytes(), PICTURE);
});
