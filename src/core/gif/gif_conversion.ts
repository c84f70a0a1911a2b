import { digestOfFile, maxHashedBytes } from "../bodies/digest.ts";
import type { EventHub } from "../reporting/event_hub.ts";
import { Ffmpeg } from "./ffmpeg.ts";
import { isDenied } from "../disk/file_system.ts";
import { GifScanner } from "./gif_scanner.ts";
import type { ResolvedGifToMp4 } from "../api/gif_options.ts";
import type { ResolvedOptions } from "../api/resolved_options.ts";
import type { GifPlan } from "./gif_plan.ts";
import { isWholeMp4 } from "./mp4_boxes.ts";
import { Semaphore } from "../async/semaphore.ts";
import type { StagedFile } from "../disk/staged_file.ts";
import type { Reservation, Staging } from "../disk/staging_budget.ts";
import type { Counters } from "../api/stats.ts";
import type { Tiers } from "../wiring.ts";
import { copyWithWhiteBackground } from "./white_background.ts";

/**
 * Room that each conversion may take, or twice the size of its GIF: of 22 real
 * GIFs none became larger than itself.
 */
const MIN_OUTPUT_BYTES = 4_194_304;

/** What is to be converted. */
export interface GifJob {
  /** The URL. */
  url: string;
  /** Its key. */
  key: string;
  /** The GIF, staged. */
  gif: StagedFile;
  /** Bytes of the GIF. */
  size: number;
  /** What the scanner made of it. */
  plan: GifPlan;
  /** File name of the MP4. */
  filename: string;
}

/** A video, staged. */
export interface StagedVideo {
  /** Its file. */
  staged: StagedFile;
  /** Its bytes. */
  size: number;
  /** Its SHA-256, where that was to be made. */
  sha256?: string;
  /** Its file name. */
  filename: string;
  /** Its share of the staging budget. */
  reservation: Reservation;
}

/** The file that ffmpeg reads, under a name of its own. */
interface Input extends AsyncDisposable {
  /** Its path. */
  readonly path: string;
}

/** Turns staged GIFs into staged MP4s, and tells what became of each. */
export class GifConversion {
  readonly #options: ResolvedGifToMp4;
  readonly #ffmpeg: Ffmpeg;
  readonly #turns: Semaphore;
  readonly #maxHashedBytes: number;
  readonly #tiers: Tiers;
  readonly #staging: Staging;
  readonly #hub: EventHub;
  readonly #counters: Counters;
  #warned = false;

  /** Runs nothing yet. */
  constructor(
    options: ResolvedGifToMp4,
    env: {
      options: ResolvedOptions;
      tiers: Tiers;
      staging: Staging;
      hub: EventHub;
      counters: Counters;
    },
  ) {
    this.#options = options;
    this.#ffmpeg = new Ffmpeg(options);
    this.#turns = new Semaphore(options.maxConcurrent);
    this.#maxHashedBytes = maxHashedBytes("download", env.options);
    this.#tiers = env.tiers;
    this.#staging = env.staging;
    this.#hub = env.hub;
    this.#counters = env.counters;
  }

  /** A scanner for one body. */
  scanner(): GifScanner {
    const { limits, stills } = this.#options;
    return new GifScanner(limits, { stills });
  }

  /** Whether ffmpeg can be run. Says so once when it can't. */
  async available(): Promise<boolean> {
    const availability = await this.#ffmpeg.availability();
    if (availability === "available") return true;
    if (!this.#warned) {
      this.#warned = true;
      const command = this.#options.ffmpeg;
      const reason = availability === "not-found"
        ? `cannot find ${command}`
        : `missing --allow-run=${command}, which Deno also drops where it finds no ${command} at the start`;
      const time = Date.now();
      this.#hub.emit({ type: "conversionUnavailable", time, reason });
    }
    return false;
  }

  /** Converts a GIF; a string says why it must stay one. */
  async convert(
    job: GifJob,
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    // Those that wait for their turn must not take the room of those that run.
    const release = await this.#turns.acquire(signal);
    try {
      return await this.#convert(job, signal);
    } finally {
      release();
    }
  }

  /** Counts and tells of a GIF that stays one. */
  kept(url: string, key: string, reason: string): void {
    if (!NO_FAILURE.has(reason)) this.#counters.conversionFailures++;
    this.#hub.emit({ type: "kept", time: Date.now(), url, key, reason });
  }

  async #convert(
    job: GifJob,
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    try {
      await using input = await this.#input(job);
      return input === undefined
        ? NO_ROOM
        : await this.#convertFile(input.path, job, signal);
    } catch (error) {
      this.#tiers.errors.report("stage a video", error);
      return DISK_FAILED;
    }
  }

  /** Finds what ffmpeg is to read; undefined when there is no room for a copy. */
  async #input(job: GifJob): Promise<Input | undefined> {
    const { gif, plan } = job;
    if (plan.showsBackground) return await this.#whitened(job);
    const { store } = this.#tiers;
    // Its own name may become another's, if it is deleted and downloaded again.
    const link = await store.linkStaged(gif).catch((error) => {
      // A disk that knows no links must do without.
      if (!isDenied(error)) this.#tiers.errors.report("link a GIF", error);
      return undefined;
    });
    return {
      path: link ?? gif.path,
      async [Symbol.asyncDispose]() {
        if (link !== undefined) await store.discard(link);
      },
    };
  }

  /** Stages a copy of a GIF whose background colour ffmpeg would show. */
  async #whitened({ key, gif, size }: GifJob): Promise<Input | undefined> {
    const reservation = this.#staging.reserve(size);
    if (reservation === undefined) return undefined;
    let staged: StagedFile | undefined;
    const dispose = async () => {
      await staged?.close();
      reservation.release();
    };
    try {
      const { path, file } = staged = await this.#tiers.store.stage(key);
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
    signal: AbortSignal,
  ): Promise<StagedVideo | string> {
    const { store } = this.#tiers;
    const start = performance.now();
    const maxOutputBytes = Math.min(
      this.#staging.free,
      this.#options.onlyIfSmaller
        ? size - 1
        : Math.max(MIN_OUTPUT_BYTES, 2 * size),
    );
    if (maxOutputBytes < 1) return NO_ROOM;
    const reservation = this.#staging.reserve(maxOutputBytes);
    if (reservation === undefined) return NO_ROOM;
    let staged: StagedFile | undefined;
    const give = async (reason: string) => {
      await staged?.close();
      reservation.release();
      return reason;
    };
    try {
      staged = await store.stage(key);
      const limits = { maxOutputBytes, signal };
      const result = await this.#ffmpeg.convert(
        plan,
        input,
        staged.path,
        limits,
      );
      if (!result.ok) {
        if (result.reason === "unavailable") await this.available();
        if (result.reason === "too-large" && this.#options.onlyIfSmaller) {
          return await give(NOT_SMALLER);
        }
        return await give(`conversion ${result.reason}`);
      }
      const video = await staged.file.facts();
      if (video.size > maxOutputBytes) {
        return await give("conversion too-large");
      }
      // ffmpeg 4 calls it a success when the disk was full for the last bytes.
      if (!await isWholeMp4(staged.file, video.size)) {
        return await give("conversion incomplete");
      }
      const sha256 = video.size <= this.#maxHashedBytes
        ? await digestOfFile(staged.file, video.size)
        : undefined;
      reservation.write(video.size);
      reservation.settle();
      this.#counters.conversions++;
      this.#hub.emit({
        type: "converted",
        time: Date.now(),
        url,
        key,
        mimetype: "video/mp4",
        filename,
        size: video.size,
        sourceSize: size,
        durationMs: performance.now() - start,
      });
      return {
        staged,
        size: video.size,
        ...(sha256 !== undefined && { sha256 }),
        filename,
        reservation,
      };
    } catch (error) {
      await give(DISK_FAILED);
      throw error;
    }
  }
}

const DISK_FAILED = "the disk failed";

const NO_ROOM = "there is no room for the video";
const NOT_SMALLER = "the video is not smaller";

/** Why a GIF was kept although nothing went wrong. */
const NO_FAILURE: ReadonlySet<string> = new Set([
  NOT_SMALLER,
  "still",
  "conversion unavailable",
  "conversion aborted",
]);
