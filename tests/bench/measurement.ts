/** The rows of cells that the benchmark measures, and their results. */
import type { Judgement, Target } from "./verdict.ts";
import type { Summary } from "./statistics.ts";

/** The measures of one process. */
export interface Sample {
  /** By name: seconds per operation, bytes, or a number. */
  readonly measures: Readonly<Record<string, number>>;
  /** Milliseconds of CPU per operation, for measures that have it. */
  readonly cpuMs?: Readonly<Record<string, number>>;
  /** The peak of resident memory, in bytes. */
  readonly peakRssBytes?: number | undefined;
}

/** One contender's share of a row. */
export interface Cell {
  /** The name of the contender. */
  readonly contender: string;
  /** The number of rounds, if fewer than the row has. */
  readonly rounds?: number;
  /** Measures once, in a fresh process and the given fresh directory. */
  run(dir: string): Promise<Sample>;
}

/** The way to show a measure. */
export interface Column {
  /** Name of the measure. */
  readonly measure: string;
  /** The heading of the column. */
  readonly title: string;
  /**
   * The unit of the values: seconds, shown as such or as operations or bytes a
   * second; bytes; a number.
   */
  readonly unit: "time" | "rate" | "bytes" | "count" | { bytesPerOp: number };
}

/** One kind of work that all contenders do. */
export interface Row {
  /** A short name, for `--only`. */
  readonly id: string;
  /** The work that is measured. */
  readonly title: string;
  /** A remark for the comparison. */
  readonly note?: string;
  /** The contenders. */
  readonly cells: readonly Cell[];
  /** The columns to show. */
  readonly columns: readonly Column[];
  /** The targets; empty where figures are only shown. */
  readonly targets: readonly Target[];
  /** The number of rounds of each cell. */
  readonly rounds: number;
  /** Whether the row takes so long that only `--only` measures it. */
  readonly onRequest?: boolean;
}

/** The result of a contender's cell. */
export interface CellResult {
  /** The name of the contender. */
  readonly contender: string;
  /** Every measurement, a sample per round. */
  readonly samples: readonly Sample[];
  /** Each measure, summarized. */
  readonly summaries: Readonly<Record<string, Summary>>;
  /** Milliseconds of CPU, summarized. */
  readonly cpuMs: Readonly<Record<string, Summary>>;
  /** Peak of resident memory, summarized. */
  readonly peakRssBytes: Summary | undefined;
  /** Why the cell was not measured. */
  readonly missing: string | undefined;
}

/** The result of a row. */
export interface RowResult {
  /** The row's short name. */
  readonly id: string;
  /** The work that was measured. */
  readonly title: string;
  /** Each contender. */
  readonly cells: readonly CellResult[];
  /** Each target. */
  readonly judgements: readonly Judgement[];
  /** The number of further rounds, for targets with too large a spread. */
  readonly moreRounds: number;
}

/** The error of a contender that cannot run on this machine. */
export class NotMeasuredError extends Error {
  override name = "NotMeasuredError";
}
