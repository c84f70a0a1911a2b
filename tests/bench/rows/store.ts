/** Bodies put, and read from disk. */
import { type Bench, cells, type ContenderFile, MIB, NAMES } from "../bench.ts";
import type { Column, Row } from "../measurement.ts";
import type { Target } from "../verdict.ts";
import { timesFaster } from "./targets.ts";

const CONTENDERS: readonly ContenderFile[] = [
  "ours",
  "original",
  "web_cache",
  "cacache",
  "undici",
  "node_fetch_cache",
  "bare_pairs",
  "bare_files",
  "bare_fetch",
];

const NOTE =
  `${NAMES.undici}, ${NAMES.node_fetch_cache} and ${NAMES.bare_fetch} fetch the bodies that they put over loopback HTTP; ` +
  `${NAMES.bare_files} and ${NAMES.bare_fetch} are floors, ${NAMES.bare_pairs} is the floor of files such as ours.`;

interface Size {
  readonly id: string;
  readonly title: string;
  readonly size: number;
  readonly count: { readonly quick: number; readonly full: number };
  readonly warmUp: { readonly quick: number; readonly full: number };
  readonly targets: readonly Target[];
}

const SIZES: readonly Size[] = [
  {
    id: "10k",
    title: "10 KiB",
    size: 10_240,
    count: { quick: 200, full: 2000 },
    warmUp: { quick: 50, full: 200 },
    targets: [
      ...targets("10 KiB", "put", 8, 8, 8),
      ...targets("10 KiB", "hit", 15, 15, 20),
    ],
  },
  {
    id: "256k",
    title: "256 KiB",
    size: 262_144,
    count: { quick: 80, full: 500 },
    warmUp: { quick: 10, full: 50 },
    targets: [
      ...targets("256 KiB", "put", 6, 6, 6),
      ...targets("256 KiB", "hit", 3, 6, 8),
    ],
  },
  {
    id: "8m",
    title: "8 MiB",
    size: 8 * MIB,
    count: { quick: 4, full: 16 },
    warmUp: { quick: 1, full: 2 },
    targets: [
      ...targets("8 MiB", "put", 7, 7, 7),
      timesFaster("hit of 8 MiB, BYOB reader", "byob", "original", 1.2),
      timesFaster("hit of 8 MiB, default reader", "reader", "original", 0.9),
      timesFaster("hit of 8 MiB, BYOB reader", "byob", "web_cache", 5),
      timesFaster("hit of 8 MiB, default reader", "reader", "web_cache", 5),
    ],
  },
];

function targets(
  title: string,
  measure: "put" | "hit",
  ...[original, webCache, cacache]: [number, number, number]
): Target[] {
  const what = measure === "put" ? `put ${title}` : `disk hit of ${title}`;
  return [
    timesFaster(what, measure, "original", original),
    timesFaster(what, measure, "web_cache", webCache),
    timesFaster(what, measure, "cacache", cacache),
  ];
}

/** The rows. */
export function storeRows(bench: Bench): Row[] {
  const kind = bench.quick ? "quick" : "full";
  return SIZES.map(({ id, title, size, count, warmUp, targets }) => {
    const streams = size > MIB;
    const ways = streams ? ["byob", "reader"] : ["hit"];
    const measures = ["put", ...ways];
    return {
      id: `store-${id}`,
      title: `${title}: put, and hit from disk`,
      note: NOTE,
      cells: cells(bench, "store", CONTENDERS, {
        size,
        streams,
        seconds: bench.quick ? 0.3 : 2,
        count: count[kind],
        warmUp: warmUp[kind],
      }),
      columns: measures.flatMap((measure): Column[] => [
        { measure, title: `${measure}/s`, unit: "rate" },
        { measure: `${measure}-16`, title: `${measure}/s ×16`, unit: "rate" },
      ]),
      targets,
      rounds: bench.quick ? 1 : 5,
    };
  });
}
