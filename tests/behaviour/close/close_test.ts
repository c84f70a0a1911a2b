import { assert, assertEquals, assertRejects } from "@std/assert";
import { CacheClosedError, MediaCache } from "../../../mod.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { runProgram } from "../../fixtures/processes/program.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { hold } from "../../fixtures/time/hold.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

Deno.test("close() waits for running downloads and stores them", async () => {
  await using temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();
  const call = cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(pattern(10));
  const media = await call;
  const reader = media.body.getReader();
  await readSome(reader, 10);

  const closing = cache.close();
  tap.write(pattern(10, 2));
  tap.end();
  await closing;

  assertEquals(await readRest(reader), pattern(10, 2));
  assertEquals(await media.stored, true);
  await using again = await MediaCache.open({ cacheDir: temp.path });
  assertEquals((await again.get("a:"))?.size, 20);
});

Deno.test("close({ timeoutMs }) does not count time in which the event loop is held", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(20_000);
  const { url, tap } = origin.tap("/a.bin", { "content-length": "20000" });
  const call = cache
    .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));
  tap.write(body.slice(0, 10_000));
  const media = await call;

  const closing = cache.close({ timeoutMs: 1000 });
  tap.write(body.slice(10_000));
  hold(1500);
  await closing;

  assertEquals(await media.stored, true);
});

const abrupt: [string, (cache: MediaCache) => Promise<void>][] = [
  ["close({ abort: true })", (cache) => cache.close({ abort: true })],
  ["close() at its timeout", (cache) => cache.close({ timeoutMs: 1 })],
  ["close({ abort: true }) after close()", (cache) => {
    cache.close();
    return cache.close({ abort: true });
  }],
];
for (const [what, close] of abrupt) {
  Deno.test(`${what} aborts running downloads`, async () => {
    await using temp = await tempDir();
    const cache = await MediaCache.open({
      cacheDir: temp.path,
      maxConcurrentDownloads: 2,
      maxSizeMb: 1,
    });
    const tap = new Tap();
    const signals: AbortSignal[] = [];
    const start = (url: string, data?: ReadableStream, size?: number) =>
      cache.getOrDownload(url, ({ signal }) => {
        signals.push(signal);
        if (data === undefined) return new Promise<never>(() => {});
        const mimetype = "application/x-test";
        return Promise.resolve({ data, mimetype, size });
      });
    const flowing = start("flowing:", tap.readable);
    tap.write(pattern(10));
    const media = await flowing;
    const reader = media.body.getReader();
    await readSome(reader, 10);
    const source = new ReadySource(pattern(2 ** 23));
    const uncached = await start("uncached:", source.data, 2 ** 23);
    const stalled = uncached.body.getReader();
    await readSome(stalled, 1);
    const silent = start("silent:");
    const waiting = start("waiting:", new Tap().readable);
    // The stalled download leaves its slot to the silent one.
    while (cache.inFlight().length < 4 || signals.length < 3) await turn();

    const pending = [readRest(reader), silent, waiting];
    const results = Promise.allSettled(pending);
    await close(cache);

    await assertRejects(() => readRest(stalled), CacheClosedError);
    for (const result of await results) {
      assert(result.status === "rejected");
      assert(result.reason instanceof CacheClosedError, `${result.reason}`);
    }
    assertEquals(signals.map(({ aborted }) => aborted), [true, true, true]);
    await Promise.all([tap.cancelled, source.cancelled]);
    assertEquals(await media.stored, false);
    assertEquals(await namesIn(temp.path), []);
  });
}

Deno.test("close() keeps a program alive at most until its timeout", async () => {
  const output = await runProgram(`
    const cache = await MediaCache.open({ cacheDir });
    const call = cache.getOrDownload("a:", () => new Promise(() => {}));
    call.catch((error) => console.log(JSON.stringify(error.name)));
    await cache.close({ timeoutMs: 10 });
    console.log('"closed"');
  `);

  assertEquals(output, ["CacheClosedError", "closed"]);
});

Deno.test("a program ends while its cache is open", async () => {
  const output = await runProgram(`
    const cache = await MediaCache.open({ cacheDir });
    const data = new Uint8Array(10_000_000);
    const download = () => Promise.resolve({ data });
    const media = await cache.getOrDownload("a:", download);
    await media.stored;
    await cache.get("a:");
    console.log('"over"');
  `);

  assertEquals(output, ["over"]);
});

Deno.test("a program ends although nobody reads a body that can't be stored", async () => {
  const output = await runProgram(`
    const options = { cacheDir, maxSizeMb: 0, idleTimeoutMs: 10 };
    const cache = new MediaCache(options);
    const data = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    });
    globalThis.media = await cache.getOrDownload("a:", () =>
      Promise.resolve({ data, size: 10_000_000 }));
    console.log('"over"');
  `);

  assertEquals(output, ["over"]);
});

Deno.test("after close() every call rejects, and another close() does nothing", async () => {
  await using temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  const media = await cache
    .getOrDownload("a:", () => Promise.resolve({ data: pattern(10_000_000) }));
  await media.stored;
  await cache.close();

  const download = () => Promise.resolve({ data: pattern(10) });
  const calls: (() => Promise<unknown>)[] = [
    () => cache.ensureLoaded(),
    () => cache.get("a:"),
    () => cache.getByKey("0".repeat(64)),
    () => cache.has("a:"),
    () => cache.put("b:", pattern(10), "", ""),
    () => cache.getOrDownload("a:", download),
    () => cache.delete("a:"),
    () => cache.clear(),
    () => cache.verify(),
    () => Array.fromAsync(cache.entries()),
    () => media.bytes(),
    () => new Response(media.slice(0, 5)).bytes(),
  ];
  for (const call of calls) await assertRejects(call, CacheClosedError);
  assertEquals(cache.stats().entries, 1);
  assertEquals(cache.inFlight(), []);

  await cache.close();
  await cache.close({ abort: true, timeoutMs: 0 });
  await cache[Symbol.asyncDispose]();
});

Deno.test("calls that are running when close() begins, or their unread Media, reject and leave no file open", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    maxMemoryItems: 0,
    onEvent: recorder.onEvent,
  });
  await cache.put("a:", pattern(10), "", "");

  const calls = [
    cache.get("a:"),
    cache.getOrDownload("b:", () => Promise.resolve({ data: pattern(10) })),
  ];
  const results = Promise.allSettled(calls);
  await cache.close();

  for (const result of await results) {
    // A lookup that asks nothing of the disk asynchronously has ended before close().
    const error = result.status === "rejected"
      ? result.reason
      : await assertRejects(async () => await result.value?.bytes());
    assert(error instanceof CacheClosedError);
  }
});
