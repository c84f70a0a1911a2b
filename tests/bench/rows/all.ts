/** All rows, in the order of the output. */
import type { Bench } from "../bench.ts";
import type { Row } from "../measurement.ts";
import { callsRow } from "./calls.ts";
import { downloadRows } from "./download.ts";
import { entryRows } from "./entries.ts";
import { idleRows } from "./idle.ts";
import { memoryRow } from "./memory.ts";
import { readerRows } from "./readers.ts";
import { remoteRows } from "./remote.ts";
import { serveRows } from "./serve.ts";
import { storeRows } from "./store.ts";

/** The rows. */
export function allRows(bench: Bench): Row[] {
  return [
    ...storeRows(bench),
    memoryRow(bench),
    ...downloadRows(bench),
    ...readerRows(bench),
    ...entryRows(bench),
    ...serveRows(bench),
    ...remoteRows(bench),
    ...idleRows(bench),
    callsRow(),
  ];
}
