/** Directories of many entries, filled once and used by many cells. */
import { join } from "@std/path";
import type { Bench } from "./bench.ts";
import { measuredPackage } from "./measured_package.ts";
import { NotMeasuredError } from "./measurement.ts";
import { fits } from "./place.ts";
import { tryProgram } from "./program.ts";
import { deno } from "./work.ts";

/** Bytes of each entry. */
export const ENTRY_BYTES = 1024;

const filled = new Map<string, Promise<string>>();

/** A directory with this many entries, as a clean close leaves it. */
export function directoryOf(bench: Bench, entries: number): Promise<string> {
  // An earlier package may write another index.
  const id = `${measuredPackage()} ${entries}`;
  let directory = filled.get(id);
  if (directory === undefined) {
    directory = fill(bench, entries);
    filled.set(id, directory);
  }
  return directory;
}

/** Removes all other files, so that no index makes opening faster. */
export async function leaveEntriesAlone(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dir)) {
    if (!/\.(?:dat|json)$/.test(name)) await Deno.remove(join(dir, name));
  }
}

/** Copies a directory with its times, for work that destroys it. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  const said = await tryProgram("cp", ["-a", from, to]);
  if (!said?.success) throw new Error("cp failed");
}

async function fill(bench: Bench, entries: number): Promise<string> {
  if (!await fits(bench.dir, 2 * entries)) {
    throw new NotMeasuredError(`there is no room for ${entries} entries`);
  }
  const dir = join(bench.dir, `entries-${filled.size}-${entries}`);
  await deno({ job: "fill", dir, entries, size: ENTRY_BYTES });
  return dir;
}
