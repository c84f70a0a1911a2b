import { assertEquals, assertRejects } from "@std/assert";
import { type Download, MediaCache } from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

Deno.test("getOrDownload() fetches a URL once and then serves it from the cache", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const body = pattern(100_000);
  const url = origin.bytes("/cat.png?size=1", body, {
    "content-type": "image/png; charset=binary",
  });

  const first = await cache.getOrDownload(
    origin.bytes("/cat.png", body, { "content-type": "image/png; q=1" }),
    get,
  );
  assertBytes(await first.bytes(), body);
  assertEquals(await first.stored, true);
  const again = await cache.getOrDownload(origin.url("/cat.png"), get);
  assertBytes(await again.bytes(), body);

  assertEquals([first.source, again.source], ["download", "memory"]);
  assertEquals([first.mimetype, again.mimetype], ["image/png", "image/png"]);
  assertEquals([first.filename, again.filename], ["cat.png", "cat.png"]);
  assertEquals([first.size, again.size], [100_000, 100_000]);
  assertEquals(origin.requests("/cat.png"), 1);
  assertEquals(await cache.has(url), false);
});

Deno.test("getOrDownload() yields the first bytes before the download has ended", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const { url, tap } = origin.tap("/film.mp4", { "content-length": "20" });

  const calling = cache.getOrDownload(url, get);
  tap.write(pattern(10));
  const media = await calling;
  const reader = media.body.getReader();
  assertBytes((await reader.read()).value, pattern(10));
  assertEquals(media.size, 20);
  tap.write(pattern(10, 2));
  assertBytes((await reader.read()).value, pattern(10, 2));
  tap.end();
  assertEquals((await reader.read()).done, true);

  assertEquals(await media.stored, true);
});

Deno.test("getOrDownload() works before the cache has loaded", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  await using cache = new MediaCache({ cacheDir: temp.path, onEvent });
  const body = pattern(5_000_000);
  const download = () => Promise.resolve({ data: body });

  const [one, two] = await Promise.all([
    cache.getOrDownload("a:", download),
    cache.getOrDownload("a:", download),
  ]);
  assertBytes(await one.bytes(), body);
  assertEquals(await one.stored, true);
  assertBytes(await two.bytes(), body);

  const hit = await cache.get("a:");
  assertBytes(await hit?.bytes(), body);
  assertEquals(recorder.of("diskError"), []);
});

Deno.test("getOrDownload() returns an empty body and does not store it", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const url = origin.bytes("/empty.txt", new Uint8Array(0));

  for (let calls = 1; calls <= 2; calls++) {
    const media = await cache.getOrDownload(url, get);
    assertEquals((await media.bytes()).length, 0);
    assertEquals(await media.stored, false);
    assertEquals(origin.requests("/empty.txt"), calls);
  }
  assertEquals(await namesIn(temp.path), []);
});

const body = pattern(300_000);
const downloads: [string, () => Download, string, string][] = [
  ["bytes", () => ({ data: body }), "application/octet-stream", "voice"],
  [
    "a Blob",
    () => ({ data: new Blob([body], { type: "audio/ogg" }) }),
    "audio/ogg",
    "voice.ogg",
  ],
  [
    "a File",
    () => ({ data: new File([body], "note.oga", { type: "audio/ogg" }) }),
    "audio/ogg",
    "note.oga",
  ],
  [
    "a stream of unknown length",
    () => ({ data: new Blob([body]).stream(), mimetype: "audio/ogg" }),
    "audio/ogg",
    "voice.ogg",
  ],
  [
    "a stream with its length",
    () => ({ data: ReadableStream.from([body]), size: body.length }),
    "application/octet-stream",
    "voice",
  ],
];
for (const [what, download, mimetype, filename] of downloads) {
  Deno.test(`getOrDownload() accepts ${what} from a downloader`, async () => {
    await using temp = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: temp.path });

    const media = await cache.getOrDownload(
      "tg:/voice",
      () => Promise.resolve(download()),
    );
    assertBytes(await media.bytes(), body);

    assertEquals([media.mimetype, media.filename], [mimetype, filename]);
    assertEquals(await media.stored, true);
    assertEquals(media.size, body.length);
    const hit = await cache.get("tg:/voice");
    assertBytes(await hit?.bytes(), body);
    assertEquals([hit?.mimetype, hit?.filename], [mimetype, filename]);
  });
}

Deno.test("getOrDownload() stores the decoded bytes of a compressed response", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const text = "many words ".repeat(1000);
  const url = origin.on("/words.txt", async () => {
    const zipped = new Response(text).body!
      .pipeThrough(new CompressionStream("gzip"));
    const bytes = await new Response(zipped).bytes();
    return new Response(bytes, {
      headers: {
        "content-encoding": "gzip",
        "content-length": String(bytes.length),
        "content-type": "text/plain",
      },
    });
  });

  const media = await cache.getOrDownload(url, get);
  assertEquals(new TextDecoder().decode(await media.bytes()), text);

  assertEquals(await media.stored, true);
  assertEquals((await cache.get(url))?.size, text.length);
});

Deno.test("getOrDownload() passes the caller's own URL to the downloader", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: (url) => url.split("?")[0] ?? url,
  });
  const seen: string[] = [];
  const download = ({ url }: { url: string }) => {
    seen.push(url);
    return Promise.resolve({ data: pattern(10) });
  };

  const media = await cache.getOrDownload(
    new URL("https://example.org/a?sig=1"),
    download,
  );
  await media.stored;
  await using again = await cache.getOrDownload(
    "https://example.org/a?sig=2",
    download,
  );

  assertEquals(seen, ["https://example.org/a?sig=1"]);
  assertEquals([media.url, again.url], Array(2).fill("https://example.org/a"));
});

Deno.test("getOrDownload() rejects if the URL or the downloader has a wrong type", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const wrong = 5 as unknown;

  await assertRejects(
    () => cache.getOrDownload(wrong as string, get),
    TypeError,
    "url must be a string or a URL: received number",
  );
  await assertRejects(
    () => cache.getOrDownload("https://example.org/", wrong as typeof get),
    TypeError,
    "downloader must be a function: received number",
  );
  assertEquals(cache.stats().misses, 0);
});
