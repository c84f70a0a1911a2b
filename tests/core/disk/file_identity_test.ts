import { assert, assertEquals } from "@std/assert";
import {
  areSameState,
  hasBirth,
  identityOf,
  stampOf,
} from "../../../src/core/disk/file_identity.ts";

Deno.test("identityOf() tells files of one inode apart by the millisecond of their birth", () => {
  const born = 1_763_762_612_123;
  for (const inode of [0, 1, 12_345, 2 ** 33 + 1, 2 ** 52 + 1]) {
    const numbers = [born, born + 1, born + 2 ** 20].map((time) =>
      identityOf(inode, time)
    );
    assertEquals(new Set(numbers).size, 3);
    assert(numbers.every(Number.isSafeInteger));
    assert(numbers.every(hasBirth));
  }
  assert(!hasBirth(identityOf(12_345, undefined)));
});

Deno.test("a state and its stamp differ if any part differs", () => {
  const state = { identity: 12_345, size: 100, mtimeMs: 1_763_762_612_123 };
  const others = [
    { ...state, identity: 12_346 },
    { ...state, size: 101 },
    { ...state, mtimeMs: 1_763_762_612_124 },
  ];
  assert(areSameState(state, { ...state }));
  assertEquals(stampOf(state), stampOf({ ...state }));
  for (const other of others) {
    assert(!areSameState(state, other));
    assert(stampOf(state) !== stampOf(other));
  }
});
