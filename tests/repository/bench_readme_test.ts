import { assertEquals, assertThrows } from "@std/assert";
import type { CellResult, RowResult } from "../bench/measurement.ts";
import { parseOptions } from "../bench/options.ts";
import { figuresOf, replaceBetween, tellingLines } from "../bench/readme.ts";
import { summarize } from "../bench/statistics.ts";

const FACTS = { date: "2026-11-30", machine: "2 cores", system: "Linux" };

function cell(contender: string, measures: Record<string, number>): CellResult {
  const summaries = Object.fromEntries(
    Object.entries(measures).map(([name, value]) => [name, summarize([value])]),
  );
  return {
    ...{ contender, summaries, samples: [], cpuMs: {} },
    ...{ peakRssBytes: undefined, missing: undefined },
  };
}

function row(id: string, ...cells: CellResult[]): RowResult {
  return { id, title: id, cells, judgements: [], moreRounds: 0 };
}

/** The cells of a line of a Markdown table, without its padding. */
function cellsOf(line: string): string[] {
  return line.split("|").slice(1, -1).map((cell) => cell.trim());
}

Deno.test("the table compares each contender with this package", () => {
  const text = figuresOf(FACTS, [
    row(
      "store-10k",
      cell("media-cache", { put: 0.0001, "put-16": 0.0002 }),
      cell("Web Cache API", { put: 0.0005, "put-16": 0.0001 }),
      cell("bare pairs", { put: 0.00005, "put-16": 0.0001 }),
      cell("media-cache, limited permissions", { put: 0.0003 }),
      cell("bare pairs, limited permissions", { put: 0.0001 }),
    ),
  ]);

  const lines = text.split("\n").filter((line) => line.startsWith("| "))
    .map(cellsOf);
  assertEquals(lines.slice(2, 5), [
    ["put 10 KiB", "100 µs", "Web Cache API", "5", "0.5"],
    ["", "", "bare pairs", "0.5", "0.5"],
    ["put 10 KiB, limited permissions", "300 µs", "bare pairs", "0.33", ""],
  ]);
  assertEquals(
    text.split("\n")[0],
    "Of 2026-11-30: 2 cores; Linux; loopback HTTP.",
  );
});

Deno.test("the table names a contender that was not measured", () => {
  const missing = { ...cell("Python original", {}), missing: "no python3" };
  const text = figuresOf(FACTS, [
    row("memory-hit", cell("media-cache", { get: 1e-6 }), missing),
  ]);

  const line = text.split("\n").find((line) => line.includes("hit in RAM"));
  assertEquals(cellsOf(line ?? ""), [
    ...["hit in RAM, `get()`", "1 µs", "Python original"],
    ...["not measured", ""],
  ]);
});

Deno.test("the package's README gets three lines", () => {
  const small = { put: 0.0001, hit: 0.00004 };
  const MIB = 2 ** 20;

  const lines = tellingLines([
    row(
      "store-10k",
      cell("media-cache", small),
      cell("Web Cache API", { put: 0.0002, hit: 0.0004 }),
      cell("bare pairs", { put: 0.00009, hit: 0.00003 }),
    ),
    row(
      "miss",
      cell("media-cache", { miss: 1 }),
      cell("bare fetch", { miss: 0.6 }),
    ),
    row(
      "miss-memory",
      cell("1 reader", { growth: 60 * MIB }),
      cell("bare fetch", { growth: 44 * MIB }),
    ),
  ]).split("\n");

  assertEquals(lines, [
    "- A `put()` of 10 KiB takes 100 µs: 2 times as fast as the Web Cache API, at 90 % of the speed of bare files.",
    "- A hit of 10 KiB from disk takes 40 µs: 10 times as fast as the Web Cache API, at 75 % of the speed of bare files.",
    "- A miss of 512 MiB has 60 % of the speed of a `fetch` that stores nothing, and takes 16 MiB more memory.",
  ]);
});

Deno.test("replaceBetween() leaves the markers and the rest", () => {
  const text = "a\n<!-- x -->old\n<!-- /x -->\nb";

  const once = replaceBetween(text, "x", "new");

  assertEquals(once, "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb");
  assertEquals(replaceBetween(once, "x", "new"), once);
});

Deno.test("replaceBetween() refuses a text without both markers in order", () => {
  for (
    const text of ["", "<!-- x -->", "<!-- /x --><!-- x -->", "<!-- /x -->"]
  ) {
    assertThrows(() => replaceBetween(text, "x", "new"), RangeError);
  }
});

Deno.test("both README files have a place for the figures", async () => {
  for (const file of ["../bench/README.md", "../../README.md"]) {
    const text = await Deno.readTextFile(new URL(file, import.meta.url));
    replaceBetween(text, "figures", "new");
  }
});

Deno.test("--readme needs every row in full", () => {
  assertEquals(parseOptions(["--readme"]).readme, true);
  for (
    const other of [["--quick"], ["--only", "miss"], ["--against", "HEAD"]]
  ) {
    assertThrows(() => parseOptions(["--readme", ...other]), TypeError);
  }
});
