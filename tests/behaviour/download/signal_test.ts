import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { pattern, readSome } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("the signal of a caller ends the wait of that caller alone", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();
  const download = () =>
    Promise.resolve({ data: tap.readable, mimetype: "application/x-test" });
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");

  const leaving = cache.getOrDownload("a:", download, { signal });
  const staying = cache.getOrDownload("a:", download);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => leaving), reason);
  tap.write(pattern(10));
  tap.end();

  assertEquals(await (await staying).bytes(), pattern(10));
});

Deno.test("the signal of a caller ends the streams of that caller alone", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();
  const download = () =>
    Promise.resolve({ data: tap.readable, mimetype: "application/x-test" });
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");

  const calls = [
    cache.getOrDownload("a:", download, { signal }),
    cache.getOrDownload("a:", download, { signal }),
    cache.getOrDownload("a:", download),
  ];
  tap.write(pattern(10));
  const [begun, unread, staying] = await Promise.all(calls);
  const reader = begun!.body.getReader();
  await readSome(reader, 10);
  const pending = reader.read();
  const slice = new Response(unread!.slice(5, 15)).bytes();
  controller.abort(reason);
  for (const result of await Promise.allSettled([pending, slice])) {
    assertStrictEquals((result as PromiseRejectedResult).reason, reason);
  }
  assertStrictEquals(await assertRejects(() => unread!.bytes()), reason);
  tap.write(pattern(10));
  tap.end();

  assertEquals((await staying!.bytes()).length, 20);
  assertEquals(await unread!.stored, true);
});

Deno.test("a signal aborted before the call runs no downloader", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const signal = AbortSignal.abort(new Error("enough"));
  const download = () => Promise.reject(new Error("was run"));

  await assertRejects(
    () => cache.getOrDownload("a:", download, { signal }),
    Error,
    "enough",
  );
  assertEquals(cache.stats().misses, 0);
});

Deno.test("a signal aborted during the lookup ends the call", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.put("a:", pattern(10), "", "");
  const download = () => Promise.reject(new Error("was run"));

  for (const url of ["a:", "b:"]) {
    const controller = new AbortController();
    const { signal } = controller;
    const call = cache.getOrDownload(url, download, { signal });
    controller.abort(new Error("enough"));
    await assertRejects(() => call, Error, "enough");
  }
});

Deno.test("a signal also ends the Media of a hit", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxMemoryItems: 0,
  });
  await cache.put("a:", pattern(1_000_000), "", "");
  const controller = new AbortController();
  const { signal } = controller;
  const download = () => Promise.reject(new Error("was run"));

  const media = await cache.getOrDownload("a:", download, { signal });
  const reader = media.body.getReader();
  await readSome(reader, 1);
  controller.abort(new Error("enough"));

  await assertRejects(() => reader.read(), Error, "enough");
});

Deno.test("a signal aborted after the end has no effect", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const controller = new AbortController();
  const { signal } = controller;

  const media = await cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data: pattern(10) }),
    { signal },
  );
  assertEquals(await media.bytes(), pattern(10));
  controller.abort();

  assertEquals(await media.stored, true);
});
