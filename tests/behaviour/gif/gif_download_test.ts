import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { pattern, readAll } from "../../fixtures/bodies/bytes.ts";
import { gifOfDelays, makeGif } from "../../fixtures/gif/gif_writer.ts";
import { boxes, probe } from "../../fixtures/gif/probe.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { isThere, namesIn } from "../../fixtures/directory/files.ts";
import { stub, temporaryFolder } from "../../fixtures/gif/stub.ts";

const URL_GIF = "https://example.org/dance.gif";
const GIF = gifOfDelays([10, 20, 30]);
const download = () => Promise.resolve({ data: GIF, mimetype: "image/png" });

async function openCache(options: MediaCacheOptions = {}) {
  const temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cacheDir = temp.path;
  const cache = await MediaCache.open({ cacheDir, onEvent, ...options });
  return {
    cache,
    recorder,
    names: async () =>
      (await namesIn(cacheDir))
        .map((name) => name.slice(64)).sort(),
    sidecar: async (key: string) =>
      JSON.parse(await Deno.readTextFile(join(cacheDir, `${key}.json`))),
    async [Symbol.asyncDispose]() {
      await cache.close();
      assertEquals(cache.stats().stagedBytes, 0);
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("getOrDownload() returns a GIF as MP4, whatever its stated type", async () => {
  await using opened = await openCache();
  const { cache, recorder, names } = opened;

  const media = await cache.getOrDownload(URL_GIF, download);
  const { mimetype, filename, size, source } = media;
  const bytes = await media.bytes();
  await using video = await tempDir();
  const path = join(video.path, "video.mp4");
  await Deno.writeFile(path, bytes);
  const facts = await probe(path);

  assertEquals({ mimetype, filename, source }, {
    mimetype: "video/mp4",
    filename: "dance.mp4",
    source: "download",
  });
  assertEquals(size, bytes.length);
  assertEquals(facts.codecs, ["h264"]);
  assertEquals(facts.startsMs, [0, 100, 200, 300, 400, 500]);
  assertEquals((await boxes(path)).slice(0, 2), ["ftyp", "moov"]);
  assertEquals(await media.stored, true);
  const { sourceMimetype, sourceSize, ts: _, ...rest } = await opened
    .sidecar(media.key);
  assertEquals({ sourceMimetype, sourceSize }, {
    sourceMimetype: "image/gif",
    sourceSize: GIF.length,
  });
  assertEquals([rest.mimetype, rest.filename, rest.size], [
    "video/mp4",
    "dance.mp4",
    bytes.length,
  ]);
  assertEquals(await names(), [".dat", ".json"]);
  const { conversions, conversionFailures } = cache.stats();
  assertEquals({ conversions, conversionFailures }, {
    conversions: 1,
    conversionFailures: 0,
  });
  const [converted] = recorder.of("converted");
  assertEquals([converted?.size, converted?.sourceSize], [size, GIF.length]);
  const hit = await cache.get(URL_GIF);
  assertEquals(await hit?.bytes(), bytes);
  assertEquals(hit?.mimetype, "video/mp4");
});

Deno.test("all callers of a GIF share one conversion, at any of its steps", async () => {
  await using opened = await openCache();
  const { cache, recorder } = opened;
  const tap = new Tap();
  let calls = 0;
  const slowly = () => {
    calls++;
    return Promise.resolve({
      data: tap.readable,
      mimetype: "application/x-test",
    });
  };
  const read = async () => {
    const media = await cache.getOrDownload(URL_GIF, slowly);
    assertEquals(media.mimetype, "video/mp4");
    return await media.bytes();
  };

  const reads = [read(), read()];
  tap.write(GIF.slice(0, 100));
  await recorder.seen("miss");
  reads.push(read());
  tap.write(GIF.slice(100));
  tap.end();
  while (cache.inFlight()[0]?.phase === "downloading") {
    await turn();
  }
  reads.push(read());
  const bytes = await Promise.all(reads);
  reads.push(read());

  for (const found of bytes) assertEquals(found, bytes[0]);
  assertEquals(await reads.at(-1), bytes[0]);
  assertEquals([calls, cache.stats().conversions], [1, 1]);
});

Deno.test("many concurrent GIFs all become MP4, whatever the cap for one entry", async () => {
  await using opened = await openCache({ maxSizeMb: 40 });
  const { cache, recorder } = opened;

  const all = await Promise.all(Array.from({ length: 8 }, async (_, n) => {
    await using media = await cache.getOrDownload(`a:${n}`, download);
    return media.mimetype;
  }));

  assertEquals(all, Array(8).fill("video/mp4"));
  assertEquals(recorder.of("uncached"), []);
});

Deno.test("a GIF above a limit streams before its download has ended", async () => {
  await using opened = await openCache({ gifToMp4: { maxFrames: 3 } });
  const { cache, recorder } = opened;
  const gif = gifOfDelays(Array(20).fill(10));
  const tap = new Tap();

  const call = cache
    .getOrDownload(
      URL_GIF,
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(gif.slice(0, gif.length - 10));
  const media = await call;
  const start = await readAll(media.slice(0, 100));
  tap.write(gif.slice(-10));
  tap.end();

  assertEquals(start, gif.slice(0, 100));
  assertEquals(media.mimetype, "image/gif");
  assertEquals(await media.bytes(), gif);
  assertEquals(await media.stored, true);
  assertEquals(recorder.of("kept").map(({ reason }) => reason), ["frames"]);
  assertEquals(cache.stats().conversionFailures, 1);
});

const kept: [string, Uint8Array<ArrayBuffer>, MediaCacheOptions, number][] = [
  ["that is cut short", GIF.slice(0, -30), {}, 1],
  ["that is broken", GIF.map((byte, i) => i === 25 ? 99 : byte), {}, 1],
  [
    "that is a still, if stills are kept",
    gifOfDelays([10]),
    { gifToMp4: { stills: "keep" } },
    0,
  ],
  [
    "whose video would not be smaller",
    makeGif({
      width: 2,
      height: 2,
      frames: [{ delayCs: 10 }, { delayCs: 10 }],
    }),
    { gifToMp4: { onlyIfSmaller: true } },
    0,
  ],
];
for (const [what, gif, options, failures] of kept) {
  Deno.test(`a GIF ${what} stays a GIF and is not tried again`, async () => {
    await using opened = await openCache(options);
    const { cache, recorder, names } = opened;
    const media = await cache
      .getOrDownload(URL_GIF, () => Promise.resolve({ data: gif }));

    assertEquals([media.mimetype, media.filename], ["image/gif", "dance.gif"]);
    assertEquals(await media.bytes(), gif);
    assertEquals(await media.stored, true);
    const hit = await cache.getOrDownload(URL_GIF, () => Promise.reject());
    assertEquals(await hit.bytes(), gif);
    assertEquals(recorder.of("kept").length, 1);
    assertEquals(cache.stats().conversionFailures, failures);
    assertEquals(await names(), [".dat", ".json"]);
  });
}

Deno.test("gifToMp4 false keeps GIFs unchanged", async () => {
  await using opened = await openCache({ gifToMp4: false });

  const media = await opened.cache.getOrDownload(URL_GIF, download);

  assertEquals(media.mimetype, "image/png");
  assertEquals(await media.bytes(), GIF);
});

Deno.test("put() converts nothing", async () => {
  await using opened = await openCache();

  await opened.cache.put(URL_GIF, GIF, "image/gif", "dance.gif");

  const media = await opened.cache.get(URL_GIF);
  assertEquals(await media?.bytes(), GIF);
});

Deno.test("a GIF too large to be staged streams unchanged", async () => {
  await using opened = await openCache({ maxSizeMb: 0.001 });
  const gif = gifOfDelays(Array(100).fill(10));

  const media = await opened.cache
    .getOrDownload(URL_GIF, () => Promise.resolve({ data: gif }));

  assertEquals(media.mimetype, "image/gif");
  assertEquals(await media.bytes(), gif);
  assertEquals(await media.stored, false);
});

Deno.test("a fake GIF that names another file reads no byte of it", async () => {
  await using opened = await openCache();
  const { cache } = opened;
  await cache.put("secret:", pattern(5000), "image/png", "secret.png");
  const secret = await cache.get("secret:");
  const lists = [
    `ffconcat version 1.0\nfile ${secret!.key}.dat\n`,
    `#EXTM3U\n#EXTINF:1,\n${secret!.key}.dat\n`,
  ];
  await secret![Symbol.asyncDispose]();

  for (const [n, list] of lists.entries()) {
    for (const head of ["", "GIF89a"]) {
      const data = new TextEncoder().encode(head + list);
      const media = await cache.getOrDownload(
        `fake:${n}${head}`,
        () => Promise.resolve({ data, mimetype: "image/gif" }),
      );
      assertEquals(media.mimetype, "image/gif");
      assertEquals(await media.bytes(), data);
    }
  }
  assertEquals(cache.stats().conversions, 0);
});

Deno.test("a GIF that would fill the memory never reaches ffmpeg, and stays a GIF", async () => {
  await using folder = await temporaryFolder();
  const ffmpeg = await stub(folder.path, `touch "$here/ran"`);
  await using opened = await openCache({ gifToMp4: { ffmpeg } });
  const { cache } = opened;
  const frames = Array.from(
    { length: 3 },
    () => ({ delayCs: 10, width: 1, height: 1 }),
  );
  const data = makeGif({ width: 8192, height: 8192, frames, loop: 0 });
  assertEquals(data.length < 1000, true);

  const media = await cache
    .getOrDownload(URL_GIF, () => Promise.resolve({ data }));

  assertEquals(media.mimetype, "image/gif");
  assertEquals(await media.bytes(), data);
  assertEquals(await media.stored, true);
  assertEquals(await isThere(join(folder.path, "ran")), false);
  const { conversions, conversionFailures } = cache.stats();
  assertEquals([conversions, conversionFailures], [0, 1]);

  await using _small = await cache.getOrDownload(`${URL_GIF}?s`, download);
  assertEquals(await isThere(join(folder.path, "ran")), true);
});
