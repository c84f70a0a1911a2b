import { ffmpegArguments } from "./ffmpeg_arguments.ts";
import { lastNumber, readTail, withoutPaths } from "./ffmpeg_output.ts";
import type { GifPlan } from "./gif_plan.ts";
import { Semaphore } from "../async/semaphore.ts";

/** Whether GIFs can be converted: the program is `not-found`, or running it is `not-permitted`. */
export type FfmpegAvailability = "available" | "not-permitted" | "not-found";

/** Why there is no video. */
export type ConversionFailure =
  /** ffmpeg cannot be run. */
  | "unavailable"
  /** It took too long and was killed. */
  | "timeout"
  /** The signal was aborted. */
  | "aborted"
  /** ffmpeg ended with an error, or a signal ended it. */
  | "failed"
  /** ffmpeg reported success, but the video is not as long as the GIF. */
  | "incomplete"
  /** The video is larger than allowed. */
  | "too-large";

/** What became of a conversion. */
export type ConversionResult =
  | { ok: true }
  | {
    ok: false;
    /** Why there is no video. */
    reason: ConversionFailure;
    /** What ffmpeg said, for a log: without paths and addresses, 4 KiB at most. */
    detail: string;
  };

/** Options of {@linkcode Ffmpeg}. */
export interface FfmpegOptions {
  /** The program: a name to look up in `PATH`, or a path. */
  ffmpeg: string;
  /** The longest time one conversion may run, in milliseconds. */
  timeoutMs: number;
  /** How many conversions run at the same time. */
  maxConcurrent: number;
}

/** Options of {@linkcode Ffmpeg.convert}. */
export interface ConvertOptions {
  /** The largest video to accept. */
  maxOutputBytes: number;
  /** Ends the conversion, or the wait for it. */
  signal?: AbortSignal;
}

/** Runs ffmpeg to turn GIFs into MP4 videos. */
export class Ffmpeg {
  readonly #command: string;
  readonly #timeoutMs: number;
  readonly #turns: Semaphore;
  #availability: Promise<FfmpegAvailability> | undefined;

  /**
   * Remembers how to run ffmpeg; nothing is run or asked yet.
   *
   * @param options The program and its limits.
   */
  constructor({ ffmpeg, timeoutMs, maxConcurrent }: FfmpegOptions) {
    this.#command = ffmpeg;
    this.#timeoutMs = timeoutMs;
    this.#turns = new Semaphore(maxConcurrent);
  }

  /**
   * Tells whether a conversion is worth a try.
   *
   * The permission is queried once and never prompted for. That the program is missing shows when
   * it is first run, and is remembered from then on.
   *
   * @returns `available`, or why not.
   */
  availability(): Promise<FfmpegAvailability> {
    return this.#availability ??= queryPermission(this.#command);
  }

  /**
   * Converts a GIF.
   *
   * A file at `outputPath` is overwritten and keeps its mode, a new one gets what the umask says:
   * so create it with mode 0600 first. When the result is not ok, what is there is of no use.
   * Whatever happens, the process has ended when the promise settles.
   *
   * @param plan What the scanner made of the GIF.
   * @param inputPath The GIF, complete on disk.
   * @param outputPath Where the video goes.
   * @param options The largest size and the signal.
   * @returns The result; a conversion that fails does not reject.
   */
  async convert(
    plan: GifPlan,
    inputPath: string,
    outputPath: string,
    { maxOutputBytes, signal }: ConvertOptions,
  ): Promise<ConversionResult> {
    const availability = await this.availability();
    if (availability !== "available") {
      return failure("unavailable", availability);
    }
    let release: () => void;
    try {
      release = await this.#turns.acquire(signal);
    } catch {
      return failure("aborted", "");
    }
    try {
      const timeoutMs = this.#timeoutMs;
      const job = { inputPath, outputPath, maxOutputBytes, timeoutMs };
      const ended = await this.#run(ffmpegArguments(plan, job), signal);
      if ("ok" in ended) return ended;
      return judge(ended, plan, job);
    } finally {
      release();
    }
  }

  /** Runs the program to its end, which a timeout or the signal brings about if need be. */
  async #run(
    args: string[],
    signal: AbortSignal | undefined,
  ): Promise<Ended | ConversionResult> {
    // A wait for the turn or the permission may have outlived the signal.
    if (signal?.aborted) return failure("aborted", "");
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(this.#command, {
        args,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        clearEnv: true, // FFREPORT would write a file, http_proxy and LD_* do worse
      }).spawn();
    } catch (error) {
      return this.#cannotSpawn(error);
    }
    const stdout = child.stdout.getReader();
    const stderr = child.stderr.getReader();
    let stopped: "timeout" | "aborted" | undefined;
    const stop = (reason: "timeout" | "aborted") => {
      stopped ??= reason;
      // SIGTERM would leave a shortened video that looks whole, and ffmpeg may sit on it.
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      // A child of the program, which still runs, would keep these open.
      stdout.cancel().catch(() => {});
      stderr.cancel().catch(() => {});
    };
    const timer = setTimeout(() => stop("timeout"), this.#timeoutMs);
    const onAbort = () => stop("aborted");
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const [status, progress, errors] = await Promise.all([
        child.status,
        readTail(stdout),
        readTail(stderr),
      ]);
      return { status, stopped, progress, errors };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #cannotSpawn(error: unknown): ConversionResult {
    const availability = error instanceof Deno.errors.NotCapable
      ? "not-permitted"
      : error instanceof Deno.errors.NotFound ||
          error instanceof Deno.errors.PermissionDenied
      ? "not-found"
      : undefined;
    // Anything else, such as too many open files, may pass.
    if (!availability) return failure("failed", "ffmpeg could not be started");
    this.#availability = Promise.resolve(availability);
    return failure("unavailable", availability);
  }
}

/** How a process ended. */
interface Ended {
  status: Deno.CommandStatus;
  stopped: "timeout" | "aborted" | undefined;
  progress: string;
  errors: string;
}

async function queryPermission(command: string): Promise<FfmpegAvailability> {
  const { state } = await Deno.permissions.query({ name: "run", command });
  return state === "granted" ? "available" : "not-permitted";
}

/** What ffmpeg says when the disk fails, after which it may go on as if all were well. */
const WRITE_FAULT_REGEXP =
  /error writing|no space left|input\/output error|disk quota/i;

/** Success is what the video shows, not what the exit code says: ffmpeg calls a cut one a success. */
function judge(
  { status, stopped, progress, errors }: Ended,
  plan: GifPlan,
  job: { inputPath: string; outputPath: string; maxOutputBytes: number },
): ConversionResult {
  const detail = withoutPaths(errors, [job.inputPath, job.outputPath]);
  if (stopped) return failure(stopped, detail);
  if (!status.success) {
    const how = status.signal ?? `exit code ${status.code}`;
    return failure("failed", `${how}: ${detail}`);
  }
  if (WRITE_FAULT_REGEXP.test(errors)) return failure("failed", detail);
  const frames = lastNumber(progress, "frame");
  const sizeBytes = lastNumber(progress, "total_size");
  if (sizeBytes > job.maxOutputBytes) return failure("too-large", detail);
  return frames === plan.outputFrames ? { ok: true } : failure(
    "incomplete",
    `${frames} of ${plan.outputFrames} frames: ${detail}`,
  );
}

function failure(reason: ConversionFailure, detail: string): ConversionResult {
  return { ok: false, reason, detail };
}
