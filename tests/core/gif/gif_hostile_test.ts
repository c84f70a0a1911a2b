// Real ffmpeg converts GIFs that are broken, or only look like GIFs.
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { GifScanner } from "../../../src/core/gif/gif_scanner.ts";
import { resolveGifToMp4 } from "../../../src/core/api/gif_options.ts";
import { convert, planOf } from "../../fixtures/gif/conversion.ts";
import { gifOfDelays, makeGif } from "../../fixtures/gif/gif_writer.ts";
import { fixture } from "../../fixtures/gif/media.ts";
import { probe } from "../../fixtures/gif/probe.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { temporaryFolder } from "../../fixtures/gif/stub.ts";

const { limits } = resolveGifToMp4();

Deno.test("a truncated GIF is incomplete, although ffmpeg reports success", async () => {
  await using folder = await temporaryFolder();
  const path = await fixture("animated-gif-detector/test/files/colbert.gif");
  const gif = await Deno.readFile(path);

  for (const length of [100, 20_000, gif.length >> 1]) {
    const cut = gif.subarray(0, length);
    const { result } = await convert(folder, cut, planOf(gif));
    assert(!result.ok, `${length}`);
  }
});

Deno.test("a GIF with flipped bits is converted whole or not at all", async () => {
  await using folder = await temporaryFolder();
  const path = await fixture(
    "animated-gif-detector/test/files/calendar_265x230.gif",
  );
  const original = await Deno.readFile(path);
  const random = new Random();

  for (let round = 0; round < 20; round++) {
    const gif = original.slice();
    for (let flip = random.integer(1, 60); flip > 0; flip--) {
      gif[random.integer(13, gif.length - 1)]! ^= 1 << random.integer(0, 7);
    }
    const scanner = new GifScanner(limits);
    scanner.push(gif);
    const decision = scanner.end();
    if (decision.action === "keep") continue;
    const { video, result } = await convert(folder, gif);
    if (!result.ok) continue;
    const { durationMs } = await probe(video);
    const { plan } = decision;
    assert(Math.abs(durationMs - plan.durationMs) < 0.1, random.hint);
  }
});

Deno.test("a fake GIF makes ffmpeg open no other file", async () => {
  await using folder = await temporaryFolder();
  const secret = gifOfDelays([5, 5]);
  await Deno.writeFile(join(folder.path, "secret.gif"), secret);
  let requests = 0;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(`${++requests}`),
  );
  const http = `http://127.0.0.1:${server.addr.port}`;
  const playlist = (url: string) =>
    `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n${url}\n#EXT-X-ENDLIST\n`;
  const fakes = [
    "ffconcat version 1.0\nfile secret.gif\n",
    `ffconcat version 1.0\nfile '${folder.path}/secret.gif'\n`,
    `ffconcat version 1.0\nfile ${http}/a.gif\n`,
    playlist("secret.gif"),
    playlist(`file://${folder.path}/secret.gif`),
    playlist(`${http}/a.ts`),
    playlist(`concat:${http}/a.m3u8|file://${folder.path}/secret.gif`),
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="secret.gif"/></svg>`,
    `v=0\nm=video ${server.addr.port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
    "",
  ];

  for (const fake of fakes) {
    for (const magic of ["", "GIF89a"]) {
      const bytes = new TextEncoder().encode(magic + fake);
      const { result } = await convert(folder, bytes, planOf(secret));
      assert(!result.ok && result.reason !== "not-started", magic + fake);
    }
  }
  assertEquals(requests, 0);
});

Deno.test("a GIF larger than its plan is not decoded", async () => {
  await using folder = await temporaryFolder();
  const frames = Array.from({ length: 20 }, () => {
    return { delayCs: 5, width: 1, height: 1 };
  });
  const bomb = makeGif({ width: 8192, height: 8192, frames });
  const { result } = await convert(folder, bomb, planOf(gifOfDelays([5])));

  assert(!result.ok && result.reason === "failed");
});
