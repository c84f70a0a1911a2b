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
import { timesFaster, timesSlower } from "./targets.ts";

/** The names of the two ways to open a directory. */
const CLOSED = "as left by a clean close";
const ALONE = "from sidecars alone";

/**
 * The numbers of entries: first those that targets compare, then the others.
 */
function numbers({ quick }: Bench): {
  small: number;
  large: number;
  all: number[];
} {
  return quick
    ? { small: 1000, large: 4000, all: [1000, 4000] }
    : { small: 1000, large: 100_000, all: [1000, 10_000, 100_000, 1_000_000] };
}

/** The rows. */
export function entryRows(bench: Bench): Row[] {
  const { all } = numbers(bench);
  return [
    ...all.map((entries) => openRow(bench, entries)),
    firstStoreRow(bench),
    scaleRow(bench),
    holdRow(bench),
  ];
}

function openRow(bench: Bench, entries: number): Row {
  const { large } = numbers(bench);
  const counted = entries.toLocaleString("en");
  const work = { entries, url: entryUrl(0), job: "open" };
  const what = `open with ${counted} entries`;
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
    targets: entries !== large ? [] : [
      timesFaster(what, "open", { ours: CLOSED, other: "original" }, 100),
      timesFaster(what, "open", { ours: ALONE, other: "original" }, 2.5),
    ],
    rounds: bench.quick ? 1 : entries > large ? 2 : 5,
  };
}

function firstStoreRow(bench: Bench): Row {
  const { large: entries } = numbers(bench);
  const counted = entries.toLocaleString("en");
  const url = entryUrl(0);
  // The entry that others look up must not be the one that is evicted.
  const opened = async () => {
    const dir = await directoryOf(bench, entries);
    await deno({ job: "open", dir, entries, url });
    return dir;
  };
  const store = async (dir: string) =>
    await deno({ job: "first_store", dir, entries, size: ENTRY_BYTES });
  return {
    id: "first-store",
    title: `${counted} entries: open, evict one, and store another`,
    cells: [
      { contender: CLOSED, run: async () => await store(await opened()) },
      {
        contender: ALONE,
        run: async () => {
          const dir = await opened();
          await leaveEntriesAlone(dir);
          return await store(dir);
        },
      },
    ],
    columns: [{ measure: "store", title: "until stored", unit: "time" }],
    targets: [],
    rounds: bench.quick ? 1 : 5,
  };
}

function scaleRow(bench: Bench): Row {
  const { small, large, all } = numbers(bench);
  const name = (entries: number) => entries.toLocaleString("en");
  const compared = { ours: name(large), other: name(small) };
  return {
    id: "entries",
    title: "get, put, and put that evicts, by the number of entries",
    cells: all.map((entries): Cell => ({
      contender: name(entries),
      ...(entries > large && { rounds: 2 }),
      run: async () =>
        await deno({
          ...{ job: "scale", dir: await directoryOf(bench, entries), entries },
          ...{ size: ENTRY_BYTES, warmUp: bench.quick ? 20 : 200 },
          count: bench.quick ? 50 : 500,
        }),
    })),
    columns: ["get", "put", "evict"].map((measure) => ({
      measure,
      title: measure,
      unit: "time",
    })),
    targets: ["get", "put", "evict"].map((measure) =>
      timesSlower(`${measure} at ${name(large)} entries`, measure, compared, 3)
    ),
    rounds: bench.quick ? 1 : 5,
  };
}

function holdRow(bench: Bench): Row {
  const { large } = numbers(bench);
  const mib = bench.quick ? 32 : 512;
  const held = (contender: string, what: string) =>
    cell(bench, contender, "hold", { what, size: mib * MIB });
  const withEntries = (
    name: string,
    what: string,
    use: (dir: string, copy: string) => Promise<string>,
  ): Cell => ({
    contender: `${name} ${large.toLocaleString("en")} entries`,
    run: async (copy) => {
      const dir = await use(await directoryOf(bench, large), copy);
      return await deno({ job: "hold", what, dir, origin: "", size: 0 });
    },
  });
  const copied = async (dir: string, copy: string) => {
    await copyDirectory(dir, copy);
    return copy;
  };
  // Its files are not the files that the index describes.
  const indexed = async (dir: string, copy: string) => {
    await copied(dir, copy);
    const url = entryUrl(0);
    await deno({ job: "open", dir: copy, entries: large, url });
    return copy;
  };
  return {
    id: "hold",
    title: "Longest holds of the event loop",
    cells: [
      held("nothing", "nothing"),
      held(`bare fetch of ${mib} MiB`, "fetch"),
      held(`miss of ${mib} MiB`, "miss"),
      withEntries("open after a clean close,", "open", indexed),
      withEntries("open a copy of", "open", copied),
      withEntries("open from sidecars alone,", "open", async (dir, copy) => {
        await copied(dir, copy);
        await leaveEntriesAlone(copy);
        return copy;
      }),
      withEntries("evict", "evict", indexed),
      withEntries("clear", "clear", indexed),
    ],
    columns: [
      { measure: "longest", title: "longest", unit: "time" },
      { measure: "p999", title: "p99.9", unit: "time" },
      { measure: "seconds", title: "total", unit: "time" },
    ],
    targets: [],
    rounds: bench.quick ? 1 : 3,
  };
}
