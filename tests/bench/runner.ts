/** Measures a row: all contenders by turns, each time in a new process. */
import { join } from "@std/path";
import {
  type Cell,
  type CellResult,
  NotMeasuredError,
  type Row,
  type RowResult,
  type Sample,
} from "./measurement.ts";
import { summarize, type Summary } from "./statistics.ts";
import { isUnsure, judge, type Judgement } from "./verdict.ts";

/**
 * Measures a row. With `repeat`, contenders of a target with too large a spread
 * get as many rounds again.
 */
export async function runRow(
  row: Row,
  dir: string,
  { repeat }: { repeat: boolean },
): Promise<RowResult> {
  const { id, title, rounds } = row;
  const samples = new Map<Cell, Sample[]>();
  const missing = new Map<Cell, string>();
  for (const cell of row.cells) samples.set(cell, []);
  const run = async (cells: readonly Cell[]) => {
    for (let round = 0; round < rounds; round++) {
      // After the same other each time, a contender would inherit its load.
      for (const cell of shuffled(cells)) {
        if (missing.has(cell) || round >= (cell.rounds ?? Infinity)) continue;
        try {
          samples.get(cell)?.push(await runAfresh(cell, dir));
        } catch (error) {
          missing.set(cell, reasonOf(error));
        }
      }
    }
    const results = row.cells.map((cell) =>
      resultOf(cell, samples.get(cell) ?? [], missing.get(cell))
    );
    const judgements = judgeRow(row, results);
    return { id, title, cells: results, judgements };
  };
  const result = await run(row.cells);
  const unsure = row.targets.filter((_, i) => {
    const judgement = result.judgements[i];
    return judgement !== undefined && isUnsure(judgement);
  }).flatMap(({ needs }) => needs.map(([contender]) => contender));
  if (!repeat || unsure.length === 0) return { ...result, moreRounds: 0 };
  const again = row.cells.filter(({ contender }) => unsure.includes(contender));
  return { ...await run(again), moreRounds: rounds };
}

async function runAfresh(cell: Cell, parent: string): Promise<Sample> {
  const dir = await Deno.makeTempDir({ dir: parent, prefix: "cell-" });
  try {
    return await cell.run(join(dir, "cache"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof NotMeasuredError) return error.message;
  return `failed: ${error instanceof Error ? error.message : error}`;
}

function resultOf(
  { contender }: Cell,
  samples: Sample[],
  missing: string | undefined,
): CellResult {
  const peaks = samples.map(({ peakRssBytes }) => peakRssBytes)
    .filter((each) => each !== undefined);
  return {
    contender,
    samples,
    summaries: summaries(samples.map(({ measures }) => measures)),
    cpuMs: summaries(samples.map(({ cpuMs = {} }) => cpuMs)),
    peakRssBytes: peaks.length > 0 ? summarize(peaks) : undefined,
    missing,
  };
}

function summaries(
  records: Readonly<Record<string, number>>[],
): Record<string, Summary> {
  const [first = {}] = records;
  return Object.fromEntries(
    Object.keys(first).map((name) => [
      name,
      summarize(records.map((record) => record[name] ?? NaN)),
    ]),
  );
}

function judgeRow(row: Row, cells: CellResult[]): Judgement[] {
  return row.targets.map((target) =>
    judge(target, ([contender, measure]) => {
      const cell = cells.find((each) => each.contender === contender);
      return cell?.missing === undefined ? cell?.summaries[measure] : undefined;
    })
  );
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}
