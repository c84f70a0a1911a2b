/** What the origin answers about an entry that is too old, and what callers get then. */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { type Downloader, MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
  sumOf,
} from "../../fixtures/bodies/bytes.ts";
import {
  type AgingCache,
  agingCache,
  HOUR_MS,
} from "../../fixtures/cache/aging_cache.ts";
import { namesIn, pathsOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import {
  ignoring,
  passing,
  VersionedOrigin,
} from "../../fixtures/servers/versioned_origin.ts";

const OLD = pattern(50_000);
const NEW = pattern(60_000, 2);
const TAGGED = { body: OLD, headers: { etag: '"1"' } };

/** Gets the sum of the bytes of the body, and whether they are stale. */
async function read(
  { cache, origin }: AgingCache,
  downloader: Downloader = passing,
): Promise<[string | undefined, boolean]> {
  const media = await cache.getOrDownload(origin.url, downloader);
  return [sumOf(await media.bytes()), media.stale];
}

/** The state of the files of the body: other if the entry was replaced. */
async function filesOf({ cacheDir, origin }: AgingCache): Promise<unknown> {
  const { dat, json } = pathsOf(cacheDir, origin.url);
  const { ino } = await Deno.stat(dat);
  return [ino, await Deno.readTextFile(json)];
}

async function sidecarOf(
  { cacheDir, origin }: AgingCache,
): Promise<Record<string, unknown>> {
  const { json } = pathsOf(cacheDir, origin.url);
  return JSON.parse(await Deno.readTextFile(json));
}

for (
  const [name, headers, sent] of [
    ["an ETag", { etag: '"1"' }, ["if-none-match", '"1"']],
    ["a weak ETag", { etag: 'W/"1"' }, ["if-none-match", 'W/"1"']],
    ["Last-Modified", {
      "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    }, ["if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"]],
  ] as const
) {
  Deno.test(`an entry with ${name} is confirmed by 304 without a body, and is young again`, async () => {
    await using aging = await agingCache({ body: OLD, headers });
    const { cache, origin, clock, recorder } = aging;
    await read(aging);
    const before = await filesOf(aging);
    assertEquals(await read(aging), [sumOf(OLD), false]);
    assertEquals(origin.requests.length, 1);

    clock.aheadMs = HOUR_MS;
    assertEquals(await read(aging), [sumOf(OLD), false]);

    const [first, second] = origin.requests;
    assertEquals(first?.get(sent[0]), null);
    assertEquals(second?.get(sent[0]), sent[1]);
    assertEquals(origin.statuses, [200, 304]);
    assertEquals(await filesOf(aging), before);
    clock.aheadMs = 2 * HOUR_MS - 1_000;
    assertEquals(await read(aging), [sumOf(OLD), false]);
    assertEquals(origin.requests.length, 2);
    clock.aheadMs = 2 * HOUR_MS + 1_000;
    await read(aging);
    assertEquals(origin.statuses, [200, 304, 304]);

    const { hits, misses, revalidated, stale, bytesDownloaded } = cache.stats();
    assertEquals(
      { hits, misses, revalidated, stale, bytesDownloaded },
      { hits: 4, misses: 1, revalidated: 2, stale: 0, bytesDownloaded: 50_000 },
    );
    const results = recorder.of("revalidated").map(({ result }) => result);
    assertEquals(results, ["notModified", "notModified"]);
    assertEquals(recorder.of("miss").length, 1);
  });
}

Deno.test("other bytes take the place of the entry, and old readers read on", async () => {
  for (const size of [10_000, 9_000_000]) {
    const [old, other] = [pattern(size), pattern(size, 2)];
    await using aging = await agingCache({ body: old });
    const { cache, origin, clock, recorder } = aging;
    await read(aging);
    const held = await cache.get(origin.url);
    const reader = (await cache.get(origin.url))!.body.getReader();
    const start = await readSome(reader, 1);

    clock.aheadMs = HOUR_MS;
    origin.version = { body: other, type: "image/webp" };
    const media = await cache.getOrDownload(origin.url, passing);

    assertEquals([media.source, media.stale], ["download", false]);
    assertEquals(media.mimetype, "image/webp");
    assertBytes(await media.bytes(), other);
    assertEquals(await media.stored, true);
    assertBytes(await held?.bytes(), old);
    const rest = await readRest(reader);
    assertBytes(await new Blob([start, rest]).bytes(), old);
    const again = await cache.get(origin.url);
    assertBytes(await again?.bytes(), other);
    const { hits, misses, entries, totalBytes, revalidated } = cache.stats();
    assertEquals(
      { hits, misses, entries, totalBytes, revalidated },
      { hits: 3, misses: 2, entries: 1, totalBytes: size, revalidated: 0 },
    );
    assertEquals(recorder.of("revalidated")[0]?.result, "replaced");
    assertEquals(origin.requests.length, 2);
  }
});

for (const size of [10_000, 9_000_000]) {
  Deno.test(`the same ${size} bytes again keep the entry: a downloader that ignores the headers`, async () => {
    const body = pattern(size);
    await using aging = await agingCache({ body, headers: { etag: '"1"' } });
    const { cache, origin, clock, recorder } = aging;
    await read(aging, ignoring);
    const before = await filesOf(aging);

    clock.aheadMs = HOUR_MS;
    assertEquals(await read(aging, ignoring), [sumOf(body), false]);
    assertEquals(await read(aging, ignoring), [sumOf(body), false]);

    assertEquals(origin.statuses, [200, 200]);
    assertEquals(await filesOf(aging), before);
    assertEquals(recorder.of("revalidated")[0]?.result, "same");
    assertEquals(recorder.of("stored").length, 1);
    const { hits, misses, revalidated, stagedBytes } = cache.stats();
    assertEquals(
      { hits, misses, revalidated, stagedBytes },
      { hits: 2, misses: 1, revalidated: 1, stagedBytes: 0 },
    );
  });
}

Deno.test("a converted GIF stays for 304 and for the same GIF, and another GIF replaces it", async () => {
  const [gif, other] = [gifOfDelays([10, 20]), gifOfDelays([10, 20, 30])];
  await using aging = await agingCache({ body: gif, type: "image/gif" });
  const { cache, origin, clock } = aging;
  const [video] = await read(aging);
  const before = await filesOf(aging);
  const { sourceSha256 } = await sidecarOf(aging);
  assertEquals(typeof sourceSha256, "string");

  clock.aheadMs = HOUR_MS;
  assertEquals(await read(aging), [video, false]);
  assertEquals(await filesOf(aging), before);
  assertEquals(cache.stats().conversions, 1);

  clock.aheadMs = 2.1 * HOUR_MS;
  origin.version = { body: other, type: "image/gif" };
  const media = await cache.getOrDownload(origin.url, passing);
  assertEquals(media.mimetype, "video/mp4");
  assertNotEquals(sumOf(await media.bytes()), video);
  assertEquals(cache.stats().conversions, 2);
});

Deno.test("a body that had no digest is hashed when the same bytes come again", async () => {
  for (const same of [true, false]) {
    await using aging = await agingCache({
      body: same ? OLD : pattern(50_000, 2),
    });
    const { cacheDir, origin, recorder } = aging;
    // As the Python original writes it.
    await writePair(cacheDir, origin.url, OLD, { ageMs: HOUR_MS });
    const before = await filesOf(aging);

    assertEquals(await read(aging), [sumOf(origin.version.body), false]);

    const [event] = recorder.of("revalidated");
    assertEquals(event?.result, same ? "same" : "replaced");
    if (same) assertEquals(await filesOf(aging), before);
  }
});

Deno.test("every body is hashed with maxAgeMs, downloaded or put", async () => {
  await using aging = await agingCache({ body: pattern(5_000_000) });
  const { cache, cacheDir } = aging;
  await read(aging);
  assertEquals(typeof (await sidecarOf(aging))["sha256"], "string");
  await cache.put("put", pattern(200_000), "image/png", "a.png");
  const { json } = pathsOf(cacheDir, "put");
  const { sha256 } = JSON.parse(await Deno.readTextFile(json));
  assertEquals(typeof sha256, "string");
});

for (
  const [name, reason, fail] of [
    ["404", "HTTP 404", (origin) => origin.status = 404],
    ["410", "HTTP 410", (origin) => origin.status = 410],
    ["503", "HTTP 503", (origin) => origin.status = 503],
    ["204", "HTTP 204", (origin) => origin.status = 204],
    [
      "a refused connection",
      "ECONNREFUSED",
      (origin) => origin[Symbol.asyncDispose](),
    ],
    ["an empty body", "not stored", (origin) => {
      origin.version = { body: new Uint8Array(0) };
    }],
    ["a body that breaks", undefined, (origin) => {
      origin.version = { body: NEW };
      origin.breaksAfter = 30_000;
    }],
  ] as [string, string | undefined, (origin: VersionedOrigin) => unknown][]
) {
  Deno.test(`${name}: the old bytes serve, and the next check comes 30 s later`, async () => {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock, recorder } = aging;
    await read(aging);
    const before = await filesOf(aging);
    await fail(origin);

    clock.aheadMs = HOUR_MS;
    assertEquals(await read(aging), [sumOf(OLD), true]);
    clock.aheadMs = HOUR_MS + 20_000;
    assertEquals(await read(aging), [sumOf(OLD), true]);
    assertEquals(recorder.of("revalidated").length, 1);
    clock.aheadMs = HOUR_MS + 60_000;
    assertEquals(await read(aging), [sumOf(OLD), true]);

    const checks = recorder.of("revalidated");
    assertEquals(checks.map(({ result }) => result), ["failed", "failed"]);
    if (reason !== undefined) assertEquals(checks[0]?.reason, reason);
    assertEquals(await filesOf(aging), before);
    const { hits, misses, stale, failures, stagedBytes } = cache.stats();
    assertEquals(
      { hits, misses, stale, failures, stagedBytes },
      { hits: 3, misses: 1, stale: 3, failures: 0, stagedBytes: 0 },
    );
    assertEquals(await namesIn(aging.cacheDir), [
      ...Object.values(pathsOf("", origin.url)).slice(1),
    ]);
  });
}

Deno.test("a downloader that throws leaves the old bytes, and a later check succeeds", async () => {
  await using aging = await agingCache(TAGGED);
  const { origin, clock } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const broken = () => Promise.reject(new Error("no network"));
  assertEquals(await read(aging, broken), [sumOf(OLD), true]);
  clock.aheadMs = HOUR_MS + 60_000;
  origin.version = { body: NEW };
  assertEquals(await read(aging), [sumOf(NEW), false]);
});

Deno.test("304 for an entry that was evicted meanwhile gives its caller the old bytes", async () => {
  await using aging = await agingCache(TAGGED, { maxSizeMb: 0.1 });
  const { cache, cacheDir, origin, clock, recorder } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const release = origin.hold();

  const call = cache.getOrDownload(origin.url, passing);
  await origin.asked(2);
  await cache.put("other", pattern(80_000), "image/png", "other.png");
  assertEquals(recorder.of("evicted").length, 1);
  release();

  const media = await call;
  assertBytes(await media.bytes(), OLD);
  assertEquals(origin.statuses, [200, 304]);
  assertEquals(await cache.get(origin.url), undefined);
  const { key } = pathsOf(cacheDir, origin.url);
  assert((await namesIn(cacheDir)).every((name) => !name.startsWith(key)));
});

Deno.test("other bytes for an entry that was evicted meanwhile are stored", async () => {
  await using aging = await agingCache(TAGGED, { maxSizeMb: 0.12 });
  const { cache, origin, clock } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const release = origin.hold();
  const call = cache.getOrDownload(origin.url, passing);
  await origin.asked(2);
  await cache.put("other", pattern(80_000), "image/png", "other.png");
  assertEquals(await cache.has(origin.url), false);
  origin.version = { body: NEW };
  release();

  assertBytes(await (await call).bytes(), NEW);
  assertBytes(await (await cache.get(origin.url))?.bytes(), NEW);
});

Deno.test("the same bytes for an entry that was evicted meanwhile are stored, and keep the handle", async () => {
  await using aging = await agingCache(TAGGED, { maxSizeMb: 0.12 });
  const { cache, origin, clock } = aging;
  await read(aging);
  await cache.setHandle(origin.url, "place", "handle");
  clock.aheadMs = HOUR_MS;
  const release = origin.hold();
  const call = cache.getOrDownload(origin.url, passing);
  await origin.asked(2);
  await cache.put("other", pattern(80_000), "image/png", "other.png");
  assertEquals(await cache.has(origin.url), false);
  origin.version = { body: OLD, headers: { etag: '"2"' } };
  release();

  assertBytes(await (await call).bytes(), OLD);
  assertBytes(await (await cache.get(origin.url))?.bytes(), OLD);
  assertEquals(await cache.handle(origin.url, "place"), "handle");
});

for (
  const [answer, version] of [["304", TAGGED], ["200", { body: NEW }]] as const
) {
  Deno.test(`put() with replace during a check wins over its ${answer}`, async () => {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock } = aging;
    await read(aging);
    clock.aheadMs = HOUR_MS;
    const release = origin.hold();
    const call = cache.getOrDownload(origin.url, passing);
    await origin.asked(2);
    const put = pattern(70_000, 3);
    const options = { replace: true };
    assert(await cache.put(origin.url, put, "image/png", "p.png", options));
    origin.version = version;
    release();

    assertBytes(await (await call).bytes(), put);
    assertBytes(await (await cache.get(origin.url))?.bytes(), put);
    assertEquals(await read(aging), [sumOf(put), false]);
  });

  Deno.test(`delete() during a check wins over its ${answer}`, async () => {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock } = aging;
    await read(aging);
    clock.aheadMs = HOUR_MS;
    const release = origin.hold();
    const call = cache.getOrDownload(origin.url, passing);
    await origin.asked(2);
    assert(await cache.delete(origin.url));
    origin.version = version;
    release();

    assertBytes(await (await call).bytes(), OLD);
    assertEquals(await cache.get(origin.url), undefined);
    assertEquals(await namesIn(aging.cacheDir), []);
  });
}

Deno.test("a clock that is set back leaves no entry fresh for ever", async () => {
  await using aging = await agingCache(TAGGED);
  const { origin, clock } = aging;
  clock.aheadMs = 1_000 * HOUR_MS;
  await read(aging);
  clock.aheadMs = 0;

  assertEquals(await read(aging), [sumOf(OLD), false]);
  assertEquals(origin.statuses, [200, 304]);
  assertEquals(await read(aging), [sumOf(OLD), false]);
  assertEquals(origin.requests.length, 2);
  clock.aheadMs = HOUR_MS;
  await read(aging);
  assertEquals(origin.statuses, [200, 304, 304]);
});

Deno.test("20 callers of a stale entry cause one request, whatever it brings", async () => {
  for (const status of [304, 200, 404]) {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock } = aging;
    await read(aging);
    clock.aheadMs = HOUR_MS;
    if (status === 200) origin.version = { body: NEW };
    if (status === 404) origin.status = 404;
    const release = origin.hold();

    const calls = Array.from(
      { length: 20 },
      () => cache.getOrDownload(origin.url, passing),
    );
    await origin.asked(2);
    release();

    for (const call of calls) {
      const media = await call;
      assertBytes(await media.bytes(), status === 200 ? NEW : OLD);
      assertEquals(media.stale, status === 404);
    }
    assertEquals(origin.statuses, [200, status]);
    const { hits, misses } = cache.stats();
    assertEquals([hits, misses], status === 200 ? [0, 21] : [20, 1]);
  }
});

Deno.test("a caller that aborts leaves the check to the others, and alone to the cache", async () => {
  for (const isAlone of [false, true]) {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock, recorder } = aging;
    await read(aging);
    clock.aheadMs = HOUR_MS;
    origin.version = { body: NEW };
    const release = origin.hold();
    const controller = new AbortController();
    const { signal } = controller;
    const first = cache.getOrDownload(origin.url, passing, { signal });
    await origin.asked(2);
    const second = isAlone
      ? undefined
      : cache.getOrDownload(origin.url, passing);

    controller.abort(new Error("gone"));
    await assertRejects(() => first, Error, "gone");
    release();

    if (second !== undefined) assertBytes(await (await second).bytes(), NEW);
    await recorder.seen("revalidated");
    assertEquals(recorder.of("revalidated")[0]?.result, "replaced");
    assertBytes(await (await cache.get(origin.url))?.bytes(), NEW);
  }
});

Deno.test('whenAbandoned "abort" ends a check that no caller waits for', async () => {
  await using aging = await agingCache(TAGGED, { whenAbandoned: "abort" });
  const { cache, origin, clock, recorder } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const release = origin.hold();
  const controller = new AbortController();
  const { signal } = controller;
  const call = cache.getOrDownload(origin.url, passing, { signal });
  await origin.asked(2);
  controller.abort();
  await assertRejects(() => call);
  await recorder.seen("revalidated");

  assertEquals(recorder.of("revalidated")[0]?.reason, "AbortError");
  release();
  assertBytes(await (await cache.get(origin.url))?.bytes(), OLD);
});

Deno.test("the links of other callers are tried before a refusal counts", async () => {
  await using aging = await agingCache(TAGGED, {
    canonicalUrl: (url) => url.split("?")[0]!,
  });
  const { cache, origin, clock } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const asked: string[] = [];
  const bySignature: Downloader = async (context) => {
    asked.push(new URL(context.url).search);
    const response = await passing(context);
    if (asked.length > 1) return response;
    await response.body?.cancel();
    return new Response(null, { status: 403 });
  };
  const release = origin.hold();
  const first = cache.getOrDownload(`${origin.url}?a`, bySignature);
  await origin.asked(2);
  const second = cache.getOrDownload(`${origin.url}?b`, bySignature);
  // A turn for the second caller to join.
  await cache.has(origin.url);
  release();

  for (const call of [first, second]) assertEquals((await call).stale, false);
  assertEquals(asked, ["?a", "?b"]);
  assertEquals(cache.stats().failedOver, 1);
});

Deno.test("a type that no caller accepts leaves the old bytes", async () => {
  await using aging = await agingCache(TAGGED, { accept: ["image/*"] });
  const { cache, origin, clock, recorder } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  origin.version = { body: NEW, type: "text/html" };

  assertEquals(await read(aging), [sumOf(OLD), true]);
  assertEquals(recorder.of("revalidated")[0]?.reason, "UnacceptableTypeError");
  assertEquals(cache.stats().unacceptable, 0);

  const options = { accept: ["*/*"], maxAgeMs: 0 };
  const media = await cache.getOrDownload(origin.url, passing, options);
  assertEquals(media.mimetype, "text/html");
});

Deno.test("a body that can't be stored leaves the old bytes", async () => {
  await using aging = await agingCache(TAGGED, { maxEntryMb: 0.06 });
  const { origin, clock, recorder } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  origin.version = { body: pattern(2_000_000) };

  assertEquals(await read(aging), [sumOf(OLD), true]);
  const [event] = recorder.of("revalidated");
  assertEquals(event?.result, "failed");
  assertEquals(event?.reason?.startsWith("not stored: "), true);
});

Deno.test("get(), getByKey() and has() ask no origin, and tell that an entry is stale", async () => {
  await using aging = await agingCache(TAGGED);
  const { cache, cacheDir, origin, clock } = aging;
  await read(aging);
  const { key } = pathsOf(cacheDir, origin.url);
  for (const isStale of [false, true]) {
    if (isStale) clock.aheadMs = HOUR_MS;
    assertEquals((await cache.get(origin.url))?.stale, isStale);
    assertEquals((await cache.getByKey(key))?.stale, isStale);
    const peeked = await cache.getByKey(key, { peek: true });
    assertEquals(peeked?.stale, isStale);
    assertEquals(await cache.has(origin.url), true);
  }
  assertEquals(origin.requests.length, 1);
  await read(aging);
  assertEquals((await cache.get(origin.url))?.stale, false);
});

Deno.test("without maxAgeMs no entry is stale, and a call may have a maxAgeMs of its own", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const get = async (maxAgeMs?: number) => {
    const options = { maxAgeMs };
    const media = await cache.getOrDownload(origin.url, passing, options);
    await media.bytes();
    await media.stored;
    return media.stale;
  };
  await get();
  assertEquals(await get(), false);
  assertEquals(await get(Infinity), false);
  assertEquals(origin.requests.length, 1);
  assertEquals(await get(0), false);
  assertEquals(origin.statuses, [200, 304]);
  for (const wrong of [-1, NaN]) {
    await assertRejects(() => get(wrong), RangeError, "maxAgeMs");
  }
});

Deno.test("an entry is still confirmed after a restart", async () => {
  await using aging = await agingCache(TAGGED);
  const { cache, cacheDir, origin, clock } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  await read(aging);
  await cache.close();

  await using again = await MediaCache.open({ cacheDir, maxAgeMs: HOUR_MS });
  const media = await again.getOrDownload(origin.url, passing);
  assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), false]);
  assertEquals(origin.requests.length, 2);
});

for (const size of [10_000, 9_000_000]) {
  Deno.test(`the same ${size} bytes with another ETag are asked for by that one from then on`, async () => {
    const body = pattern(size);
    await using aging = await agingCache({ body, headers: { etag: '"1"' } }, {
      maxAgeMs: 0,
    });
    const { cache, cacheDir, origin } = aging;
    await read(aging);
    await cache.setHandle(origin.url, "place", "handle");
    const before = await filesOf(aging);

    origin.version = { body, headers: { etag: '"2"' } };
    assertEquals(await read(aging), [sumOf(body), false]);
    assertEquals(await read(aging), [sumOf(body), false]);
    await using again = await MediaCache.open({ cacheDir, maxAgeMs: 0 });
    await (await again.getOrDownload(origin.url, passing)).bytes();

    assertEquals(origin.statuses, [200, 200, 304, 304]);
    assertEquals(await filesOf(aging), before);
    assertEquals(await cache.handle(origin.url, "place"), "handle");

    // No validator any more: nothing is known by which to ask.
    origin.version = { body };
    await read(aging);
    await read(aging);
    const last = origin.requests.at(-1);
    assertEquals(last?.has("if-none-match"), false);
    assertEquals(await filesOf(aging), before);
  });
}

Deno.test("servers that tag the same bytes differently all answer 304 once a tag has come back", async () => {
  const servers = ["1", "2", "3"].map((tag) => ({
    body: OLD,
    headers: {
      etag: `"${tag}"`,
      "last-modified": `Sun, 0${tag} Nov 2020 08:49:37 GMT`,
    },
  }));
  await using aging = await agingCache(TAGGED, { maxAgeMs: 0 });
  const { cacheDir, origin } = aging;
  const ask = async (server: number) => {
    origin.version = servers[server]!;
    assertEquals(await read(aging), [sumOf(OLD), false]);
  };
  for (const server of [0, 1, 0, 1, 0, 1, 0]) await ask(server);
  const before = await filesOf(aging);
  assertEquals(origin.statuses, [200, 200, 200, 304, 304, 304, 304]);
  assertEquals(origin.requests.at(-1)?.get("if-none-match"), '"1", "2"');
  assertEquals(origin.requests.at(-1)?.has("if-modified-since"), false);

  // Another process knows them from the note.
  await using again = await MediaCache.open({ cacheDir, maxAgeMs: 0 });
  for (const server of [0, 1]) {
    origin.version = servers[server]!;
    await (await again.getOrDownload(origin.url, passing)).bytes();
  }
  for (const server of [2, 0, 1, 2]) await ask(server);
  const later = [304, 304, 200, 304, 304, 304];
  assertEquals(origin.statuses.slice(-6), later);
  assertEquals(await filesOf(aging), before);

  // New bytes have one tag, and the list has ended.
  origin.version = { body: NEW, headers: { etag: '"4"' } };
  assertEquals(await read(aging), [sumOf(NEW), false]);
  await read(aging);
  assertEquals(origin.requests.at(-1)?.get("if-none-match"), '"4"');
});

Deno.test("an entry that is stored anew is not asked for by the ETag of the one before", async () => {
  const options = { maxAgeMs: 0, maxSizeMb: 0.1 };
  await using aging = await agingCache(TAGGED, options);
  const { cache, origin } = aging;
  await read(aging);
  origin.version = { body: OLD, headers: { etag: '"2"' } };
  await read(aging);
  await cache.put("other", pattern(80_000), "image/png", "other.png");
  assertEquals(await cache.has(origin.url), false);
  // The note outlives the entry, and other bytes come meanwhile.
  origin.version = { body: NEW, headers: { etag: '"3"' } };
  assertEquals(await read(aging), [sumOf(NEW), false]);
  origin.version = { body: OLD, headers: { etag: '"2"' } };

  assertEquals(await read(aging), [sumOf(OLD), false]);
  assertEquals(origin.requests.at(-1)?.get("if-none-match"), '"3"');
});

Deno.test("a sidecar with hostile validators does not keep its entry from being checked", async () => {
  await using aging = await agingCache({ body: OLD });
  const { cache, cacheDir, origin } = aging;
  await read(aging);
  await cache.close();
  const { json } = pathsOf(cacheDir, origin.url);
  const sidecar = await sidecarOf(aging);
  for (const etag of ['"a"\r\nx: y', "\u{1f600}", 7, null, ["a"], "\0"]) {
    const text = JSON.stringify({ ...sidecar, etag, lastModified: etag });
    await Deno.writeTextFile(json, text);
    await using again = await MediaCache.open({ cacheDir, maxAgeMs: 0 });
    const media = await again.getOrDownload(origin.url, passing);
    assertEquals([sumOf(await media.bytes()), media.stale], [
      sumOf(OLD),
      false,
    ]);
    assertEquals(origin.requests.at(-1)?.has("if-none-match"), false);
  }
});

Deno.test("a readOnly cache asks no origin, and tells that its bytes are stale", async () => {
  await using aging = await agingCache(TAGGED);
  const { cacheDir, origin, clock } = aging;
  await read(aging);
  clock.aheadMs = HOUR_MS;
  const options = { cacheDir, maxAgeMs: HOUR_MS, readOnly: true };
  await using reader = await MediaCache.open(options);
  const media = await reader.getOrDownload(origin.url, passing);
  assertEquals([sumOf(await media.bytes()), media.stale], [sumOf(OLD), true]);
  assertEquals(origin.requests.length, 1);
});

Deno.test("close() lets a check end, and aborts it when asked to", async () => {
  for (const abort of [false, true]) {
    await using aging = await agingCache(TAGGED);
    const { cache, cacheDir, origin, clock, recorder } = aging;
    await read(aging);
    clock.aheadMs = HOUR_MS;
    origin.version = { body: NEW };
    const release = origin.hold();
    const call = cache.getOrDownload(origin.url, passing).catch(() => {});
    await origin.asked(2);
    const closed = cache.close({ abort });
    if (!abort) release();
    await closed;
    await call;
    release();

    const [event] = recorder.of("revalidated");
    assertEquals(event?.result, abort ? "failed" : "replaced");
    const { dat } = pathsOf(cacheDir, origin.url);
    assertEquals(await Deno.readFile(dat), abort ? OLD : NEW);
    assertEquals((await namesIn(cacheDir)).length, 2);
  }
});
