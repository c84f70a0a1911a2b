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
      "timeoutMs must be a positive number: received -1",
    ],
    [
      { timeoutMs: NaN },
      RangeError,
      "timeoutMs must be a positive number: received NaN",
    ],
    [
      { timeoutMs: 2 ** 31 },
      RangeError,
      "timeoutMs must be at most 2147483647: received 2147483648",
    ],
    [
      { timeoutMs: "9" },
      TypeError,
      `timeoutMs must be a positive number: received "9"`,
    ],
    [
      { maxConcurrent: 0 },
      RangeError,
      "maxConcurrent must be a positive integer: received 0",
    ],
    [
      { maxFrames: 1.5 },
      RangeError,
      "maxFrames must be a positive integer: received 1.5",
    ],
    [
      { maxPixels: Infinity },
      RangeError,
      "maxPixels must be a positive integer: received Infinity",
    ],
    [
      { maxTotalPixels: null },
      TypeError,
      "maxTotalPixels must be a positive integer: received null",
    ],
    [
      { maxDurationMs: 0 },
      RangeError,
      "maxDurationMs must be a positive number: received 0",
    ],
    [
      { stills: "drop" },
      TypeError,
      `stills must be "convert" or "keep": received "drop"`,
    ],
    [
      { onlyIfSmaller: 1 },
      TypeError,
      "onlyIfSmaller must be a boolean: received 1",
    ],
    [{ ffmpeg: "" }, TypeError, `ffmpeg must be a name or a path: received ""`],
  ];

  for (const [options, kind, text] of cases) {
    const error = assertThrows(
      () => resolveGifToMp4(options as GifToMp4Options),
      kind,
    );
    assertEquals(error.message, `Cannot open cache: gifToMp4.${text}`);
  }
});
