/** The cost of an idle cache. */
import { fromFileUrl } from "@std/path";
import { BARE_DENO, type Bench, cell, OURS } from "../bench.ts";
import type { Row } from "../measurement.ts";
import { startServer } from "../server.ts";
import { deno, denoCommand } from "../work.ts";

const HOLDER = fromFileUrl(new URL("../holder.ts", import.meta.url));

/** The rows. */
export function idleRows(bench: Bench): Row[] {
  return [idleMemoryRow(bench), secondProcessRow(bench)];
}

function idleMemoryRow(bench: Bench): Row {
  return {
    id: "idle-memory",
    title: "Resident memory of a process that does nothing",
    cells: [
      cell(bench, BARE_DENO, "idle", {}),
      cell(bench, "an empty cache, open", "idle", {
        module: "@media-cache/media-cache",
      }),
    ],
    columns: [{ measure: "rss", title: "RSS", unit: "bytes" }],
    targets: [],
    rounds: bench.quick ? 1 : 3,
  };
}

function secondProcessRow(bench: Bench): Row {
  const work = {
    ...{ job: "store", contender: "ours", origin: bench.origin, size: 10_240 },
    ...{ streams: false, seconds: 1.5, count: bench.quick ? 80 : 1000 },
    ...{ warmUp: 200, warmHits: 200 },
  };
  return {
    id: "second-process",
    title: "10 KiB: one process alone, and beside an idle process",
    cells: [
      { contender: `${OURS}, alone`, run: (dir) => deno({ ...work, dir }) },
      {
        contender: `${OURS}, with a second process`,
        run: async (dir) => {
          await using _second = await startServer(denoCommand(HOLDER, dir));
          return await deno({ ...work, dir });
        },
      },
    ],
    columns: [
      { measure: "put", title: "put", unit: "time" },
      { measure: "hit", title: "hit", unit: "time" },
    ],
    targets: [],
    rounds: bench.quick ? 1 : 3,
  };
}
