import type { Histogram } from "./histogram.ts";

/** A base unit, which ends the names of its families. */
export type Unit = "bytes" | "seconds";

/** A metric with all its series. */
export interface MetricFamily {
  /** Name without the prefix, and without the suffix of the type. */
  readonly name: string;
  /** Description in one sentence. */
  readonly help: string;
  /** Type of the values. */
  readonly type: "counter" | "gauge" | "histogram";
  /** Unit of the values. */
  readonly unit?: Unit;
  /** Values by label. Labels come from bounded sets: never a URL or a host. */
  readonly series: readonly MetricSeries[];
}

/** The value of one label. */
export interface MetricSeries {
  /** Name and value of the label, if there is one. */
  readonly label?: readonly [name: string, value: string];
  /** The value. */
  readonly value: number | Histogram;
}

/** Makes the family of a number that only grows. */
export function counter(
  name: string,
  help: string,
  value: number,
  unit?: Unit,
): MetricFamily {
  return { name, help, type: "counter", ...of(unit), series: [{ value }] };
}

/** Makes the family of a number that goes up and down. */
export function gauge(
  name: string,
  help: string,
  value: number,
  unit?: Unit,
): MetricFamily {
  return { name, help, type: "gauge", ...of(unit), series: [{ value }] };
}

/** Makes the family of values that are counted by size. */
export function histogram(
  name: string,
  help: string,
  unit: Unit,
  series: MetricSeries[],
): MetricFamily {
  return { name, help, type: "histogram", unit, series };
}

function of(unit: Unit | undefined): { unit?: Unit } {
  return unit === undefined ? {} : { unit };
}
