import { Histogram } from "./histogram.ts";
import type { MetricFamily, MetricSeries } from "./metric_family.ts";

/** A text format of metrics. */
export type Exposition = "openmetrics" | "prometheus";

const PREFIX = "media_cache_";

/** The Content-Type of each format. */
export const CONTENT_TYPES: Readonly<Record<Exposition, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/**
 * Writes metrics as OpenMetrics 1.0, or as the older text format of Prometheus.
 *
 * The formats differ in the name of a counter: `hits` in OpenMetrics,
 * `hits_total` in the older format, for which UNIT and EOF are comments.
 */
export function expose(
  families: readonly MetricFamily[],
  format: Exposition,
): string {
  const lines = families.flatMap(({ name, help, type, unit, series }) => {
    const base = PREFIX + name;
    const sample = type === "counter" ? `${base}_total` : base;
    const declared = format === "prometheus" ? sample : base;
    return [
      `# HELP ${declared} ${escapeHelp(help)}`,
      `# TYPE ${declared} ${type}`,
      ...(unit === undefined ? [] : [`# UNIT ${declared} ${unit}`]),
      ...series.flatMap((each) => samples(sample, each)),
    ];
  });
  return [...lines, "# EOF", ""].join("\n");
}

function samples(name: string, { label, value }: MetricSeries): string[] {
  const own = label === undefined
    ? []
    : [`${label[0]}="${escapeLabel(label[1])}"`];
  if (!(value instanceof Histogram)) return [`${name}${braces(own)} ${value}`];
  const { buckets, sum } = value;
  const count = buckets.at(-1)?.count ?? 0;
  return [
    ...buckets.map(({ bound, count }) =>
      `${name}_bucket${braces([...own, `le="${floatOf(bound)}"`])} ${count}`
    ),
    `${name}_count${braces(own)} ${count}`,
    `${name}_sum${braces(own)} ${sum}`,
  ];
}

function braces(labels: readonly string[]): string {
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}

/** A bound is a label, so it must always be written alike, with a point. */
function floatOf(value: number): string {
  if (value === Infinity) return "+Inf";
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
