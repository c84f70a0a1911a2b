/** Old bytes that are served at once, while the origin is asked. */
import { assertEquals } from "@std/assert";
import { assertBytes, pattern, sumOf } from "../../fixtures/bodies/bytes.ts";
import { agingCache, HOUR_MS } from "../../fixtures/cache/aging_cache.ts";
import { passing } from "../../fixtures/servers/versioned_origin.ts";

const OLD = pattern(50_000);
const NEW = pattern(60_000, 2);
const TAGGED = { body: OLD, headers: { etag: '"1"' } };
const OPTIONS = { staleWhileRevalidateMs: HOUR_MS };

Deno.test("the old bytes come at once, and one check runs behind them", async () => {
  await using aging = await agingCache(TAGGED, OPTIONS);
  const { cache, origin, clock, recorder } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  clock.aheadMs = HOUR_MS;
  origin.version = { body: NEW };
  const release = origin.hold();

  for (let i = 0; i < 3; i++) {
    const media = await cache.getOrDownload(origin.url, passing);
    assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), true]);
  }
  await origin.asked(2);
  release();
  await recorder.seen("revalidated");

  const media = await cache.getOrDownload(origin.url, passing);
  assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(NEW), false]);
  assertEquals(origin.requests.length, 2);
  const { hits, misses, stale } = cache.stats();
  assertEquals({ hits, misses, stale }, { hits: 4, misses: 1, stale: 3 });
});

Deno.test("a check behind that has failed is not repeated for 30 s", async () => {
  await using aging = await agingCache(TAGGED, OPTIONS);
  const { cache, origin, clock, recorder } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  origin.status = 500;
  for (const aheadMs of [0, 20_000, 60_000]) {
    clock.aheadMs = HOUR_MS + aheadMs;
    const media = await cache.getOrDownload(origin.url, passing);
    assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), true]);
    await recorder.seen("revalidated", aheadMs < 60_000 ? 1 : 2);
  }
  assertEquals(recorder.of("revalidated").length, 2);
});

Deno.test("bytes older than both limits wait for the check, which may run already", async () => {
  await using aging = await agingCache(TAGGED, OPTIONS);
  const { cache, origin, clock } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  const release = origin.hold();
  clock.aheadMs = HOUR_MS;
  const behind = await cache.getOrDownload(origin.url, passing);
  assertEquals(behind.stale, true);
  await origin.asked(2);

  clock.aheadMs = 2 * HOUR_MS;
  const call = cache.getOrDownload(origin.url, passing);
  release();
  const media = await call;

  assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), false]);
  assertEquals(origin.statuses, [200, 304]);
});

Deno.test("a check behind needs no slot that a caller waits for, and ends with close()", async () => {
  await using aging = await agingCache(TAGGED, {
    ...OPTIONS,
    maxConcurrentDownloads: 1,
  });
  const { cache, origin, clock } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  clock.aheadMs = HOUR_MS;
  const release = origin.hold();
  const stale = await cache.getOrDownload(origin.url, passing);
  await stale.bytes();
  await origin.asked(2);

  const other = await cache.getOrDownload(
    "other",
    () => Promise.resolve({ data: pattern(10) }),
  );
  assertBytes(await other.bytes(), pattern(10));
  release();
  await cache.close();
  assertEquals(origin.statuses, [200, 304]);
});

Deno.test("a call may have a staleWhileRevalidateMs of its own", async () => {
  await using aging = await agingCache(TAGGED, OPTIONS);
  const { cache, origin, clock } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  clock.aheadMs = HOUR_MS;
  const options = { staleWhileRevalidateMs: 0 };
  const media = await cache.getOrDownload(origin.url, passing, options);
  assertEquals(media.stale, false);
  assertEquals(origin.statuses, [200, 304]);
});
