import { assertEquals, assertRejects } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { Counters, snapshot } from "../../../src/core/api/stats.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const GAUGES = {
  entries: 0,
  entriesInMemory: 0,
  totalBytes: 0,
  maxBytes: 0,
  memoryBytes: 0,
  stagedBytes: 0,
  orphanBytes: 0,
  occupiedBytes: 0,
  comparing: false,
  inFlight: 0,
  degraded: [],
};

Deno.test("stats() has the members of the original first, then the others, all plain values", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const stats = cache.stats();

  assertEquals(Object.keys(stats), [
    "entries",
    "entriesInMemory",
    "totalBytes",
    "totalMb",
    "maxMb",
    "hits",
    "misses",
    "hitRate",
    "memoryBytes",
    "stagedBytes",
    "orphanBytes",
    "occupiedBytes",
    "comparing",
    "failures",
    "inFlight",
    "coalesced",
    "failedOver",
    "refreshed",
    "resumed",
    "retried",
    "failuresRemembered",
    "addressesRefused",
    "sniffed",
    "revalidated",
    "stale",
    "unacceptable",
    "handleHits",
    "uploads",
    "evictions",
    "bytesDownloaded",
    "bytesServed",
    "conversions",
    "conversionFailures",
    "diskErrors",
    "degraded",
  ]);
  assertEquals(JSON.parse(JSON.stringify(stats)), stats);
  const { comparing, degraded, remote, ...numbers } = stats;
  assertEquals(remote, undefined);
  assertEquals(
    { ...numbers, maxMb: 0 },
    Object.fromEntries(Object.keys(numbers).map((key) => [key, 0])),
  );
  assertEquals([comparing, degraded], [false, []]);
  assertEquals(stats.maxMb, 500);
});

Deno.test("stats() is a snapshot that later calls do not change", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const before = cache.stats();

  await cache.put("a", bytesOf(3), "image/png", "a.png");

  assertEquals([before.entries, cache.stats().entries], [0, 1]);
});

Deno.test("snapshot() rounds Mb to 2 places and the rate to 3", () => {
  const counters = new Counters();
  counters.hits = 2;
  counters.misses = 1;

  const stats = snapshot(counters, {
    ...GAUGES,
    totalBytes: 1_300_000,
    maxBytes: 500 * 1_048_576 + 7_000,
  });

  assertEquals([stats.totalMb, stats.maxMb, stats.hitRate], [
    1.24,
    500.01,
    0.667,
  ]);
});

Deno.test("snapshot() has a rate of 0 before the first lookup, and of 1 without a miss", () => {
  const counters = new Counters();

  assertEquals(snapshot(counters, GAUGES).hitRate, 0);
  counters.hits = 3;
  assertEquals(snapshot(counters, GAUGES).hitRate, 1);
});

Deno.test("hits are lookups that found an entry, by any call", async () => {
  await using dir = await tempDir();
  const { key } = await writePair(dir.path, "a", bytesOf(3));
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await (await cache.get("a"))?.bytes();
  await (await cache.getByKey(key))?.bytes();
  const media = await cache.getOrDownload("a", () => {
    throw new Error("not called");
  });
  await media.bytes();

  const { hits, misses, hitRate, bytesServed } = cache.stats();
  assertEquals([hits, misses, hitRate, bytesServed], [3, 0, 1, 9]);
});

Deno.test("a get() that finds nothing, has() and put() do not count as lookups", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3));
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await cache.get("x");
  await cache.getByKey("0".repeat(64));
  await cache.has("a");
  await cache.has("x");
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  await cache.put("b", bytesOf(3), "image/png", "b.png");

  const { hits, misses, coalesced } = cache.stats();
  assertEquals([hits, misses, coalesced], [0, 0, 0]);
});

Deno.test("a miss is counted before the downloader runs", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  let seen: number | undefined;

  const media = await cache.getOrDownload("a", () => {
    seen = cache.stats().misses;
    return Promise.resolve({ data: bytesOf(7) });
  });
  await media.bytes();
  await media.stored;

  assertEquals(seen, 1);
  const { misses, hits, bytesDownloaded, bytesServed, inFlight } = cache
    .stats();
  assertEquals([misses, hits, bytesDownloaded, bytesServed, inFlight], [
    1,
    0,
    7,
    7,
    0,
  ]);
});

Deno.test("a failed download counts as a miss", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await assertRejects(
    () => cache.getOrDownload("a", () => Promise.reject(new Error("offline"))),
    Error,
    "offline",
  );
  await assertRejects(() =>
    cache.getOrDownload(
      "a",
      () => Promise.resolve(new Response(null, { status: 404 })),
    )
  );

  const { misses, hits, coalesced, diskErrors } = cache.stats();
  assertEquals([misses, hits, coalesced, diskErrors], [2, 0, 0, 0]);
});

Deno.test("callers that join a download count as misses and as coalesced", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  const tap = new Tap();
  const downloader = () =>
    Promise.resolve({ data: tap.readable, mimetype: "application/x-test" });

  const joining = [0, 1, 2].map(() => cache.getOrDownload("a", downloader));
  tap.write(bytesOf(8));
  const media = await Promise.all(joining);
  const { misses, coalesced, inFlight, stagedBytes } = cache.stats();
  assertEquals([misses, coalesced, inFlight, stagedBytes], [3, 2, 1, 8]);
  tap.end();
  await Promise.all(media.map((media) => media.bytes()));
  await media[0]?.stored;

  const after = cache.stats();
  assertEquals([after.misses, after.hits, after.hitRate], [3, 0, 0]);
  assertEquals([after.inFlight, after.stagedBytes], [0, 0]);
  assertEquals([after.bytesDownloaded, after.bytesServed], [8, 24]);
  assertEquals(recorder.of("miss").length, 1);
  assertEquals(recorder.of("joined").length, 2);
});
