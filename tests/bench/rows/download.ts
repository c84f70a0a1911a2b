/** Misses: bodies that are fetched, passed on and stored. */
import {
  type Bench,
  cell,
  cells,
  type ContenderFile,
  MIB,
  NAMES,
  OURS,
} from "../bench.ts";
import type { Cell, Row } from "../measurement.ts";
import type { Target } from "../verdict.ts";
import {
  mebibytes,
  mebibytesMore,
  timesFaster,
  timesSlower,
} from "./targets.ts";

/** The rows. */
export function downloadRows(bench: Bench): Row[] {
  return [missRow(bench), memoryRow(bench), firstByteRow(bench)];
}

function missRow(bench: Bench): Row {
  const contenders: ContenderFile[] = [
    "ours",
    "original",
    "web_cache",
    "undici",
    "node_fetch_cache",
    "bare_pairs",
    "bare_fetch",
  ];
  const mib = bench.quick ? 64 : 512;
  const what = `miss of ${mib} MiB`;
  const size = mib * MIB;
  return {
    id: "miss",
    title: `${mib} MiB: a miss over loopback HTTP, read and stored`,
    cells: cells(bench, "miss", contenders, {
      size,
      warmUp: (bench.quick ? 4 : 32) * MIB,
    }),
    columns: [{ measure: "miss", title: "speed", unit: { bytesPerOp: size } }],
    targets: [
      timesFaster(what, "miss", "bare_fetch", 0.85),
      timesFaster(what, "miss", "original", 3),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}

/** Callers of one download; another caller may stall beside them. */
function memoryRow(bench: Bench): Row {
  const [small, large] = bench.quick ? [16, 128] : [128, 1024];
  const warmUp = (bench.quick ? 16 : 128) * MIB;
  const rowCells: Cell[] = [];
  const targets: Target[] = [];
  for (const callers of [1, 16]) {
    for (const stalled of [false, true]) {
      const who = `${callers} reader${callers > 1 ? "s" : ""}` +
        (stalled ? " + 1 stalled" : "");
      const name = (mib: number) => `${who}, ${mib} MiB`;
      for (const mib of [small, large]) {
        rowCells.push(cell(bench, name(mib), "share", {
          ...{ size: mib * MIB, warmUp, callers, stalled, joining: false },
        }));
        const what = `peak RSS of a miss, ${name(mib)}`;
        targets.push(mebibytes(what, "growth", name(mib), 64));
      }
      const sizes = { more: name(large), less: name(small) };
      const what = `peak RSS of a miss, ${who}: ${large} over ${small} MiB`;
      targets.push(mebibytesMore(what, "growth", sizes, 16));
    }
  }
  for (const mib of [small, large]) {
    const name = `${NAMES.bare_fetch}, ${mib} MiB`;
    const options = { size: mib * MIB, warmUp };
    rowCells.push(cell(bench, name, "fetch_memory", options));
  }
  return {
    id: "miss-memory",
    title: "Peak of resident memory above its level after a warm-up download",
    cells: rowCells,
    columns: [
      { measure: "growth", title: "growth", unit: "bytes" },
      {
        measure: "growth-at-end",
        title: "after the stalled reader has read on",
        unit: "bytes",
      },
    ],
    targets,
    rounds: bench.quick ? 1 : 3,
  };
}

function firstByteRow(bench: Bench): Row {
  const contenders: ContenderFile[] = [
    "ours",
    "web_cache",
    "bare_pairs",
    "bare_fetch",
  ];
  const of = { ours: OURS, other: NAMES.bare_fetch };
  return {
    id: "first-byte",
    title: "64 KiB: first byte of a miss",
    cells: cells(bench, "first_byte", contenders, {
      size: 65_536,
      count: bench.quick ? 100 : 500,
      warmUp: bench.quick ? 50 : 200,
    }),
    columns: [
      { measure: "first-byte", title: "first byte", unit: "time" },
      { measure: "first-byte-16", title: "first byte ×16", unit: "time" },
    ],
    targets: [
      timesSlower("first byte of a 64 KiB miss", "first-byte", of, 1.3),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}
