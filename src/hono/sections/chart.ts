import { html } from "hono/html";
import {
  barPaths,
  COLUMN_WIDTH,
  HEIGHT,
  levelPaths,
  type Values,
} from "./chart_paths.ts";
import type { Markup } from "./markup.ts";

/** A row of numbers in a chart. */
export interface ChartSeries {
  /** Name in the legend. */
  readonly name: string;
  /** A number for each column; undefined where there is none to show. */
  readonly values: Values;
}

/** A chart over time. */
export interface Chart {
  /** Heading of the chart. */
  readonly title: string;
  /** Description in a sentence, also for screen readers. */
  readonly summary: string;
  /** Bars are stacked, levels are not. */
  readonly shape: "bars" | "level";
  /** The series: one or two. */
  readonly series: readonly ChartSeries[];
  /** Top of the scale; by default the largest value. */
  readonly max?: number;
  /** Formats a value. */
  readonly format: (value: number) => string;
  /** Start of the chart, such as "5 min ago". */
  readonly since: string;
}

/** Draws a chart as SVG, which needs no script and no style of its own. */
export function chartMarkup(chart: Chart): Markup {
  const { title, summary, shape, series, format, since } = chart;
  const count = series[0]?.values.length ?? 0;
  const totals = Array.from({ length: count }, (_, i) => {
    const values = series.map(({ values }) => values[i] ?? 0);
    return shape === "bars"
      ? values.reduce((a, b) => a + b)
      : Math.max(...values);
  });
  const peak = Math.max(0, ...totals);
  const max = chart.max ?? peak;
  const draw = shape === "bars" ? barPaths : levelPaths;
  const paths = draw(series.map(({ values }) => values), max);
  return html`
    <figure class="card chart">
      <figcaption>
          <h3>${title}</h3>
          <p>${summary}</p>
          ${series.length > 1
            ? html`<ul class="legend">
        ${
              series.map(({ name }, i) =>
                html`<li><span class="swatch series-${
                  i + 1
                }"></span>${name}</li>`
              )
            }
      </ul>`
            : ""}
        </figcaption>
      <svg viewBox="0 0 ${count *
        COLUMN_WIDTH} ${HEIGHT}" preserveAspectRatio="none"
        role="img" aria-label="${title}: ${summary}">
          ${paths.map(({ className, d }) =>
            html`
              <path class="${className}" d="${d}" />
            `
          )}
        </svg>
      <p class="axis"
        aria-hidden="true"><span>${since}</span><span>${peak > 0
          ? `peak ${format(peak)}`
          : "nothing yet"}</span><span>now</span></p>
    </figure>
  `;
}
