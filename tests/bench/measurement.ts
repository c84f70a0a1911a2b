/** What the benchmark measures: rows of cells, and what came out of them. */
import type { Judgement, Target } from "./verdict.ts";
import type { Summary } from "./statistics.ts";

/** What one process measured. */
export interface Sample {
  /** By name: seconds an operation, bytes, or a number. */
  readonly measures: Readonly<Record<string, number>>;
  /** Milliseconds of CPU an operation, of those measures that have it. */
  readonly cpuMs?: Readonly<Record<string, number>>;
  /** The most memory that was resident. */
  readonly peakRssBytes?: number | undefined;
}

/** One contender's share of a row. */
export interface Cell {
  /** Whose it is. */
  readonly contender: string;
  /** In how many rounds, where that is less than in all. */
  readonly rounds?: number;
  /** Measures once, in a fresh process and the given fresh directory. */
  run(dir: string): Promise<Sample>;
}

/** How a measure is shown. */
export interface Column {
  /** Name of the measure. */
  readonly measure: string;
  /** Its heading. */
  readonly title: string;
  /** What its values are: seconds, shown as such or as operations or bytes a second; bytes; a number. */
  readonly unit: "time" | "rate" | "bytes" | "count" | { bytesPerOp: number };
}

/** One kind of work that all contenders do. */
export interface Row {
  /** A short name, for `--only`. */
  readonly id: string;
  /** What is measured. */
  readonly title: string;
  /** What to know when comparing. */
  readonly note?: string;
  /** Who measures it. */
  readonly cells: readonly Cell[];
  /** What is shown. */
  readonly columns: readonly Column[];
  /** What is wanted; empty where figures are only shown. */
  readonly targets: readonly Target[];
  /** How often each cell is measured. */
  readonly rounds: number;
  /** Makes what the cells share, and returns what removes it. */
  prepare?(): Promise<AsyncDisposable>;
}

/** What a contender's cell came to. */
export interface CellResult {
  /** Whose it is. */
  readonly contender: string;
  /** All that was measured, a sample a round. */
  readonly samples: readonly Sample[];
  /** Each measure, summed up. */
  readonly summaries: Readonly<Record<string, Summary>>;
  /** Milliseconds of CPU, summed up. */
  readonly cpuMs: Readonly<Record<string, Summary>>;
  /** Peak of resident memory, summed up. */
  readonly peakRssBytes: Summary | undefined;
  /** Why it was not measured. */
  readonly missing: string | undefined;
}

/** What a row came to. */
export interface RowResult {
  /** The row's short name. */
  readonly id: string;
  /** What was measured. */
  readonly title: string;
  /** Each contender. */
  readonly cells: readonly CellResult[];
  /** Each target. */
  readonly judgements: readonly Judgement[];
  /** How often the row was measured before, with too large a spread. */
  readonly repeats: number;
}

/** A contender can't run on this machine. */
export class NotMeasuredError extends Error {
  override name = "NotMeasuredError";
}
