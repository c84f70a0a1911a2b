import { setImmediate } from "node:timers";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type Download,
  DownloadTimeoutError,
  MediaCache,
} from "../../../mod.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";
import { hold } from "../../fixtures/time/hold.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("idleTimeoutMs ends a download whose server never answers", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, idleTimeoutMs: 50 });
  const asked = Promise.withResolvers<Request>();
  const answer = Promise.withResolvers<Response>();
  const url = origin.on("/a", (request) => {
    asked.resolve(request);
    return answer.promise;
  });

  const error = await assertRejects(
    () => cache.getOrDownload(url, ({ url, signal }) => fetch(url, { signal })),
    DownloadTimeoutError,
  );

  assertEquals([error.kind, error.timeoutMs], ["idle", 50]);
  await asked.promise;
  answer.resolve(new Response());
});

Deno.test("idleTimeoutMs ends a downloader that ignores its signal", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, idleTimeoutMs: 50 });
  const answer = Promise.withResolvers<Download>();
  const tap = new Tap();

  await assertRejects(
    () => cache.getOrDownload("a:", () => answer.promise),
    DownloadTimeoutError,
  );

  answer.resolve({ data: tap.readable, mimetype: "application/x-test" });
  await tap.cancelled;
});

Deno.test("idleTimeoutMs ends a body that falls silent", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, idleTimeoutMs: 50 });
  const tap = new Tap();

  const call = cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(pattern(10));
  const media = await call;
  const error = await assertRejects(() => media.bytes(), DownloadTimeoutError);

  assertEquals(error.kind, "idle");
  assertStrictEquals(await tap.cancelled, error);
});

Deno.test("idleTimeoutMs does not count time in which readers hold the source back", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  const cache = await MediaCache.open({
    cacheDir,
    idleTimeoutMs: 50,
    maxEntryMb: 0.1,
  });
  using time = new FakeTime();
  const body = pattern(4 * 2 ** 20);
  const { data } = new ReadySource(body);

  const media = await cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));
  const reader = media.body.getReader();
  const start = await readSome(reader, 1);
  // The source runs ahead until the window is full.
  for (let i = 0; i < 20; i++) {
    await new Promise<void>((go) => setImmediate(go));
  }
  for (let i = 0; i < 10; i++) time.tick(50);
  const rest = await readRest(reader);

  assertEquals(await new Blob([start, rest]).bytes(), body);
  await cache.close();
});

Deno.test("timeoutMs ends a download that takes too long in total", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, timeoutMs: 50 });
  let timer: ReturnType<typeof setTimeout>;
  const data = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => timer = setTimeout(resolve, 1));
      controller.enqueue(pattern(10));
    },
    cancel: () => clearTimeout(timer),
  });

  const mimetype = "application/x-test";
  const media = await cache
    .getOrDownload("a:", () => Promise.resolve({ data, mimetype }));
  const error = await assertRejects(() => media.bytes(), DownloadTimeoutError);

  assertEquals([error.kind, error.timeoutMs], ["total", 50]);
  assertEquals(await media.stored, false);
});

Deno.test("idleTimeoutMs counts from the response", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cacheDir = temp.path;
  const cache = await MediaCache.open({
    cacheDir,
    onEvent,
    idleTimeoutMs: 100,
  });
  using time = new FakeTime();
  const tap = new Tap();
  const answer = Promise.withResolvers<Download>();

  const call = cache.getOrDownload("a:", () => answer.promise);
  while (time.timers === 0) await Promise.resolve();
  time.tick(90);
  answer.resolve({ data: tap.readable, mimetype: "application/x-test" });
  await recorder.seen("miss");
  for (let i = 0; i < 20; i++) await Promise.resolve();
  time.tick(90);
  tap.write(pattern(10));
  tap.end();
  const media = await call;

  assertEquals(await media.bytes(), pattern(10));
  await media.stored;
  await cache.close();
});

Deno.test("idleTimeoutMs does not count the time in which the event loop is held", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({ cacheDir, idleTimeoutMs: 100 });
  const body = pattern(20_000);
  const { url, tap } = origin.tap("/a.bin", { "content-length": "20000" });
  const call = cache
    .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));
  tap.write(body.slice(0, 10_000));
  const media = await call;
  const reader = media.body.getReader();
  const start = await readSome(reader, 10_000);

  tap.write(body.slice(10_000));
  hold(500);

  const rest = await readRest(reader);
  assertEquals(await new Blob([start, rest]).bytes(), body);
  assertEquals(await media.stored, true);
});
