import { ffmpegArguments } from "./ffmpeg_arguments.ts";
import { Deadline } from "../async/deadline.ts";
import { lastNumber, lastWords, readTail } from "./ffmpeg_output.ts";
import { errorFacts } from "../text/failure_reason.ts";
import type { GifPlan } from "./gif_plan.ts";

/** Why there is no video. */
export type ConversionFailure =
  /** Deno may not run ffmpeg. */
  | "not-permitted"
  /** ffmpeg cannot be started. */
  | "not-started"
  /** Passing: no room for another process or open file, or the program is being replaced. */
  | "exhausted"
  /** ffmpeg met a disk fault, which may pass. */
  | "disk-failed"
  /** ffmpeg ran for too long and was killed. */
  | "timeout"
  /** The signal was aborted. */
  | "aborted"
  /** ffmpeg ended with an error, or a signal ended it. */
  | "failed"
  /** ffmpeg reported success, but the video is not as long as the GIF. */
  | "incomplete"
  /** The video is larger than allowed. */
  | "too-large";

/** The result of a conversion. */
export type ConversionResult =
  | { ok: true }
  | {
    ok: false;
    /** Why there is no video. */
    reason: ConversionFailure;
    /** How ffmpeg ended, and its last words: a short line for a log, without paths and URLs. */
    detail: string;
  };

/** Options of {@linkcode Ffmpeg}. */
export interface FfmpegOptions {
  /** The program: a name to look up in `PATH`, or a path. */
  ffmpeg: string;
  /** The longest time one conversion may run, in milliseconds. */
  timeoutMs: number;
}

/** Options of {@linkcode Ffmpeg.convert}. */
export interface ConvertOptions {
  /** The largest video to accept, in bytes. */
  maxOutputBytes: number;
  /** The longest time to run, in milliseconds, where that of other GIFs is too long. */
  timeoutMs?: number;
  /** Ends the conversion. */
  signal?: AbortSignal;
}

/** Converts GIFs to MP4 videos by running ffmpeg. */
export class Ffmpeg {
  readonly #command: string;
  readonly #timeoutMs: number;
  #isRefused = false;

  /** @param options The program and its time limit. */
  constructor({ ffmpeg, timeoutMs }: FfmpegOptions) {
    this.#command = ffmpeg;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Whether Deno may run ffmpeg. The permission is queried each time and never prompted
   * for: on a terminal, to run a program after a revocation would prompt.
   */
  async isPermitted(): Promise<boolean> {
    return !this.#isRefused && await queryPermission(this.#command);
  }

  /**
   * Converts a GIF.
   *
   * ffmpeg keeps the mode of a file at `outputPath`, and makes a new file with the mode of the
   * umask: so create the file with mode 0600 first. Its bytes are of use only if the result is ok.
   * The process has ended when the promise settles.
   *
   * @param plan The scanner's plan for the GIF.
   * @param inputPath The path of the GIF, complete on disk.
   * @param outputPath The path of the video.
   * @param options The largest size, the time limit and the signal.
   * @returns The result; a conversion that fails does not reject.
   */
  async convert(
    plan: GifPlan,
    inputPath: string,
    outputPath: string,
    { maxOutputBytes, timeoutMs = Infinity, signal }: ConvertOptions,
  ): Promise<ConversionResult> {
    if (!await this.isPermitted()) return failure("not-permitted", "");
    const job = {
      inputPath,
      outputPath,
      maxOutputBytes,
      timeoutMs: Math.min(timeoutMs, this.#timeoutMs),
    };
    const args = ffmpegArguments(plan, job);
    const ended = await this.#run(args, job.timeoutMs, signal);
    return "ok" in ended ? ended : judge(ended, plan, job);
  }

  /** Runs the program to its end, and kills it at the timeout or the signal. */
  async #run(
    args: string[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Ended | ConversionResult> {
    // The signal may have come during the query of the permission.
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
      // On SIGTERM ffmpeg may run on, or leave a shortened video that looks whole.
      try {
        child.kill("SIGKILL");
      } catch {
        // The process has ended already.
      }
      // Close the pipes: a child of ffmpeg that still runs would keep them open.
      stdout.cancel().catch(() => {});
      stderr.cancel().catch(() => {});
    };
    const deadline = new Deadline(Infinity, timeoutMs, () => stop("timeout"));
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
      deadline.stop();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #cannotSpawn(error: unknown): ConversionResult {
    if (error instanceof Deno.errors.NotCapable) {
      this.#isRefused = true;
      return failure("not-permitted", "");
    }
    const command = this.#command;
    if (error instanceof Deno.errors.NotFound) {
      return failure("not-started", `cannot find ${command}`);
    }
    const { message } = error as Error;
    const said = message.replace(/^Failed to spawn '.*': /s, "");
    const { code = "" } = errorFacts(error);
    const reason = PASSING_CODES.has(code) ? "exhausted" : "not-started";
    return failure(reason, `cannot run ${command}: ${said}`);
  }
}

/** Codes of a start that failed, but not by the program's fault. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "EAGAIN",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ETXTBSY",
]);

/** How a process ended. */
interface Ended {
  status: Deno.CommandStatus;
  stopped: "timeout" | "aborted" | undefined;
  progress: string;
  errors: string;
}

async function queryPermission(command: string): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "run", command });
  return state === "granted";
}

/** Messages of ffmpeg at a disk fault; its exit code may report success all the same. */
const DISK_FAULT_REGEXP =
  /no space left|input\/output error|disk quota|read-only file system/i;

const WRITE_FAULT_REGEXP = /error writing/i;

/** Judges by the frames written: ffmpeg also reports success for a video that is cut. */
function judge(
  { status, stopped, progress, errors }: Ended,
  plan: GifPlan,
  job: { inputPath: string; outputPath: string; maxOutputBytes: number },
): ConversionResult {
  const said = lastWords(errors, [job.inputPath, job.outputPath]);
  if (stopped) return failure(stopped, said);
  if (DISK_FAULT_REGEXP.test(errors)) return failure("disk-failed", said);
  if (!status.success) {
    const how = status.signal ?? `exit code ${status.code}`;
    return failure("failed", withWords(how, said));
  }
  if (WRITE_FAULT_REGEXP.test(errors)) return failure("failed", said);
  const frames = lastNumber(progress, "frame");
  const sizeBytes = lastNumber(progress, "total_size");
  if (sizeBytes > job.maxOutputBytes) return failure("too-large", said);
  if (frames === plan.outputFrames) return { ok: true };
  const found = Number.isNaN(frames) ? "none" : frames;
  const how = `${found} of ${plan.outputFrames} frames`;
  return failure("incomplete", withWords(how, said));
}

function withWords(how: string, said: string): string {
  return said === "" ? how : `${how}: ${said}`;
}

function failure(reason: ConversionFailure, detail: string): ConversionResult {
  return { ok: false, reason, detail };
}
