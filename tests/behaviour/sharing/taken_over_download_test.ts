import { assertEquals, assertRejects } from "@std/assert";
import { DownloadTimeoutError, MediaCacheError } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { begin, underway } from "../../fixtures/cache/begun.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { namesIn, pathsOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { heard, stub } from "../../fixtures/gif/stub.ts";
import { pair } from "../../fixtures/sharing/pair.ts";

const BODY = pattern(200_000);
const OTHER = pattern(1000, 7);
const PNG = { mimetype: "image/png", filename: "a.png" };
const MB = 2 ** 20;

function never(): Promise<never> {
  throw new Error("not called");
}

Deno.test("a download that falls silent in another process is started anew here", async () => {
  await using caches = await pair({}, { idleTimeoutMs: 100 });
  const { one, two } = caches;
  const { media: mine, tap } = await underway(one, "a", BODY, PNG);
  let calls = 0;
  const download = () => {
    calls++;
    return Promise.resolve({ data: BODY, ...PNG });
  };
  const begun = await two.getOrDownload("a", download);
  const reader = begun.body.getReader();
  await readSome(reader, 1000);
  const unread = await two.getOrDownload("a", download);

  const error = await assertRejects(() => reader.read(), DownloadTimeoutError);
  assertEquals([error.kind, error.timeoutMs], ["idle", 100]);
  assertBytes(await unread.bytes(), BODY);
  assertEquals([await unread.stored, calls], [true, 1]);

  // The silent process goes on for its own readers, and stores nothing over it.
  tap.write(BODY.slice(1000, 50_000));
  tap.end();
  assertBytes(await mine.bytes(), BODY.slice(0, 50_000));
  assertEquals(await mine.stored, false);
  assertEquals((await one.get("a"))?.size, BODY.length);
});

Deno.test("a process whose callers have left takes no silent download over", async () => {
  await using caches = await pair({}, { idleTimeoutMs: 100 });
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const theirs = await two.getOrDownload("a", never);
  await theirs.body.cancel();

  assertEquals(await theirs.stored, false);
  finish();

  assertBytes(await mine.bytes(), BODY);
  assertEquals(await mine.stored, true);
});

Deno.test("a read-only cache downloads for itself when another process falls silent, and takes nothing away", async () => {
  await using caches = await pair({}, { idleTimeoutMs: 100, readOnly: true });
  const { one, two, recorder } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);
  const download = () => Promise.resolve({ data: OTHER, ...PNG });

  const theirs = await two.getOrDownload("a", download);
  await recorder.seen("miss");

  assertBytes(await theirs.bytes(), OTHER);
  assertEquals(await theirs.stored, false);
  finish();
  assertBytes(await mine.bytes(), BODY);
  assertEquals(await mine.stored, true);
});

for (const how of ["delete", "clear"] as const) {
  Deno.test(`${how}() keeps what another process downloads from being stored`, async () => {
    await using caches = await pair();
    const { one, two, cacheDir } = caches;
    const { media: mine, finish } = await underway(one, "a", BODY, PNG);
    const reader = mine.body.getReader();
    await readSome(reader, 1000);

    await two[how]("a");
    const next = await two.getOrDownload(
      "a",
      () => Promise.resolve({ data: OTHER, ...PNG }),
    );
    assertBytes(await next.bytes(), OTHER);
    await two[how]("a");
    finish();

    assertBytes(await readRest(reader), BODY.slice(1000));
    assertEquals([await mine.stored, await next.stored], [false, true]);
    assertEquals([await one.has("a"), await two.has("a")], [false, false]);
    assertEquals(one.stats().diskErrors, 0);
    const names = await namesIn(cacheDir);
    assertEquals(names.filter((name) => /\.(?:dat|json)$/.test(name)), []);
  });
}

for (const how of ["ends", "fails", "is abandoned"] as const) {
  Deno.test(`a download that was deleted elsewhere and ${how} leaves the next download of the URL alone`, async () => {
    await using caches = await pair({ whenAbandoned: "abort" });
    const { one, two } = caches;
    const { tap, call } = await begin(one, "a", PNG);
    tap.write(OTHER);
    const mine = await call;
    await two.delete("a");
    const next = await begin(two, "a", PNG);
    next.tap.write(BODY.slice(0, 1000));
    const theirs = await next.call;

    if (how === "ends") tap.end();
    if (how === "fails") tap.fail(new Error("broken"));
    if (how === "is abandoned") await mine.body.cancel();
    assertEquals(await mine.stored, false);
    await using late = await one.getOrDownload("a", never);
    next.tap.write(BODY.slice(1000));
    next.tap.end();

    assertBytes(await theirs.bytes(), BODY);
    assertBytes(await late.bytes(), BODY);
    assertEquals(await theirs.stored, true);
    if (how === "ends") assertBytes(await mine.bytes(), OTHER);
    assertEquals(one.stats().diskErrors, 0);
  });
}

Deno.test("a GIF that was deleted elsewhere while it waits for ffmpeg never becomes the GIF that is downloaded there next", async () => {
  await using folder = await tempDir();
  const ffmpeg = await stub(
    folder.path,
    'echo $$ >"$here/said"; read -r _ <"$here/go"; exit 1',
  );
  await new Deno.Command("mkfifo", { args: [`${folder.path}/go`] }).output();
  const gifToMp4 = { ffmpeg, maxConcurrent: 1 };
  await using caches = await pair({ gifToMp4 }, { gifToMp4: false });
  const { one, two } = caches;
  const gif = gifOfDelays([10, 20, 30]);
  const other = gifOfDelays([30, 20, 10]);
  const download = () => Promise.resolve({ data: gif });
  const first = one.getOrDownload("first", download);
  await heard(folder.path);
  const call = one.getOrDownload("a", download);
  while (one.inFlight().some(({ phase }) => phase !== "converting")) {
    await turn();
  }

  await two.delete("a");
  const next = await begin(two, "a");
  next.tap.write(other);
  const theirs = await next.call;
  // Both conversions fail: of the first GIF, and then of the cache's own.
  await Deno.writeTextFile(`${folder.path}/go`, "\n");
  await heard(folder.path);
  await Deno.writeTextFile(`${folder.path}/go`, "\n");

  const mine = await call;
  assertEquals([mine.mimetype, await mine.bytes()], ["image/gif", gif]);
  assertEquals(await mine.stored, false);
  assertBytes(await (await first).bytes(), gif);
  next.tap.end();
  assertEquals([await theirs.bytes(), await theirs.stored], [other, true]);
  assertEquals(one.stats().diskErrors, 0);
});

Deno.test("deleteByKey() keeps what another process downloads from being stored", async () => {
  await using caches = await pair();
  const { one, two } = caches;
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);

  await two.deleteByKey(mine.key);
  finish();

  assertBytes(await mine.bytes(), BODY);
  assertEquals([await mine.stored, await one.has("a")], [false, false]);
});

for (const replace of [true, false]) {
  Deno.test(`put() with replace ${replace} stays when another process has downloaded the URL meanwhile`, async () => {
    await using caches = await pair();
    const { one, two } = caches;
    const { media: mine, finish } = await underway(one, "a", BODY, PNG);

    assertEquals(
      await two.put("a", OTHER, "image/webp", "b.webp", { replace }),
      true,
    );
    finish();

    assertBytes(await mine.bytes(), BODY);
    assertEquals(await mine.stored, false);
    for (const cache of [one, two]) {
      await using hit = await cache.getOrDownload("a", never);
      assertEquals(hit.mimetype, "image/webp");
      assertBytes(await hit.bytes(), OTHER);
      assertEquals(cache.stats().diskErrors, 0);
    }
  });
}

Deno.test("a download is stored although a leftover of its URL is removed meanwhile", async () => {
  await using caches = await pair();
  const { one, cacheDir } = caches;
  const { dat } = pathsOf(cacheDir, "a");
  await Deno.writeFile(dat, OTHER);
  const { media: mine, finish } = await underway(one, "a", BODY, PNG);

  await Deno.remove(dat);
  finish();

  assertBytes(await mine.bytes(), BODY);
  assertEquals(await mine.stored, true);
});

Deno.test("a download that goes uncached in another process is started anew, and a reader with bytes gets the reason", async () => {
  await using caches = await pair({ maxEntryMb: 0.3 });
  const { one, two } = caches;
  const { tap, call } = await begin(one, "a", PNG);
  tap.write(BODY.slice(0, 1000));
  const mine = await call;
  const download = () => Promise.resolve({ data: BODY, ...PNG });
  const begun = await two.getOrDownload("a", download);
  const reader = begun.body.getReader();
  await readSome(reader, 1000);
  const unread = await two.getOrDownload("a", download);
  const size = 0.25 * MB;
  const other = await begin(one, "b", { ...PNG, size });
  other.tap.write(pattern(size));
  const crowding = await other.call;
  while (one.stats().stagedBytes < size) await turn();

  tap.write(BODY.slice(1000, 100_000));

  await assertRejects(
    () => reader.read(),
    MediaCacheError,
    "goes on uncached: running downloads take all that maxEntryMb allows",
  );
  assertBytes(await unread.bytes(), BODY);
  assertEquals(await unread.stored, true);
  tap.write(BODY.slice(100_000));
  tap.end();
  assertBytes(await mine.bytes(), BODY);
  await one.delete("b");
  await crowding[Symbol.asyncDispose]();
});

Deno.test("a download that another process follows takes the room of one that nobody follows", async () => {
  await using caches = await pair({ maxEntryMb: 0.3 });
  const { one, two } = caches;
  const { tap, call } = await begin(one, "a", PNG);
  tap.write(BODY.slice(0, 1000));
  const mine = await call;
  const theirs = await two.getOrDownload("a", never);
  const reader = theirs.body.getReader();
  await readSome(reader, 1000);
  const large = pattern(0.29 * MB, 3);
  const size = large.length;
  const other = await begin(one, "b", { ...PNG, size });
  other.tap.write(large.slice(0, 1000));
  const crowding = await other.call;

  tap.write(BODY.slice(1000));
  tap.end();

  assertBytes(await readRest(reader), BODY.slice(1000));
  assertBytes(await mine.bytes(), BODY);
  assertEquals([await mine.stored, await theirs.stored], [true, true]);
  other.tap.write(large.slice(1000));
  other.tap.end();
  assertBytes(await crowding.bytes(), large);
});

Deno.test("a reader with bytes of a download that fails in another process gets the name of the error", async () => {
  await using caches = await pair();
  const { tap, call } = await begin(caches.one, "a", PNG);
  tap.write(BODY.slice(0, 1000));
  await using _mine = await call;
  const begun = await caches.two.getOrDownload("a", never);
  const reader = begun.body.getReader();
  await readSome(reader, 1000);

  tap.fail(new TypeError("secret"));

  const error = await assertRejects(() => reader.read(), MediaCacheError);
  assertEquals(
    error.message,
    "Cannot read media: its download in another process has ended: TypeError",
  );
});
