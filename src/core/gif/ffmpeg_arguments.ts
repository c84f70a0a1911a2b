import type { GifPlan } from "./gif_plan.ts";

/** The files of a conversion, and its limits. */
export interface FfmpegJob {
  /** The path of the GIF. */
  inputPath: string;
  /** The path of the MP4. */
  outputPath: string;
  /** ffmpeg stops writing above this size, without an error. */
  maxOutputBytes: number;
  /** The process is killed after this time, in milliseconds. */
  timeoutMs: number;
}

/** Enough memory for any picture within the default limits; a hostile picture may ask for more. */
const MIN_MAX_ALLOC_BYTES = 2 ** 28;

/** The decoder counts the padding of its rows as pixels of the picture. */
const ROW_PADDING_PIXELS = 128;

/**
 * Writes the command line of a conversion, for ffmpeg 4.1 and later.
 *
 * @param plan The scanner's plan for the GIF.
 * @param job The files and limits.
 * @returns The arguments.
 */
export function ffmpegArguments(plan: GifPlan, job: FfmpegJob): string[] {
  const maxPixels = (plan.width + ROW_PADDING_PIXELS) *
    (plan.height + ROW_PADDING_PIXELS);
  // If this process is killed, only the limit of processor time ends ffmpeg. The threads of
  // ffmpeg together use more processor time than passes on the clock.
  const limitSeconds = 4 * Math.ceil(job.timeoutMs / 1000);
  return [
    ...["-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"],
    ...["-progress", "pipe:1", "-abort_on", "empty_output", "-y"],
    ...["-timelimit", `${limitSeconds}`, "-filter_threads", "1"],
    ...["-threads", "1", "-max_pixels", `${maxPixels}`],
    ...["-max_alloc", `${Math.max(MIN_MAX_ALLOC_BYTES, maxPixels * 8)}`],
    ...["-trans_color", "0xffffffff"],
    // Without the whitelist, a playlist in place of a GIF could name another file of the cache,
    // or a server. Without the prefix, a path could be taken for an option or a protocol.
    ...["-protocol_whitelist", "file", "-f", "gif"],
    ...["-i", `file:${job.inputPath}`],
    ...["-map", "0:v:0", "-an", "-sn", "-dn"],
    ...["-map_metadata", "-1", "-fflags", "+bitexact"],
    ...["-vf", filters(plan)],
    ...[
      "-c:v",
      "libx264",
      "-preset",
      "veryfast",
      "-crf",
      "23",
      "-threads",
      "1",
    ],
    // ffmpeg makes yuv by this rule; players that aren't told guess by the size of the picture.
    ...["-colorspace", "smpte170m", "-color_range", "tv"],
    // ffmpeg reads on behind the trailer, and would show a second GIF that follows there.
    ...["-frames:v", `${plan.outputFrames}`],
    ...["-fs", `${Math.max(1, Math.floor(job.maxOutputBytes))}`],
    ...["-movflags", "+faststart", "-f", "mp4", `file:${job.outputPath}`],
  ];
}

function filters(plan: GifPlan): string {
  const { width, height, fpsNumerator, fpsDenominator } = plan;
  const right = width % 2;
  const bottom = height % 2;
  // yuv420p wants even sides: an odd side gets one more pixel, of the colour beside it. Scaling
  // would blur the picture, and a border of one colour would shine into it, since neighbours
  // share their tint in yuv420p.
  const padding = [
    `pad=w=${width + right}:h=${height + bottom}`,
    "format=yuv444p",
    `fillborders=right=${right}:bottom=${bottom}:mode=smear`,
  ];
  return [
    ...(right + bottom > 0 ? padding : []),
    "format=yuv420p",
    // Browsers show square pixels, whatever a GIF says of their shape.
    "setsar=1",
    // A constant rate: with the frames' own times the last frame would lose its delay.
    `fps=fps=${fpsNumerator}/${fpsDenominator}`,
  ].join(",");
}
