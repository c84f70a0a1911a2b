/** The number of calls of each function of `src`, from V8's coverage counts. */
import { dirname, fromFileUrl, join, toFileUrl } from "@std/path";
import { walk } from "@std/fs/walk";
import { measuredPackage } from "../measured_package.ts";

/** Calls by file (`core/media_cache.ts`) and function. */
export type CallCounts = Map<string, Map<string, number>>;

const WORKER = fromFileUrl(new URL("worker.ts", import.meta.url));

/** A short run: its calls are those of the start and the end alone. */
const FEW = 20;
/**
 * The number of additional operations of the long run: so few that it writes no index, which
 * `close()` does from 512 entries on, and which is not part of an operation.
 */
const MORE = 480;

/**
 * The calls of one operation in the steady state: those of a long run minus
 * those of a short run.
 */
export async function callsOf(operation: string): Promise<CallCounts> {
  const long = await count(operation, FEW + MORE);
  const short = await count(operation, FEW);
  const counts: CallCounts = new Map();
  for (const [file, functions] of long) {
    const each = new Map<string, number>();
    for (const [name, calls] of functions) {
      const more = (calls - (short.get(file)?.get(name) ?? 0)) / MORE;
      // Occasional work of timers is not part of the operation.
      if (more >= 0.5) each.set(name, more);
    }
    if (each.size > 0) counts.set(file, each);
  }
  return counts;
}

/** The calls of all functions. */
export function totalOf(counts: CallCounts): number {
  const each = counts.values().flatMap((functions) => functions.values());
  return Math.round(each.reduce((sum, calls) => sum + calls, 0));
}

async function count(operation: string, times: number): Promise<CallCounts> {
  const temp = await Deno.makeTempDir({ prefix: "media-cache-ways-" });
  try {
    const coverage = join(temp, "coverage");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--quiet", "--allow-all"],
        ...["--config", measuredPackage()],
        `--coverage=${coverage}`,
        ...[WORKER, operation, join(temp, "cache"), `${times}`],
      ],
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await readCounts(coverage);
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
}

/** One script, in the form of V8's own protocol (Profiler.ScriptCoverage). */
interface ScriptCoverage {
  readonly url: string;
  readonly functions: {
    readonly functionName: string;
    readonly ranges: { readonly startOffset: number; readonly count: number }[];
  }[];
}

async function readCounts(folder: string): Promise<CallCounts> {
  const src = `${toFileUrl(join(dirname(measuredPackage()), "src"))}/`;
  const counts: CallCounts = new Map();
  for await (const { path } of walk(folder, { exts: ["json"] })) {
    const script: ScriptCoverage = JSON.parse(await Deno.readTextFile(path));
    if (!script.url.startsWith(src)) continue;
    const functions = new Map<string, number>();
    for (const { functionName, ranges: [whole] } of script.functions) {
      // The top level of a file runs once, when it is loaded.
      if (whole === undefined || whole.startOffset === 0) continue;
      const name = functionName || `(at ${whole.startOffset})`;
      functions.set(name, (functions.get(name) ?? 0) + whole.count);
    }
    counts.set(script.url.slice(src.length), functions);
  }
  return counts;
}
