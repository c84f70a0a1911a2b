import { assertEquals, assertThrows } from "@std/assert";
import {
  type GifToMp4Options,
  resolveGifToMp4,
} from "../../../src/core/api/gif_options.ts";

Deno.test("resolveGifToMp4() fills in the documented defaults", () => {
  assertEquals(resolveGifToMp4(), {
    ffmpeg: "ffmpeg",
    stills: "convert",
    onlyIfSmaller: false,
    timeoutMs: 15_000,
    maxConcurrent: Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)),
    limits: {
      maxPixels: 4_194_304,
      maxFrames: 3_000,
      maxDurationMs: 60_000,
      maxTotalPixels: 500_000_000,
    },
  });
});

Deno.test("resolveGifToMp4() takes the values given", () => {
  const options = {
    ffmpeg: "/opt/ffmpeg",
    stills: "keep",
    maxFrames: 9,
  } as const;
  const resolved = resolveGifToMp4(options);

  assertEquals(resolved.ffmpeg, "/opt/ffmpeg");
  assertEquals(resolved.stills, "keep");
  assertEquals(resolved.limits.maxFrames, 9);
});

Deno.test("resolveGifToMp4() names the option and the value that it refuses", () => {
  const cases: [unknown, typeof RangeError, string][] = [
    [
      { timeoutMs: -1 },
      RangeError,
      "timeoutMs must be a number above 0 and of at most 2147483647: received -1",
    ],
    [
      { timeoutMs: NaN },
      RangeError,
      "timeoutMs must be a number above 0 and of at most 2147483647: received NaN",
    ],
    [
      { timeoutMs: 2 ** 31 },
      RangeError,
      "timeoutMs must be a number above 0 and of at most 2147483647: received 2147483648",
    ],
    [
      { timeoutMs: "9" },
      TypeError,
      `timeoutMs must be a number above 0 and of at most 2147483647: received "9"`,
    ],
    [
      { maxConcurrent: 0 },
      RangeError,
      "maxConcurrent must be a safe integer of at least 1: received 0",
    ],
    [
      { maxFrames: 1.5 },
      RangeError,
      "maxFrames must be a safe integer of at least 1: received 1.5",
    ],
    [
      { maxPixels: Infinity },
      RangeError,
      "maxPixels must be a safe integer of at least 1: received Infinity",
    ],
    [
      { maxTotalPixels: null },
      TypeError,
      "maxTotalPixels must be a safe integer of at least 1: received null",
    ],
    [
      { maxDurationMs: 0 },
      RangeError,
      "maxDurationMs must be a number above 0 and of at most 9007199254740991: received 0",
    ],
    [
      { stills: "drop" },
      RangeError,
      `stills must be "convert" or "keep": received "drop"`,
    ],
    [
      { onlyIfSmaller: 1 },
      TypeError,
      "onlyIfSmaller must be a boolean: received 1",
    ],
    [
      { stills: 1 },
      TypeError,
      `stills must be "convert" or "keep": received 1`,
    ],
    [
      { ffmpeg: "" },
      RangeError,
      `ffmpeg must be a name or a path: received ""`,
    ],
  ];

  for (const [options, kind, text] of cases) {
    const error = assertThrows(
      () => resolveGifToMp4(options as GifToMp4Options),
      kind,
    );
    assertEquals(error.message, `Cannot open cache: gifToMp4.${text}`);
  }
});
