import { assert, assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  digest,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { Progress, Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

Deno.test("getOrDownload() joins a running download at any point", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(2_000_000);
  const { url, tap } = origin.tap("/a.bin", { "content-length": "2000000" });
  const progress = new Progress();
  const { onProgress } = progress;

  const calls = [cache.getOrDownload(url, get, { onProgress })];
  calls.push(cache.getOrDownload(url, get));
  for (const [start, end] of [[0, 1_000_000], [1_000_000, 1_998_000]]) {
    tap.write(body.slice(start, end));
    await progress.reached(end!);
    calls.push(cache.getOrDownload(url, get));
  }
  tap.write(body.slice(1_998_000));
  tap.end();
  const bodies = calls.map(async (call) => await (await call).bytes());

  for (const bytes of await Promise.all(bodies)) assertBytes(bytes, body);
  assertEquals(origin.requests("/a.bin"), 1);
  const { misses, coalesced, hits } = cache.stats();
  assertEquals({ misses, coalesced, hits }, {
    misses: 4,
    coalesced: 3,
    hits: 0,
  });
});

Deno.test("getOrDownload() gives 100 callers the same bytes from one request", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(16 * 2 ** 20);
  const { url, tap } = origin.tap("/film", { "content-length": `${2 ** 24}` });
  const progress = new Progress();
  const { onProgress } = progress;
  const read = async () =>
    await digest((await cache.getOrDownload(url, get)).body);

  const first = cache.getOrDownload(url, get, { onProgress });
  const reads: Promise<string>[] = [];
  for (let step = 0; step < 33; step++) {
    reads.push(read(), read(), read());
    if (step === 32) break;
    await progress.reached(step * 2 ** 19);
    tap.write(body.slice(step * 2 ** 19, (step + 1) * 2 ** 19));
  }
  reads.push((async () => await digest((await first).body))());

  const wanted = await digest(new Blob([body]).stream());
  for (const found of await Promise.all(reads)) assertEquals(found, wanted);
  assertEquals(reads.length, 100);
  assertEquals(origin.requests("/film"), 1);
  assertEquals(await (await first).stored, true);
});

Deno.test("a stalled reader delays neither the disk nor other readers", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(8_000_000);
  const url = origin.bytes("/a.bin", body);

  const stalled = await cache.getOrDownload(url, get);
  const reader = stalled.body.getReader();
  const start = await readSome(reader, 1);
  const other = await cache.getOrDownload(url, get);
  assertBytes(await other.bytes(), body);
  assertEquals(await other.stored, true);
  const hit = await cache.get(url);
  assertBytes(await hit?.bytes(), body);

  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), body);
});

Deno.test("readers that keep up get the same chunk object, not a copy", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();
  const download = () =>
    Promise.resolve({ data: tap.readable, mimetype: "application/x-test" });

  const calls = [1, 2, 3].map(() => cache.getOrDownload("a:", download));
  tap.write(pattern(6));
  const readers = (await Promise.all(calls)).map((m) => m.body.getReader());
  await Promise.all(readers.map((reader) => reader.read()));
  const next = readers.map((reader) => reader.read());
  tap.write(pattern(1000));
  const chunks = (await Promise.all(next)).map(({ value }) => value?.buffer);
  tap.end();
  await Promise.all(readers.map(readRest));

  assertEquals(new Set(chunks).size, 1);
});

Deno.test("getOrDownload() runs at most maxConcurrentDownloads, the others in order", async () => {
  await using temp = await tempDir();
  const { events, onEvent } = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxConcurrentDownloads: 2,
    onEvent,
  });
  const taps = [0, 1, 2, 3].map(() => new Tap());
  const started: number[] = [];
  const calls = taps.map((tap, n) =>
    cache.getOrDownload(`a:${n}`, () => {
      started.push(n);
      return Promise.resolve({
        data: tap.readable,
        mimetype: "application/x-test",
      });
    })
  );
  for (const tap of taps) tap.write(pattern(10));

  await calls[1];
  assertEquals(started, [0, 1]);
  assertEquals(cache.inFlight().map(({ phase }) => phase), [
    "downloading",
    "downloading",
    "waiting",
    "waiting",
  ]);
  taps[1]!.end();
  await calls[2];
  assertEquals(started, [0, 1, 2]);
  for (const tap of taps) tap.end();
  for (const call of calls) await (await call).bytes();
  assertEquals(started, [0, 1, 2, 3]);
  assertEquals(events.filter(({ type }) => type === "miss").length, 4);
});

Deno.test("a source that is always ready does not starve timers", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const chunk = pattern(1024);
  let stop = false;
  const data = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (stop) controller.close();
      else controller.enqueue(chunk);
    },
  });
  const progress = new Progress();
  const { onProgress } = progress;

  const media = await cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data }),
    { onProgress },
  );
  await new Promise((resolve) => setTimeout(resolve, 0));
  stop = true;
  assert((await media.bytes()).length < 400 * 2 ** 20);

  assertEquals(media.size, progress.received);
});

Deno.test("callers that come after a failed download do not share the failure", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  let calls = 0;
  const download = () => {
    if (++calls === 1) return Promise.reject(new Error("first"));
    return Promise.resolve({ data: pattern(10) });
  };

  const waiting = [1, 2, 3].map(() => cache.getOrDownload("a:", download));
  const retries = waiting.map((call) =>
    call.catch(() => cache.getOrDownload("a:", download))
  );
  for (const call of waiting) await assertRejects(() => call, Error, "first");
  for (const retry of retries) {
    assertBytes(await (await retry).bytes(), pattern(10));
  }

  assertEquals(calls, 2);
});
