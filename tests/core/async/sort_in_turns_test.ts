import { sortInTurns } from "../../../src/core/async/sort_in_turns.ts";
import { Pacer } from "../../../src/core/async/pacer.ts";
import { assertEquals, assertGreater } from "@std/assert";
import { EagerTurns } from "../../fixtures/time/eager_turns.ts";

const COUNTS = [0, 1, 2, 1023, 1024, 1025, 3000, 5121];

Deno.test("sortInTurns() sorts as Array.sort does, and keeps the order of equal items", async () => {
  for (const count of COUNTS) {
    const values = Array.from({ length: count }, (_, i) => ({
      rank: (i * 7919) % 97,
      i,
    }));
    const compare = (a: { rank: number }, b: { rank: number }) =>
      a.rank - b.rank;

    const sorted = await sortInTurns(values, compare, new Pacer());

    assertEquals(sorted, values.toSorted(compare));
  }
});

Deno.test("sortInTurns() yields in between, and loses no item when the order changes meanwhile", async () => {
  const values = Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 10_007);
  let sign = 1;
  let turns = 0;
  const steps = Array.from({ length: 20 }, () => () => {
    sign = -sign;
    turns++;
  });

  const sorted = await sortInTurns(
    values,
    (a, b) => sign * (a - b),
    new EagerTurns(steps),
  );

  assertGreater(turns, 10);
  const ascending = (a: number, b: number) => a - b;
  assertEquals(sorted.toSorted(ascending), values.toSorted(ascending));
});
