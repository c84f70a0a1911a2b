// Real ffmpeg converts real and made GIFs.
import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { convert, planOf } from "../../fixtures/gif/conversion.ts";
import { concat, gifOfDelays, makeGif } from "../../fixtures/gif/gif_writer.ts";
import { gifFixtures } from "../../fixtures/gif/media.ts";
import { boxes, pixels, probe } from "../../fixtures/gif/probe.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { temporaryFolder } from "../../fixtures/gif/stub.ts";

/**
 * When the colour of the first pixel changes in the video of a GIF from
 * `gifOfDelays`, in milliseconds.
 */
async function changesMs(video: string): Promise<number[]> {
  const { startsMs } = await probe(video);
  const colors = (await pixels(video)).map(nearestColor);
  assertEquals(colors.length, startsMs.length);
  return startsMs.filter((_, index) => colors[index] !== colors[index - 1]);
}

function nearestColor(rgb: number[]): number {
  const palette = [[255, 0, 0], [0, 160, 0], [0, 0, 255], [0, 0, 0]];
  const distances = palette.map((color) =>
    color.reduce((sum, part, index) => sum + (part - rgb[index]!) ** 2, 0)
  );
  return distances.indexOf(Math.min(...distances));
}

function shownCs(delayCs: number): number {
  return delayCs < 2 ? 10 : delayCs;
}

/**
 * Compares a video with the delays of its GIF; returns the largest error of a
 * start.
 */
async function checkTimes(video: string, delaysCs: number[], hint: string) {
  const changes = await changesMs(video);
  assertEquals(changes.length, delaysCs.length, hint);
  let startMs = 0;
  for (const [index, delayCs] of delaysCs.entries()) {
    const error = Math.abs(changes[index]! - startMs);
    assert(error < 10.01, `frame ${index} of ${delaysCs} is off by ${error}`);
    startMs += 10 * shownCs(delayCs);
  }
  assertEquals((await probe(video)).durationMs, startMs, `${delaysCs}`);
}

Deno.test("a GIF becomes an H.264 video of even size, without sound, with its index first", async () => {
  await using folder = await temporaryFolder();

  for (
    const [width, height] of [[1, 1], [3, 2], [16, 15], [101, 53]] as const
  ) {
    const frames = [{ delayCs: 7 }, { delayCs: 7 }];
    const gif = makeGif({ width, height, frames, loop: 0 });
    const { video, result } = await convert(folder, gif);

    assertEquals(result, { ok: true });
    const facts = await probe(video);
    assertEquals(facts.codecs, ["h264"]);
    assertEquals(facts.pixelFormat, "yuv420p");
    assertEquals(facts.width, Math.ceil(width / 2) * 2);
    assertEquals(facts.height, Math.ceil(height / 2) * 2);
    const order = await boxes(video);
    assert(order.indexOf("moov") < order.indexOf("mdat"), order.join());
  }
});

Deno.test("the video shows each frame of a GIF at its time, and the last for its delay", async () => {
  await using folder = await temporaryFolder();

  for (
    const delaysCs of [
      [10, 10, 300],
      [0, 1, 2],
      [2, 3],
      [3, 3, 3, 4],
      [5, 7, 3, 2, 2, 2, 3],
      [65, 35, 2900],
      [200],
      [5999],
      [0],
    ]
  ) {
    const { video, result } = await convert(folder, gifOfDelays(delaysCs));
    assertEquals(result, { ok: true }, `${delaysCs}`);
    await checkTimes(video, delaysCs, `${delaysCs}`);
  }
});

Deno.test("a GIF with any delays is shown at the right times", async () => {
  await using folder = await temporaryFolder();
  const random = new Random();

  for (let round = 0; round < 25; round++) {
    const longest = [6, 12, 120][round % 3]!;
    const delaysCs = Array.from(
      { length: random.integer(1, 30) },
      () => random.integer(0, longest),
    );
    const { video, result } = await convert(folder, gifOfDelays(delaysCs));
    assertEquals(result, { ok: true }, random.hint);
    await checkTimes(video, delaysCs, random.hint);
  }
});

Deno.test("real GIFs become videos of the same duration", async () => {
  await using folder = await temporaryFolder();
  let converted = 0;

  for (const path of await gifFixtures()) {
    const gif = await Deno.readFile(path);
    if (basename(path) === "large-size-not-animated.gif") continue; // 10 megapixels
    const plan = planOf(gif);
    const { video, result } = await convert(folder, gif);
    assertEquals(result, { ok: true }, path);
    const facts = await probe(video);
    assertEquals(facts.startsMs.length, plan.outputFrames, path);
    assertEquals(facts.startsMs[0], 0, path);
    assert(Math.abs(facts.durationMs - plan.durationMs) < 0.1, path);
    converted++;
  }
  assertEquals(converted, 19);
});

Deno.test("transparent pixels become white, and an odd edge repeats the pixels beside it", async () => {
  await using folder = await temporaryFolder();
  const frames = [{ delayCs: 9, transparent: 1, color: () => 1 }];
  const { video } = await convert(
    folder,
    makeGif({ width: 16, height: 16, frames }),
  );
  assert((await pixels(video))[0]!.every((part) => part > 250));

  const dark = [{ delayCs: 9, color: () => 3 }];
  const odd = makeGif({ width: 15, height: 15, frames: dark });
  const { video: padded } = await convert(folder, odd);
  const [corner] = await pixels(padded, { x: 15, y: 15 });
  assert(corner!.every((part) => part < 8), `${corner}`);
});

Deno.test("a GIF has square pixels as in browsers, whatever aspect ratio it states", async () => {
  await using folder = await temporaryFolder();

  for (const aspect of [0, 1, 17, 49, 255]) {
    for (const [width, height] of [[64, 48], [15, 9]] as const) {
      const gif = makeGif({ width, height, aspect, frames: [{}, {}] });
      const { video, result } = await convert(folder, gif);
      assertEquals(result, { ok: true });
      const facts = await probe(video);
      assertEquals(facts.pixelShape, "1:1", `${aspect}`);
      const size = [facts.width, facts.height];
      assertEquals(size, [width + width % 2, height + height % 2]);
    }
  }
});

Deno.test("bytes behind the trailer do not change the video", async () => {
  await using folder = await temporaryFolder();
  const delaysCs = [5, 15, 10];
  const gif = gifOfDelays(delaysCs);
  const junk = crypto.getRandomValues(new Uint8Array(999));
  const tails = [gif, junk, gif.subarray(32), new Uint8Array([0x2c, 0, 0])];

  for (const tail of tails) {
    const { video, result } = await convert(folder, concat([gif, tail]));
    assertEquals(result, { ok: true }, `${tail}`);
    await checkTimes(video, delaysCs, `${tail}`);
  }
});

Deno.test("a GIF without its trailer becomes the same video, with any bytes in its place", async () => {
  await using folder = await temporaryFolder();
  const delaysCs = [5, 15, 10];
  const gif = gifOfDelays(delaysCs);
  const frames = gif.subarray(0, -1);
  const more = gif.subarray(44); // frames and a trailer
  const tails = [
    new Uint8Array(0),
    new Uint8Array([0, 0x3b]),
    new Uint8Array(999),
    new TextEncoder().encode("<html>, no; GIF!</html>"),
    concat([new Uint8Array([0]), more]),
    new Uint8Array(999).fill(0xff),
    new Uint8Array([0x21, 0xfe, 5, 65]), // a comment that is cut
    gif,
  ];

  for (const tail of tails) {
    const { video, result } = await convert(folder, concat([frames, tail]));
    assertEquals(result, { ok: true }, `${tail}`);
    await checkTimes(video, delaysCs, `${tail}`);
  }
});

Deno.test("a frame that reaches over the edge is cropped", async () => {
  await using folder = await temporaryFolder();
  const frames = [{ delayCs: 5 }, { delayCs: 5, left: 8, top: 8 }];
  const gif = makeGif({ width: 16, height: 16, frames });
  const { video, result } = await convert(folder, gif);

  assertEquals(result, { ok: true });
  const colors = async (at: number) =>
    (await pixels(video, { x: at, y: at })).map(nearestColor);
  assertEquals(await colors(2), [0, 0]);
  assertEquals(await colors(13), [0, 1]);
});
