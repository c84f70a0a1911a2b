/** Checks of an entry that several caches, processes or hosts share. */
import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { digestOf } from "../../../src/core/bodies/digest.ts";
import {
  assertBytes,
  digest,
  pattern,
  sumOf,
} from "../../fixtures/bodies/bytes.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { temporaryFolder } from "../../fixtures/gif/stub.ts";
import { CONVERT, waitingFfmpeg } from "../../fixtures/gif/waiting_ffmpeg.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { openTwo } from "../../fixtures/remote/hosts.ts";
import { pathsOf, writePair } from "../../fixtures/directory/files.ts";
import {
  passing,
  VersionedOrigin,
} from "../../fixtures/servers/versioned_origin.ts";
import { pair } from "../../fixtures/sharing/pair.ts";
import { share } from "../../fixtures/sharing/sharing_processes.ts";
import { idle } from "../../fixtures/time/idle.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";

const OLD = pattern(50_000);
const NEW = pattern(60_000, 2);
const TAGGED = { body: OLD, headers: { etag: '"1"' } };
const HOUR_MS = 3_600_000;

for (const status of [304, 200, 404] as const) {
  Deno.test(`two caches on a folder ask once, and share the outcome: ${status}`, async () => {
    await using origin = new VersionedOrigin(TAGGED);
    using clock = new ShiftedClock();
    await using caches = await pair({ maxAgeMs: HOUR_MS });
    const get = (cache: MediaCache) => cache.getOrDownload(origin.url, passing);
    await (await get(caches.one)).bytes();
    await (await get(caches.two)).bytes();
    clock.aheadMs = HOUR_MS;
    if (status === 200) origin.version = { body: NEW };
    if (status === 404) origin.status = 404;
    const release = origin.hold();

    const first = get(caches.one);
    await origin.asked(2);
    const second = get(caches.two);
    // The second cache has found the claim of the first.
    await caches.two.put("x", pattern(10), "image/png", "x.png");
    release();

    for (const media of [await first, await second]) {
      assertBytes(await media.bytes(), status === 200 ? NEW : OLD);
      assertEquals(media.stale, status === 404);
    }
    assertEquals(origin.statuses, [200, status]);
    for (const cache of [caches.one, caches.two]) {
      const media = await get(cache);
      assertBytes(await media.bytes(), status === 200 ? NEW : OLD);
    }
    assertEquals(origin.requests.length, 2);
  });
}

Deno.test("a cache that comes later finds that another has confirmed the entry", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  using clock = new ShiftedClock();
  await using caches = await pair({ maxAgeMs: HOUR_MS });
  const get = (cache: MediaCache) => cache.getOrDownload(origin.url, passing);
  await (await get(caches.one)).bytes();
  await (await get(caches.two)).bytes();
  clock.aheadMs = HOUR_MS;
  await (await get(caches.one)).bytes();
  const media = await get(caches.two);

  assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), false]);
  assertEquals(origin.statuses, [200, 304]);
});

Deno.test("a check that had to wait for a slot asks no more what another cache has learned meanwhile", async () => {
  for (const status of [304, 200]) {
    await using origin = new VersionedOrigin(TAGGED);
    using clock = new ShiftedClock();
    const options = { maxAgeMs: HOUR_MS, maxConcurrentDownloads: 1 };
    await using caches = await pair(options);
    const { one, two } = caches;
    const get = (cache: MediaCache) => cache.getOrDownload(origin.url, passing);
    await (await get(one)).bytes();
    await (await get(two)).bytes();
    clock.aheadMs = HOUR_MS;
    if (status === 200) origin.version = { body: NEW };
    const { tap, call } = await begin(two, "other");
    const waiting = get(two);
    // The lookup of the second cache has ended when the first has its answer.
    const first = await (await get(one)).bytes();
    tap.end();
    await (await call).bytes();

    assertBytes(await (await waiting).bytes(), first);
    assertEquals(origin.statuses, [200, status]);
  }
});

Deno.test("delete() and put() with replace in another cache win over a check", async () => {
  for (const isDeleted of [true, false]) {
    await using origin = new VersionedOrigin(TAGGED);
    await using caches = await pair({ maxAgeMs: 0 });
    const { one, two } = caches;
    const get = () => one.getOrDownload(origin.url, passing);
    await (await get()).bytes();
    origin.version = { body: NEW };
    const release = origin.hold();
    const call = get();
    await origin.asked(2);
    const put = pattern(70_000, 3);
    const options = { replace: true };
    if (isDeleted) assert(await two.delete(origin.url));
    else await two.put(origin.url, put, "image/png", "p.png", options);
    release();

    assertBytes(await (await call).bytes(), isDeleted ? OLD : put);
    const now = await two.get(origin.url);
    assertBytes(await now?.bytes(), isDeleted ? undefined : put);
  }
});

Deno.test("a check that another cache has outdated keeps nobody waiting who follows it", async () => {
  await using caches = await pair({ maxAgeMs: 0 });
  const { one, two, cacheDir } = caches;
  await using third = await MediaCache.open({ cacheDir });
  await one.put("a", OLD, "image/png", "a.png");
  assertBytes(await (await two.get("a"))?.bytes(), OLD);
  const { tap, call } = await begin(one, "a", { size: 1_000_000 });
  tap.write(pattern(1_000));
  const known = Promise.withResolvers<void>();
  const MAX_LOOKS = 20;
  let isReplaced = false;
  let looks = 0;
  const waiting = two.getOrDownload("a", () => Promise.reject("asked"), {
    onProgress({ total }) {
      // The length is known with the type, and the body is about to be handed out.
      if (total !== undefined) known.resolve();
      if (total !== undefined && !isReplaced) return;
      if (isReplaced && ++looks === MAX_LOOKS) tap.fail(new Error("broken"));
      else tap.write(pattern(1_000));
    },
  });
  await known.promise;

  const options = { replace: true };
  assert(await third.put("a", NEW, "image/png", "a.png", options));
  isReplaced = true;
  tap.write(pattern(1_000));

  assertBytes(await (await waiting).bytes(), NEW);
  assert(looks < MAX_LOOKS, "followed on");
  tap.fail(new Error("broken"));
  assertBytes(await (await call).bytes(), OLD);
});

for (const same of [true, false]) {
  Deno.test(`two processes with 10 callers of a stale entry ask once, for ${same ? "the same" : "other"} bytes`, async () => {
    await using origin = new VersionedOrigin({ body: same ? OLD : NEW });
    await using processes = await share(2, { maxAgeMs: HOUR_MS });
    const { cacheDir, all } = processes;
    await writePair(cacheDir, origin.url, OLD, { ageMs: 2 * HOUR_MS });
    const release = origin.hold();

    const wanted = all.map((each) => each.ask("want", origin.url, 5, 50_000));
    await origin.asked(1);
    release();
    const results = await Promise.all(wanted);

    assertEquals(results.flatMap(({ errors }) => errors), []);
    const digests = results.flatMap(({ digests }) => digests);
    const body = same ? OLD : NEW;
    assertEquals(new Set(digests), new Set([digestOf(body)]));
    assertEquals(origin.requests.length, 1);
  });
}

Deno.test("a cache that waits for the check of a killed process asks in its place", async () => {
  await using origin = new VersionedOrigin({ body: NEW });
  await using processes = await share(1, { maxAgeMs: HOUR_MS });
  const [other] = processes.all;
  assert(other);
  const { cacheDir } = processes;
  await writePair(cacheDir, origin.url, OLD, { ageMs: 2 * HOUR_MS });
  await using cache = await MediaCache.open({ cacheDir, maxAgeMs: HOUR_MS });
  const release = origin.hold();
  other.ask("want", origin.url, 1, 50_000).catch(() => {});
  await origin.asked(1);
  const call = cache.getOrDownload(origin.url, passing);
  // The cache has found the claim of the other process.
  await cache.put("x", pattern(10), "image/png", "x.png");

  other.kill("SIGKILL");
  await Promise.race([origin.asked(2), call]);
  release();

  const media = await call;
  // Digests, since a difference of 60 KB takes minutes to print.
  const wanted = await digest(new Blob([NEW]).stream());
  const found = await digest(media.body);
  assertEquals([found, media.stale], [wanted, false]);
});

for (
  const limit of [{ idleTimeoutMs: 200 }, { timeoutMs: 1_000 }]
) {
  Deno.test(`a cache waits for the check of another process while that converts, beyond ${Object.keys(limit)}`, async () => {
    const body = gifOfDelays([10, 20]);
    await using origin = new VersionedOrigin({ body, type: "image/gif" });
    await using folder = await temporaryFolder();
    const { ffmpeg, begun } = await waitingFfmpeg(folder, CONVERT);
    const options = { ...limit, maxAgeMs: HOUR_MS, gifToMp4: { ffmpeg } };
    await using processes = await share(1, options);
    const [other] = processes.all;
    assert(other);
    const { cacheDir } = processes;
    await writePair(cacheDir, origin.url, OLD, { ageMs: 2 * HOUR_MS });
    await using cache = await MediaCache.open({ ...options, cacheDir });
    const wanted = other.ask("want", origin.url, 1, 50_000);
    wanted.catch(() => {});
    const convert = await begun();
    const call = cache.getOrDownload(origin.url, passing);

    await idle(cache, 3);
    await convert();

    const media = await call;
    assertEquals([media.mimetype, media.stale], ["video/mp4", false]);
    await media.bytes();
    assertEquals((await wanted).errors, []);
    assertEquals(origin.requests.length, 1);
  });
}

Deno.test("a revalidation that replaces reaches the remote tier, and other hosts", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using opened = await openTwo({ options: { maxAgeMs: HOUR_MS } });
  const { one, two } = opened;
  const get = (cache: MediaCache, maxAgeMs = HOUR_MS) =>
    cache.getOrDownload(origin.url, passing, { maxAgeMs });
  await (await get(one.cache)).bytes();
  await one.tier.ended("put");
  await (await get(two.cache)).bytes();
  assertEquals(origin.requests.length, 1);

  origin.version = { body: NEW };
  const gets = one.tier.count("get");
  assertBytes(await (await get(one.cache, 0)).bytes(), NEW);
  await one.tier.ended("put", 2);

  // The object there is no newer than the entry.
  assertEquals(one.tier.count("get"), gets);
  const { key } = pathsOf("", origin.url);
  assertBytes(opened.bucket.objects.get(key)?.bytes, NEW);
  assertEquals(opened.bucket.changes.map((change) => change.key), [key]);
});

Deno.test("an entry from the remote tier is checked by the validators of its origin", async () => {
  for (const body of [OLD, gifOfDelays([10, 20])]) {
    const type = body === OLD ? "image/png" : "image/gif";
    const version = { body, type, headers: { etag: '"1"' } };
    await using origin = new VersionedOrigin(version);
    using clock = new ShiftedClock();
    await using opened = await openTwo({ options: { maxAgeMs: HOUR_MS } });
    const { one, two } = opened;
    const get = async (cache: MediaCache) => {
      const media = await cache.getOrDownload(origin.url, passing);
      return await media.bytes();
    };
    const bytes = await get(one.cache);
    await one.tier.ended("put");
    assertBytes(await get(two.cache), bytes);
    assertEquals(origin.requests.length, 1);

    clock.aheadMs = HOUR_MS;
    assertBytes(await get(two.cache), bytes);
    assertEquals(origin.statuses, [200, 304]);

    // The same bytes again, to a host that knows the original by its digest alone.
    clock.aheadMs = 2.1 * HOUR_MS;
    origin.version = { body, type };
    assertBytes(await get(two.cache), bytes);
    assertEquals(two.recorder.of("revalidated").at(-1)?.result, "same");
  }
});

Deno.test("an object of the remote tier that is older than maxAgeMs counts as none, and is replaced", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  using clock = new ShiftedClock();
  await using opened = await openTwo({ options: { maxAgeMs: HOUR_MS } });
  const { one, two } = opened;
  const media = await one.cache.getOrDownload(origin.url, passing);
  await media.bytes();
  await one.tier.ended("put");
  clock.aheadMs = HOUR_MS;
  origin.version = { body: NEW };

  const other = await two.cache.getOrDownload(origin.url, passing);
  assertBytes(await other.bytes(), NEW);
  await two.tier.ended("put");
  const { key } = pathsOf("", origin.url);
  assertBytes(opened.bucket.objects.get(key)?.bytes, NEW);
  assertEquals(two.cache.stats().remote?.misses, 1);
});
