import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { MemoryTier } from "../../../src/core/catalog/memory_tier.ts";

Deno.test("keep() drops the least recently used body above the maximum of items", () => {
  const tier = new MemoryTier({
    maxItems: 2,
    maxBytes: 100,
    maxItemBytes: 100,
  });
  tier.keep("a", new Uint8Array(1));
  tier.keep("b", new Uint8Array(1));
  tier.use("a");

  tier.keep("c", new Uint8Array(1));

  assertEquals([tier.count, tier.bytes], [2, 2]);
  assertEquals(tier.use("b"), undefined);
  assertEquals(tier.use("a"), new Uint8Array(1));
});

Deno.test("keep() drops as many bodies as the new bytes need", () => {
  const tier = new MemoryTier({ maxItems: 9, maxBytes: 10, maxItemBytes: 10 });
  for (const url of ["a", "b", "c"]) tier.keep(url, new Uint8Array(3));

  tier.keep("d", new Uint8Array(6));

  assertEquals([tier.count, tier.bytes], [2, 9]);
  assertEquals([tier.use("a"), tier.use("b")], [undefined, undefined]);
});

Deno.test("keep() refuses a body above the cap for one body, and drops none for it", () => {
  const tier = new MemoryTier({ maxItems: 9, maxBytes: 10, maxItemBytes: 4 });
  tier.keep("a", new Uint8Array(4));

  tier.keep("b", new Uint8Array(5));

  assertEquals([tier.count, tier.bytes], [1, 4]);
  assertEquals([tier.admits(4), tier.admits(5)], [true, false]);
});

Deno.test("a body that grows above the cap leaves, since its bytes are the old ones", () => {
  const tier = new MemoryTier({ maxItems: 9, maxBytes: 10, maxItemBytes: 4 });
  tier.keep("a", new Uint8Array(4));

  tier.keep("a", new Uint8Array(5));

  assertEquals([tier.count, tier.bytes, tier.use("a")], [0, 0, undefined]);
});

Deno.test("keep() of a known URL counts the new bytes alone", () => {
  const tier = new MemoryTier({ maxItems: 9, maxBytes: 10, maxItemBytes: 10 });
  const bytes = new Uint8Array(2);
  tier.keep("a", new Uint8Array(7));

  tier.keep("a", bytes);

  assertEquals([tier.count, tier.bytes], [1, 2]);
  assertStrictEquals(tier.use("a"), bytes);
});

Deno.test("a cap of zero items or zero bytes keeps nothing", () => {
  for (
    const caps of [
      { maxItems: 0, maxBytes: 10, maxItemBytes: 10 },
      { maxItems: 9, maxBytes: 0, maxItemBytes: 10 },
      { maxItems: 9, maxBytes: 10, maxItemBytes: 0 },
    ]
  ) {
    const tier = new MemoryTier(caps);

    tier.keep("a", new Uint8Array(1));

    assertEquals([tier.count, tier.bytes, tier.admits(1)], [0, 0, false]);
  }
});

Deno.test("delete() and clear() free the bytes", () => {
  const tier = new MemoryTier({ maxItems: 9, maxBytes: 9, maxItemBytes: 9 });
  for (const url of ["a", "b", "c"]) tier.keep(url, new Uint8Array(2));

  tier.delete("b");
  tier.delete("x");
  assertEquals([tier.count, tier.bytes], [2, 4]);
  tier.clear();
  assertEquals([tier.count, tier.bytes, tier.use("a")], [0, 0, undefined]);
});

Deno.test("bodies that were shed while young need no full garbage collection", () => {
  const size = 1024;
  const rounds = 10;
  const bodiesPerRound = 100;
  const tier = new MemoryTier({
    maxItems: 4,
    maxBytes: 1e9,
    maxItemBytes: 1e9,
  });
  const before = Deno.memoryUsage().external;

  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < bodiesPerRound; i++) {
      tier.keep(`${round} ${i}`, new Uint8Array(size));
    }
    collectYoung();
  }

  const retained = Deno.memoryUsage().external - before;
  assert(retained < rounds * bodiesPerRound * size / 2, `${retained} stayed`);
});

/** Fills the young generation of the heap, which has 16 MiB at most, several times. */
function collectYoung(): void {
  let kept: unknown;
  for (let i = 0; i < 4_000_000; i++) kept = { i };
  assert(kept);
}
