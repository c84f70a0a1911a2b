import { assert, assertEquals } from "@std/assert";
import { resolveGifToMp4 } from "../../../src/core/api/gif_options.ts";
import { GifTimeline } from "../../../src/core/gif/gif_plan.ts";
import { Random } from "../../fixtures/inputs/random.ts";

const { limits } = resolveGifToMp4();

function timeline(delaysCs: number[]): GifTimeline {
  const timeline = new GifTimeline();
  for (const delayCs of delaysCs) timeline.add(delayCs);
  return timeline;
}

function plan(delaysCs: number[]) {
  const canvas = { width: 4, height: 4, loopCount: undefined };
  return timeline(delaysCs).plan(canvas);
}

Deno.test("GifTimeline shows frames for the common divisor of their delays", () => {
  const { fpsNumerator, fpsDenominator, outputFrames } = plan([6, 9, 300]);

  assertEquals([fpsNumerator, fpsDenominator, outputFrames], [100, 3, 105]);
});

Deno.test("GifTimeline shows frames for 20 ms or less where there is no common divisor", () => {
  const { fpsNumerator, fpsDenominator, outputFrames } = plan([3, 4, 4]);

  assertEquals([fpsNumerator, fpsDenominator, outputFrames], [600, 11, 6]);
});

Deno.test("GifTimeline takes a delay below 2 as 10", () => {
  assertEquals(timeline([0, 1, 2]).durationMs, 220);
});

Deno.test("GifTimeline shows a still image once, with any delay", () => {
  for (const delayCs of [2, 3, 7, 100, 6000]) {
    assertEquals(plan([delayCs]).outputFrames, 1);
    assertEquals(plan([delayCs]).durationMs, 10 * delayCs);
  }
});

Deno.test("GifTimeline moves no start by more than 10 ms, and never the end", () => {
  const random = new Random();

  for (let round = 0; round < 2000; round++) {
    const longest = random.integer(0, 1) ? 12 : 400;
    const delaysCs = Array.from(
      { length: random.integer(1, 40) },
      () => random.integer(0, longest),
    );
    const { fpsNumerator, fpsDenominator, outputFrames, durationMs } = plan(
      delaysCs,
    );
    const frameMs = 1000 * fpsDenominator / fpsNumerator;
    let startMs = 0;
    const shown = new Set<number>();
    for (const delayCs of delaysCs) {
      const slot = Math.round(startMs / frameMs);
      assert(Math.abs(slot * frameMs - startMs) < 10.001, random.hint);
      shown.add(slot);
      startMs += 10 * (delayCs < 2 ? 10 : delayCs);
    }
    assertEquals(shown.size, delaysCs.length, random.hint);
    assertEquals(durationMs, startMs, random.hint);
    assertEquals(
      fpsDenominator * 1000 * outputFrames,
      durationMs * fpsNumerator,
      random.hint,
    );
  }
});

Deno.test("GifTimeline counts the frames of the video where it has more than the GIF", () => {
  assertEquals(timeline([3, 997]).exceeds(limits, 1e6), undefined);
  assertEquals(timeline([3, 1001]).exceeds(limits, 1e6), "pixels");
  assertEquals(timeline([500, 500]).exceeds(limits, 1e8), undefined);
});

Deno.test("GifTimeline accepts a value equal to its limit", () => {
  const frames = Array.from({ length: 3000 }, () => 2);

  assertEquals(timeline(frames).exceeds(limits, 1), undefined);
  assertEquals(timeline([...frames, 2]).exceeds(limits, 1), "frames");
  assertEquals(timeline([6000]).exceeds(limits, 1), undefined);
  assertEquals(timeline([6000, 2]).exceeds(limits, 1), "duration");
});
