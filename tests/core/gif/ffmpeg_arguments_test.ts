import { assert, assertEquals } from "@std/assert";
import { ffmpegArguments } from "../../../src/core/gif/ffmpeg_arguments.ts";
import { planOf } from "../../fixtures/gif/conversion.ts";
import { gifOfDelays, makeGif } from "../../fixtures/gif/gif_writer.ts";

const PLAN = planOf(gifOfDelays([5, 5, 5]));

const JOB = {
  inputPath: "in.gif",
  outputPath: "out.mp4",
  maxOutputBytes: 99,
  timeoutMs: 1500,
};

Deno.test("ffmpegArguments() gives every path the file: prefix and the input its format", () => {
  const args = ffmpegArguments(PLAN, {
    ...JOB,
    inputPath: "-y.gif",
    outputPath: "a:b.mp4",
    maxOutputBytes: 99.5,
  });

  const input = args.indexOf("-i");
  assertEquals(args.slice(input - 4, input + 2), [
    ...["-protocol_whitelist", "file", "-f", "gif"],
    ...["-i", "file:-y.gif"],
  ]);
  assertEquals(args.at(-1), "file:a:b.mp4");
  assertEquals(args[args.indexOf("-fs") + 1], "99");
});

Deno.test("ffmpegArguments() pads odd sizes, and no others", () => {
  const odd = makeGif({ width: 3, height: 2, frames: [{}] });

  assert(!ffmpegArguments(PLAN, JOB).join(" ").includes("pad="));
  assert(ffmpegArguments(planOf(odd), JOB).join(" ").includes("pad=w=4:h=2,"));
});

Deno.test("ffmpegArguments() limits the processor time in case the process cannot be killed", () => {
  const args = ffmpegArguments(PLAN, JOB);

  assertEquals(args[args.indexOf("-timelimit") + 1], "8");
});
