import { assert, assertEquals } from "@std/assert";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  fingerprintOf,
  PendingIndex,
} from "../../../src/core/catalog/pending_index.ts";

async function pendingOf(sizes: Record<string, number>): Promise<PendingIndex> {
  const urls = Object.keys(sizes);
  const pending = await PendingIndex.of({
    sizes: Float64Array.from(Object.values(sizes)),
    fingerprints: Uint32Array.from(
      urls.flatMap((url) => fingerprintOf(keyOf(url))),
    ),
  });
  assert(pending);
  return pending;
}

Deno.test("an entry leaves a PendingIndex once, by its place or by its key", async () => {
  const pending = await pendingOf({ a: 1, b: 20, c: 300 });
  assertEquals([pending.count, pending.bytes], [3, 321]);

  assertEquals(pending.take(1), true);
  assertEquals(pending.drop(keyOf("b")), false);
  assertEquals([pending.count, pending.bytes], [2, 301]);
  assertEquals(pending.drop(keyOf("c")), true);
  assertEquals(pending.take(2), false);
  assertEquals([pending.count, pending.bytes], [1, 1]);
});

Deno.test("a PendingIndex knows nothing of other keys and places", async () => {
  for (const pending of [await pendingOf({}), await pendingOf({ a: 1 })]) {
    const { count, bytes } = pending;

    assertEquals(pending.drop(keyOf("z")), false);
    assertEquals([pending.take(-1), pending.take(1)], [false, false]);

    assertEquals([pending.count, pending.bytes], [count, bytes]);
  }
});

Deno.test("a PendingIndex of thousands finds each entry, in any order", async () => {
  const urls = Array.from({ length: 5_000 }, (_, i) => `${i}`);
  const pending = await pendingOf(
    Object.fromEntries(urls.map((url) => [url, 2])),
  );

  for (const url of urls.toReversed()) {
    assertEquals(pending.drop(keyOf(url)), true);
    assertEquals(pending.drop(keyOf(url)), false);
  }

  assertEquals([pending.count, pending.bytes], [0, 0]);
});

Deno.test("entries with the same 64 bits leave one by one", async () => {
  const fingerprints = Uint32Array.of(...fingerprintOf(keyOf("a")));
  const pending = await PendingIndex.of({
    sizes: Float64Array.of(1, 2),
    fingerprints: Uint32Array.of(...fingerprints, ...fingerprints),
  });
  assert(pending);

  const dropped = [1, 2, 3].map(() => pending.drop(keyOf("a")));

  assertEquals(dropped, [true, true, false]);
  assertEquals([pending.count, pending.bytes], [0, 0]);
});

Deno.test("sizes that no entries can have make no PendingIndex", async () => {
  const fingerprints = Uint32Array.of(...fingerprintOf(keyOf("a")));
  for (const size of [0, -1, 0.5, NaN, Infinity, 2 ** 53, 1.7e308]) {
    const sizes = Float64Array.of(size);
    assertEquals(await PendingIndex.of({ sizes, fingerprints }), undefined);
  }
  const two = Uint32Array.of(...fingerprints, 1, 2);
  const huge = Float64Array.of(2 ** 52, 2 ** 52);
  assertEquals(
    await PendingIndex.of({ sizes: huge, fingerprints: two }),
    undefined,
  );
  // Searching a place for each of them would take quadratic time.
  const sizes = new Float64Array(100_000).fill(1);
  const equal = new Uint32Array(200_000).fill(7);
  assertEquals(
    await PendingIndex.of({ sizes, fingerprints: equal }),
    undefined,
  );
});
