import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  pathsOf,
  streamOf,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { stored, URL_A } from "../../fixtures/cache/stored.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("put() with replace keeps the old bytes when the new ones cannot be stored", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxEntryMb: 0.001,
  });
  await cache.put(URL_A, bytesOf(300), "image/png", "a.png");
  const replace = { replace: true };
  const broken = streamOf(bytesOf(9), new Error("reset")).stream;

  for (const data of [bytesOf(0), bytesOf(2_000), streamOf().stream]) {
    assertEquals(
      await cache.put(URL_A, data, "image/png", "b.png", replace),
      false,
    );
  }
  await assertRejects(
    () => cache.put(URL_A, broken, "image/png", "b.png", replace),
    Error,
    "reset",
  );

  assertEquals(await stored(cache), bytesOf(300));
  assertEquals((await namesIn(dir.path)).length, 2);
});

Deno.test("put() does not store an empty body of any kind", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  for (
    const data of [
      new Uint8Array(),
      new Blob([]),
      streamOf().stream,
      streamOf(new Uint8Array(), new Uint8Array()).stream,
    ]
  ) {
    assertEquals(await cache.put(URL_A, data, "image/png", "a.png"), false);
  }

  assertEquals(await namesIn(dir.path), []);
  assertEquals(cache.stats().entries, 0);
});

Deno.test("put() rejects with the source's own error and leaves nothing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const error = new TypeError("connection reset");

  const rejection = await assertRejects(() =>
    cache.put(URL_A, streamOf(bytesOf(9), error).stream, "image/png", "a.png")
  );

  assertStrictEquals(rejection, error);
  assertEquals(await namesIn(dir.path), []);
  assertEquals(await cache.has(URL_A), false);
  const { stagedBytes, diskErrors, totalBytes } = cache.stats();
  assertEquals([stagedBytes, diskErrors, totalBytes], [0, 0, 0]);
});

Deno.test("put() cancels a stream as soon as it is too large, and leaves no file", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxEntryMb: 0.001,
  });
  const source = streamOf(...Array.from({ length: 9 }, () => bytesOf(500)));

  assertEquals(
    await cache.put(URL_A, source.stream, "image/png", "a.png"),
    false,
  );

  assertEquals([source.pulls, source.cancelled], [3, true]);
  assertEquals(await namesIn(dir.path), []);
  assertEquals(cache.stats().stagedBytes, 0);
});

Deno.test("put() refuses other kinds of data, and names them, before it writes", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const wrong = [["data", "text", "image/png", "a"], [
    "mimetype",
    bytesOf(3),
    undefined,
    "a",
  ], ["filename", bytesOf(3), "image/png", 5]] as const;

  for (const [name, data, mimetype, filename] of wrong) {
    await assertRejects(
      // @ts-expect-error like a caller without types
      () => cache.put(URL_A, data, mimetype, filename),
      TypeError,
      name,
    );
  }
  await assertRejects(
    // @ts-expect-error like a caller without types
    () => cache.put(5, bytesOf(3), "image/png", "a"),
    TypeError,
    "url",
  );
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("put() rejects when a chunk is not a Uint8Array, and releases the stream", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue("text"),
    cancel: () => resolve(),
  });

  await assertRejects(
    () => cache.put(URL_A, stream, "image/png", "a.png"),
    TypeError,
    "Uint8Array",
  );

  await cancelled;
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("put() makes the directory again after it was deleted", async () => {
  await using dir = await tempDir();
  const cacheDir = `${dir.path}/cache`;
  await using cache = await MediaCache.open({ cacheDir });
  await Deno.remove(cacheDir);

  assertEquals(
    await cache.put(URL_A, bytesOf(3), "image/png", "a.png"),
    true,
  );
  assertEquals(await stored(cache), bytesOf(3));
});

Deno.test("put() counts a disk fault and resolves to false", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  const { dat } = pathsOf(dir.path, URL_A);
  await Deno.mkdir(`${dat}/in the way`, { recursive: true });

  assertEquals(
    await cache.put(URL_A, bytesOf(3), "image/png", "a.png"),
    false,
  );

  assertEquals(cache.stats().diskErrors, 1);
  assertEquals(recorder.of("diskError").length, 1);
  assertEquals(await namesIn(dir.path), [dat.split("/").at(-1)]);
  assertEquals(await isThere(`${dat}/in the way`), true);
  assertEquals([cache.stats().entries, cache.stats().stagedBytes], [0, 0]);
});

Deno.test("put() stores nothing where maxSizeMb is 0", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 0,
  });
  const source = streamOf(bytesOf(3));

  assertEquals(await cache.put(URL_A, bytesOf(1), "image/png", "a"), false);
  assertEquals(await cache.put(URL_A, source.stream, "image/png", "a"), false);
  assertEquals(source.cancelled, true);
  assertEquals(await namesIn(dir.path), []);
});
