import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { DownloadTimeoutError, MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  streamOf,
} from "../../fixtures/directory/files.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { stored, URL_A } from "../../fixtures/cache/stored.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("put() stores a Uint8Array, a Blob and a stream alike, in pairs named by sha256", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const bytes = bytesOf(700_000);
  const kinds = {
    array: bytes,
    blob: new Blob([bytes]),
    stream: streamOf(bytes.slice(0, 5), new Uint8Array(), bytes.slice(5))
      .stream,
    view: new Uint8Array([...bytes, 1, 2]).subarray(0, 700_000),
  };

  for (const [name, data] of Object.entries(kinds)) {
    const url = `https://example.org/${name}`;
    assertEquals(await cache.put(url, data, "image/png", "a.png"), true);
    assertBytes(await stored(cache, url), bytes);
    const { dat, json } = pathsOf(dir.path, url);
    assertBytes(await Deno.readFile(dat), bytes);
    const sidecar = JSON.parse(await Deno.readTextFile(json));
    const { ts, ...rest } = sidecar;
    assertEquals(rest, {
      url,
      mimetype: "image/png",
      filename: "a.png",
      size: bytes.length,
    });
    assert(Math.abs(ts - Date.now() / 1000) < 60);
  }
  assertEquals((await namesIn(dir.path)).length, 8);
});

Deno.test("put() writes files that only their owner may read", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await cache.put(URL_A, bytesOf(3), "image/png", "a.png");

  const { dat, json } = pathsOf(dir.path, URL_A);
  for (const path of [dat, json]) {
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  }
});

Deno.test("put() keeps the stored bytes of a known URL, and cancels an unread stream", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put(URL_A, bytesOf(3), "image/png", "a.png");
  const source = streamOf(bytesOf(9));

  assertEquals(await cache.put(URL_A, bytesOf(5), "image/webp", "b"), true);
  assertEquals(
    await cache.put(URL_A, source.stream, "image/webp", "b"),
    true,
  );

  assertEquals([source.pulls, source.cancelled], [0, true]);
  assertEquals(await stored(cache), bytesOf(3));
  await using media = await cache.get(URL_A);
  assertEquals([media?.mimetype, media?.filename], ["image/png", "a.png"]);
});

Deno.test("put() makes a known URL the most recent", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  for (const url of ["a", "b", "c"]) {
    await cache.put(url, bytesOf(3), "image/png", "a.png");
  }

  await cache.put("a", bytesOf(3), "image/png", "a.png");

  const order = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(order, ["a", "c", "b"]);
});

Deno.test("put() with replace stores the new bytes, under the new name and type", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put(URL_A, bytesOf(300), "image/png", "a.png");
  await using before = await cache.get(URL_A);

  assertEquals(
    await cache.put(URL_A, bytesOf(5), "image/webp", "b.webp", {
      replace: true,
    }),
    true,
  );

  await using media = await cache.get(URL_A);
  assertEquals([media?.mimetype, media?.filename], ["image/webp", "b.webp"]);
  assertBytes(await media?.bytes(), bytesOf(5));
  assertBytes(await before?.bytes(), bytesOf(300));
  assertEquals([cache.stats().entries, cache.stats().totalBytes], [1, 5]);
  assertEquals((await namesIn(dir.path)).length, 2);
});

Deno.test("put() makes every name safe, and every type valid in a header", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const names = {
    "../../etc/passwd": "passwd",
    "": "attachment",
    "..": "attachment",
    "C:\\x\\y.png": "y.png",
  };

  for (const [given, wanted] of Object.entries(names)) {
    await cache.put(given, bytesOf(3), "text/html\r\nX: 1", given);
    await using media = await cache.get(given);
    assertEquals(media?.filename, wanted);
    assertEquals(media?.mimetype, "application/octet-stream");
  }
});

Deno.test("put() with durable stores the same files", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    durable: true,
  });

  for (const replace of [false, true]) {
    const bytes = bytesOf(300_000, Number(replace));
    assertEquals(
      await cache.put(URL_A, bytes, "image/png", "a.png", { replace }),
      true,
    );
    assertBytes(await stored(cache), bytes);
  }
  assertEquals((await namesIn(dir.path)).length, 2);
  assertEquals(cache.stats().diskErrors, 0);
});

Deno.test("put() and close() do not wait for a stream whose cancellation never ends", async () => {
  await using dir = await tempDir();
  const cache = await MediaCache.open({ cacheDir: dir.path, maxSizeMb: 1 });
  await cache.put("known", bytesOf(5), "image/png", "a.png");
  const stuck = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytesOf(600_000)),
      cancel: () => new Promise<void>(() => {}),
    });

  assertEquals(await cache.put("known", stuck(), "image/png", "a.png"), true);
  assertEquals(await cache.put("large", stuck(), "image/png", "a.png"), false);
  assertEquals(await cache.put("large", bytesOf(5), "", ""), true);
  await cache.close();
});

Deno.test("put() states why it stores nothing while other stores use all the room", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 1,
    onEvent: recorder.onEvent,
  });
  const bytes = bytesOf(600_000);

  const results = await Promise.all(
    ["a", "b"].map((url) => cache.put(url, bytes, "image/png", "a.png")),
  );

  assertEquals(results, [true, false]);
  const [event] = recorder.of("uncached");
  assertEquals([event?.url, recorder.of("uncached").length], ["b", 1]);
  assertStringIncludes(event?.reason ?? "", "running downloads");
});

Deno.test("put() ends with an error when its stream is silent for idleTimeoutMs, and the next goes on", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, idleTimeoutMs: 50 });
  const tap = new Tap();
  tap.write(bytesOf(9));
  const stalled = cache.put(URL_A, tap.readable, "image/png", "a.png");
  const next = cache.put(URL_A, bytesOf(7), "image/png", "a.png");

  const error = await assertRejects(() => stalled, DownloadTimeoutError);

  assertEquals([error.kind, error.timeoutMs], ["idle", 50]);
  assertStrictEquals(await tap.cancelled, error);
  assertEquals(await next, true);
  assertEquals((await cache.get(URL_A))?.size, 7);
});
