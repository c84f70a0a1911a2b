/** Curves as SVG. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { digits } from "./table.ts";

/** A point of a curve, and the spread of its measurements. */
export interface Point {
  readonly curve: string;
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

/** Curves with a title. */
export interface Chart {
  /** Name of the file, without its suffix. */
  readonly name: string;
  readonly title: string;
  readonly points: readonly Point[];
  /**
   * "log": both axes; "linear": x by powers of two, y from 0; "steps": each x as far from
   * the next, y from 0.
   */
  readonly axes: "log" | "linear" | "steps";
  /** The text of a value of x; its digits by default. */
  readonly textOf?: (x: number) => string;
}

/** Between black and white, so that both light and dark pages show it. */
const COLORS = ["#2f81f7", "#d9730d", "#2da44e", "#a371f7"];

/** Draws a chart. */
export function svgOf({ title, points, axes, textOf = digits }: Chart): string {
  // Its types are for browsers, and Deno's types lack theirs.
  const { document } = parseHTML("<body></body>") as unknown as {
    document: object;
  };
  const curves = [...new Set(points.map(({ curve }) => curve))];
  const values = [...new Set(points.map(({ x }) => x))];
  const x = { x: "x", stroke: "curve" };
  const svg = Plot.plot({
    document,
    ...{ width: 640, height: 320 },
    ...{ marginLeft: 60, marginRight: 36, marginTop: 60, marginBottom: 30 },
    style: { fontSize: "12px", background: "none" },
    x: {
      label: null,
      ...(axes === "steps" ? { type: "point", domain: values } : {
        type: "log",
        // Values that are not a power of it get no number at their tick.
        base: axes === "linear" ? 2 : 10,
        ticks: values,
      }),
      tickFormat: textOf,
    },
    y: {
      label: null,
      type: axes === "log" ? "log" : "linear",
      grid: true,
      ...(axes === "log" ? { nice: true, ticks: 3 } : { zero: true }),
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
