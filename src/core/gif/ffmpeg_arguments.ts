import type { GifPlan } from "./gif_plan.ts";

/** What a conversion reads, writes and may use. */
export interface FfmpegJob {
  /** The GIF. */
  inputPath: string;
  /** The MP4. */
  outputPath: string;
  /** Writing stops above this size, without an error. */
  maxOutputBytes: number;
  /** The time after which the process will be killed, in milliseconds. */
  timeoutMs: number;
}

// Pictures within the default limits take less memory; a hostile picture may ask for more.
const MIN_MAX_ALLOC_BYTES = 2 ** 28;

// The decoder counts the padding of its rows as pixels of the picture.
const ROW_PADDING_PIXELS = 128;

/**
 * Writes the command line of one conversion, for ffmpeg 4.1 and later.
 *
 * @param plan What to make of the GIF.
 * @param job What to read and write.
 * @returns The arguments.
 */
export function ffmpegArguments(plan: GifPlan, job: FfmpegJob): string[] {
  const maxPixels = (plan.width + ROW_PADDING_PIXELS) *
    (plan.height + ROW_PADDING_PIXELS);
  // When this process is killed, only the limit of processor time ends ffmpeg. The threads of
  // ffmpeg together use more processor time than passes on the clock.
  const limitSeconds = 4 * Math.ceil(job.timeoutMs / 1000);
  return [
    ...["-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"],
    ...["-progress", "pipe:1", "-abort_on", "empty_output", "-y"],
    ...["-timelimit", `${limitSeconds}`, "-filter_threads", "1"],
    ...["-threads", "1", "-max_pixels", `${maxPixels}`],
    ...["-max_alloc", `${Math.max(MIN_MAX_ALLOC_BYTES, maxPixels * 8)}`],
    ...["-trans_color", "0xffffffff"],
    // Without the list, a playlist in place of a GIF could name another file of the cache, or a
    // server. Without the prefix, a path could be taken for an option or a protocol.
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
    // ffmpeg makes yuv by this rule; without the note players guess by the size of the picture.
    ...["-colorspace", "smpte170m", "-color_range", "tv"],
    // ffmpeg reads on after the trailer, and would show a second GIF that follows there.
    ...["-frames:v", `${plan.outputFrames}`],
    ...["-fs", `${Math.max(1, Math.floor(job.maxOutputBytes))}`],
    ...["-movflags", "+faststart", "-f", "mp4", `file:${job.outputPath}`],
  ];
}

function filters(plan: GifPlan): string {
  const { width, height, fpsNumerator, fpsDenominator } = plan;
  const right = width % 2;
  const bottom = height % 2;
  // An odd side gets one more pixel, of the colour beside it. A scaled picture would be blurred,
  // and a border of one colour would shine through, as two pixels share their tint in yuv420p.
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
    // A constant rate, since with the frames' own times the last frame loses its delay.
    `fps=fps=${fpsNumerator}/${fpsDenominator}`,
  ].join(",");
}
