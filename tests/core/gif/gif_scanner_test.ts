import { assert, assertEquals } from "@std/assert";
import {
  GifScanner,
  type GifScannerOptions,
  isGif,
} from "../../../src/core/gif/gif_scanner.ts";
import { resolveGifToMp4 } from "../../../src/core/api/gif_options.ts";
import type { GifDecision, GifPlan } from "../../../src/core/gif/gif_plan.ts";
import { concat, gifOfDelays, makeGif } from "../../fixtures/gif/gif_writer.ts";
import { gifFixtures } from "../../fixtures/gif/media.ts";
import { Random } from "../../fixtures/inputs/random.ts";

const { limits } = resolveGifToMp4();

/** Scans a GIF, whole or in chunks. */
function scan(
  gif: Uint8Array,
  { chunkBytes = gif.length, ...options }:
    & GifScannerOptions
    & { chunkBytes?: number | (() => number) } = {},
): GifDecision {
  const scanner = new GifScanner(limits, options);
  for (let at = 0; at < gif.length;) {
    const size = typeof chunkBytes === "number" ? chunkBytes : chunkBytes();
    const kept = scanner.push(gif.subarray(at, at + size));
    if (kept) return kept;
    at += size;
  }
  return scanner.end();
}

function plan(gif: Uint8Array): GifPlan {
  const decision = scan(gif);
  assert(decision.action === "convert", JSON.stringify(decision));
  return decision.plan;
}

function assertKeeps(
  gif: Uint8Array,
  reason: string,
  options?: GifScannerOptions,
): void {
  assertEquals(scan(gif, options), { action: "keep", reason } as GifDecision);
}

/** Frames of one pixel: the fewest bytes that demand the most work. */
function dots(width: number, height: number, count: number) {
  const frames = Array(count).fill({ width: 1, height: 1, delayCs: 2 });
  return makeGif({ width, height, frames });
}

Deno.test("isGif() recognizes both versions and nothing else", () => {
  const encode = (text: string) => new TextEncoder().encode(text);

  assert(isGif(encode("GIF87a")));
  assert(isGif(encode("GIF89a and more")));
  for (const text of ["", "GIF89", "GIF88a", "GIF89b", "gif89a", " GIF89a"]) {
    assert(!isGif(encode(text)), text);
  }
});

Deno.test("GifScanner plans one video frame for each common divisor of the delays", () => {
  const gif = makeGif({
    width: 101,
    height: 53,
    loop: 3,
    frames: [{ delayCs: 6 }, { delayCs: 9 }, { delayCs: 300 }],
  });

  assertEquals(plan(gif), {
    width: 101,
    height: 53,
    frames: 3,
    durationMs: 3150,
    fpsNumerator: 100,
    fpsDenominator: 3,
    outputFrames: 105,
    loopCount: 3,
  });
});

Deno.test("GifScanner keeps a still image when told so, and converts two frames", () => {
  assertKeeps(gifOfDelays([70]), "still", { stills: "keep" });
  assertEquals(
    scan(gifOfDelays([7, 7]), { stills: "keep" }).action,
    "convert",
  );
});

Deno.test("GifScanner converts a GIF87a, and a GIF without a loop", () => {
  const frames = [{}, {}];
  const gif = makeGif({ width: 8, height: 8, version: "GIF87a", frames });

  assertEquals(plan(gif).loopCount, undefined);
});

Deno.test("GifScanner ignores bytes behind the trailer", () => {
  const gif = gifOfDelays([5, 5]);

  for (const tail of [gif, new Uint8Array(99), new Uint8Array([0x2c, 0x21])]) {
    assertEquals(plan(concat([gif, tail])), plan(gif));
  }
});

Deno.test("GifScanner keeps a GIF over the canvas limit from its header alone", () => {
  const header = dots(2049, 2048, 2).subarray(0, 13);

  assertEquals(new GifScanner(limits).push(header), {
    action: "keep",
    reason: "canvas",
  });
  assertEquals(plan(dots(2048, 2048, 2)).width, 2048);
});

Deno.test("GifScanner keeps a GIF with a canvas that no video can have", () => {
  assertKeeps(dots(0, 0, 2), "canvas");
  assertKeeps(dots(16_385, 2, 2), "canvas");
  assertKeeps(dots(2, 16_385, 2), "canvas");
});

Deno.test("GifScanner keeps a GIF as soon as it passes a limit", () => {
  const cases = [
    { reason: "frames", gif: dots(1, 1, 3000 + 1), last: dots(1, 1, 3000) },
    {
      reason: "duration",
      gif: gifOfDelays([6000, 2]),
      last: gifOfDelays([6000]),
    },
    {
      reason: "pixels",
      gif: dots(1000, 1000, 500 + 1),
      last: dots(1000, 1000, 500),
    },
  ];

  for (const { reason, gif, last } of cases) {
    const scanner = new GifScanner(limits);
    assertKeeps(gif, reason);
    assertEquals(scan(last).action, "convert");
    assertEquals(scanner.push(gif.subarray(0, -1))?.action, "keep", reason);
  }
});

Deno.test("GifScanner keeps bytes that are not a GIF", () => {
  assertKeeps(new Uint8Array(0), "not-a-gif");
  assertKeeps(new TextEncoder().encode("GIF8"), "not-a-gif");
  assertKeeps(new TextEncoder().encode("ffconcat version 1.0"), "not-a-gif");
});

Deno.test("GifScanner keeps a GIF without a frame", () => {
  assertKeeps(makeGif({ width: 8, height: 8, frames: [] }), "empty");
});

Deno.test("GifScanner keeps a GIF cut within a frame, and converts a GIF cut behind a frame", () => {
  const delaysCs = [5, 7, 9];
  const gif = gifOfDelays(delaysCs);
  const ends = new Map(delaysCs.map((_, last) => {
    const whole = gifOfDelays(delaysCs.slice(0, last + 1));
    return [whole.length - 1, whole];
  }));

  for (let length = 6; length < gif.length; length++) {
    const cut = gif.subarray(0, length);
    const whole = ends.get(length);
    if (whole) assertEquals(plan(cut), plan(whole), `${length}`);
    else assertKeeps(cut, "truncated");
  }
});

Deno.test("GifScanner keeps a GIF with a frame that cannot be drawn", () => {
  const canvas = { width: 16, height: 16 };
  const first = { delayCs: 5 };

  for (
    const frame of [
      { left: 16, width: 1, height: 1 },
      { top: 16, width: 1, height: 1 },
      { width: 17 },
      { height: 17 },
      { width: 0 },
      { height: 0 },
    ]
  ) {
    const gif = makeGif({ ...canvas, frames: [first, { ...first, ...frame }] });
    assertKeeps(gif, "broken");
  }
  const frames = [{ left: 8 }, first];
  assertKeeps(makeGif({ ...canvas, frames }), "broken");
  assertKeeps(
    makeGif({ ...canvas, frames: [first], palette: false }),
    "broken",
  );
});

Deno.test("GifScanner converts a GIF with a frame that reaches over the edge", () => {
  const frames = [{ delayCs: 5 }, { delayCs: 5, left: 8, top: 8 }];

  const gif = makeGif({ width: 16, height: 16, frames });
  assertEquals(plan(gif).frames, 2);
  // ffmpeg mixes up the rows of an interlaced frame if it cuts rows off below.
  const interlaced = gif.slice();
  interlaced[gif.lastIndexOf(0x2c) + 9]! |= 0x40;
  assertKeeps(interlaced, "broken");
  interlaced[gif.lastIndexOf(0x2c) + 3] = 0; // top
  assertEquals(plan(interlaced).frames, 2);
});

Deno.test("GifScanner converts a GIF cut within a comment behind its frames", () => {
  const gif = gifOfDelays([5, 6]);
  const frames = gif.subarray(0, -1);
  const text = new TextEncoder().encode("XMP DataXMP<x:xmpmeta>");
  const blocks = [
    [0x21, 0xfe, 3, 65, 66, 67, 1, 68, 0], // a comment
    [0x21, 0xff, 11, ...text],
    [...gif.subarray(25, 44)], // number of repetitions
  ];

  for (const block of blocks) {
    for (let length = 3; length <= block.length; length++) {
      const cut = concat([frames, new Uint8Array(block.slice(0, length))]);
      assertEquals(plan(cut), plan(gif), `${block.slice(0, length)}`);
    }
    const early = concat([gif.subarray(0, 25), new Uint8Array(block)]);
    assertKeeps(early, "truncated");
  }
});

Deno.test("GifScanner ends a GIF at bytes that are not a block, as browsers do", () => {
  const gif = gifOfDelays([5, 6]);
  const frames = gif.subarray(0, -1);
  const more = gifOfDelays([7]).subarray(44);

  for (
    const tail of [
      new Uint8Array([0, 0x3b]),
      new Uint8Array(99),
      new Uint8Array([0x2b, 0x2c, 0x21, 0x3b]),
      new TextEncoder().encode("<html>, no; GIF!</html>"),
      concat([new Uint8Array([0]), more]),
      gif,
    ]
  ) {
    assertEquals(plan(concat([frames, tail])), plan(gif), `${tail}`);
  }
});

Deno.test("GifScanner keeps a GIF with bytes that are not a block within or before the first frame", () => {
  const gif = gifOfDelays([5, 6]);
  const frames = gif.subarray(0, -1);
  const control = new Uint8Array([0x21, 0xf9, 4, 0, 5, 0, 0, 0]);
  const junk = new Uint8Array([0x2b, 0x3b]);

  assertKeeps(concat([frames, control, junk]), "broken");
  assertKeeps(concat([gif.subarray(0, 25), junk]), "broken");
});

Deno.test("GifScanner skips comments and unknown extensions", () => {
  const gif = gifOfDelays([5, 6]);
  const ascii = (text: string) => new TextEncoder().encode(text);
  const extensions = concat([
    new Uint8Array([0x21, 0xfe, 3, ...ascii(",;!"), 1, 0x3b, 0]),
    new Uint8Array([0x21, 0xff, 11, ...ascii("XMP DataXMP"), 2, 9, 9, 0]),
    new Uint8Array([0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 0]),
    new Uint8Array([0x21, 0x01, 0]),
  ]);

  assertEquals(
    plan(concat([gif.subarray(0, -1), extensions, gif.subarray(-1)])),
    plan(gif),
  );
});

Deno.test("GifScanner decides the same for any split into chunks", async () => {
  const random = new Random();
  const gifs = [
    gifOfDelays([3, 0, 5]),
    gifOfDelays([3, 0, 5]).subarray(0, -1),
    dots(1000, 1000, 501),
    ...(await gifFixtures()).map((path) => Deno.readFileSync(path)),
  ];

  for (const gif of gifs) {
    const whole = scan(gif);
    assertEquals(scan(gif, { chunkBytes: 1 }), whole);
    assertEquals(
      scan(gif, { chunkBytes: () => random.integer(1, 700) }),
      whole,
      random.hint,
    );
  }
});

Deno.test("GifScanner decides about any bytes", () => {
  const random = new Random();
  const gif = gifOfDelays([5, 7, 9]);

  for (let round = 0; round < 3000; round++) {
    const bytes = gif.slice(0, random.integer(0, gif.length));
    for (let flip = random.integer(0, 5); flip > 0 && bytes.length; flip--) {
      bytes[random.integer(0, bytes.length - 1)]! ^= 1 << random.integer(0, 7);
    }
    const whole = scan(bytes);
    assert(
      whole.action === "keep" || whole.plan.outputFrames >= whole.plan.frames,
      random.hint,
    );
    assertEquals(scan(bytes, { chunkBytes: 3 }), whole, random.hint);
  }
});
