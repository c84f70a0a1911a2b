/** The figures that the benchmark writes into manuals. */
import { fromFileUrl } from "@std/path";
import { FLOOR, isRival, LIMITED, MIB, NAMES, OURS } from "./bench.ts";
import type { CellResult, RowResult } from "./measurement.ts";
import { MEMORY } from "./rows/download.ts";
import { ALONE, CLOSED } from "./rows/entries.ts";
import { markdown, targetLines, time } from "./table.ts";

/** Work that the table compares: a measure of a row. */
interface Compared {
  readonly title: string;
  readonly row: string;
  readonly measure: string;
  /** The cell of this package; its usual name by default. */
  readonly ours?: string;
}

const COMPARED: readonly Compared[] = [
  { title: "put 10 KiB", row: "store-10k", measure: "put" },
  { title: "put 256 KiB", row: "store-256k", measure: "put" },
  { title: "put 8 MiB", row: "store-8m", measure: "put" },
  { title: "hit of 10 KiB from disk", row: "store-10k", measure: "hit" },
  { title: "hit of 256 KiB from disk", row: "store-256k", measure: "hit" },
  { title: "hit of 8 MiB, BYOB reader", row: "store-8m", measure: "byob" },
  { title: "hit of 8 MiB, default reader", row: "store-8m", measure: "reader" },
  { title: "hit of 8 MiB, `bytes()`", row: "store-8m", measure: "bytes" },
  { title: "hit in RAM, `get()`", row: "memory-hit", measure: "get" },
  { title: "miss of 512 MiB", row: "miss", measure: "miss" },
  {
    title: "first byte of a miss of 64 KiB",
    ...{ row: "first-byte", measure: "first-byte" },
  },
  {
    title: "open 100,000 entries with the index",
    ...{ row: "open-100000", measure: "open", ours: CLOSED },
  },
  {
    title: "open 100,000 entries without it",
    ...{ row: "open-100000", measure: "open", ours: ALONE },
  },
  { title: "serve 64 KiB over HTTP", row: "serve-64k", measure: "serve" },
  { title: "serve 8 MiB over HTTP", row: "serve-8m", measure: "serve" },
];

/** Both tables of the benchmark's README: against others, and the targets. */
export function figuresOf(
  facts: Readonly<Record<string, string>>,
  results: readonly RowResult[],
): string {
  const { date, ...others } = facts;
  const head = ["work", "takes", "against", "times as fast", "×16"];
  const judgements = results.flatMap(({ judgements }) => judgements);
  return [
    `Of ${date}: ${Object.values(others).join("; ")}; loopback HTTP.`,
    markdown(head, COMPARED.flatMap((each) => linesOf(results, each))),
    "Each target, with its figure and, where there is one, the figure of the floor:",
    targetLines(judgements),
  ].join("\n\n");
}

/** A line for each other contender. */
function linesOf(
  results: readonly RowResult[],
  { title, row, measure, ours = OURS }: Compared,
): string[][] {
  const cells = results.find(({ id }) => id === row)?.cells ?? [];
  let last = "";
  return cells.filter(({ contender }) => isRival(contender)).map((other) => {
    const limits = other.contender.endsWith(LIMITED) ? LIMITED : "";
    const own = cells.find(({ contender }) => contender === ours + limits);
    const name = `${title}${limits}`;
    const first = name === last
      ? ["", ""]
      : [name, formatted(medianOf(own, measure), time)];
    last = name;
    const faster = (measure: string) =>
      formatted(timesAsFast(own, other, measure), twoDigits);
    const against = other.contender.slice(0, -limits.length || undefined);
    const many = `${measure}-16`;
    return [
      ...[...first, against, faster(measure)],
      medianOf(own, many) === undefined ? "" : faster(many),
    ];
  });
}

/** The three lines of the package's README. */
export function tellingLines(results: readonly RowResult[]): string {
  const cellOf = (row: string, contender: string) =>
    results.find(({ id }) => id === row)?.cells
      .find((cell) => cell.contender === contender);
  const shareOf = (row: string, measure: string, other: string) => {
    const times = timesAsFast(cellOf(row, OURS), cellOf(row, other), measure);
    return formatted(times, (times) => `${Math.round(times * 100)} %`);
  };
  const small = (title: string, measure: string) => {
    const row = "store-10k";
    const [ours, web] = [cellOf(row, OURS), cellOf(row, NAMES.web_cache)];
    const takes = formatted(medianOf(ours, measure), time);
    const times = formatted(timesAsFast(ours, web, measure), twoDigits);
    return `- ${title} takes ${takes}: ${times} times as fast as the Web Cache ` +
      `API, at ${shareOf(row, measure, FLOOR)} of the speed of bare files.`;
  };
  const growth = (contender: string) =>
    medianOf(cellOf("miss-memory", contender), "growth") ?? NaN;
  const more = Math.round((growth(MEMORY.one) - growth(MEMORY.fetch)) / MIB);
  return [
    small("A `put()` of 10 KiB", "put"),
    small("A hit of 10 KiB from disk", "hit"),
    `- A miss of 512 MiB has ${shareOf("miss", "miss", NAMES.bare_fetch)} of ` +
    `the speed of a \`fetch\` that stores nothing, and takes ` +
    `${Math.abs(more)} MiB ${more < 0 ? "less" : "more"} memory.`,
  ].join("\n");
}

/**
 * Replaces the text between the comments `<!-- NAME -->` and `<!-- /NAME -->`.
 *
 * @throws {RangeError} If the text does not have both, in this order.
 */
export function replaceBetween(
  text: string,
  name: string,
  content: string,
): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf(end, from);
  if (from < start.length || to < 0) {
    throw new RangeError(`Cannot find ${start} and ${end} after it`);
  }
  return `${text.slice(0, from)}\n\n${content}\n\n${text.slice(to)}`;
}

/** Writes the figures into both README files. Returns the paths. */
export async function writeReadmes(
  facts: Readonly<Record<string, string>>,
  results: readonly RowResult[],
): Promise<string[]> {
  const contents = [
    { file: "README.md", content: figuresOf(facts, results) },
    { file: "../../README.md", content: tellingLines(results) },
  ];
  const paths: string[] = [];
  for (const { file, content } of contents) {
    const path = fromFileUrl(new URL(file, import.meta.url));
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, replaceBetween(text, "figures", content));
    paths.push(path);
  }
  await new Deno.Command(Deno.execPath(), { args: ["fmt", ...paths] }).output();
  return paths;
}

function medianOf(
  cell: CellResult | undefined,
  measure: string,
): number | undefined {
  return cell?.missing === undefined
    ? cell?.summaries[measure]?.median
    : undefined;
}

function timesAsFast(
  ours: CellResult | undefined,
  other: CellResult | undefined,
  measure: string,
): number | undefined {
  const [mine, theirs] = [medianOf(ours, measure), medianOf(other, measure)];
  return mine === undefined || theirs === undefined ? undefined : theirs / mine;
}

function formatted(
  value: number | undefined,
  format: (value: number) => string,
): string {
  return value === undefined ? "not measured" : format(value);
}

/** More digits would claim more than runs agree on. */
function twoDigits(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString("en")
    : `${Number(value.toPrecision(2))}`;
}
