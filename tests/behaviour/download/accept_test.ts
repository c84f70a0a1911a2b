/** Callers that accept some types only, on every way to a Media. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Download,
  type GetOrDownloadOptions,
  type Media,
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
  UnacceptableTypeError,
} from "../../../mod.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { pair } from "../../fixtures/sharing/pair.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const IMAGES = { accept: ["image/*"] };
const VIDEOS = { accept: ["video/*"] };
const PAGE = { mimetype: "text/html" };
const PNG = { mimetype: "image/png" };
const GIF = gifOfDelays([10, 20]);

const never = () => Promise.reject(new Error("not called"));

function give(data: Download["data"], facts: Omit<Download, "data"> = {}) {
  return () => Promise.resolve({ data, ...facts });
}

/** Asserts that a call is refused for a type; returns its error. */
async function refused(
  call: Promise<Media>,
  mimetype: string,
): Promise<UnacceptableTypeError> {
  const error = await assertRejects(() => call, UnacceptableTypeError);
  assertEquals(error.mimetype, mimetype);
  return error;
}

function counts(cache: MediaCache) {
  const { hits, misses, coalesced, failures, unacceptable, entries } = cache
    .stats();
  return { hits, misses, coalesced, failures, unacceptable, entries };
}

Deno.test("accept that is no list of types is refused at once, and the message names it", async () => {
  await using opened = await emptyCache();
  const wrong: [unknown, typeof TypeError | typeof RangeError, string][] = [
    ["image/*", TypeError, '"image/*"'],
    [null, TypeError, "null"],
    [[7], TypeError, "7"],
    [[undefined], TypeError, "null"],
    [[], RangeError, "an empty array"],
    [["image"], RangeError, '"image"'],
    [["image/*", "*/png"], RangeError, '"*/png"'],
    [["image/png; q=1"], RangeError, '"image/png; q=1"'],
    [["image/p*"], RangeError, '"image/p*"'],
  ];
  for (const [value, Type, shown] of wrong) {
    const options = { accept: value } as unknown as GetOrDownloadOptions;
    const messages = [
      assertThrows(() => new MediaCache(options as MediaCacheOptions), Type)
        .message,
      (await assertRejects(
        () => opened.cache.getOrDownload("a", never, options),
        Type,
      )).message,
      (await assertRejects(
        () => opened.cache.joinByKey("0".repeat(64), options),
        Type,
      )).message,
    ];
    for (const message of messages) {
      assert(message.includes("accept must be an array of media types"));
      assert(message.endsWith(`received ${shown}`), message);
    }
  }
});

for (const how of ["whole", "chunks", "no length", "sniffed", "uncached"]) {
  Deno.test(`a miss of a type that the caller does not accept is aborted and not stored: ${how}`, async () => {
    const options = how === "uncached" ? { maxEntryMb: 0.001 } : {};
    await using opened = await emptyCache(options);
    const { cache, recorder } = opened;
    const bytes = how === "sniffed" ? GIF : pattern(2000);
    const type = how === "sniffed" ? "image/gif" : "text/html";
    const facts = how === "sniffed" ? {} : PAGE;
    const tap = new Tap();
    let signal: AbortSignal | undefined;
    const call = cache.getOrDownload("https://secret.example/", (context) => {
      signal = context.signal;
      if (how === "whole") {
        return give(bytes, { ...facts, size: bytes.length })();
      }
      tap.write(bytes.slice(0, 1000));
      const size = how === "no length" ? {} : { size: bytes.length };
      return give(tap.readable, { ...facts, ...size })();
    }, VIDEOS);

    const error = await refused(call, type);

    assert(error instanceof MediaCacheError);
    assertEquals(error.accept, ["video/*"]);
    assertEquals(
      error.message,
      `Cannot get media: type must be video/*: received ${type}`,
    );
    if (how !== "whole") await tap.cancelled;
    assert(signal?.aborted);
    await recorder.seen("failed");
    assertEquals(recorder.of("failed")[0]?.name, "UnacceptableTypeError");
    assertEquals(recorder.of("stored").length, 0);
    assertEquals(counts(cache), {
      hits: 0,
      misses: 1,
      coalesced: 0,
      failures: 0,
      unacceptable: 1,
      entries: 0,
    });
    // A later caller that accepts the type downloads anew.
    await using again = await cache
      .getOrDownload("https://secret.example/", give(bytes, facts));
    assertEquals(again.mimetype, how === "sniffed" ? "video/mp4" : type);
    await again.bytes();
  });
}

Deno.test("a type that is accepted is handed out as always", async () => {
  await using opened = await emptyCache({
    accept: ["image/*", "video/*", "audio/*"],
  });
  const { cache } = opened;
  const bodies: [string, Download, string][] = [
    ["named", { data: bytesOf(9), ...PNG }, "image/png"],
    ["converted", { data: GIF, ...PAGE }, "video/mp4"],
    [
      "sniffed",
      { data: new TextEncoder().encode("OggS\0") },
      "application/ogg",
    ],
  ];
  for (const [url, download, type] of bodies) {
    for (const source of ["download", "memory"] as const) {
      await using media = await cache
        .getOrDownload(url, () => Promise.resolve(download));
      assertEquals([media.source, media.mimetype], [source, type]);
      await media.bytes();
      await media.stored;
    }
  }
  assertEquals(cache.stats().unacceptable, 0);
});

Deno.test("image/* does not include SVG, which must be named", async () => {
  await using opened = await emptyCache();
  const svg = give(bytesOf(9), { mimetype: "image/svg+xml" });

  await refused(opened.cache.getOrDownload("a", svg, IMAGES), "image/svg+xml");
  await using media = await opened.cache
    .getOrDownload("a", svg, { accept: ["image/*", "Image/SVG+XML"] });
  assertBytes(await media.bytes(), bytesOf(9));
});

Deno.test("accept of a call takes the place of that of the cache, and get() asks for none", async () => {
  await using opened = await emptyCache(IMAGES);
  const { cache } = opened;
  const page = give(bytesOf(9), PAGE);

  await refused(cache.getOrDownload("a", page), "text/html");
  await refused(cache.getOrDownload("a", page, {}), "text/html");
  await using media = await cache.getOrDownload("a", page, { accept: ["*/*"] });
  assertBytes(await media.bytes(), bytesOf(9));
  await media.stored;
  await refused(cache.getOrDownload("a", never), "text/html");
  assertEquals((await cache.get("a"))?.mimetype, "text/html");
  assert(await cache.has("a"));
});

for (const maxMemoryItems of [64, 0]) {
  Deno.test(`a refusal of a hit ${maxMemoryItems ? "in RAM" : "on disk"} leaves the entry`, async () => {
    await using opened = await emptyCache({ maxMemoryItems });
    const { cache } = opened;
    await cache.put("page", pattern(100_000), "text/html", "a.html");
    await using gif = await cache.getOrDownload("gif", give(GIF));
    await gif.bytes();
    await gif.stored;

    await refused(cache.getOrDownload("page", never, IMAGES), "text/html");
    // What counts is the type before the conversion.
    await refused(cache.getOrDownload("gif", never, VIDEOS), "image/gif");
    await using video = await cache.getOrDownload("gif", never, IMAGES);
    await using page = await cache.getOrDownload("page", never);

    assertEquals(video.mimetype, "video/mp4");
    assertBytes(await page.bytes(), pattern(100_000));
    const { hits, unacceptable, entries } = counts(cache);
    assertEquals({ hits, unacceptable, entries }, {
      hits: 4,
      unacceptable: 2,
      entries: 2,
    });
  });
}

Deno.test("of callers that share a download, only those are refused that do not accept its type", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const { tap, call: first } = await begin(cache, "a", PNG);
  const key = cache.inFlight()[0]?.key ?? "";
  const accepting = [
    first,
    cache.getOrDownload("a", never, IMAGES),
    cache.getOrDownload("a", never, { accept: ["image/png"] }),
  ];
  const others = [
    cache.getOrDownload("a", never, VIDEOS),
    cache.joinByKey(key, { accept: ["image/jpeg"] }) as Promise<Media>,
  ];
  tap.write(bytesOf(10));
  await Promise.all(others.map((call) => refused(call, "image/png")));
  const media = await Promise.all(accepting);
  // The type is known: late callers are answered at once.
  await refused(cache.getOrDownload("a", never, VIDEOS), "image/png");
  const late = await cache.getOrDownload("a", never, IMAGES);
  tap.end();

  for (const each of [...media, late]) {
    assertBytes(await each.bytes(), bytesOf(10));
    assertEquals(await each.stored, true);
  }
  assertEquals(counts(cache), {
    hits: 0,
    misses: 7,
    coalesced: 6,
    failures: 0,
    unacceptable: 3,
    entries: 1,
  });
});

Deno.test("a caller that accepts every type gets the body that all others refuse", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const { tap, call } = await begin(cache, "a", PNG);
  const refusing = cache.getOrDownload("a", never, VIDEOS);
  tap.write(bytesOf(10));
  await refused(refusing, "image/png");
  tap.end();

  const media = await call;
  assertBytes(await media.bytes(), bytesOf(10));
  assertEquals(await media.stored, true);
});

Deno.test("a download that none of its callers accepts is aborted, each with its own error", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const tap = new Tap();
  const calls = [VIDEOS, { accept: ["audio/*"] }].map((options) =>
    cache.getOrDownload("a", give(tap.readable, PAGE), options)
  );
  tap.write(bytesOf(10));
  const errors = await Promise.all(
    calls.map((call) => refused(call, "text/html")),
  );

  assertEquals(errors.map(({ accept }) => accept), [["video/*"], ["audio/*"]]);
  await tap.cancelled;
  assertEquals(counts(cache).unacceptable, 2);
  assertEquals(counts(cache).failures, 0);
});

for (const whenAbandoned of ["finish", "abort"] as const) {
  Deno.test(`a download whose only accepting caller has left ends as whenAbandoned says: ${whenAbandoned}`, async () => {
    await using opened = await emptyCache({ whenAbandoned });
    const { cache, recorder } = opened;
    const tap = new Tap();
    const controller = new AbortController();
    const { signal } = controller;
    const download = give(tap.readable, PNG);
    const leaving = cache.getOrDownload("a", download, { ...IMAGES, signal });
    const staying = cache.getOrDownload("a", never, VIDEOS);
    await recorder.seen("miss");
    controller.abort(new Error("left"));
    await assertRejects(() => leaving, Error, "left");
    tap.write(bytesOf(10));
    await refused(staying, "image/png");
    tap.end();

    await recorder.seen(whenAbandoned === "finish" ? "stored" : "failed");
    assertEquals(await cache.has("a"), whenAbandoned === "finish");
    assertEquals(counts(cache).unacceptable, 1);
  });
}

Deno.test("a caller whose signal aborts gets the reason, not a refusal", async () => {
  await using opened = await emptyCache();
  const controller = new AbortController();
  const { signal } = controller;
  const tap = new Tap();
  const download = give(tap.readable, PAGE);
  const call = opened.cache
    .getOrDownload("a", download, { ...IMAGES, signal });
  await opened.recorder.seen("miss");
  controller.abort(new Error("enough"));

  await assertRejects(() => call, Error, "enough");
  tap.write(bytesOf(10));
  await tap.cancelled;
  assertEquals(counts(opened.cache).unacceptable, 0);
});

Deno.test("a GIF is refused before it is converted, and to those alone who do not accept GIFs", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const { tap, call } = await begin(cache, "a");
  const refusing = cache.getOrDownload("a", never, VIDEOS);
  const accepting = cache.getOrDownload("a", never, IMAGES);
  tap.write(GIF.slice(0, 20));
  await refused(refusing, "image/gif");
  await refused(cache.getOrDownload("a", never, VIDEOS), "image/gif");
  tap.write(GIF.slice(20));
  tap.end();

  for (const media of [await call, await accepting]) {
    assertEquals(media.mimetype, "video/mp4");
    await media.bytes();
  }
  assertEquals(cache.stats().conversions, 1);
});

Deno.test("a put() that waits for a download that is refused stores its bytes", async () => {
  await using opened = await emptyCache();
  const { cache, recorder } = opened;
  const tap = new Tap();
  const call = cache.getOrDownload("a", give(tap.readable, PAGE), IMAGES);
  await recorder.seen("miss");
  const putting = cache.put("a", bytesOf(3), "image/png", "a.png");
  tap.write(bytesOf(10));

  await refused(call, "text/html");
  assertEquals(await putting, true);
  assertBytes(await (await cache.get("a"))?.bytes(), bytesOf(3));
});

Deno.test("a follower that does not accept the type of another cache's download leaves it alone", async () => {
  await using caches = await pair();
  const { one, two, recorder } = caches;
  const { tap, call } = await begin(one, "a", PNG);
  const following = two.getOrDownload("a", never, VIDEOS);
  await recorder.seen("joined");
  tap.write(bytesOf(10));
  const media = await call;
  await refused(following, "image/png");
  tap.end();

  assertBytes(await media.bytes(), bytesOf(10));
  assertEquals(await media.stored, true);
  assertEquals([one, two].map((each) => counts(each).unacceptable), [0, 1]);
});

Deno.test("a follower of a download that none accepts in its own cache downloads the URL itself", async () => {
  await using caches = await pair();
  const { one, two, recorder } = caches;
  const tap = new Tap();
  const refusing = one.getOrDownload("a", give(tap.readable, PAGE), IMAGES);
  refusing.catch(() => {});
  while (one.inFlight()[0]?.phase !== "downloading") await turn();
  const following = two.getOrDownload("a", give(bytesOf(7), PAGE));
  await recorder.seen("joined");
  tap.write(bytesOf(10));
  await refused(refusing, "text/html");

  const media = await following;
  assertBytes(await media.bytes(), bytesOf(7));
  assertEquals(await media.stored, true);
});

Deno.test("an entry that another cache stores meanwhile is refused by its source type", async () => {
  await using caches = await pair();
  const { one, two, recorder } = caches;
  const { tap, call } = await begin(one, "a");
  const refusing = two.getOrDownload("a", never, VIDEOS);
  const accepting = two.getOrDownload("a", never, IMAGES);
  await recorder.seen("joined", 2);
  tap.write(GIF);
  tap.end();
  const media = await call;

  await refused(refusing, "image/gif");
  assertEquals((await accepting).mimetype, "video/mp4");
  await (await accepting).bytes();
  await media.bytes();
  assert(await two.has("a"));
});

Deno.test("a hit after a restart is compared with the type in its sidecar", async () => {
  await using dir = await tempDir();
  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    await (await cache.getOrDownload("a", give(GIF))).bytes();
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...VIDEOS });

  await refused(cache.getOrDownload("a", never), "image/gif");
  const media = await cache.getOrDownload("a", never, IMAGES);
  assertEquals(media.mimetype, "video/mp4");
  await media.bytes();
});
