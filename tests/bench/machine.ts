/** The machine and the programs of a measurement. */
import os from "node:os";
import process from "node:process";
import type { Place } from "./place.ts";
import { tryProgram } from "./program.ts";
import type { Python } from "./python.ts";

/** Facts about the machine, by name. */
export async function machineFacts(
  { fileSystem }: Place,
  python: Python | undefined,
): Promise<Record<string, string>> {
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const load = Deno.loadavg()[0]?.toFixed(1);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.cpus().length} cores (${os.cpus()[0]?.model}), ` +
      `${memory} GiB, load ${load} at the start`,
    system: `${os.type()} ${os.release()}, files on ${fileSystem}`,
    deno: `Deno ${Deno.version.deno}, V8 ${process.versions.v8}`,
    python: python === undefined
      ? "none"
      : `${await versionOf(python.program, "--version")}, ${python.files}`,
    nginx: await versionOf("nginx", "-v"),
    wrk: await versionOf("wrk", "-v"),
    ceph: await versionOf("radosgw", "--version"),
  };
}

/** The first line of a program's version, or "none". */
async function versionOf(program: string, flag: string): Promise<string> {
  const said = await tryProgram(program, [flag]);
  const line = said?.text.split("\n")[0] ?? "none";
  return line.replace(/^nginx version: |Copyright.*$/g, "").trim();
}
