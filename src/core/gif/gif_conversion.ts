import type { DiskErrors } from "../reporting/disk_errors.ts";
import { isNotFound } from "../disk/disk_fault.ts";
import type { PairStore } from "../disk/pair_store.ts";
import { digestOfFile, maxHashedBytes } from "../bodies/digest.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import {
  type ConversionFailure,
  type ConversionResult,
  type ConvertOptions,
  Ffmpeg,
} from "./ffmpeg.ts";
import {
  FfmpegCheck,
  TEST_BYTES,
  TEST_GIF,
  TEST_TIMEOUT_MS,
} from "./ffmpeg_check.ts";
import { GifScanner } from "./gif_scanner.ts";
import type { ResolvedGifToMp4 } from "../api/gif_options.ts";
import type { ResolvedOptions } from "../api/options.ts";
import type { GifPlan } from "./gif_plan.ts";
import { isWholeMp4 } from "./mp4_boxes.ts";
import { Semaphore } from "../async/semaphore.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { Reservation, StagingBudget } from "../disk/staging_budget.ts";
import type { Counters } from "../api/stats.ts";
import { copyWithWhiteBackground } from "./white_background.ts";

/** The room of a video is twice the size of its GIF, but at least this. */
const MIN_OUTPUT_BYTES = 4_194_304;

/** A GIF to be converted. */
export interface GifJob {
  /** The URL of the GIF. */
  url: string;
  /** The key of the URL. */
  key: string;
  /** The staged GIF. */
  gif: StagedFile;
  /** The size of the GIF in bytes. */
  size: number;
  /** The scanner's plan for the GIF. */
  plan: GifPlan;
  /** The file name of the MP4. */
  filename: string;
}

/** A staged video. */
export interface StagedVideo {
  /** The file of the video. */
  staged: StagedFile;
  /** The size of the video in bytes. */
  size: number;
  /** The SHA-256 of the video; undefined above the size that is hashed. */
  sha256?: string;
  /** The file name of the video. */
  filename: string;
  /** The video's share of the staging budget. */
  reservation: Reservation;
}

/** The file that ffmpeg reads, under a name that no other file takes meanwhile. */
interface Input extends AsyncDisposable {
  /** The path of the file. */
  readonly path: string;
}

/** Converts staged GIFs to staged MP4s; counts and reports each result. */
export class GifConversion {
  readonly #options: ResolvedGifToMp4;
  readonly #ffmpeg: Ffmpeg;
  readonly #check = new FfmpegCheck();
  readonly #turns: Semaphore;
  readonly #maxHashedBytes: number;
  readonly #store: PairStore;
  readonly #errors: DiskErrors;
  readonly #staging: StagingBudget;
  readonly #hub: EventHub;
  readonly #counters: Counters;
  #warned = false;

  constructor(
    options: ResolvedGifToMp4,
    env: {
      options: ResolvedOptions;
      store: PairStore;
      errors: DiskErrors;
      staging: StagingBudget;
      hub: EventHub;
      counters: Counters;
    },
  ) {
    this.#options = options;
    this.#ffmpeg = new Ffmpeg(options);
    this.#turns = new Semaphore(options.maxConcurrent);
    this.#maxHashedBytes = maxHashedBytes("download", env.options);
    this.#store = env.store;
    this.#errors = env.errors;
    this.#staging = env.staging;
    this.#hub = env.hub;
    this.#counters = env.counters;
  }

  /** Makes a scanner for a body. */
  scanner(): GifScanner {
    const { limits, stills } = this.#options;
    return new GifScanner(limits, { stills });
  }

  /**
   * Whether Deno may run ffmpeg, and ffmpeg is not paused after a failure (`FfmpegPause`).
   * Warns once without the permission.
   */
  async available(): Promise<boolean> {
    if (await this.#ffmpeg.isPermitted()) return !this.#check.isPaused;
    const command = this.#options.ffmpeg;
    this.#warn(
      `missing --allow-run=${command}, which Deno also drops where it finds no ${command} at the start`,
    );
    return false;
  }

  /** Converts a GIF; returns the reason, a string, where the GIF stays as it is. */
  async convert(
    job: GifJob,
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    const { verdicts } = this.#check;
    // Room is reserved behind the turn: waiting GIFs must not take it from running conversions.
    const release = await this.#turns.acquire(signal);
    try {
      // ffmpeg may have been switched off while this GIF arrived or waited.
      if (!await this.available()) return UNAVAILABLE;
      return await this.#convert(job, verdicts, signal);
    } finally {
      release();
    }
  }

  /** Counts and reports a GIF that stays as it is. */
  kept(url: string, key: string, reason: string): void {
    if (!NO_FAILURE.has(reason)) this.#counters.conversionFailures++;
    this.#hub.emit({ type: "kept", url, key, reason });
  }

  async #convert(
    job: GifJob,
    verdicts: number,
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    try {
      await using input = await this.#input(job);
      return input === undefined
        ? NO_ROOM
        : await this.#convertFile(input.path, job, verdicts, signal);
    } catch (error) {
      // Another process has deleted the entry: the download goes on for its readers.
      if (isNotFound(error)) return REMOVED;
      this.#errors.report("stage a video", error);
      return DISK_FAILED;
    }
  }

  /** Makes the file that ffmpeg reads; undefined when there is no room for a copy. */
  async #input(job: GifJob): Promise<Input | undefined> {
    const { gif, plan } = job;
    if (plan.showsBackground) return await this.#whitened(job);
    const store = this.#store;
    // Read by a link: the GIF's own name goes to another file if the entry is deleted and
    // downloaded again.
    const link = await store.linkStaged(gif).catch((error) => {
      if (isNotFound(error)) throw error;
      this.#errors.report("link a GIF", error);
      return undefined;
    });
    return {
      path: link ?? gif.path,
      async [Symbol.asyncDispose]() {
        if (link !== undefined) await store.discard(link);
      },
    };
  }

  /** Stages a copy with a white background: ffmpeg shows that of the GIF, browsers don't. */
  async #whitened({ key, gif, size }: GifJob): Promise<Input | undefined> {
    const reservation = this.#staging.reserve(size);
    if (reservation === undefined) return undefined;
    let staged: StagedFile | undefined;
    const dispose = async () => {
      await staged?.close();
      reservation.release();
    };
    try {
      const { path, file } = staged = await this.#store.stage(key);
      let position = 0;
      const append = async (bytes: Uint8Array) => {
        if (!reservation.write(bytes.length)) return false;
        await file.writeAt(bytes, position);
        position += bytes.length;
        return true;
      };
      const { limits } = this.#options;
      if (await copyWithWhiteBackground(gif.file, size, limits, append)) {
        return { path, [Symbol.asyncDispose]: dispose };
      }
    } catch (error) {
      await dispose();
      throw error;
    }
    await dispose();
    return undefined;
  }

  async #convertFile(
    input: string,
    { url, key, size, plan, filename }: GifJob,
    verdicts: number,
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    const store = this.#store;
    const start = performance.now();
    const room = this.#staging.reserveUpTo(
      this.#options.onlyIfSmaller
        ? size - 1
        : Math.max(MIN_OUTPUT_BYTES, 2 * size),
    );
    if (room === undefined) return NO_ROOM;
    const { bytes: maxOutputBytes, reservation } = room;
    let staged: StagedFile | undefined;
    const give = async (reason: string) => {
      await staged?.close();
      reservation.release();
      return reason;
    };
    try {
      staged = await store.stage(key);
      const limits = { maxOutputBytes, signal };
      const result = await this.#run(plan, input, staged, limits);
      if (!result.ok) {
        const output = staged;
        const test = () => this.#test(key, output, reservation, signal);
        await this.#findFault(result, verdicts, test, signal);
        return await give(this.#whyKept(result));
      }
      this.#check.works();
      this.#warned = false;
      const { size: videoSize } = result;
      const sha256 = videoSize <= this.#maxHashedBytes
        ? await digestOfFile(staged.file, videoSize)
        : undefined;
      reservation.write(videoSize);
      reservation.settle();
      this.#counters.conversions++;
      this.#hub.emit({
        type: "converted",
        url,
        key,
        mimetype: "video/mp4",
        filename,
        size: videoSize,
        sourceSize: size,
        durationMs: performance.now() - start,
      });
      return {
        staged,
        size: videoSize,
        ...(sha256 !== undefined && { sha256 }),
        filename,
        reservation,
      };
    } catch (error) {
      await give(DISK_FAILED);
      throw error;
    }
  }

  /** Runs ffmpeg, and checks size and structure of the video. */
  async #run(
    plan: GifPlan,
    input: string,
    { path, file }: StagedFile,
    limits: ConvertOptions,
  ): Promise<VideoResult> {
    const result = await this.#ffmpeg.convert(plan, input, path, limits);
    if (!result.ok) return result;
    const { size } = await file.facts();
    if (size > limits.maxOutputBytes) {
      return { ok: false, reason: "too-large", detail: "" };
    }
    // ffmpeg 4 reports success when the disk had no room for the last bytes.
    return await isWholeMp4(file, size)
      ? { ok: true, size }
      : { ok: false, reason: "incomplete", detail: "no whole video" };
  }

  /** Warns if ffmpeg is to blame for a failure, and not the GIF. */
  async #findFault(
    { reason, detail }: Failure,
    verdicts: number,
    test: () => Promise<ConversionResult | undefined>,
    signal: AbortSignal,
  ): Promise<void> {
    if (reason === "not-permitted") await this.available();
    if (reason === "not-started") {
      this.#check.cannotStart(verdicts);
      this.#warn(detail);
    }
    if (!BLAMES_FFMPEG.has(reason)) return;
    const failed = await this.#check.afterFailure(verdicts, test, signal);
    if (failed === undefined) return;
    const minutes = failed.pauseMs / 60_000;
    this.#warn(`ffmpeg fails: ${failed.detail}; tried again in ${minutes} min`);
  }

  /**
   * Converts a GIF of our own, to the file of the video that failed.
   *
   * @returns The result; undefined when there was no room for the test.
   */
  async #test(
    key: string,
    output: StagedFile,
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<ConversionResult | undefined> {
    if (!reservation.write(TEST_BYTES)) return undefined;
    const { bytes, plan } = TEST_GIF;
    const gif = await this.#store.stage(key);
    try {
      await gif.file.writeAt(bytes, 0);
      const maxOutputBytes = TEST_BYTES;
      const limits = { maxOutputBytes, timeoutMs: TEST_TIMEOUT_MS, signal };
      return await this.#run(plan, gif.path, output, limits);
    } finally {
      await gif.close();
    }
  }

  #whyKept({ reason, detail }: Failure): string {
    if (reason === "not-permitted" || reason === "not-started") {
      return UNAVAILABLE;
    }
    if (reason === "too-large" && this.#options.onlyIfSmaller) {
      return NOT_SMALLER;
    }
    const how = `conversion ${reason}`;
    return reason === "aborted" || detail === "" ? how : `${how}: ${detail}`;
  }

  /** Warns that GIFs stay GIFs: once, until a conversion succeeds. */
  #warn(reason: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#hub.emit({ type: "conversionUnavailable", reason });
  }
}

/** A conversion without a video. */
type Failure = Extract<ConversionResult, { ok: false }>;

/** The result of a conversion, with the size of its video in bytes. */
type VideoResult = { ok: true; size: number } | Failure;

/** Failures that are the fault either of the GIF or of ffmpeg. */
const BLAMES_FFMPEG: ReadonlySet<ConversionFailure> = new Set([
  "failed",
  "incomplete",
  "timeout",
]);

const UNAVAILABLE = "conversion unavailable";
const DISK_FAILED = "the disk failed";
const REMOVED = "its file was removed";
const NO_ROOM = "there is no room for the video";
const NOT_SMALLER = "the video is not smaller";

/** Reasons to keep a GIF that lie in this host, so that another may convert it. */
export const HOST_REASONS: ReadonlySet<string> = new Set([
  UNAVAILABLE,
  DISK_FAILED,
  REMOVED,
  NO_ROOM,
  "conversion aborted",
]);

/** Reasons to keep a GIF that are not failures. */
const NO_FAILURE: ReadonlySet<string> = new Set([
  NOT_SMALLER,
  "still",
  UNAVAILABLE,
  "conversion aborted",
]);
