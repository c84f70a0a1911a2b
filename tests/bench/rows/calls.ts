/** Calls of functions of `src`. */
import type { Cell, Row } from "../measurement.ts";
import { callsOf, totalOf } from "../ways/call_counts.ts";
import { OPERATIONS } from "../ways/operations.ts";

/** The row. V8 counts the same in each round. */
export function callsRow(): Row {
  return {
    id: "calls",
    title: "Calls of functions of src, and the files of these, per operation",
    note: "`./denow task ways` lists the files.",
    cells: Object.entries(OPERATIONS).map(([name, operation]): Cell => ({
      contender: operation.title,
      run: async () => {
        const counts = await callsOf(name);
        return {
          measures: {
            calls: totalOf(counts),
            files: counts.size,
            "calls-goal": operation.calls,
            "files-goal": operation.files,
          },
        };
      },
    })),
    columns: [
      { measure: "calls", title: "calls", unit: "count" },
      { measure: "calls-goal", title: "goal", unit: "count" },
      { measure: "files", title: "files", unit: "count" },
      { measure: "files-goal", title: "goal", unit: "count" },
    ],
    targets: [],
    rounds: 1,
  };
}
