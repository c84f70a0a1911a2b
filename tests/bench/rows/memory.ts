/** Bodies that are in memory. */
import { type Bench, cell, cells, OURS } from "../bench.ts";
import type { Row } from "../measurement.ts";
import { timesFaster } from "./targets.ts";

/** The row. */
export function memoryRow(bench: Bench): Row {
  const options = {
    size: 10_240,
    entries: 64,
    count: bench.quick ? 20_000 : 200_000,
  };
  return {
    id: "memory-hit",
    title: "10 KiB: hit in memory",
    cells: [
      cell(bench, OURS, "memory", options),
      ...cells(bench, "memory", ["original"], options),
    ],
    columns: [
      { measure: "get", title: "get()", unit: "time" },
      { measure: "bytes", title: "with its bytes", unit: "time" },
    ],
    targets: [timesFaster("memory hit, get()", "get", "original", 5)],
    rounds: bench.quick ? 1 : 5,
  };
}
