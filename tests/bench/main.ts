/**
 * Measures this package and its rivals with the same work, by turns, each time
 * in a fresh process and a fresh directory.
 *
 *     ./denow task bench --help
 */
// deno-lint-ignore-file no-console
import { fromFileUrl, join } from "@std/path";
import type { Bench } from "./bench.ts";
import { MIB } from "./bench.ts";
import { checkOut, compared } from "./earlier.ts";
import { machineFacts } from "./machine.ts";
import type { RowResult } from "./measurement.ts";
import { HELP, type Options, parseOptions } from "./options.ts";
import { makePlace, touchMemory } from "./place.ts";
import { drawPlots } from "./plots.ts";
import { findPython } from "./python.ts";
import { RemoteEngine } from "./remote_engine.ts";
import { writeReadmes } from "./readme.ts";
import { allRows } from "./rows/all.ts";
import { runRow } from "./runner.ts";
import { startServer } from "./server.ts";
import { rowTable, targetTable } from "./table.ts";
import { isProven } from "./verdict.ts";
import { denoCommand, interruption } from "./work.ts";

const options = readOptions(Deno.args);
const { quick, strict, only, against } = options;
await using cleanUp = new AsyncDisposableStack();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    // A worker that goes on would write into the folder while it is removed, and
    // gigabytes in shared memory would stay until the machine restarts.
    interruption.abort();
    await cleanUp.disposeAsync().catch(console.error);
    Deno.exit(130);
  });
}
const place = cleanUp.use(await makePlace(options.dir));
const origin = cleanUp.use(
  await startServer(
    denoCommand(fromFileUrl(import.meta.resolve("./origin.ts")), ""),
  ),
);
const python = await findPython({ install: !quick });
const engine = cleanUp.use(
  new RemoteEngine(quick ? "memstore" : "bluestore"),
);
const bench: Bench = {
  ...{ quick, python, engine },
  ...{ dir: place.path, origin: origin.origin },
};
const chosen = allRows(bench).filter(({ id, onRequest }) =>
  only.length === 0 ? !onRequest : only.some((start) => id.startsWith(start))
);
if (chosen.length === 0) {
  const ids = allRows(bench).map(({ id }) => id).join(" ");
  console.error(`bench: no row is called ${only}: there are ${ids}`);
  await cleanUp.disposeAsync();
  Deno.exit(2);
}
const earlier = against && cleanUp.use(await checkOut(against));
const rows = earlier ? chosen.map((row) => compared(row, earlier)) : chosen;
const facts = await machineFacts(place, python);
console.log(
  Object.entries(facts).map(([what, is]) => `${what}: ${is}`).join("\n"),
);
await touchMemory(place.path, (quick ? 256 : 4096) * MIB);

const json = options.json ??
  join(await Deno.makeTempDir({ prefix: "media-cache-bench-" }), "bench.json");
const start = performance.now();
const elapsed = () => Math.round((performance.now() - start) / 1000);
const results: RowResult[] = [];
for (const [i, row] of rows.entries()) {
  console.error(`${i + 1} of ${rows.length}: ${row.id}`);
  const result = await runRow(row, place.path, { repeat: !quick });
  results.push(result);
  console.log(rowTable(row, result));
  // After each row: a user who interrupts a long run wants the rows so far.
  const report = { facts, quick, seconds: elapsed(), rows: results };
  await Deno.writeTextFile(json, JSON.stringify(report, undefined, 2) + "\n");
}
const judgements = results.flatMap(({ judgements }) => judgements);
if (earlier === undefined) {
  console.log(targetTable(judgements));
  const count = (verdict: string) =>
    judgements.filter((each) => each.verdict === verdict).length;
  console.log(
    `\n${count("met")} met, ${count("missed")} missed, ` +
      `${count("not measured")} not measured, in ${elapsed()} s`,
  );
}

if (quick) {
  console.log(
    "One round of small sizes is a smoke test: much of it runs before V8 has\n" +
      "compiled it, so that ratios come out lower. No verdict is sure.",
  );
}
console.log(`Figures: ${json}`);
if (options.plots !== undefined) {
  const paths = await drawPlots(results, options.plots);
  for (const path of paths) console.log(`Plot: ${path}`);
}
if (options.readme) {
  const paths = await writeReadmes(facts, results);
  for (const path of paths) console.log(`Figures: ${path}`);
}
if (strict && !judgements.every(isProven)) Deno.exitCode = 1;

/** The options; ends the program if there is nothing to measure. */
function readOptions(args: string[]): Options {
  try {
    const options = parseOptions(args);
    if (!options.help) return options;
    console.log(HELP);
    Deno.exit();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`bench: ${error.message}\n\n${HELP}`);
    Deno.exit(2);
  }
}
