import { Semaphore } from "../async/semaphore.ts";
import type { ConversionFailure, ConversionResult } from "./ffmpeg.ts";
import type { GifPlan } from "./gif_plan.ts";
import { FfmpegPause } from "./ffmpeg_pause.ts";

/** A GIF that any working ffmpeg converts: 2×2 pixels of one colour. */
export const TEST_GIF: Readonly<{ bytes: Uint8Array; plan: GifPlan }> = {
  // deno-fmt-ignore
  bytes: new Uint8Array([
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 2, 0, 2, 0, 0x80, 0, 0, // GIF89a, 2×2, two colours
    0, 0, 0, 0xff, 0xff, 0xff, // black and white
    0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0, // a frame of the whole canvas
    2, 3, 0x04, 0x00, 0x05, 0, // its pixels
    0x3b,
  ]),
  plan: {
    width: 2,
    height: 2,
    frames: 1,
    durationMs: 100,
    fpsNumerator: 10,
    fpsDenominator: 1,
    outputFrames: 1,
    loopCount: undefined,
  },
};

/** Room for the files of a test on disk, in bytes: more than ever measured. */
export const TEST_BYTES = 16_384;

/** Longest time of a test (ms): 70 ms were measured, and a GIF waits for its end. */
export const TEST_TIMEOUT_MS = 5_000;

/** Failures of a test that are not ffmpeg's fault. */
const SAYS_NOTHING: ReadonlySet<ConversionFailure> = new Set([
  "aborted",
  "disk-failed",
  "exhausted",
]);

/**
 * Tells from the ends of conversions whether ffmpeg works.
 *
 * A stranger's GIF may be made to fail. So only a failure on a GIF of our own begins a pause, in
 * which ffmpeg is not started.
 */
export class FfmpegCheck {
  readonly #pause = new FfmpegPause();
  readonly #turns = new Semaphore(1);
  #verdicts = 0;

  /** Whether ffmpeg failed and is not to be started for now. */
  get isPaused(): boolean {
    return this.#pause.isOn;
  }

  /** How often a conversion or a test has shown whether ffmpeg works. */
  get verdicts(): number {
    return this.#verdicts;
  }

  /** Ends the pause: a conversion has succeeded. */
  works(): void {
    this.#verdicts++;
    this.#pause.end();
  }

  /**
   * Begins a pause: ffmpeg could not be started.
   *
   * @param verdicts The number of verdicts when the GIF came. Of GIFs that come at once only the
   * first begins a pause, since each pause doubles the next.
   */
  cannotStart(verdicts: number): void {
    if (this.#verdicts === verdicts) this.#fails();
  }

  /**
   * Finds out after a failed conversion whether ffmpeg is to blame.
   *
   * @param verdicts The number of verdicts when the GIF came. When there are more by now, another
   * conversion has shown whether ffmpeg works, and nothing is tested.
   * @param test Converts the GIF of our own.
   * @param signal Ends the wait for the tests of other GIFs.
   * @returns The detail of the failed test and the length of the pause in milliseconds, if the
   * test began a pause.
   */
  async afterFailure(
    verdicts: number,
    test: () => Promise<ConversionResult | undefined>,
    signal: AbortSignal,
  ): Promise<{ detail: string; pauseMs: number } | undefined> {
    const release = await this.#turns.acquire(signal).catch(() => undefined);
    if (release === undefined) return undefined; // aborted
    try {
      if (this.#verdicts !== verdicts) return undefined;
      const result = await test();
      if (result === undefined) return undefined;
      if (result.ok) {
        this.works();
        return undefined;
      }
      if (SAYS_NOTHING.has(result.reason)) return undefined;
      const { reason, detail } = result;
      return { detail: detail || reason, pauseMs: this.#fails() };
    } finally {
      release();
    }
  }

  /** Begins a pause, and returns its length in milliseconds. */
  #fails(): number {
    this.#verdicts++;
    return this.#pause.begin();
  }
}
