/** Bodies put, and read from disk. */
import {
  type Bench,
  cells,
  type ContenderFile,
  FLOOR,
  limitedCells,
  MIB,
  NAMES,
} from "../bench.ts";
import type { Column, Row } from "../measurement.ts";
import type { Target } from "../verdict.ts";
import { compare, compareBoth } from "./targets.ts";

const CONTENDERS: readonly ContenderFile[] = [
  "ours",
  "original",
  "web_cache",
  "cacache",
  "undici",
  "node_fetch_cache",
  "bare_pairs",
];

const NOTE =
  `${NAMES.undici} and ${NAMES.node_fetch_cache} fetch the bodies that they put over loopback HTTP; ` +
  `${FLOOR} is the floor of files such as ours.`;

const LIMITED_NOTE =
  " With limited permissions both lie in the temporary folder: " +
  "Deno opens nothing in /dev/shm then.";

interface Size {
  readonly id: string;
  readonly title: string;
  readonly size: number;
  readonly count: number;
  /** Unmeasured bodies: more than the 64 that memory keeps, where it may. */
  readonly warmUp: number;
  readonly warmHits: number;
  readonly targets: readonly Target[];
}

const SIZES: readonly Size[] = [
  {
    id: "10k",
    title: "10 KiB",
    size: 10_240,
    count: 2000,
    warmUp: 200,
    warmHits: 4000,
    targets: [
      ...floor("put 10 KiB", "put", 0.85, 0.7),
      ...floor("hit of 10 KiB", "hit", 0.7, 0.75),
      ...webCache("put 10 KiB", "put"),
      ...webCache("hit of 10 KiB", "hit"),
    ],
  },
  {
    id: "256k",
    title: "256 KiB",
    size: 262_144,
    count: 500,
    warmUp: 80,
    warmHits: 200,
    targets: [
      ...floor("put 256 KiB", "put", 0.95, 0.95),
      ...floor("hit of 256 KiB", "hit", 0.95, 0.65),
      ...webCache("put 256 KiB", "put"),
      ...webCache("hit of 256 KiB", "hit"),
    ],
  },
  {
    id: "8m",
    title: "8 MiB",
    size: 8 * MIB,
    count: 16,
    warmUp: 2,
    warmHits: 16,
    targets: [
      ...floor("put 8 MiB", "put", 0.95),
      ...floor("hit of 8 MiB, BYOB reader", "byob", 0.95),
      ...floor("hit of 8 MiB, default reader", "reader", 0.95),
      compare({
        what: "bytes() of 8 MiB from disk",
        measure: "bytes",
        other: NAMES.original,
      }, { atLeast: 0.75 }),
      ...webCache("put 8 MiB", "put"),
      ...webCache("hit of 8 MiB, BYOB reader", "byob"),
      ...webCache("hit of 8 MiB, default reader", "reader"),
    ],
  },
];

/** The least shares of the floor's rate: one at a time, and 16 in flight. */
function floor(
  what: string,
  measure: string,
  one: number,
  many?: number,
): Target[] {
  const comparison = { what, measure, other: FLOOR };
  return many === undefined
    ? [compare(comparison, { atLeast: one })]
    : compareBoth(comparison, { atLeast: one }, { atLeast: many });
}

function webCache(what: string, measure: string): Target[] {
  const limit = { atLeast: 1.2 };
  return compareBoth({ what, measure, other: NAMES.web_cache }, limit, limit);
}

/** The rows. */
export function storeRows(bench: Bench): Row[] {
  return SIZES.map(({ id, title, size, targets, ...numbers }): Row => {
    const streams = size > MIB;
    const { count, warmUp, warmHits } = numbers;
    const work = {
      ...{ size, streams },
      // Memory would answer the second round of hits on fewer bodies.
      warmUp: bench.quick && !streams ? 80 : warmUp,
      ...(bench.quick
        ? { seconds: 0.1, count: streams ? 4 : 80, warmHits: 2 }
        : { seconds: 1.5, count, warmHits }),
    };
    const measures = streams
      ? ["put", "byob", "reader", "bytes"]
      : ["put", "hit"];
    return {
      id: `store-${id}`,
      title: `${title}: put, and hit from disk`,
      note: streams ? NOTE : NOTE + LIMITED_NOTE,
      cells: [
        ...cells(bench, "store", CONTENDERS, work),
        // The check of a path is too short to show beside long bodies.
        ...(streams
          ? []
          : limitedCells(bench, "store", ["ours", "bare_pairs"], work)),
      ],
      columns: measures.flatMap((measure): Column[] => [
        { measure, title: `${measure}/s`, unit: "rate" },
        { measure: `${measure}-16`, title: `${measure}/s ×16`, unit: "rate" },
      ]),
      targets,
      rounds: bench.quick ? 1 : 5,
    };
  });
}
