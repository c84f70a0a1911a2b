/** The cost of the number of entries. */
import { type Bench, cell, MIB, NAMES } from "../bench.ts";
import {
  copyDirectory,
  directoryOf,
  ENTRY_BYTES,
  leaveEntriesAlone,
} from "../directories.ts";
import { entryUrl } from "../jobs/fill.ts";
import type { Cell, Row } from "../measurement.ts";
import { original } from "../python.ts";
import { deno } from "../work.ts";
import { atMost, compare } from "./targets.ts";

/** The names of the two ways to open a directory. */
export const CLOSED = "as left by a clean close";
export const ALONE = "from sidecars alone";

/** The numbers of entries; `million` takes minutes to fill. */
function numbers({ quick }: Bench) {
  return quick
    ? { small: 500, middle: [], large: 1000, million: 2000 }
    : { small: 1000, middle: [10_000], large: 100_000, million: 1_000_000 };
}

/** The rows. */
export function entryRows(bench: Bench): Row[] {
  const { small, middle, large, million } = numbers(bench);
  const fewer = bench.quick ? 1 : 3;
  const onRequest = (row: Row): Row => ({
    ...row,
    id: `scale-${row.id}`,
    onRequest: !bench.quick,
  });
  return [
    ...[small, ...middle, large].map((entries) => openRow(bench, entries)),
    firstStoreRow(bench, large),
    entriesRow(bench, [small, ...middle, large]),
    holdRow(bench, large),
    onRequest({ ...openRow(bench, million), rounds: fewer }),
    onRequest({ ...firstStoreRow(bench, million), targets: [], rounds: fewer }),
    onRequest(entriesRow(bench, [small, million])),
  ];
}

function openRow(bench: Bench, entries: number): Row {
  const counted = nameOf(entries);
  const work = { entries, url: entryUrl(0), job: "open" };
  return {
    id: `open-${entries}`,
    title: `${counted} entries: open, and look up an entry`,
    cells: [
      {
        contender: CLOSED,
        run: async () =>
          await deno({ ...work, dir: await directoryOf(bench, entries) }),
      },
      {
        contender: ALONE,
        run: async () => {
          const dir = await directoryOf(bench, entries);
          await leaveEntriesAlone(dir);
          return await deno({ ...work, dir });
        },
      },
      {
        contender: NAMES.original,
        run: async () => {
          const dir = await directoryOf(bench, entries);
          return await original(bench.python, { ...work, dir });
        },
      },
    ],
    columns: [
      { measure: "open", title: "open", unit: "time" },
      { measure: "whole", title: "until all are listed", unit: "time" },
      { measure: "close", title: "close", unit: "time" },
      { measure: "rss", title: "RSS per entry", unit: "bytes" },
      { measure: "heap", title: "heap per entry", unit: "bytes" },
    ],
    targets: entries !== numbers(bench).large ? [] : [
      atMost(25, "ms", `open ${counted} entries with the index`, [
        CLOSED,
        "open",
      ]),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}

function firstStoreRow(bench: Bench, entries: number): Row {
  const counted = nameOf(entries);
  const contender = "with the index";
  return {
    id: "first-store",
    title: `${counted} entries: open, then evict one and store another`,
    cells: [{
      contender,
      run: async () => {
        const dir = await directoryOf(bench, entries);
        // The entry that others look up must not be the one that is evicted.
        await deno({ job: "open", dir, entries, url: entryUrl(0) });
        return await deno({
          ...{ job: "first_store", dir, entries, size: ENTRY_BYTES },
        });
      },
    }],
    columns: [
      { measure: "open", title: "open", unit: "time" },
      { measure: "store", title: "first store", unit: "time" },
    ],
    targets: [
      atMost(20, "ms", `first store into ${counted} entries, with eviction`, [
        contender,
        "store",
      ]),
    ],
    rounds: bench.quick ? 1 : 5,
  };
}

/** Compares the last of these numbers with the first. */
function entriesRow(bench: Bench, all: readonly number[]): Row {
  const [small = NaN, large = NaN] = [all[0], all.at(-1)];
  const measures = ["get", "put", "evict"];
  return {
    id: "entries",
    title: "get, put, and put that evicts, by the number of entries",
    cells: all.map((entries): Cell => ({
      contender: nameOf(entries),
      run: async () =>
        await deno({
          ...{ job: "scale", dir: await directoryOf(bench, entries), entries },
          ...{ size: ENTRY_BYTES, warmUp: bench.quick ? 20 : 200 },
          count: bench.quick ? 50 : 500,
        }),
    })),
    columns: measures.map((measure) => ({
      measure,
      title: measure,
      unit: "time",
    })),
    targets: measures.map((measure) =>
      compare({
        what: `time of ${measure} at ${nameOf(large)} entries`,
        ...{ measure, ours: nameOf(large), other: nameOf(small) },
      }, { atMost: 2 })
    ),
    rounds: bench.quick ? 1 : 5,
  };
}

function holdRow(bench: Bench, entries: number): Row {
  const mib = bench.quick ? 16 : 512;
  const held = (contender: string, what: string) =>
    cell(bench, contender, "hold", { what, size: mib * MIB });
  const ofEntries = async (what: string, dir: string) =>
    await deno({ job: "hold", what, dir, origin: "", size: 0 });
  const fetched = `${NAMES.bare_fetch} of ${mib} MiB`;
  const works = [
    held(`miss of ${mib} MiB`, "miss"),
    {
      contender: `evict ${nameOf(entries)} entries`,
      run: async (copy: string) => {
        await copyDirectory(await directoryOf(bench, entries), copy);
        // Its files are not the files that the index describes.
        const url = entryUrl(0);
        await deno({ job: "open", dir: copy, entries, url });
        return await ofEntries("evict", copy);
      },
    },
    {
      contender: `open ${nameOf(entries)} entries`,
      run: async () => {
        const dir = await directoryOf(bench, entries);
        return await ofEntries("open", dir);
      },
    },
  ];
  return {
    id: "hold",
    title: "Longest holds of the event loop",
    cells: [held(fetched, "fetch"), ...works],
    columns: [
      { measure: "longest", title: "longest", unit: "time" },
      { measure: "p999", title: "p99.9", unit: "time" },
      { measure: "seconds", title: "total", unit: "time" },
    ],
    targets: works.map(({ contender }) =>
      atMost(
        1,
        "ms",
        `hold of the event loop at p99.9, ${contender}, above ${fetched}`,
        [contender, "p999"],
        [fetched, "p999"],
      )
    ),
    rounds: bench.quick ? 1 : 5,
  };
}

function nameOf(entries: number): string {
  return entries.toLocaleString("en");
}
