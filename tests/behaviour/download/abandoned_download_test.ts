import { assert, assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { Progress, Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

Deno.test("a reader that cancels affects neither other readers nor the stored entry", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(1_000_000);
  const { url, tap } = origin.tap("/a.bin", { "content-length": "1000000" });
  const calls = [1, 2, 3].map(() => cache.getOrDownload(url, get));
  tap.write(body.slice(0, 500_000));
  const [one, two, three] = await Promise.all(calls);

  const reader = one!.body.getReader();
  await readSome(reader, 1);
  await reader.cancel();
  await two!.body.cancel();
  tap.write(body.slice(500_000));

  assertBytes(await three!.bytes(), body);
  assertEquals(await three!.stored, true);
  assertEquals(origin.requests("/a.bin"), 1);
});

Deno.test("a download continues to its end after every reader has left", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(1_000_000);
  const { url, tap } = origin.tap("/a.bin", { "content-length": "1000000" });
  const calls = [1, 2, 3].map(() => cache.getOrDownload(url, get));
  tap.write(body.slice(0, 500_000));
  const [one, two, three] = await Promise.all(calls);

  await one!.body.cancel();
  const reader = two!.body.getReader();
  await readSome(reader, 1);
  await reader.cancel();
  await three![Symbol.asyncDispose]();
  const late = await cache.getOrDownload(url, get);
  await late[Symbol.asyncDispose]();
  tap.write(body.slice(500_000));

  assertEquals(await one!.stored, true);
  const hit = await cache.get(url);
  assertBytes(await hit?.bytes(), body);
});

Deno.test("a download continues to its end after every caller has stopped waiting", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  await using cache = await MediaCache.open({ cacheDir: temp.path, onEvent });
  const tap = new Tap();
  const controller = new AbortController();
  const { signal } = controller;

  const call = cache.getOrDownload(
    "a:",
    () =>
      Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    { signal },
  );
  controller.abort();
  await assertRejects(() => call);
  // The lookup had not ended, so no download was started.
  assertEquals(cache.inFlight(), []);

  const later = new AbortController();
  const again = cache.getOrDownload(
    "a:",
    () => {
      queueMicrotask(() => later.abort());
      return Promise.resolve({
        data: tap.readable,
        mimetype: "application/x-test",
      });
    },
    { signal: later.signal },
  );
  await assertRejects(() => again);
  tap.write(pattern(10));
  tap.end();
  await recorder.seen("stored");
  assertBytes(await (await cache.get("a:"))?.bytes(), pattern(10));
});

Deno.test('whenAbandoned "abort" ends a download when the last one leaves', async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({
    cacheDir,
    whenAbandoned: "abort",
  });
  const tap = new Tap();
  let seen: AbortSignal | undefined;
  const download = ({ signal }: { signal: AbortSignal }) => {
    seen = signal;
    return Promise.resolve({
      data: tap.readable,
      mimetype: "application/x-test",
    });
  };

  const calls = [1, 2].map(() => cache.getOrDownload("a:", download));
  tap.write(pattern(10));
  const [one, two] = await Promise.all(calls);
  await one!.body.cancel();
  assert(!seen?.aborted);
  await two![Symbol.asyncDispose]();

  assert(seen?.aborted);
  assertEquals((await tap.cancelled as Error).name, "AbortError");
  assertEquals(await one!.stored, false);
  assertEquals(await namesIn(cacheDir), []);
});

Deno.test("no caller joins an abandoned download that is about to end", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({
    cacheDir,
    whenAbandoned: "abort",
  });
  const tap = new Tap();
  const call = cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(pattern(10));
  const media = await call;

  const leaving = media[Symbol.asyncDispose]();
  const again = cache
    .getOrDownload("a:", () => Promise.resolve({ data: pattern(7) }));
  await leaving;

  assertBytes(await (await again).bytes(), pattern(7));
});

Deno.test('whenAbandoned "abort" ends a downloader that nobody waits for', async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using cache = await MediaCache.open({
    cacheDir,
    whenAbandoned: "abort",
  });
  const controller = new AbortController();
  const asked = Promise.withResolvers<AbortSignal>();

  const call = cache.getOrDownload("a:", ({ signal }) => {
    asked.resolve(signal);
    return new Promise(() => {});
  }, { signal: controller.signal });
  const signal = await asked.promise;
  controller.abort();
  await assertRejects(() => call);

  assert(signal.aborted);
});

for (const how of ["delete", "clear"] as const) {
  Deno.test(`${how}() lets the readers of a running download finish, and stores nothing`, async () => {
    await using temp = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: temp.path });
    const tap = new Tap();
    const call = cache
      .getOrDownload(
        "a:",
        () =>
          Promise.resolve({
            data: tap.readable,
            mimetype: "application/x-test",
          }),
      );
    tap.write(pattern(10));
    const media = await call;
    const reader = media.body.getReader();
    await readSome(reader, 10);

    await cache[how]("a:");
    const other = await cache
      .getOrDownload("a:", () => Promise.resolve({ data: pattern(7) }));
    assertBytes(await other.bytes(), pattern(7));
    tap.write(pattern(10, 2));
    tap.end();

    assertBytes(await readRest(reader), pattern(10, 2));
    assertEquals(await media.stored, false);
    assertEquals((await cache.get("a:"))?.size, 7);
  });

  Deno.test(`${how}() ends a running download without readers`, async () => {
    await using temp = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: temp.path });
    const tap = new Tap();
    const progress = new Progress();
    const { onProgress } = progress;
    const call = cache.getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
      { onProgress },
    );
    tap.write(pattern(10));
    const media = await call;
    await media.body.cancel();

    await cache[how]("a:");

    await tap.cancelled;
    assertEquals(await media.stored, false);
  });
}
