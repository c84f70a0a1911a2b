import { assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { bytesOf, namesIn, streamOf } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { stored, URL_A } from "../../fixtures/cache/stored.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("put() stores the bytes at the time of the call, whatever the caller does to the array later", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const bytes = bytesOf(9);

  const running = cache.put(URL_A, bytes, "image/png", "a.png");
  bytes.fill(0);
  await running;

  assertEquals(await stored(cache), bytesOf(9));
  bytes.fill(1);
  assertEquals(await stored(cache), bytesOf(9));
});

Deno.test("concurrent puts of one URL store the first body, and cancel the streams of the others", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const later = Array.from({ length: 4 }, () => streamOf(bytesOf(5)));

  const results = await Promise.all([
    cache.put(URL_A, streamOf(bytesOf(3)).stream, "image/png", "a.png"),
    ...later.map(({ stream }) =>
      cache.put(URL_A, stream, "image/png", "b.png")
    ),
  ]);

  assertEquals(results, Array(5).fill(true));
  assertEquals(later.map(({ pulls }) => pulls), [0, 0, 0, 0]);
  assertEquals(await stored(cache), bytesOf(3));
  assertEquals((await namesIn(dir.path)).length, 2);
});

Deno.test("after a failed put the next put of the URL stores", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const failing = cache.put(
    URL_A,
    streamOf(new Error("reset")).stream,
    "image/png",
    "a.png",
  );
  const next = cache.put(URL_A, bytesOf(5), "image/png", "b.png");

  await assertRejects(() => failing, Error, "reset");
  assertEquals(await next, true);
  assertEquals(await stored(cache), bytesOf(5));
});

Deno.test("put() during a download of the URL waits for it, and keeps the downloaded body", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const tap = new Tap();
  const media = cache.getOrDownload(
    URL_A,
    () => Promise.resolve({ data: tap.readable, mimetype: "image/png" }),
  );
  tap.write(bytesOf(9));
  await using _media = await media;

  const source = streamOf(bytesOf(5));
  const putting = cache.put(URL_A, source.stream, "image/png", "b.png");
  tap.end();

  assertEquals(await putting, true);
  assertEquals([source.pulls, source.cancelled], [0, true]);
  assertEquals(await stored(cache), bytesOf(9));
});

Deno.test("put() stores after a failed download of the URL", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const answer = Promise.withResolvers<Response>();
  const download = cache.getOrDownload(URL_A, () => answer.promise);
  const failed = assertRejects(() => download, Error, "offline");
  const running = Promise.withResolvers<void>();
  queueMicrotask(running.resolve);
  await running.promise;

  const putting = cache.put(URL_A, bytesOf(5), "image/png", "b.png");
  answer.reject(new Error("offline"));

  await failed;
  assertEquals(await putting, true);
  assertEquals(await stored(cache), bytesOf(5));
});

Deno.test("put() does not replace a body that a download stored while the stream was still coming", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  const tap = new Tap();
  const putting = cache.put(URL_A, tap.readable, "image/png", "put.png");
  tap.write(bytesOf(5));
  await using media = await cache.getOrDownload(
    URL_A,
    () => Promise.resolve({ data: bytesOf(9), mimetype: "image/png" }),
  );
  assertEquals(await media.stored, true);

  tap.end();

  assertEquals(await putting, true);
  assertEquals(await stored(cache), bytesOf(9));
  assertEquals(recorder.of("stored").length, 1);
  assertEquals((await namesIn(dir.path)).length, 2);
});

Deno.test("close() waits for a put, and cancels a put that never ends", async () => {
  await using dir = await tempDir();
  const cache = await MediaCache.open({ cacheDir: dir.path });
  const tap = new Tap();
  const array = cache.put("a", bytesOf(3), "image/png", "a.png");
  const endless = cache.put("b", tap.readable, "image/png", "b.png");
  const rejected = assertRejects(() => endless, Error, "closed");
  tap.write(bytesOf(3));

  const closing = cache.close({ timeoutMs: 60_000 });
  assertEquals(await array, true);
  await cache.close({ abort: true });
  await closing;

  await rejected;
  await tap.cancelled;
  assertEquals((await namesIn(dir.path)).length, 2);
});
