import { assertEquals } from "@std/assert";
import { layOut, layOutFacts } from "../../src/cli/output/table.ts";

Deno.test("layOut() aligns all columns but the last", () => {
  const rows = [{ name: "a", size: 5 }, { name: "a long name", size: 1234 }];
  assertEquals(
    layOut([
      { title: "SIZE", cell: ({ size }) => `${size}`, right: true },
      { title: "TYPE", cell: () => "t" },
      { title: "NAME", cell: ({ name }) => name },
    ], rows),
    [
      "SIZE  TYPE  NAME",
      "   5  t     a",
      "1234  t     a long name",
    ],
  );
});

Deno.test("layOutFacts() aligns values", () => {
  assertEquals(layOutFacts([["Key", "1"], ["Longer", "2"]]), [
    "Key     1",
    "Longer  2",
  ]);
});
