/**
 * What a download costs that many share: memory, time and throughput.
 *
 *     ./denow run -A tests/bench/shared_download.ts
 *
 * Linux only: it reads /proc. Set `TMPDIR` to choose the disk. Each line is
 * measured in a fresh process, the origin runs in another.
 */
// deno-lint-ignore-file no-console
import type {
  BareResult,
  Job,
  ShareJob,
  ShareResult,
  ThroughputJob,
  ThroughputResult,
} from "./download_worker.ts";

const MIB = 1_048_576;
const ROUNDS = 3;

const server = new Deno.Command("deno", {
  args: ["run", "--allow-net", here("origin.ts")],
  stdout: "piped",
}).spawn();
const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
const origin = `http://127.0.0.1:${(await reader.read()).value?.trim()}`;
try {
  await showShared();
  await showMemory();
  await showThroughput();
} finally {
  server.kill();
  await reader.cancel();
  await server.status;
}

/** Callers that come all along a download, with and without one that stalls. */
async function showShared(): Promise<void> {
  const shape = { size: 64 * MIB, callers: 99, spread: true, digest: true };
  const measured = new Map<boolean, ShareResult[]>([[true, []], [false, []]]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [stalled, results] of measured) {
      results.push(await share({ ...shape, stalled }));
    }
  }
  const rows: Record<string, unknown>[] = [];
  for (const [stalled, results] of measured) {
    rows.push({
      "callers": stalled ? "99 + 1 stalled" : "99",
      "downloads": distinct(results.map(({ downloads }) => downloads)),
      "complete": distinct(results.map(({ complete }) => complete)),
      "digests": distinct(results.map(({ digests }) => digests)),
      "99 done, s": spread(results.map(({ seconds }) => seconds)),
      "memory grew, MiB": spread(results.map(({ growth }) => growth / MIB)),
    });
  }
  print("64 MiB, callers all along the download", rows);
}

/** Resident memory by the length of the body and the number of readers. */
async function showMemory(): Promise<void> {
  const sizes = [128, 512, 1024];
  const rows = [
    await memoryRow("bare fetch", sizes, async (size) => {
      const job: Job = { kind: "bare", origin, size };
      const { growth } = await work<BareResult>(job);
      return { growth };
    }),
  ];
  for (const callers of [1, 16]) {
    for (const stalled of [false, true]) {
      const name = `${callers}${stalled ? " + 1 stalled" : ""}`;
      const shape = { callers, stalled, spread: false, digest: false };
      rows.push(
        await memoryRow(name, sizes, (size) => share({ ...shape, size })),
      );
    }
  }
  print("Peak of resident memory above that after the warm-up, MiB", rows);
}

async function memoryRow(
  readers: string,
  sizes: number[],
  measure: (size: number) => Promise<{ growth: number; growthAtEnd?: number }>,
): Promise<Record<string, string>> {
  const row: Record<string, string> = { readers };
  let readOn = "";
  for (const size of sizes) {
    const growths: number[] = [];
    const atEnd: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { growth, growthAtEnd = growth } = await measure(size * MIB);
      growths.push(growth / MIB);
      atEnd.push(growthAtEnd / MIB);
    }
    row[`${size} MiB`] = spread(growths);
    readOn = spread(atEnd);
  }
  // What the stalled reader of the longest costs when it reads on, from the file.
  row["then read on"] = readOn;
  return row;
}

/** A miss against a bare fetch, by turns in one process. */
async function showThroughput(): Promise<void> {
  const size = 512 * MIB;
  const job: ThroughputJob = {
    kind: "throughput",
    origin,
    size,
    rounds: ROUNDS,
  };
  const seconds = await work<ThroughputResult>(job);
  const bare = median(seconds.bare);
  const rows = Object.entries(seconds).map((
    [what, times]: [string, number[]],
  ) => ({
    what,
    "MiB/s": spread(times.map((time) => size / MIB / time)),
    "of bare": Number((bare / median(times)).toFixed(2)),
  }));
  print(
    "512 MiB through a bare fetch, a miss, and a miss until it is stored",
    rows,
  );
}

function share(shape: Omit<ShareJob, "kind" | "origin">): Promise<ShareResult> {
  return work({ kind: "share", origin, ...shape });
}

async function work<T>(job: Job): Promise<T> {
  const { success, stdout } = await new Deno.Command("deno", {
    args: ["run", "-A", here("download_worker.ts"), JSON.stringify(job)],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot measure: ${JSON.stringify(job)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function print(title: string, rows: Record<string, unknown>[]): void {
  console.log(`\n${title}`);
  console.table(rows);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** The median, the least and the most. */
function spread(values: number[]): string {
  const all = [median(values), Math.min(...values), Math.max(...values)];
  const [middle, least, most] = all.map((value) => value.toPrecision(3));
  return `${middle} [${least}-${most}]`;
}

function distinct(values: number[]): string {
  return [...new Set(values)].join(", ");
}

function here(name: string): string {
  return new URL(name, import.meta.url).href;
}
