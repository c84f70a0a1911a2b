/**
 * Types that no response names: told by the first bytes, on every way from the origin to
 * the callers.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Download } from "../../../mod.ts";
import { pattern, readSome } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { typedFiles } from "../../fixtures/bodies/typed_files.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Progress, turn } from "../../fixtures/cache/recorder.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { pair } from "../../fixtures/sharing/pair.ts";

const FILES = await typedFiles();
const PNG = latin("\x89PNG\r\n\x1a\n", "\0".repeat(2000));
const UNNAMED = "application/octet-stream";

/** Types that a browser may run. */
const RUNNABLE = /html|xml|svg|pdf|script|text/;

function latin(...parts: string[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.join(""), (each) => each.charCodeAt(0));
}

/** The bytes in chunks of one length. */
function chunked(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += length));
    },
  });
}

const never = () => Promise.reject(new Error("not called"));

Deno.test("real files get their types and extensions from a server that names none", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache({ gifToMp4: false });
  const { cache } = opened;
  for (const [i, { name, mimetype, bytes }] of FILES.entries()) {
    const headers: HeadersInit = i % 2 === 0 ? {} : { "Content-Type": UNNAMED };
    const url = origin.on(`/file_${i}`, () => new Response(bytes, { headers }));

    await using media = await cache
      .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));
    assertEquals(await media.bytes(), bytes, name);
    await media.stored;

    await using hit = await cache.get(url);
    for (const each of [media, hit]) {
      assertEquals(each?.mimetype, mimetype, name);
      assert(/^file_\d+\.[a-z0-9]+$/.test(each?.filename ?? ""), name);
    }
  }
  assertEquals(cache.stats().sniffed, FILES.length);
});

Deno.test("a type is the same for a body in one piece, in chunks of a byte, with a length and without", async () => {
  await using opened = await emptyCache({ gifToMp4: false });
  for (const { name, mimetype, bytes } of FILES) {
    const body = bytes.slice(0, 1445);
    const downloads: Record<string, () => Download> = {
      "whole": () => ({ data: body }),
      "bytes": () => ({ data: chunked(body, 1) }),
      "bytes with a length": () => ({
        data: chunked(body, 1),
        size: body.length,
      }),
      "pieces": () => ({ data: chunked(body, 700), mimetype: UNNAMED }),
      "of a Blob": () => ({ data: new Blob([body]) }),
    };
    for (const [how, download] of Object.entries(downloads)) {
      await using media = await opened.cache.getOrDownload(
        `${name}: ${how}`,
        () => Promise.resolve(download()),
      );
      assertEquals(media.mimetype, mimetype, `${name}, ${how}`);
      assertEquals(await media.bytes(), body);
    }
  }
});

Deno.test("the first bytes reach the caller once a pattern has matched, or none can match any more", async () => {
  await using opened = await emptyCache();
  const bodies = {
    "image/png": [PNG, 8],
    [UNNAMED]: [pattern(2000), 40],
  } as const;
  for (const [type, [body, certain]] of Object.entries(bodies)) {
    const progress = new Progress();
    const tap = new Tap();
    let isHandedOut = false;
    const calling = opened.cache.getOrDownload(
      type,
      () => Promise.resolve({ data: tap.readable }),
      progress,
    ).finally(() => isHandedOut = true);
    tap.write(body.slice(0, 6));
    await progress.reached(6);
    await turn();
    assert(!isHandedOut);
    tap.write(body.slice(6, certain));
    await using media = await calling;

    assertEquals(media.mimetype, type);
    const reader = media.body.getReader();
    assertEquals(await readSome(reader, certain), body.slice(0, certain));
    tap.end();
    await reader.cancel();
    await media.stored;
  }
});

Deno.test("a body that could be anything is handed out after 1,445 bytes", async () => {
  await using opened = await emptyCache();
  const { tap, call } = await begin(opened.cache, "a", { mimetype: UNNAMED });
  // EBML whose DocType does not come.
  tap.write(latin("\x1a\x45\xdf\xa3", "\0".repeat(1441)));

  await using media = await call;

  assertEquals(media.mimetype, UNNAMED);
  tap.end();
  await media.bytes();
  assertEquals(opened.cache.stats().sniffed, 0);
});

Deno.test("a body that ends before its type is certain has none, and keeps its name", async () => {
  await using opened = await emptyCache();
  for (const length of [0, 1, 5]) {
    const url = `https://example.org/voice_${length}`;
    const data = chunked(PNG.slice(0, length), 1);
    await using media = await opened.cache
      .getOrDownload(url, () => Promise.resolve({ data }));

    assertEquals(
      [media.mimetype, media.filename],
      [UNNAMED, `voice_${length}`],
    );
    assertEquals(await media.bytes(), PNG.slice(0, length));
  }
});

Deno.test("a body that breaks before its type is certain rejects the call", async () => {
  await using opened = await emptyCache();
  const { tap, call } = await begin(opened.cache, "a", { mimetype: UNNAMED });
  tap.write(PNG.slice(0, 5));
  tap.fail(new TypeError("broken"));

  await assertRejects(() => call, TypeError, "broken");
});

Deno.test("a type that is named is kept, whatever the bytes are", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  for (
    const type of ["text/plain", "application/x-octet-stream", "image/jpeg"]
  ) {
    const url = origin.bytes(`/${type}`, PNG, { "Content-Type": type });
    await using media = await opened.cache
      .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));

    assertEquals(media.mimetype, type);
    await media.bytes();
  }
  await opened.cache.put("a", PNG, UNNAMED, "a");
  assertEquals((await opened.cache.get("a"))?.mimetype, UNNAMED);
  assertEquals(opened.cache.stats().sniffed, 0);
});

Deno.test("with sniff: false a type that is not named stays unknown, and the first 6 bytes suffice", async () => {
  await using opened = await emptyCache({ sniff: false });
  const { tap, call } = await begin(opened.cache, "a", { mimetype: UNNAMED });
  tap.write(PNG.slice(0, 6));
  await using media = await call;
  tap.end();
  await media.bytes();

  assertEquals([media.mimetype, media.filename], [UNNAMED, "a"]);
  assertEquals(opened.cache.stats().sniffed, 0);
});

Deno.test("hostile bytes never become a type that a browser runs", async () => {
  await using opened = await emptyCache({ gifToMp4: false });
  const script = "<script>alert(1)</script>";
  const bodies: Record<string, [Uint8Array<ArrayBuffer>, string]> = {
    "HTML": [latin("<!DOCTYPE html>", script), UNNAMED],
    "HTML behind a byte order mark": [latin("\xef\xbb\xbf", script), UNNAMED],
    "SVG": [latin("<svg onload='alert(1)' xmlns='…'/>"), UNNAMED],
    "XML": [latin("<?xml version='1.0'?><html/>"), UNNAMED],
    "PDF": [latin("%PDF-1.7 /JS (app.alert(1))"), UNNAMED],
    "JavaScript": [latin("alert(1)"), UNNAMED],
    "a GIF that is JavaScript": [latin("GIF89a=1;alert(1)"), "image/gif"],
    "a GIF that is HTML": [latin("GIF89a", script), "image/gif"],
    "a BMP that is JavaScript": [latin("BM=1;alert(1)"), "image/bmp"],
    "an MP4 that is HTML": [
      latin("\0\0\0\x30ftypmp42", script, "\0".repeat(30)),
      "video/mp4",
    ],
    "a WebM that is HTML": [
      latin("\x1a\x45\xdf\xa3<!--\x42\x82\x84webm-->", script),
      "video/webm",
    ],
    "an icon that is HTML": [latin("\0\0\x01\0", script), "image/x-icon"],
    "HTML with the mark of a font": [
      latin("<html>".padEnd(34), "LP", script),
      "application/vnd.ms-fontobject",
    ],
  };
  for (const [name, [bytes, type]] of Object.entries(bodies)) {
    for (let length = 1; length <= bytes.length; length++) {
      const data = bytes.slice(0, length);
      await using media = await opened.cache.getOrDownload(
        `${name} ${length}`,
        () =>
          Promise.resolve({ data: length % 2 === 0 ? data : chunked(data, 1) }),
      );
      assert([UNNAMED, type].includes(media.mimetype), name);
      assert(!RUNNABLE.test(media.mimetype), name);
      assert(!RUNNABLE.test(media.filename), media.filename);
      const { headers } = media.response();
      assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
    }
  }
});

Deno.test("a sniffed type gives a name its extension, and replaces that of another type", async () => {
  await using opened = await emptyCache();
  const names = {
    "https://example.org/cat": "cat.png",
    "https://example.org/cat.jpg": "cat.png",
    "https://example.org/cat.png": "cat.png",
    "https://example.org/get.php": "get.php.png",
    "https://example.org/": "attachment.png",
  };
  for (const [url, name] of Object.entries(names)) {
    await using media = await opened.cache
      .getOrDownload(url, () => Promise.resolve(new Response(PNG)));
    assertEquals(media.filename, name);
    await media.bytes();
    await media.stored;
    assertEquals((await opened.cache.get(url))?.filename, name);
  }
});

Deno.test("a GIF that is not named becomes MP4, and counts as sniffed once", async () => {
  await using opened = await emptyCache();
  for (const length of [1, 1000]) {
    const data = chunked(gifOfDelays([10, 20]), length);
    await using media = await opened.cache
      .getOrDownload(`gif ${length}`, () => Promise.resolve({ data }));

    assertEquals(media.mimetype, "video/mp4");
    assert(media.filename.endsWith(".mp4"));
    await media.bytes();
  }
  const { sniffed, conversions } = opened.cache.stats();
  assertEquals([sniffed, conversions], [2, 2]);
});

Deno.test("a GIF that is not named and not converted is image/gif", async () => {
  await using kept = await emptyCache({ gifToMp4: false });
  await using broken = await emptyCache();
  const gif = gifOfDelays([10, 20]);
  for (const { cache } of [kept, broken]) {
    const data = cache === kept.cache ? gif : gif.slice(0, -20);
    await using media = await cache
      .getOrDownload("a", () => Promise.resolve({ data: chunked(data, 1) }));

    assertEquals([media.mimetype, media.filename], ["image/gif", "a.gif"]);
    assertEquals(await media.bytes(), data);
    assertEquals(cache.stats().sniffed, 1);
  }
});

Deno.test("an uncached download gets its type from its bytes, too", async () => {
  await using opened = await emptyCache({ maxEntryMb: 0.001 });
  await using media = await opened.cache
    .getOrDownload("a", () => Promise.resolve({ data: chunked(PNG, 1) }));

  assertEquals(media.mimetype, "image/png");
  assertEquals(await media.bytes(), PNG);
  assertEquals(await media.stored, false);
});

Deno.test("a body that is decoded gets its type from the decoded bytes", async () => {
  await using opened = await emptyCache();
  const body = new Blob([PNG]).stream()
    .pipeThrough(new CompressionStream("deflate"));
  const headers = { "Content-Encoding": "deflate" };
  await using media = await opened.cache.getOrDownload(
    "a",
    () => Promise.resolve(new Response(body, { headers })),
  );

  assertEquals(media.mimetype, "image/png");
  assertEquals(await media.bytes(), PNG);
});

Deno.test("another cache that follows the download waits for the sniffed type", async () => {
  await using caches = await pair();
  const { tap, call } = await begin(caches.one, "a", { mimetype: UNNAMED });
  const following = caches.two.getOrDownload("a", never);
  await caches.recorder.seen("joined");
  tap.write(PNG.slice(0, 7));
  const [info] = caches.two.inFlight();
  assertEquals(info?.mimetype, undefined);
  tap.write(PNG.slice(7));
  await using first = await call;
  await using follower = await following;

  for (const media of [first, follower]) {
    assertEquals([media.mimetype, media.filename], ["image/png", "a.png"]);
  }
  tap.end();
  assertEquals(await follower.bytes(), PNG);
  const { sniffed } = caches.two.stats();
  assertEquals([caches.one.stats().sniffed, sniffed], [1, 0]);
});

Deno.test("the sidecar has the sniffed type, and a cache that opens the folder later finds it", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  await using media = await cache
    .getOrDownload("a", () => Promise.resolve({ data: PNG }));
  await media.bytes();
  await media.stored;
  const [entry] = await Array.fromAsync(cache.entries());

  assertEquals([entry?.mimetype, entry?.filename], ["image/png", "a.png"]);
});

Deno.test("a redirect names the file of a URL without a name", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  origin.bytes("/media/cat", PNG);
  const url = origin.on(
    "/",
    () =>
      new Response(null, {
        status: 302,
        headers: { Location: "/media/cat?signature=secret" },
      }),
  );

  await using media = await opened.cache
    .getOrDownload(url, ({ url, signal }) => fetch(url, { signal }));
  await media.bytes();

  assertEquals(media.filename, "cat.png");
});
