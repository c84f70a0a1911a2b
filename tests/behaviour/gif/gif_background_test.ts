// Pixels that no frame has drawn are transparent in browsers: white in a video.
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { resolveGifToMp4 } from "../../../src/core/api/gif_options.ts";
import { copyWithWhiteBackground } from "../../../src/core/gif/white_background.ts";
import { anyGif, drawGif, LOCAL } from "../../fixtures/gif/gif_canvas.ts";
import { assertLooksLike } from "../../fixtures/gif/picture.ts";
import {
  concat,
  type GifFrame,
  type GifSpec,
  makeGif,
} from "../../fixtures/gif/gif_writer.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { type Picture, pictures } from "../../fixtures/gif/picture.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** The frames of the video that the cache makes from a GIF. */
async function convert(gif: Uint8Array<ArrayBuffer>): Promise<Picture[]> {
  await using temp = await tempDir();
  const { onEvent, events } = new Recorder();
  await using cache = await MediaCache.open({ cacheDir: temp.path, onEvent });
  const media = await cache.getOrDownload("a:", () => {
    return Promise.resolve({ data: gif });
  });
  assertEquals(media.mimetype, "video/mp4", JSON.stringify(events));
  const video = join(temp.path, "video.mp4");
  await Deno.writeFile(video, await media.bytes());
  assertEquals(await media.stored, true);
  assertEquals(cache.stats().stagedBytes, 0);
  return await pictures(video);
}

/**
 * Compares a video, which has one frame for each frame of the GIF, with the
 * picture in browsers.
 */
async function check(spec: GifSpec, hint: string): Promise<void> {
  const found = await convert(makeGif(spec));
  const wanted = drawGif(spec);
  assertEquals(found.length, wanted.length, hint);
  for (const [frame, picture] of wanted.entries()) {
    assertLooksLike(found[frame]!, picture, `frame ${frame} of ${hint}`);
  }
}

Deno.test("pixels that no frame has drawn are white in each frame", async () => {
  // Two squares on a canvas with a red background colour.
  const gif = Uint8Array.fromBase64(
    "R0lGODlhZABkAKEBAAAA//8AAP8AAP8AACH/C05FVFNDQVBFMi4wAwEAAAAh+QQICgD/" +
      "ACwAAAAAMgAyAAACM4yPqcvtD6OctNqLs968+w+G4kiW5omm6sq27gvH8kzX9o3n+s73" +
      "/g8MCofEovGITConBQAh+QQJCgABACwyADIAMgAyAAACM4SPqcvtD6OctNqLs968+w+G" +
      "4kiW5omm6sq27gvH8kzX9o3n+s73/g8MCofEovGITConBQA7",
  );
  assertEquals(gif.length, 189);

  const found = await convert(gif);

  assertEquals(found.length, 2);
  for (const { rgb } of found) {
    const corner = Array.from(rgb.subarray(3 * 99, 3 * 100));
    assert(corner.every((part) => part > 240), `${corner}`);
  }
});

/** A square in the middle of the canvas. */
const MIDDLE = { left: 8, top: 8, width: 16, height: 16, delayCs: 10 };

const cases: Record<string, GifFrame[]> = {
  "a first frame smaller than the canvas": [
    MIDDLE,
    { ...MIDDLE, left: 16, top: 16 },
  ],
  "a first frame smaller than the canvas, of its own palette": [
    { ...MIDDLE, palette: LOCAL },
    { ...MIDDLE, left: 16 },
  ],
  "disposal 2": [
    { delayCs: 10 },
    { ...MIDDLE, disposal: 2 },
    { ...MIDDLE, left: 16, width: 8 },
    { ...MIDDLE, width: 8, height: 8 },
  ],
  "disposal 2 of the whole canvas": [
    { delayCs: 10, disposal: 2 },
    { ...MIDDLE, disposal: 2 },
    { ...MIDDLE, left: 0 },
  ],
  "disposal 2 of some frames with a transparent colour, and of some without": [
    { delayCs: 10, disposal: 2, transparent: 3 },
    { ...MIDDLE, disposal: 2 },
    { ...MIDDLE, left: 0, disposal: 2, transparent: 2 },
    { ...MIDDLE, top: 0 },
  ],
  "disposal 3 of the first frame": [
    { delayCs: 10, disposal: 3 },
    MIDDLE,
  ],
  "disposal 3 over places that were not drawn": [
    { ...MIDDLE, width: 8 },
    { delayCs: 10, disposal: 3 },
    { ...MIDDLE, left: 16, width: 8 },
  ],
  "disposal 4": [
    { delayCs: 10 },
    { ...MIDDLE, disposal: 4 },
    { ...MIDDLE, left: 0, width: 8 },
  ],
  "frames without a control block": [
    { left: 8, width: 8 },
    { top: 16, height: 8 },
  ],
};
for (const [what, frames] of Object.entries(cases)) {
  Deno.test(`a GIF with ${what} is drawn as browsers draw it`, async () => {
    for (const background of [0, 200]) {
      const spec = { width: 32, height: 32, frames, background };
      await check(spec, `background ${background}`);
    }
    const local = frames.map((frame) => ({ ...frame, palette: LOCAL }));
    const spec = { width: 32, height: 32, frames: local, palette: false };
    await check(spec, "no global palette");
  });
}

Deno.test("a GIF with random frames is drawn as browsers draw it", async () => {
  const random = new Random();
  for (let round = 0; round < 6; round++) {
    await check(anyGif(random), random.hint);
  }
});

Deno.test("a copy of a GIF is the same for any split of the GIF into chunks", async () => {
  const frames = [
    { delayCs: 10, disposal: 2 },
    { palette: LOCAL },
    { delayCs: 20, disposal: 4 },
  ];
  const gif = makeGif({ width: 8, height: 8, frames, loop: 0 });
  const { limits } = resolveGifToMp4();
  const copy = async (readBytes: number) => {
    const pieces: Uint8Array[] = [];
    const readAt = (view: Uint8Array, at: number) => {
      const part = gif.subarray(at, at + Math.min(view.length, readBytes));
      view.set(part);
      return part.length;
    };
    const append = (bytes: Uint8Array) => {
      pieces.push(bytes);
      return Promise.resolve(true);
    };
    await copyWithWhiteBackground({ readAt }, gif.length, limits, append);
    return concat(pieces);
  };

  const whole = await copy(Infinity);

  // The global palette shrinks to two colours, and two frames get four.
  assertEquals(whole.length, gif.length - 6 + 2 * 12);
  for (let bytes = 1; bytes < 40; bytes++) {
    assertEquals(await copy(bytes), whole, `${bytes}`);
  }
});

Deno.test("a GIF without room for its copy stays a GIF", async () => {
  await using temp = await tempDir();
  const recorder = new Recorder();
  const frames = Array(60).fill(MIDDLE);
  const gif = makeGif({ width: 32, height: 32, frames });
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxSizeMb: 1.5 * gif.length / 1_048_576,
    onEvent: recorder.onEvent,
  });

  const media = await cache.getOrDownload("a:", () => {
    return Promise.resolve({ data: gif });
  });

  assertEquals(await media.bytes(), gif);
  assertEquals(await media.stored, true);
  const [kept] = recorder.of("kept");
  assertEquals(kept?.reason, "there is no room for the video");
  assertEquals(cache.stats().stagedBytes, 0);
  assertEquals((await namesIn(temp.path)).length, 2);
});
