import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  type Media,
  MediaCache,
  MediaCacheError,
  TooLargeError,
} from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { begin, underway } from "../../fixtures/cache/begun.ts";
import { pair } from "../../fixtures/sharing/pair.ts";
import {
  assertBytes,
  pattern,
  readAll,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { StatFault } from "../../fixtures/faults/disk_faults.ts";
import { Progress, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const BODY = pattern(300_000);
const PNG = { mimetype: "image/png", filename: "a.png" };

function never(): Promise<never> {
  throw new Error("not called");
}

for (const size of [BODY.length, undefined]) {
  const length = size === undefined ? "unknown" : "known";
  Deno.test(`a download of ${length} length is followed by the other cache while it runs`, async () => {
    await using caches = await pair();
    const { one, two, recorder } = caches;
    const { media: first, tap } = await underway(one, "a", BODY, {
      ...PNG,
      size,
    });

    const progress = new Progress();
    const { onProgress } = progress;
    const media = await two.getOrDownload("a", never, { onProgress });
    assertEquals([media.mimetype, media.filename], ["image/png", "a.png"]);
    assertEquals([media.source, media.size], ["download", size]);
    const reader = media.body.getReader();
    assertBytes(await readSome(reader, 1000), BODY.slice(0, 1000));
    const [info] = two.inFlight();
    assertEquals([info?.received, info?.total], [1000, size]);
    tap.write(BODY.slice(1000, 200_000));
    await progress.reached(200_000);
    const late = await two.getOrDownload("a", never);
    tap.write(BODY.slice(200_000));
    tap.end();

    assertBytes(await readRest(reader), BODY.slice(1000));
    assertBytes(await late.bytes(), BODY);
    assertBytes(await first.bytes(), BODY);
    assertEquals([await media.stored, await late.stored], [true, true]);
    const { hits, misses, coalesced, bytesDownloaded, entries } = two.stats();
    assertEquals([hits, misses, coalesced, bytesDownloaded], [0, 2, 2, 0]);
    assertEquals(entries, 1);
    assertEquals(recorder.of("joined").length, 2);
    assertEquals(recorder.of("miss").length, 0);
    await using hit = await two.get("a");
    assertBytes(await hit?.bytes(), BODY);
  });
}

Deno.test("many callers of two caches cause one download", async () => {
  await using caches = await pair();
  let calls = 0;
  const download = () => {
    calls++;
    return Promise.resolve({ data: BODY, ...PNG });
  };

  const bodies = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const cache = i % 2 === 0 ? caches.one : caches.two;
    return await (await cache.getOrDownload("a", download)).bytes();
  }));

  assertEquals(calls, 1);
  for (const body of bodies) assertBytes(body, BODY);
});

Deno.test("a caller that waits for the downloader of the other cache stops waiting alone", async () => {
  await using caches = await pair();
  const { tap, call } = await begin(caches.one, "a", PNG);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = caches.two.getOrDownload("a", never, { signal });
  await caches.recorder.seen("joined");

  controller.abort(new Error("enough"));

  await assertRejects(() => waiting, Error, "enough");
  tap.write(BODY);
  tap.end();
  assertBytes(await (await call).bytes(), BODY);
});

Deno.test("a download that every follower has left may fail, and the next caller starts anew", async () => {
  await using caches = await pair();
  const { tap, call } = await begin(caches.one, "a", PNG);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = caches.two.getOrDownload("a", never, { signal });
  await caches.recorder.seen("joined");
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");

  tap.fail(new Error("broken"));
  await assertRejects(() => call, Error, "broken");
  while (caches.two.inFlight().length > 0) await turn();

  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const media = await caches.two.getOrDownload("a", download);
  assertBytes(await media.bytes(), BODY);
});

Deno.test("followers of a failed download start it again", async () => {
  await using caches = await pair();
  const { tap, call } = await begin(caches.one, "a", PNG);
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const waiting = caches.two.getOrDownload("a", download);
  await caches.recorder.seen("joined");

  tap.fail(new Error("broken"));

  await assertRejects(() => call, Error, "broken");
  assertBytes(await (await waiting).bytes(), BODY);
});

Deno.test("with bytes of a failed download a reader gets an error, without bytes it continues", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { tap, call } = await begin(one, "a", PNG);
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  tap.write(BODY.slice(0, 1000));
  const begun = await two.getOrDownload("a", download);
  const unread = await two.getOrDownload("a", download);
  const unreadReader = (await two.getOrDownload("a", download)).slice(2000)
    .getReader();
  const reader = begun.body.getReader();
  await readSome(reader, 1000);
  const waiting = unreadReader.read();

  tap.fail(new Error("broken"));

  await assertRejects(() => reader.read(), MediaCacheError, "has ended");
  assertBytes(await unread.bytes(), BODY);
  const first = await waiting;
  const rest = await readRest(unreadReader);
  const slice = await new Blob([first.value!, rest]).bytes();
  assertBytes(slice, BODY.slice(2000));
  await assertRejects(async () => (await call).bytes(), Error, "broken");
  assertEquals(await unread.stored, true);
});

for (
  const [what, told, anew] of [
    ["type", {}, { mimetype: "audio/ogg", filename: "a.png" }],
    ["name", {}, { mimetype: "image/png", filename: "b.png" }],
    ["length", { size: BODY.length - 1 }, { ...PNG, size: BODY.length }],
  ] as const
) {
  Deno.test(`a restarted download of another ${what} reaches new callers alone`, async () => {
    await using caches = await pair();
    const { one, two } = caches;
    const { tap, call } = await begin(one, "a", { ...PNG, ...told });
    const download = () => Promise.resolve({ data: BODY, ...anew });
    tap.write(BODY.slice(0, 1000));
    await call;
    const unread = await two.getOrDownload("a", download);

    tap.fail(new Error("broken"));
    await caches.recorder.seen("miss");

    await assertRejects(() => unread.bytes(), MediaCacheError, "another now");
    await using hit = await two.getOrDownload("a", never);
    assertEquals([hit.mimetype, hit.size], [anew.mimetype, BODY.length]);
  });
}

Deno.test("a Media with a slice that has bytes never gives the body of another download", async () => {
  await using caches = await pair();
  const { tap } = await underway(caches.one, "a", BODY, PNG);
  const other = pattern(BODY.length, 7);
  const download = () => Promise.resolve({ data: other, ...PNG });
  await using begun = await caches.two.getOrDownload("a", download);
  await using unread = await caches.two.getOrDownload("a", download);
  const slice = begun.slice(0, 1000);
  assertBytes(await readAll(slice), BODY.slice(0, 1000));
  const late = begun.slice(500, 2000).getReader();
  assertBytes((await late.read()).value, BODY.slice(500, 1000));

  tap.fail(new Error("broken"));

  await assertRejects(() => late.read(), MediaCacheError, "has ended");
  assertBytes(await unread.bytes(), other);
  await assertRejects(() => begun.bytes(), MediaCacheError, "has ended");
  await assertRejects(
    () => readAll(begun.slice(0, 10)),
    MediaCacheError,
    "has ended",
  );
});

Deno.test("a deleted download reaches its followers whole, and is not stored", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  const reader = theirs.body.getReader();
  await readSome(reader, 1000);

  await one.delete("a");
  finish();

  assertBytes(await readRest(reader), BODY.slice(1000));
  assertBytes(await mine.bytes(), BODY);
  assertEquals([await mine.stored, await theirs.stored], [false, false]);
  assertEquals(await two.has("a"), false);
});

Deno.test("a deleted download is not followed any more", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { tap } = await underway(one, "a", BODY, PNG);

  await one.delete("a");
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const [mine, theirs] = await Promise.all(
    [one, two].map(async (cache) =>
      await (await cache.getOrDownload("a", download)).bytes()
    ),
  );

  assertEquals([mine, theirs], [BODY, BODY]);
  tap.end();
});

Deno.test("whenAbandoned abort does not abort a download that another cache follows", async () => {
  await using caches = await pair({ whenAbandoned: "abort" });
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);

  await mine.body.cancel();
  finish();

  assertBytes(await theirs.bytes(), BODY);
});

Deno.test("a follower that stops with whenAbandoned abort leaves the download to the other cache", async () => {
  await using caches = await pair({ whenAbandoned: "abort" });
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);

  await theirs.body.cancel();
  assertEquals(await theirs.stored, false);
  assertEquals(two.inFlight(), []);
  finish();

  assertBytes(await mine.bytes(), BODY);
});

Deno.test("a download that the other cache cannot store is downloaded by each", async () => {
  await using caches = await pair({ maxEntryMb: 0.1 });
  const { one, two } = caches;
  const { tap, call } = await begin(one, "a", PNG);
  tap.write(BODY.slice(0, 1000));
  const mine = (await call).bytes();
  let calls = 0;
  const media = await two.getOrDownload("a", () => {
    calls++;
    return Promise.resolve({ data: BODY, ...PNG });
  });
  assertEquals(calls, 0);

  tap.write(BODY.slice(1000));
  tap.end();
  await caches.recorder.seen("miss");

  assertBytes(await media.bytes(), BODY);
  assertBytes(await mine, BODY);
  assertEquals(calls, 1);
});

Deno.test("a read-only cache follows the download of another", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using one = await MediaCache.open({ cacheDir });
  await using two = await MediaCache.open({ cacheDir, readOnly: true });
  const { finish } = await underway(one, "a", BODY, PNG);

  const media = await two.getOrDownload("a", never);
  finish();

  assertBytes(await media.bytes(), BODY);
  assertEquals(await media.stored, true);
});

Deno.test("a cache that closes ends its followed downloads, and the other cache continues", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  const reader = theirs.body.getReader();
  await readSome(reader, 1000);

  await two.close({ abort: true });

  await assertRejects(() => reader.read());
  finish();
  assertBytes(await mine.bytes(), BODY);
});

Deno.test("unread Media of followed downloads are readable until close()", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  const left = await two.getOrDownload("a", never);
  finish();
  await mine.stored;
  await theirs.stored;

  await one.delete("a");

  assertBytes(await theirs.bytes(), BODY);
  await two.close();
  await assertRejects(() => left.bytes());
  await mine[Symbol.asyncDispose]();
});

Deno.test("a download of a process that died without a description is taken over", async () => {
  await using caches = await pair();
  const path = join(caches.cacheDir, `${keyOf("a")}.download.part`);
  {
    using holder = await Deno.open(path, { createNew: true, write: true });
    await holder.lock(true);
    const download = () => Promise.resolve({ data: BODY, ...PNG });
    const call = caches.two.getOrDownload("a", download);
    await caches.recorder.seen("joined");
    await holder.write(BODY.slice(0, 1000));
    holder.close();

    const media = await call;
    assertBytes(await media.bytes(), BODY);
    assert(await media.stored);
  }
});

Deno.test("a file that a process left half-written when it died is written anew", async () => {
  await using caches = await pair();
  const key = keyOf("a");
  for (const name of [`${key}.download.part`, `${key}.description.part`]) {
    await Deno.writeTextFile(join(caches.cacheDir, name), "half");
  }

  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const media = await caches.one.getOrDownload("a", download);

  assertBytes(await media.bytes(), BODY);
  assert(await media.stored);
});

Deno.test("files of a process that died during a commit do not keep others from following", async () => {
  await using caches = await pair();
  const { one, two, cacheDir } = caches;
  const path = join(cacheDir, `${keyOf("a")}.description.part`);
  await Deno.writeTextFile(path, "left");
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);

  const theirs = await two.getOrDownload("a", never);
  finish();

  assertBytes(await theirs.bytes(), BODY);
  assertBytes(await mine.bytes(), BODY);
});

Deno.test("a download of a URL of 100 KiB is followed to its end", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const url = "a".repeat(100_000);
  const { media: mine, finish } = await underway(one, url, BODY, PNG);
  const theirs = await two.getOrDownload(url, never);
  finish();

  assertBytes(await theirs.bytes(), BODY);
  assertEquals([await mine.stored, await theirs.stored], [true, true]);
});

Deno.test("bytes count as a sign of life before the type is certain", async () => {
  await using caches = await pair({ gifToMp4: true });
  const { one, two } = caches;
  const gif = new TextEncoder().encode("GIF89a");
  const { tap, call } = await begin(one, "a", PNG);
  tap.write(gif);
  const progress = new Progress();
  const { onProgress } = progress;
  const waiting = two.getOrDownload("a", never, { onProgress });
  await progress.reached(gif.length);
  assertEquals(two.inFlight()[0]?.received, gif.length);

  tap.write(BODY);
  tap.end();

  const media = await waiting;
  assertEquals(media.mimetype, "image/gif");
  assertEquals((await media.bytes()).length, gif.length + BODY.length);
  await (await call).body.cancel();
});

Deno.test("whenAbandoned abort ends a download when its followers have left, too", async () => {
  await using caches = await pair({ whenAbandoned: "abort" });
  const { one, two } = caches;
  const { media: mine, tap } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  await mine.body.cancel();

  await theirs.body.cancel();
  await theirs.stored;
  tap.write(BODY.slice(1000, 2000));

  await tap.cancelled;
  assertEquals(await mine.stored, false);
});

Deno.test("a followed download declared above maxDownloadMb is an error at once", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await using one = await MediaCache.open({ cacheDir });
  await using two = await MediaCache.open({ cacheDir, maxDownloadMb: 0.1 });
  const size = BODY.length;
  const { media: mine, finish } = await underway(one, "a", BODY, {
    ...PNG,
    size,
  });

  await assertRejects(() => two.getOrDownload("a", never), TooLargeError);

  finish();
  assertBytes(await mine.bytes(), BODY);
});

Deno.test("a lookup that finds a body without its sidecar waits for the running commit", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { renameSync } = Deno;
  const { tap, call } = await begin(one, "a", PNG);
  let late: Promise<Media> | undefined;
  tap.write(BODY);
  const mine = await call;
  Deno.renameSync = (from, to) => {
    renameSync(from, to);
    if (String(to).endsWith(".dat")) late = two.getOrDownload("a", never);
  };
  try {
    tap.end();
    assertBytes(await mine.bytes(), BODY);
  } finally {
    Deno.renameSync = renameSync;
  }

  assertBytes(await (await late)?.bytes(), BODY);
});

Deno.test("readers of a followed download continue when others read its entry already", async () => {
  await using caches = await pair({ maxMemoryItems: 0 });
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  const reader = theirs.body.getReader();
  await readSome(reader, 1000);
  finish();
  assertBytes(await mine.bytes(), BODY);
  await using held = await two.get("a");

  assertEquals(await theirs.stored, true);

  assertBytes(await readRest(reader), BODY.slice(1000));
  assertBytes(await held?.bytes(), BODY);
});

Deno.test("a single failed look at a followed file blocks no reader", async () => {
  await using caches = await pair();
  const { one, two, recorder } = caches;
  const { tap, call } = await begin(one, "a", { ...PNG, size: BODY.length });
  tap.write(BODY.slice(0, 1000));
  const media = await two.getOrDownload("a", never);
  const reader = media.body.getReader();
  const start = await readSome(reader, 1000);
  {
    using _fault = new StatFault();
    await recorder.seen("diskError");
  }

  tap.write(BODY.slice(1000));
  tap.end();
  assertBytes(await readRest(reader), BODY.slice(start.length));
  assertEquals(await media.stored, true);
  assertBytes(await (await call).bytes(), BODY);
});

Deno.test("when a followed file cannot be read any more, new callers download, and readers with bytes get the error", async () => {
  await using caches = await pair();
  const { one, two, recorder } = caches;
  const { tap, call } = await begin(one, "a", { ...PNG, size: BODY.length });
  tap.write(BODY.slice(0, 1000));
  let calls = 0;
  const download = () => {
    calls++;
    return Promise.resolve({ data: BODY, ...PNG });
  };
  const begun = await two.getOrDownload("a", download);
  const reader = begun.body.getReader();
  await readSome(reader, 1000);
  const unread = await two.getOrDownload("a", download);
  const slice = unread.slice(5, 1005);
  {
    using _fault = new StatFault();
    await recorder.seen("diskError", 3);
  }

  await assertRejects(() => readRest(reader), Error, "Input/output error");
  const next = await two.getOrDownload("a", download);
  assertBytes(await next.bytes(), BODY);
  assertBytes(await unread.bytes(), BODY);
  assertBytes(await readAll(slice), BODY.slice(5, 1005));
  assertEquals(calls, 1);
  tap.write(BODY.slice(1000));
  tap.end();
  assertBytes(await (await call).bytes(), BODY);
});
