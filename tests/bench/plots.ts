/** The plots of the scaling curves. */
import { join } from "@std/path";
import { type Chart, type Point, svgOf } from "./chart.ts";
import type { RowResult } from "./measurement.ts";

const MILLI = 1e3;
const PER_MIB = 1 / 2 ** 20;

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
      axes: "log",
      points: measured.flatMap((measure) =>
        curve(results, "entries", measure, MILLI)
      ),
    },
    {
      name: "open",
      title: "Milliseconds to open a directory, by the number of entries",
      axes: "log",
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
      axes: "linear",
      points: curve(results, "readers", "seconds", MILLI),
    },
    {
      name: "reader-memory",
      title:
        "MiB of memory that one download needs, by the number of its readers",
      axes: "linear",
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
