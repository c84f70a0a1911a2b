/** Misses: bodies that are fetched, passed on and stored. */
import {
  type Bench,
  cell,
  cells,
  type ContenderFile,
  FLOOR,
  MIB,
  NAMES,
} from "../bench.ts";
import type { Row } from "../measurement.ts";
import { atMost, compare, compareBoth } from "./targets.ts";

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
  const mib = bench.quick ? 32 : 512;
  const size = mib * MIB;
  const comparison = { what: `miss of ${mib} MiB`, measure: "miss" };
  return {
    id: "miss",
    title: `${mib} MiB: a miss over loopback HTTP, read and stored`,
    cells: cells(bench, "miss", contenders, {
      size,
      warmUp: (bench.quick ? 4 : 32) * MIB,
    }),
    columns: [{ measure: "miss", title: "speed", unit: { bytesPerOp: size } }],
    targets: [
      compare({ ...comparison, other: NAMES.bare_fetch }, { atLeast: 0.62 }),
      compare({ ...comparison, other: FLOOR }, { atLeast: 0.95 }),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}

/** The cells of memory that tables name. */
export const MEMORY = {
  one: "1 reader",
  many: "16 readers, one stalled",
  fetch: NAMES.bare_fetch,
} as const;

/** Readers of one download, of which one may stall until the others end. */
function memoryRow(bench: Bench): Row {
  const mib = bench.quick ? 64 : 1024;
  const work = { size: mib * MIB, warmUp: (bench.quick ? 16 : 128) * MIB };
  const share = { ...work, joining: false };
  const what = `peak RSS of a miss of ${mib} MiB`;
  return {
    id: "miss-memory",
    title: `${mib} MiB: peak of resident memory above a warm-up download`,
    cells: [
      cell(bench, MEMORY.one, "share", {
        ...share,
        ...{ callers: 1, stalled: false },
      }),
      cell(bench, MEMORY.many, "share", {
        ...share,
        ...{ callers: 15, stalled: true },
      }),
      cell(bench, MEMORY.fetch, "fetch_memory", work),
    ],
    columns: [
      { measure: "growth", title: "growth", unit: "bytes" },
      {
        measure: "growth-at-end",
        title: "after the stalled reader has read on",
        unit: "bytes",
      },
    ],
    targets: [
      atMost(
        16,
        "MiB",
        `${what}, ${MEMORY.one}, above ${MEMORY.fetch}`,
        [MEMORY.one, "growth"],
        [MEMORY.fetch, "growth"],
      ),
      atMost(64, "MiB", `${what}, ${MEMORY.many}`, [MEMORY.many, "growth"]),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}

function firstByteRow(bench: Bench): Row {
  const contenders: ContenderFile[] = [
    "ours",
    "web_cache",
    "bare_pairs",
    "bare_fetch",
  ];
  const what = "first byte of a 64 KiB miss";
  const measure = "first-byte";
  const rate = { atLeast: 0.7 };
  return {
    id: "first-byte",
    title: "64 KiB: first byte of a miss",
    cells: cells(bench, "first_byte", contenders, {
      size: 65_536,
      count: bench.quick ? 50 : 500,
      warmUp: bench.quick ? 10 : 200,
    }),
    columns: [
      { measure, title: "first byte", unit: "time" },
      { measure: `${measure}-16`, title: "first byte ×16", unit: "time" },
    ],
    targets: [
      ...compareBoth(
        { what: `time to the ${what}`, measure, other: NAMES.bare_fetch },
        { atMost: 2.2 },
        { atMost: 2.4 },
      ),
      ...compareBoth({ what, measure, other: NAMES.web_cache }, rate, rate),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}
