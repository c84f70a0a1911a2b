/** Rows and targets as tables of text, in Markdown. */
import type { CellResult, Column, Row, RowResult } from "./measurement.ts";
import { spreadOf, type Summary } from "./statistics.ts";
import { isUnsure, type Judgement } from "./verdict.ts";

/** The contenders of one row. */
export function rowTable(row: Row, { cells, moreRounds }: RowResult): string {
  const withCpu = row.columns.filter(({ measure }) =>
    cells.some(({ cpuMs }) => measure in cpuMs)
  );
  const head = [
    "",
    ...row.columns.map(({ title }) => title),
    ...withCpu.map(({ title }) => `CPU of ${title.replace("/s", "")}`),
    "peak RSS",
  ];
  const lines = cells.map((cell) => [
    cell.contender,
    ...row.columns.map((column) => figure(cell, column)),
    ...withCpu.map(({ measure }) => milliseconds(cell.cpuMs[measure])),
    cell.peakRssBytes ? bytes(cell.peakRssBytes.median) : "",
  ]);
  const rounds = `median of ${row.rounds} ± half the interquartile range`;
  const again = moreRounds > 0
    ? `, and of ${moreRounds} more where the spread was large`
    : "";
  const notes = cells.filter(({ missing }) => missing !== undefined)
    .map(({ contender, missing }) => `${contender}: not measured, ${missing}`);
  return [
    `\n## ${row.title} (${row.id})`,
    `${rounds}${again}\n`,
    markdown(head, lines),
    ...(row.note === undefined ? [] : [row.note]),
    ...notes,
  ].join("\n");
}

/** All targets, under a heading. */
export function targetTable(judgements: readonly Judgement[]): string {
  return `\n## Targets\n\n${targetLines(judgements)}`;
}

/** All targets. */
export function targetLines(judgements: readonly Judgement[]): string {
  const head = ["target", "wanted", "measured", "its floor", "spread", ""];
  const lines = judgements.map((judgement) => {
    const { title, wanted, unit, spread, verdict } = judgement;
    const value = (figure: number | undefined) =>
      figure === undefined
        ? "–"
        : `${digits(figure)}${unit === "×" ? "×" : ` ${unit}`}`;
    const unsure = isUnsure(judgement) ? ", unsure" : "";
    return [
      title,
      wanted,
      value(judgement.figure),
      value(judgement.floor),
      spread === undefined ? "–" : `${Math.round(spread * 100)} %`,
      verdict === "met" ? `met${unsure}` : `**${verdict}**${unsure}`,
    ];
  });
  return markdown(head, lines);
}

function figure(
  { summaries, missing }: CellResult,
  { measure, unit }: Column,
): string {
  const summary = summaries[measure];
  if (missing !== undefined) return "not measured";
  if (summary === undefined) return "";
  const { median } = summary;
  const value = unit === "time"
    ? time(median)
    : unit === "rate"
    ? digits(1 / median)
    : unit === "bytes"
    ? bytes(median)
    : unit === "count"
    ? digits(median)
    : `${bytes(unit.bytesPerOp / median)}/s`;
  const spread = spreadOf(summary);
  return spread ? `${value} ±${Math.round(spread * 50)}%` : value;
}

/** A number with three digits. */
export function digits(value: number): string {
  const plain = Math.abs(value) >= 100
    ? Math.round(value)
    : Number(value.toPrecision(3));
  return plain.toLocaleString("en", { maximumFractionDigits: 20 });
}

/** A time in the unit that fits its size. */
export function time(seconds: number): string {
  if (seconds >= 1) return `${digits(seconds)} s`;
  if (seconds >= 1e-3) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds * 1e6)} µs`;
}

function bytes(value: number): string {
  return Math.abs(value) < 2 ** 20
    ? `${digits(value / 2 ** 10)} KiB`
    : `${digits(value / 2 ** 20)} MiB`;
}

function milliseconds(summary: Summary | undefined): string {
  return summary === undefined ? "" : time(summary.median / 1000);
}

/** A table, with all columns but the first to the right. */
export function markdown(head: string[], lines: string[][]): string {
  const all = [head, ...lines];
  const widths = head.map((_, column) =>
    Math.max(3, ...all.map((cells) => cells[column]?.length ?? 0))
  );
  const line = (cells: string[]) =>
    `| ${
      cells.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      }).join(" | ")
    } |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return [line(head), line(rule), ...lines.map(line)].join("\n");
}
