/** Python for the original, with aiofiles if available. */
import { fromFileUrl, join } from "@std/path";
import { NotMeasuredError, type Sample } from "./measurement.ts";
import { tryProgram } from "./program.ts";
import { interruption, output, type Work } from "./work.ts";

const PROGRAM = fromFileUrl(new URL("python/worker.py", import.meta.url));
const KEPT = fromFileUrl(
  new URL("../../.denow/fetched/bench-python", import.meta.url),
);

/** A Python program, and its library for files. */
export interface Python {
  /** The program. */
  readonly program: string;
  /** "aiofiles 25.1.0", or the library in its place. */
  readonly files: string;
}

/** Finds Python, and installs aiofiles into a virtual environment if needed. */
export async function findPython(
  { install }: { install: boolean },
): Promise<Python | undefined> {
  const own = join(KEPT, "bin", "python3");
  for (const program of ["python3", own]) {
    const version = await versionOf(program);
    if (version) return { program, files: `aiofiles ${version}` };
  }
  if (await versionOf("python3") === undefined) return undefined;
  if (
    install &&
    await succeeds("python3", ["-m", "venv", KEPT]) &&
    await succeeds(own, ["-m", "pip", "install", "--quiet", "aiofiles"])
  ) {
    return { program: own, files: `aiofiles ${await versionOf(own)}` };
  }
  return { program: "python3", files: "threads, as aiofiles does" };
}

/** Does some work with the Python original. */
export async function original(
  python: Python | undefined,
  work: Work,
): Promise<Sample> {
  if (python === undefined) throw new NotMeasuredError("there is no python3");
  return await output(
    new Deno.Command(python.program, {
      // Without compiled files in the folder of the benchmark.
      args: ["-B", PROGRAM, JSON.stringify(work)],
      stdout: "piped",
      stderr: "piped",
      signal: interruption.signal,
    }),
  );
}

/**
 * The version of its aiofiles; empty without aiofiles, undefined without that
 * Python.
 */
async function versionOf(program: string): Promise<string | undefined> {
  const code =
    "import importlib.metadata as m\ntry: print(m.version('aiofiles'))\nexcept m.PackageNotFoundError: print()";
  const said = await tryProgram(program, ["-c", code]);
  return said?.success ? said.text.trim() : undefined;
}

/** Runs a command for up to a minute. */
async function succeeds(program: string, args: string[]): Promise<boolean> {
  const said = await tryProgram(program, args, AbortSignal.timeout(60_000));
  return said?.success ?? false;
}
