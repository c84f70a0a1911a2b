import { assertEquals } from "@std/assert";
import { KeyTable, slotsFor } from "../../../src/core/catalog/key_table.ts";
import { Random } from "../../fixtures/inputs/random.ts";

Deno.test("a table finds the ordinals of its keys, and no others", () => {
  const count = 3_000;
  const table = new KeyTable(new Uint32Array(slotsFor(count)));
  const random = new Random();
  const word = () => random.integer(0, 2 ** 32 - 1);
  const keys = Array.from(
    { length: count },
    () => Uint32Array.of(word(), word(), word()),
  );
  for (const [i, [first = 0, second = 0]] of keys.entries()) {
    assertEquals(table.add(first, second, i), true);
  }
  let looks = 0;
  const find = (words: Uint32Array) =>
    table.find(words, (ordinal, words) => {
      looks++;
      return keys[ordinal]?.[2] === words[2];
    });

  assertEquals(keys.map(find), Array.from(keys.keys()), random.hint);
  const foreign = keys.map(() => Uint32Array.of(word(), word(), word()));
  looks = 0;
  assertEquals(new Set(foreign.map(find)), new Set([undefined]));
  // Of 3,000 wrong keys all but a few are told by their tags.
  assertEquals(looks < 100, true, random.hint);
});

Deno.test("keys that crowd like no digests find no place, and no endless search", () => {
  const table = new KeyTable(new Uint32Array(slotsFor(2_000)));
  let added = 0;
  while (table.add(7, 7, added)) added++;

  let looks = 0;
  const found = table.find(Uint32Array.of(7, 7), () => ++looks < 0);

  assertEquals([added, looks, found], [1_024, 1_024, undefined]);
});

Deno.test("a table without a free slot ends a search", () => {
  const table = new KeyTable(new Uint32Array(4_096).fill(0xffffffff));

  assertEquals(table.find(Uint32Array.of(1, 0), () => true), undefined);
  assertEquals(
    table.find(Uint32Array.of(1, 2 ** 32 - 1), () => false),
    undefined,
  );
});
