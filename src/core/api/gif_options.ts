import { OptionCheck } from "./option_check.ts";

/**
 * Limits that a GIF must keep to be converted. They bound the cost of a
 * conversion.
 */
export interface GifLimits {
  /** The largest canvas, in pixels. */
  maxPixels: number;
  /** The largest number of frames in the GIF. */
  maxFrames: number;
  /** The longest play time, in milliseconds. */
  maxDurationMs: number;
  /**
   * The largest product of canvas and frames, in pixels, of the GIF or of the
   * video, whichever has more.
   */
  maxTotalPixels: number;
}

/** How GIFs become MP4 videos: the `gifToMp4` option of the cache. */
export interface GifToMp4Options {
  /**
   * The ffmpeg to run: a name to look up in `PATH`, or a path.
   *
   * Deno needs `--allow-run` for the same name; without that permission GIFs
   * stay GIFs. When a conversion fails, ffmpeg is tested with a GIF of the
   * cache. When the test fails too, GIFs stay GIFs for a minute, then for twice
   * as long each time, and for an hour at most.
   *
   * @default {"ffmpeg"}
   */
  ffmpeg?: string;
  /**
   * Whether a GIF of one frame becomes a video as long as its delay, or is
   * kept.
   *
   * @default {"convert"}
   */
  stills?: "convert" | "keep";
  /**
   * Whether a GIF is kept when its video would not be smaller. Of 336 animated
   * GIFs of 2 KB or more 61 would have a larger video (measured on GIFs of npm
   * packages and public test suites).
   *
   * @default {false}
   */
  onlyIfSmaller?: boolean;
  /**
   * The longest time that a conversion may run, in milliseconds. Time before
   * its start does not count.
   *
   * @default {15_000}
   */
  timeoutMs?: number;
  /**
   * The most conversions that run at a time.
   *
   * @default {Math.max(1, Math.floor(navigator.hardwareConcurrency / 2))}
   */
  maxConcurrent?: number;
  /**
   * The largest canvas to convert, in pixels. A file of 500 bytes can ask for gigabytes.
   *
   * @default {4_194_304}
   */
  maxPixels?: number;
  /**
   * The largest number of frames to convert.
   *
   * @default {3_000}
   */
  maxFrames?: number;
  /**
   * The longest GIF to convert, in milliseconds of play time.
   *
   * @default {60_000}
   */
  maxDurationMs?: number;
  /**
   * The largest product of canvas and frames to convert, in pixels. The frames
   * are those of the GIF or of the video, whichever are more.
   *
   * @default {500_000_000}
   */
  maxTotalPixels?: number;
}

/** {@linkcode GifToMp4Options}, checked and complete. */
export interface ResolvedGifToMp4 {
  /** The ffmpeg to run. */
  ffmpeg: string;
  /** Whether a GIF of one frame becomes a video. */
  stills: "convert" | "keep";
  /** Whether a GIF stays when its video would not be smaller. */
  onlyIfSmaller: boolean;
  /** The longest time that a conversion may run, in milliseconds. */
  timeoutMs: number;
  /** The most conversions that run at a time. */
  maxConcurrent: number;
  /** Limits that a GIF must keep to be converted. */
  limits: GifLimits;
}

// The longest wait of `setTimeout()`: with a longer one it would fire at once.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Checks the options and fills in the defaults.
 *
 * @param options The options as given; they are not changed.
 * @returns A complete set of options.
 * @throws {TypeError} If an option has the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveGifToMp4(
  options: GifToMp4Options = {},
): ResolvedGifToMp4 {
  const {
    ffmpeg = "ffmpeg",
    stills = "convert",
    onlyIfSmaller = false,
    timeoutMs = 15_000,
    maxConcurrent = Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)),
    maxPixels = 4_194_304,
    maxFrames = 3_000,
    maxDurationMs = 60_000,
    maxTotalPixels = 500_000_000,
    ...others
  } = options;
  const check = new OptionCheck("open cache", "gifToMp4");
  check.nothingLeft(others);
  const positive = (name: string, value: number, max: number) => {
    const wanted = `a number above 0 and of at most ${max}`;
    const isRight = (n: number) => n > 0 && n <= max;
    return check.value(name, value, "number", wanted, isRight);
  };
  const count = (name: string, value: number) => {
    const wanted = "a safe integer of at least 1";
    const isRight = (n: number) => Number.isSafeInteger(n) && n >= 1;
    return check.value(name, value, "number", wanted, isRight);
  };
  return {
    ffmpeg: check.value(
      "ffmpeg",
      ffmpeg,
      "string",
      "a name or a path",
      (name) => name !== "" && !name.includes("\0"),
    ),
    stills: check.choice("stills", stills, ["convert", "keep"]),
    onlyIfSmaller: check.value("onlyIfSmaller", onlyIfSmaller, "boolean"),
    timeoutMs: positive("timeoutMs", timeoutMs, MAX_TIMEOUT_MS),
    maxConcurrent: count("maxConcurrent", maxConcurrent),
    limits: {
      maxPixels: count("maxPixels", maxPixels),
      maxFrames: count("maxFrames", maxFrames),
      maxDurationMs: positive(
        "maxDurationMs",
        maxDurationMs,
        Number.MAX_SAFE_INTEGER,
      ),
      maxTotalPixels: count("maxTotalPixels", maxTotalPixels),
    },
  };
}
