/** Slots of downloads that nobody wants any more. */
import { assertEquals, assertRejects } from "@std/assert";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { Progress, Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { Origin, type Tapped } from "../../fixtures/servers/origin.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

/** A cache, and a server whose bodies come when the test says so. */
async function opened(options: MediaCacheOptions = {}) {
  const origin = new Origin();
  const temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    // Longer than any test: nothing but the end of a download gives its slot back.
    idleTimeoutMs: 3_600_000,
    onEvent,
    ...options,
  });
  return {
    origin,
    cache,
    recorder,
    /** Downloads ten bytes of a body, and leaves it. */
    async abandon(path: string): Promise<Tapped> {
      const tapped = origin.tap(path);
      const call = cache.getOrDownload(tapped.url, get);
      tapped.tap.write(pattern(10));
      await (await call).body.cancel();
      return tapped;
    },
    /** The paths of the stored entries, sorted. */
    async stored(): Promise<string[]> {
      const entries = await Array.fromAsync(cache.entries());
      return entries.map(({ url }) => new URL(url).pathname).sort();
    },
    async [Symbol.asyncDispose]() {
      await cache.close({ abort: true });
      await origin[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("64 abandoned downloads that hang hold up no wanted one, and go on", async () => {
  await using running = await opened();
  const { origin, cache, recorder, abandon } = running;
  const paths = Array.from({ length: 64 }, (_, n) => `/${n}`);
  const hanging = await Promise.all(paths.map(abandon));

  const wanted = [1, 2].map((n) => origin.bytes(`/wanted${n}`, pattern(1000)));
  for (const url of wanted) {
    const media = await cache.getOrDownload(url, get);
    assertEquals(await media.bytes(), pattern(1000));
  }
  for (const { tap } of hanging) tap.end();
  await recorder.seen("stored", 66);

  assertEquals(cache.stats().entries, 66);
  assertEquals(recorder.of("failed"), []);
});

Deno.test("downloads abandoned while others wait for their slots let these begin", async () => {
  await using running = await opened({ maxConcurrentDownloads: 2 });
  const { origin, cache, recorder } = running;
  const taps = ["/a", "/b"].map((path) => origin.tap(path));
  const media = taps.map(async ({ url, tap }) => {
    tap.write(pattern(10));
    return await cache.getOrDownload(url, get);
  });
  const [a, b] = await Promise.all(media);
  const url = origin.bytes("/wanted", pattern(1000));
  const wanted = cache.getOrDownload(url, get);
  while (cache.inFlight().length < 3) await turn();

  await a!.body.cancel();

  assertEquals(await (await wanted).bytes(), pattern(1000));
  for (const { tap } of taps) tap.end();
  assertEquals(await b!.bytes(), pattern(10));
  await recorder.seen("stored", 3);
});

Deno.test("of too many abandoned downloads the one silent for longest is aborted", async () => {
  await using running = await opened({ maxConcurrentDownloads: 2 });
  const { origin, cache, recorder, abandon, stored } = running;
  const progress = new Progress();
  const { onProgress } = progress;
  const a = origin.tap("/a");
  const first = cache.getOrDownload(a.url, get, { onProgress });
  a.tap.write(pattern(10));
  const media = await first;
  const others = [await abandon("/b")];
  a.tap.write(pattern(10));
  await progress.reached(20);
  await media.body.cancel();
  others.push(await abandon("/c"), await abandon("/d"));
  // Two slots and four downloads: two go on without, which is not too many.
  assertEquals(recorder.of("failed"), []);

  others.push(await abandon("/e"));

  const [failed] = recorder.of("failed");
  assertEquals(new URL(failed!.url).pathname, "/b");
  assertEquals((failed!.error as Error).name, "AbortError");
  await others[0]!.tap.cancelled;
  for (const { tap } of [a, ...others.slice(1)]) tap.end();
  await recorder.seen("stored", 4);
  assertEquals(await stored(), ["/a", "/c", "/d", "/e"]);
  assertEquals(cache.stats().failures, 0);
  assertEquals(recorder.of("failed").length, 1);
});

Deno.test("an abandoned download that is wanted again goes on at once, and counts again", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { origin, cache, abandon } = running;
  const a = await abandon("/a");
  const b = origin.tap("/b");
  b.tap.write(pattern(10));
  const second = await cache.getOrDownload(b.url, get);
  const c = origin.bytes("/c", pattern(1000));
  const third = cache.getOrDownload(c, get);

  const again = await cache.getOrDownload(a.url, get);
  b.tap.end();
  assertEquals(await second.bytes(), pattern(10));
  assertEquals(await second.stored, true);
  await turn();
  assertEquals([origin.requests("/a"), origin.requests("/c")], [1, 0]);
  a.tap.end();

  assertEquals(await again.bytes(), pattern(10));
  assertEquals(await (await third).bytes(), pattern(1000));
});

Deno.test("an abandoned download that waits lets wanted ones begin first", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { origin, cache, recorder } = running;
  const a = origin.tap("/a");
  a.tap.write(pattern(10));
  const media = await cache.getOrDownload(a.url, get);
  const [b, c] = ["/b", "/c"].map((path) => origin.bytes(path, pattern(100)));
  const controller = new AbortController();
  const { signal } = controller;
  const leaving = cache.getOrDownload(b!, get, { signal });
  while (cache.inFlight().length < 2) await turn();
  const staying = cache.getOrDownload(c!, get);
  while (cache.inFlight().length < 3) await turn();

  controller.abort(new Error("enough"));
  await assertRejects(() => leaving, Error, "enough");
  a.tap.end();
  await media.bytes();
  assertEquals(await (await staying).bytes(), pattern(100));
  await recorder.seen("stored", 3);

  const order = recorder.of("stored").map(({ url }) => new URL(url).pathname);
  assertEquals(order, ["/a", "/c", "/b"]);
});

Deno.test("a put() that waits for an abandoned download lets it begin", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { origin, cache } = running;
  const a = origin.tap("/a");
  a.tap.write(pattern(10));
  const media = await cache.getOrDownload(a.url, get);
  const b = origin.bytes("/b", pattern(100));
  const controller = new AbortController();
  const { signal } = controller;
  const leaving = cache.getOrDownload(b, get, { signal });
  while (cache.inFlight().length < 2) await turn();
  controller.abort(new Error("enough"));
  await assertRejects(() => leaving, Error, "enough");
  await media.body.cancel();

  assertEquals(await cache.put(b, pattern(20), "image/png", "b.png"), true);

  assertEquals((await cache.get(b))?.size, 100);
  a.tap.end();
});
