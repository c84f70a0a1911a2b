import type { GifLimits } from "../api/gif_options.ts";

/** Why a GIF stays a GIF. */
export type GifKeepReason =
  /** The bytes do not begin as a GIF does. */
  | "not-a-gif"
  /** The file ends within a frame or its control block, or before the first frame. */
  | "truncated"
  /** The blocks do not follow the format, or a frame cannot be drawn on the canvas. */
  | "broken"
  /** The file has no frame. */
  | "empty"
  /** The file has a single frame, and stills are to be kept. */
  | "still"
  /** The canvas has no area, more than `maxPixels`, or a side that no video can have. */
  | "canvas"
  /** The file has more than `maxFrames` frames. */
  | "frames"
  /** The GIF plays for longer than `maxDurationMs`. */
  | "duration"
  /** Pixels of the canvas times frames are above `maxTotalPixels`. */
  | "pixels";

/** The facts of a GIF from which the video is made, and against which it is checked. */
export interface GifPlan {
  /** Width of the canvas in pixels; odd widths are padded by the conversion. */
  width: number;
  /** Height of the canvas in pixels; odd heights are padded by the conversion. */
  height: number;
  /** The number of frames in the GIF. */
  frames: number;
  /** The play time of one pass in milliseconds, as browsers play it. */
  durationMs: number;
  /** Frame rate of the video: frames per `fpsDenominator` seconds. */
  fpsNumerator: number;
  /** Frame rate of the video: seconds per `fpsNumerator` frames. */
  fpsDenominator: number;
  /** The number of frames in the video. */
  outputFrames: number;
  /** The loop count that the GIF states, where 0 means for ever; a video has no place for it. */
  loopCount: number | undefined;
  /** True where ffmpeg would show the background colour, which browsers never show. */
  showsBackground?: true;
}

/** The decision of a {@linkcode GifScanner}. */
export type GifDecision =
  | { action: "convert"; plan: GifPlan }
  | { action: "keep"; reason: GifKeepReason };

/** Browsers and ffmpeg both play a delay below 2 hundredths of a second as 10. */
const MIN_DELAY_CS = 2;
const DEFAULT_DELAY_CS = 10;

/** 50 frames per second, as fast as browsers play a GIF: players drop faster frames. */
const MIN_GRID_CS = 2;

/** Adds up the frames of a GIF: their play time, and the frame rate of a video that shows them. */
export class GifTimeline {
  #frames = 0;
  #totalCs = 0;
  #commonCs = 0;

  /** The number of frames so far. */
  get frames(): number {
    return this.#frames;
  }

  /** The play time so far, in milliseconds. */
  get durationMs(): number {
    return this.#totalCs * 10;
  }

  /**
   * The number of frames that the video needs.
   *
   * All frames of the video last equally long: as long as the common divisor of the delays. If
   * that is too short, they last 20 ms or a little less, so that the whole stays exact. The start
   * of a frame then moves by less than 10 ms, and no two frames meet, since the frames of the GIF
   * are at least 20 ms apart.
   */
  get outputFrames(): number {
    return Math.ceil(this.#totalCs / Math.max(this.#commonCs, MIN_GRID_CS));
  }

  /**
   * Adds a frame.
   *
   * @param delayCs Its delay as the file states it, in hundredths of a second.
   */
  add(delayCs: number): void {
    const shownCs = delayCs < MIN_DELAY_CS ? DEFAULT_DELAY_CS : delayCs;
    this.#frames++;
    this.#totalCs += shownCs;
    this.#commonCs = gcd(this.#commonCs, shownCs);
  }

  /**
   * Finds a limit that the frames so far exceed. An answer is final: more frames only raise each
   * number.
   *
   * @param limits The limits.
   * @param canvasPixels Width times height of the canvas.
   * @returns The reason to keep the GIF, if there is one.
   */
  exceeds(limits: GifLimits, canvasPixels: number): GifKeepReason | undefined {
    const drawn = Math.max(this.frames, this.outputFrames);
    if (this.frames > limits.maxFrames) return "frames";
    if (this.durationMs > limits.maxDurationMs) return "duration";
    if (canvasPixels * drawn > limits.maxTotalPixels) return "pixels";
    return undefined;
  }

  /**
   * Makes the plan of the conversion.
   *
   * @param canvas The facts that the timeline does not know.
   * @returns The plan.
   */
  plan(canvas: Pick<GifPlan, "width" | "height" | "loopCount">): GifPlan {
    const outputFrames = this.outputFrames;
    const divisor = gcd(100 * outputFrames, this.#totalCs);
    return {
      ...canvas,
      frames: this.frames,
      durationMs: this.durationMs,
      fpsNumerator: 100 * outputFrames / divisor,
      fpsDenominator: this.#totalCs / divisor,
      outputFrames,
    };
  }
}

function gcd(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
