import { OptionCheck } from "./option_check.ts";

/** The limits a GIF must keep to be converted: they bound what a conversion can cost. */
export interface GifLimits {
  /** The largest canvas, in pixels. */
  maxPixels: number;
  /** The largest number of frames in the GIF. */
  maxFrames: number;
  /** The longest play time, in milliseconds. */
  maxDurationMs: number;
  /** The largest product of canvas and frames, of the GIF or of the video, whichever has more. */
  maxTotalPixels: number;
}

/** How GIFs become MP4 videos: the `gifToMp4` option of the cache. */
export interface GifToMp4Options {
  /**
   * The ffmpeg to run: a name to look up in `PATH`, or a path.
   *
   * Deno needs `--allow-run` for the same name; without that permission GIFs stay GIFs. When a conversion fails,
   * ffmpeg converts a GIF of the cache's own; when that fails too, GIFs stay GIFs for a minute, then
   * for twice as long each time, and for an hour at most.
   *
   * @default {"ffmpeg"}
   */
  ffmpeg?: string;
  /**
   * What to do with a GIF of one frame: a video of its one delay, or the GIF as it is.
   *
   * @default {"convert"}
   */
  stills?: "convert" | "keep";
  /**
   * Keep a GIF whose video would not be smaller. Of 336 animated GIFs of 2 KB or more 61 would have
   * a larger video (measured on GIFs of npm packages and public test suites).
   *
   * @default {false}
   */
  onlyIfSmaller?: boolean;
  /**
   * The longest time one conversion may run, in milliseconds. Waiting for its turn does not count.
   *
   * @default {15_000}
   */
  timeoutMs?: number;
  /**
   * How many conversions run at the same time.
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
   * The largest product of canvas and frames to convert, where frames are those of the GIF or of
   * the video, whichever are more.
   *
   * @default {500_000_000}
   */
  maxTotalPixels?: number;
}

/** {@linkcode GifToMp4Options}, checked and complete. */
export interface ResolvedGifToMp4 {
  /** The ffmpeg to run. */
  ffmpeg: string;
  /** What to do with a GIF of one frame. */
  stills: "convert" | "keep";
  /** Whether a GIF stays when its video would not be smaller. */
  onlyIfSmaller: boolean;
  /** The longest time one conversion may run, in milliseconds. */
  timeoutMs: number;
  /** How many conversions run at the same time. */
  maxConcurrent: number;
  /** What a GIF may cost to be converted. */
  limits: GifLimits;
}

// A timer cannot wait for longer: setTimeout would fire at once.
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
