/**
 * Runs a scenario in a process of its own, to its end or until the process is
 * killed.
 */
import { fromFileUrl, join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { prepare } from "./crash_directory.ts";
import type { Scenario } from "./crash_scenarios.ts";
import type { WorkerTask } from "./crash_worker.ts";
import { faultEnv, type FaultOptions } from "./fault_injection.ts";

/** The end of a worker, and its files. */
export interface Ended extends AsyncDisposable {
  /** The directory of its cache. */
  readonly dir: string;
  /** The lines of the log: operations, and the steps between them. */
  readonly lines: string[];
  /** The bytes of all writes, if requested. */
  readonly data: Uint8Array;
  /** The signal that ended it. */
  readonly signal: Deno.Signal | null;
}

/** The scenario to run, and the fault. */
export interface CrashOptions {
  scenario: Scenario;
  durable: boolean;
  /** The fault on the way; none unless given. */
  fault?: Pick<FaultOptions, "fault" | "at">;
  /** Whether the bytes of writes are kept. */
  keepsData?: boolean;
}

/**
 * Runs a scenario.
 *
 * @throws If it fails other than by a signal.
 */
export async function runScenario(options: CrashOptions): Promise<Ended> {
  const { scenario, durable, fault = {}, keepsData = false } = options;
  const temp = await tempDir();
  const disk = join(temp.path, "disk");
  const dir = join(disk, "cache");
  const log = join(temp.path, "log");
  const data = join(temp.path, "data");
  await Deno.mkdir(disk);
  await prepare(dir, scenario);
  await Deno.writeTextFile(log, "");
  await Deno.writeTextFile(data, "");
  const ffmpeg = keepsData
    ? await notingFfmpeg(temp.path, log, data)
    : "ffmpeg";
  const task: WorkerTask = { cacheDir: dir, log, durable, ffmpeg, scenario };
  const path = (name: string) => fromFileUrl(import.meta.resolve(name));
  const { success, signal, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--allow-all",
      `--config=${path("../../deno.json")}`,
      path("./crash_worker.ts"),
      JSON.stringify(task),
    ],
    env: {
      NO_COLOR: "1",
      ...await faultEnv(disk, { log, ...fault, ...(keepsData && { data }) }),
    },
  }).output();
  if (!success && signal === null) {
    await temp[Symbol.asyncDispose]();
    throw new Error(new TextDecoder().decode(stderr));
  }
  if (signal !== null) await ffmpegsEnded(dir);
  return {
    dir,
    lines: (await Deno.readTextFile(log)).split("\n").filter((line) =>
      line !== ""
    ),
    data: await Deno.readFile(data),
    signal,
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

/** Waits for each ffmpeg that a killed process has left: it writes on in the directory. */
async function ffmpegsEnded(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const command = await Deno.readTextFile(`/proc/${name}/cmdline`)
      .catch(() => "");
    if (!command.startsWith("ffmpeg") || !command.includes(dir)) continue;
    const args = [`--pid=${name}`, "-f", "/dev/null"];
    await new Deno.Command("tail", { args }).output();
  }
}

/**
 * An ffmpeg that adds its output to the log and the data, since the injector
 * does not reach it.
 */
async function notingFfmpeg(
  folder: string,
  log: string,
  data: string,
): Promise<string> {
  const path = join(folder, "ffmpeg");
  const program = `#!/bin/sh
    PATH='${Deno.env.get("PATH")}'
    ffmpeg "$@" || exit
    for last; do :; done
    video=\${last#file:}
    cat "$video" >>'${data}'
    printf '0\\twrite\\t%s\\t0\\t%s\\n' "$video" "$(wc -c <"$video")" >>'${log}'`;
  await Deno.writeTextFile(path, program, { mode: 0o700 });
  return path;
}
