/** Bodies that are in memory. */
import { type Bench, cell, cells, NAMES, OURS } from "../bench.ts";
import type { Row } from "../measurement.ts";
import { compare } from "./targets.ts";

/** The row. */
export function memoryRow(bench: Bench): Row {
  const options = {
    size: 10_240,
    entries: 64,
    count: bench.quick ? 5000 : 200_000,
  };
  // Between two looks at an entry pass more than the 20 ms for which it holds.
  const spread = bench.quick
    ? { ...options, entries: 500 }
    : { ...options, entries: 20_000, count: 40_000 };
  const many = spread.entries.toLocaleString("en");
  return {
    id: "memory-hit",
    title: "10 KiB: hit in memory",
    cells: [
      cell(bench, OURS, "memory", options),
      {
        ...cell(bench, `${OURS}, spread over ${many}`, "memory", spread),
        rounds: 3,
      },
      ...cells(bench, "memory", ["original"], options),
    ],
    columns: [
      { measure: "get", title: "get()", unit: "time" },
      { measure: "bytes", title: "with its bytes", unit: "time" },
    ],
    targets: [
      compare({
        what: "get() of a hit in memory, looked at within 20 ms",
        measure: "get",
        other: NAMES.original,
      }, { atLeast: 3 }),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}
