import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { RowResult } from "../bench/measurement.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

/** Each kind of work that has a target or a figure. */
const ROWS = [
  ...["store-10k", "store-256k", "store-8m", "memory-hit"],
  ...["miss", "miss-memory", "first-byte"],
  ...["readers", "joining", "many-hits"],
  ...["open-500", "open-1000", "first-store", "entries", "hold"],
  ...["scale-open-2000", "scale-first-store", "scale-entries"],
  ...["serve-64k", "serve-8m"],
  ...["remote-first-byte", "remote-lookup", "remote-hit"],
  ...["remote-hosts", "remote-memory"],
  ...["idle-memory", "second-process", "calls"],
];

/** Programs that the benchmark uses if the machine has them. */
const TOOLS = ["python", "nginx", "wrk", "ceph"];

Deno.test("the benchmark measures every row with every contender", async () => {
  await using temp = await tempDir();
  const json = join(temp.path, "bench.json");
  const plots = join(temp.path, "plots");

  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "bench", "--quick", "--json", json, "--plots", plots],
    cwd: fromFileUrl(new URL("../../", import.meta.url)),
    stderr: "inherit",
  }).output();

  const text = new TextDecoder().decode(stdout);
  assert(success, text);
  const { facts, rows }: {
    facts: Record<string, string>;
    rows: RowResult[];
  } = JSON.parse(await Deno.readTextFile(json));
  assertEquals(TOOLS.filter((tool) => facts[tool] === "none"), []);
  assertEquals(rows.map(({ id }) => id), ROWS);
  const unmeasured = rows.flatMap(({ id, cells }) =>
    cells.filter(({ missing }) => missing !== undefined)
      .map(({ contender, missing }) => `${id}, ${contender}: ${missing}`)
  );
  assertEquals(unmeasured, []);
  for (const { id, cells } of rows) {
    for (const { contender, summaries } of cells) {
      const medians = Object.values(summaries).map(({ median }) => median);
      const measured = medians.length > 0 && medians.every(Number.isFinite);
      assert(measured, `${id}, ${contender}`);
    }
  }
  const judgements = rows.flatMap(({ judgements }) => judgements);
  assertEquals(judgements.filter(({ figure = NaN }) => isNaN(figure)), []);
  for (const { title } of judgements) assert(text.includes(title), title);
  const drawn = Array.from(Deno.readDirSync(plots), ({ name }) => name).sort();
  assertEquals(drawn, [
    "entries.svg",
    "open.svg",
    "reader-memory.svg",
    "readers.svg",
  ]);
});
