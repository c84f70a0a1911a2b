/** The plots of the scaling curves. */
import * as Plot from "@observablehq/plot";
import { join } from "@std/path";
import { parseHTML } from "linkedom";
import type { RowResult } from "./measurement.ts";
import { digits } from "./table.ts";

/** A point of a curve, and the spread of its measurements. */
interface Point {
  readonly curve: string;
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

interface Chart {
  readonly name: string;
  readonly title: string;
  readonly points: Point[];
  readonly linear?: boolean;
}

const MILLI = 1e3;
const PER_MIB = 1 / 2 ** 20;

/** Between black and white, so that both light and dark pages show it. */
const COLORS = ["#2f81f7", "#d9730d", "#2da44e", "#a371f7"];

/** Draws the measurements into a folder, as SVG. Returns the paths. */
export async function drawPlots(
  results: readonly RowResult[],
  dir: string,
): Promise<string[]> {
  await Deno.mkdir(dir, { recursive: true });
  const paths: string[] = [];
  for (const chart of chartsOf(results)) {
    if (chart.points.length === 0) continue;
    const path = join(dir, `${chart.name}.svg`);
    await Deno.writeTextFile(path, svgOf(chart));
    paths.push(path);
  }
  return paths;
}

function chartsOf(results: readonly RowResult[]): Chart[] {
  const measured = ["get", "put", "evict"];
  return [
    {
      name: "entries",
      title: "Milliseconds of an operation, by the number of entries",
      points: measured.flatMap((measure) =>
        curve(results, "entries", measure, MILLI)
      ),
    },
    {
      name: "open",
      title: "Milliseconds to open a directory, by the number of entries",
      points: results.flatMap(({ id, cells }) => {
        const [, entries] = /^(?:scale-)?open-(\d+)$/.exec(id) ?? [];
        return entries === undefined
          ? []
          : cells.flatMap(({ contender, summaries }) =>
            point(contender, Number(entries), summaries["open"], MILLI)
          );
      }),
    },
    {
      name: "readers",
      title:
        "Milliseconds until one download has reached all its readers, by their number",
      linear: true,
      points: curve(results, "readers", "seconds", MILLI),
    },
    {
      name: "reader-memory",
      title:
        "MiB of memory that one download needs, by the number of its readers",
      linear: true,
      points: curve(results, "readers", "growth", PER_MIB),
    },
  ];
}

/**
 * A curve over the cells of a row with numbers as names, and over the largest
 * number of the row of `--only scale`.
 */
function curve(
  results: readonly RowResult[],
  id: string,
  measure: string,
  scale: number,
): Point[] {
  const cellsOf = (id: string) =>
    results.find((row) => row.id === id)?.cells ?? [];
  const cells = [...cellsOf(id), ...cellsOf(`scale-${id}`).slice(-1)];
  return cells.flatMap(({ contender, summaries }) => {
    const x = Number(contender.replaceAll(",", ""));
    return point(measure, x, summaries[measure], scale);
  });
}

function point(
  curve: string,
  x: number,
  summary: RowResult["cells"][number]["summaries"][string] | undefined,
  scale: number,
): Point[] {
  if (summary === undefined) return [];
  const { median, min, max } = summary;
  const [y, low, high] = [median * scale, min * scale, max * scale];
  return [{ curve, x, y, low, high }];
}

function svgOf({ title, points, linear = false }: Chart): string {
  // Its types are for browsers, and Deno's types lack theirs.
  const { document } = parseHTML("<body></body>") as unknown as {
    document: object;
  };
  const curves = [...new Set(points.map(({ curve }) => curve))];
  const x = { x: "x", stroke: "curve" };
  const svg = Plot.plot({
    document,
    ...{ width: 640, height: 320 },
    ...{ marginLeft: 60, marginRight: 36, marginTop: 60, marginBottom: 30 },
    style: { fontSize: "12px", background: "none" },
    x: {
      label: null,
      type: "log",
      // Values that are not a power of it get no number at their tick.
      base: linear ? 2 : 10,
      ticks: [...new Set(points.map(({ x }) => x))],
      tickFormat: digits,
    },
    y: {
      label: null,
      type: linear ? "linear" : "log",
      grid: true,
      ...(linear ? { zero: true } : { nice: true, ticks: 3 }),
      tickFormat: digits,
    },
    color: { domain: curves, range: COLORS },
    marks: [
      Plot.ruleX(points, { ...x, y1: "low", y2: "high", strokeOpacity: 0.5 }),
      Plot.line(points, { ...x, y: "y", strokeWidth: 2 }),
      Plot.dot(points, { x: "x", y: "y", fill: "curve", r: 3.5 }),
    ],
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.insertAdjacentHTML("afterbegin", headOf(title, curves));
  return `${svg.outerHTML}\n`;
}

/**
 * The title, the names of the curves, and colours for a light and a dark page.
 */
function headOf(title: string, curves: string[]): string {
  const names = curves.map((name, i) =>
    `<tspan dx="${i && 18}" fill="${COLORS[i]}">● ${name}</tspan>`
  );
  const legend = curves.length > 1
    ? `<text x="10" y="42" text-anchor="start">${names.join("")}</text>`
    : "";
  return `<title>${title}</title><style>
svg { color: #57606a; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { color: #adbac7; } }
</style><text x="10" y="20" font-size="14" font-weight="bold" text-anchor="start" fill="currentColor">${title}</text>${legend}`;
}
