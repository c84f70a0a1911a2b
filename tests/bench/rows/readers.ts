/** Many callers at once. */
import { type Bench, cell, MIB } from "../bench.ts";
import type { Column, Row } from "../measurement.ts";

const COLUMNS: readonly Column[] = [
  { measure: "seconds", title: "until done", unit: "time" },
  { measure: "growth", title: "memory grew", unit: "bytes" },
  { measure: "complete", title: "whole bodies", unit: "count" },
  { measure: "downloads", title: "downloads", unit: "count" },
  { measure: "digests", title: "different digests", unit: "count" },
];

/** The rows. */
export function readerRows(bench: Bench): Row[] {
  const mib = bench.quick ? 8 : 64;
  const rounds = bench.quick ? 1 : 3;
  const shape = { size: mib * MIB, warmUp: mib * MIB };
  const readers = bench.quick ? [1, 16, 64] : [1, 4, 16, 64, 256, 1000];
  const others = bench.quick ? 19 : 99;
  return [
    {
      id: "readers",
      title: `${mib} MiB: readers of one download, all from its start`,
      cells: readers.map((callers) => ({
        ...cell(bench, callers.toLocaleString("en"), "share", {
          ...shape,
          ...{ callers, stalled: false, joining: false },
        }),
        ...(callers > 256 && { rounds: 1 }),
      })),
      columns: COLUMNS.slice(0, 4),
      targets: [],
      rounds,
    },
    {
      id: "joining",
      title: `${mib} MiB: callers all along one download, with their digests`,
      cells: [false, true].map((stalled) =>
        cell(bench, `${others}${stalled ? " + 1 stalled" : ""}`, "share", {
          ...shape,
          ...{ callers: others, stalled, joining: true },
        })
      ),
      columns: COLUMNS,
      targets: [],
      rounds,
    },
    {
      id: "many-hits",
      title: "10 KiB: hits of 1,000 entries, all at once",
      cells: (bench.quick ? [1000] : [1000, 10_000]).map((count) =>
        cell(bench, count.toLocaleString("en"), "hits", {
          ...{ entries: bench.quick ? 100 : 1000, size: 10_240, count },
        })
      ),
      columns: COLUMNS.slice(0, 3),
      targets: [],
      rounds,
    },
  ];
}
