/** A value for each column; undefined where there is none. */
export type Values = readonly (number | undefined)[];

/** A path of an SVG, and the class of its style. */
export interface ChartPath {
  /** Class of the style. */
  readonly className: string;
  /** Attribute `d` of the path. */
  readonly d: string;
}

/** Width of a column, in units of the picture. */
export const COLUMN_WIDTH = 10;

/** Height of the picture. */
export const HEIGHT = 100;

const GAP = 2;

/** Returns stacked bars, a path for each series. */
export function barPaths(series: readonly Values[], max: number): ChartPath[] {
  const floors: number[] = [];
  return series.map((values, n) => ({
    className: `series-${n + 1}`,
    d: values.map((value = 0, i) => {
      if (value <= 0 || max <= 0) return "";
      const floor = floors[i] ?? 0;
      floors[i] = floor + value;
      const x = i * COLUMN_WIDTH + GAP / 2;
      const width = COLUMN_WIDTH - GAP;
      const top = round(HEIGHT - scale(floor + value, max));
      return `M${x} ${top}h${width}v${scale(value, max)}h${-width}z`;
    }).join(""),
  }));
}

/**
 * Returns levels: the first series filled to the bottom, further series as
 * lines.
 */
export function levelPaths(
  series: readonly Values[],
  max: number,
): ChartPath[] {
  return series.map((values, n) =>
    n === 0
      ? { className: "series-1", d: area(values, max) }
      : { className: `line line-${n + 1}`, d: line(values, max) }
  );
}

function area(values: Values, max: number): string {
  return values.map((value, i) => {
    if (value === undefined || max <= 0) return "";
    const height = scale(value, max);
    return `M${
      i * COLUMN_WIDTH
    } ${HEIGHT}v${-height}h${COLUMN_WIDTH}v${height}z`;
  }).join("");
}

function line(values: Values, max: number): string {
  if (max <= 0) return "";
  return values.map((value = 0, i) => {
    const y = round(HEIGHT - scale(value, max));
    return `${i === 0 ? `M0 ${y}` : `V${y}`}h${COLUMN_WIDTH}`;
  }).join("");
}

function scale(value: number, max: number): number {
  return round(value / max * HEIGHT);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
