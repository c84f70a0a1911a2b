/** The work of a process, and the way to start it. */
import { dirname, fromFileUrl, join } from "@std/path";
import { measuredPackage } from "./measured_package.ts";
import type { Sample } from "./measurement.ts";

const WORKER = fromFileUrl(new URL("worker.ts", import.meta.url));
const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** A program for Deno, in a process of its own. */
export interface Work {
  /** The name of the file in `jobs/` with the job. */
  readonly job: string;
  /** The name of the file in `contenders/` with the contender. */
  readonly contender?: string;
  /** The folder of its files. */
  readonly dir: string;
  /** Whether the job may read and write in that folder alone. */
  readonly limited?: boolean;
  /** Further options of the job. */
  readonly [option: string]: unknown;
}

/** Its abort ends the process that does some work. */
export const interruption = new AbortController();

/** Does some work in a new Deno process; returns its measurements. */
export async function deno(work: Work): Promise<Sample> {
  // The Web Cache API keeps its files there, and would see earlier ones.
  const own = work.contender === "web_cache"
    ? { DENO_DIR: join(dirname(work.dir), "deno") }
    : undefined;
  const modules = work.limited ? [ROOT, dirname(measuredPackage())] : [];
  const argument = JSON.stringify({ ...work, modules });
  const allow = work.limited
    ? [
      `--allow-read=${[work.dir, ...modules].join()}`,
      `--allow-write=${work.dir}`,
    ]
    : undefined;
  const { signal } = interruption;
  const options = { signal, ...(own && { env: own }), ...(allow && { allow }) };
  return await output(denoCommand(WORKER, argument, options));
}

/** A program of the benchmark, run by Deno as users run theirs. */
export function denoCommand(
  program: string,
  argument: string,
  { env, allow = ["--allow-all"], signal }: {
    env?: Record<string, string>;
    allow?: readonly string[];
    signal?: AbortSignal;
  } = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--quiet", "--no-prompt", ...allow],
      ...["--config", measuredPackage()],
      // Where memory is compared, garbage must not count.
      "--v8-flags=--expose-gc",
      ...["--location", "http://media-cache.test", program, argument],
    ],
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
    ...(signal && { signal }),
  });
}

/** Runs a program to its end; returns its output, parsed as JSON. */
export async function output(command: Deno.Command): Promise<Sample> {
  const { success, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(reasonOf(text(stderr)));
  return JSON.parse(text(stdout));
}

/** The line with the error: the first line of Deno, the last of Python. */
function reasonOf(errors: string): string {
  const lines = errors.split("\n");
  const line = lines.find((line) => /^error:/i.test(line)) ?? lines.at(-1);
  return line ?? "it said nothing";
}
