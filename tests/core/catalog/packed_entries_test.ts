import { assert, assertEquals } from "@std/assert";
import { Catalog } from "../../../src/core/catalog/catalog.ts";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { PackedEntries } from "../../../src/core/catalog/packed_entries.ts";
import { EntryPacker } from "../../../src/core/catalog/packed_entry.ts";
import { Touches } from "../../../src/core/catalog/touches.ts";
import { keyOf } from "../../../src/core/text/key.ts";

const CAPS = { maxItems: 9, maxBytes: 100, maxItemBytes: 100 };

function entry(url: string, facts: Partial<Entry> = {}): Entry {
  return {
    key: keyOf(url),
    url,
    mimetype: "image/png",
    filename: "a.png",
    size: 10,
    storedAt: 0,
    identity: 1,
    sidecarStamp: 2,
    lastAccess: 0,
    mtimeMs: 0,
    isYoung: false,
    seenAtMs: 0,
    ...facts,
  };
}

/** Packs entries, which come least recently used first. */
function packed(entries: readonly Entry[]): PackedEntries {
  const packer = new EntryPacker(entries.length);
  for (const each of entries) packer.add(each);
  const { count, records, texts } = packer;
  const all = new PackedEntries(count, texts.length);
  all.records.set(records);
  all.texts.set(texts);
  assert(all.add(count));
  return all;
}

/** A catalog filled by an index, and the URLs whose uses its touches would write. */
function filled(
  entries: readonly Entry[],
): { catalog: Catalog; flush: () => Promise<string> } {
  const written: string[] = [];
  const touches = new Touches(({ url }) => {
    written.push(url);
    return Promise.resolve();
  });
  const catalog = new Catalog(CAPS, touches);
  catalog.takeUp(packed(entries));
  return {
    catalog,
    async flush() {
      await touches.flush();
      return written.splice(0).join("");
    },
  };
}

/** Entries by their URLs and the times of their last uses. */
function used(times: Record<string, number>): Entry[] {
  return Object.entries(times)
    .map(([url, lastAccess]) =>
      entry(url, { lastAccess, mtimeMs: lastAccess })
    );
}

function order(catalog: Catalog): string {
  return Array.from(catalog.snapshot().newestFirst(), ({ url }) => url)
    .join("");
}

Deno.test("a packed entry leaves once, by its key", () => {
  const entries = packed([
    entry("a", { size: 1 }),
    entry("b", { size: 20 }),
    entry("c", { size: 300 }),
  ]);
  assertEquals([entries.count, entries.bytes], [3, 321]);

  assertEquals(entries.drop(keyOf("b")), true);
  assertEquals(entries.drop(keyOf("b")), false);

  assertEquals([entries.count, entries.bytes], [2, 301]);
  assertEquals(entries.peek(keyOf("b")), undefined);
  assertEquals(entries.has(keyOf("c")), true);
  assertEquals([...entries.keys()], [keyOf("a"), keyOf("c")]);
});

Deno.test("packed entries know nothing of other keys", () => {
  for (const entries of [packed([]), packed([entry("a")])]) {
    const { count, bytes, occupiedBytes } = entries;

    assertEquals(entries.drop(keyOf("z")), false);
    assertEquals(entries.has(keyOf("z")), false);
    assertEquals(entries.peek(keyOf("z")), undefined);
    assertEquals(entries.stateOf(keyOf("z")), undefined);

    assertEquals([entries.count, entries.bytes], [count, bytes]);
    assertEquals(entries.occupiedBytes, occupiedBytes);
  }
});

Deno.test("each of 5,000 packed entries is found and leaves, in any order", () => {
  const urls = Array.from({ length: 5_000 }, (_, i) => `${i}`);
  const entries = packed(urls.map((url) => entry(url)));

  for (const url of urls.toReversed()) {
    assertEquals(entries.peek(keyOf(url)), entry(url));
    assertEquals(entries.peek(keyOf(url)), entries.peek(keyOf(url)));
    assertEquals(entries.drop(keyOf(url)), true);
    assertEquals(entries.drop(keyOf(url)), false);
  }

  const { count, bytes, occupiedBytes } = entries;
  assertEquals([count, bytes, occupiedBytes], [0, 0, 0]);
});

Deno.test("keys that crowd like no digests are not believed", () => {
  const packer = new EntryPacker(3_000);
  for (let i = 0; i < 3_000; i++) packer.add(entry(`${i}`));
  const { records, texts } = packer;
  const words = new Uint32Array(records.buffer);
  // A place for each such key would take quadratic time.
  for (let i = 0; i < 3_000; i++) words[i * 32 + 16] = 7;
  const entries = new PackedEntries(3_000, texts.length);
  entries.records.set(records);
  entries.texts.set(texts);

  assertEquals(entries.add(3_000), false);
});

Deno.test("packed entries count, and have their places among the others", () => {
  const { catalog } = filled(used({ a: 10, c: 30, e: 50 }));

  catalog.replaceFromDisk(entry("b", { lastAccess: 20 }));
  catalog.replaceFromDisk(entry("f", { lastAccess: 60 }));
  catalog.replaceFromDisk(entry("d", { lastAccess: 40 }));

  assertEquals([catalog.entries, catalog.totalBytes], [6, 60]);
  assertEquals(order(catalog), "fedcba");
  const victims = catalog.victims(10, "new", 40);
  assertEquals(victims?.map(({ url }) => url), ["a", "b", "c"]);
});

Deno.test("a packed entry that is used becomes the most recent, and counts once", async () => {
  const { catalog, flush } = filled(used({ a: 10, b: 20, c: 30 }));
  const { occupiedBytes } = catalog;

  const known = catalog.peek("b");
  assertEquals(catalog.use("b"), known);
  assertEquals(catalog.peek("b"), known);
  assertEquals(catalog.byKey(keyOf("b")), known);
  catalog.use("b");

  assertEquals(order(catalog), "bca");
  assertEquals([catalog.entries, catalog.totalBytes], [3, 30]);
  assertEquals(catalog.occupiedBytes, occupiedBytes);
  assertEquals(await flush(), "b");
});

Deno.test("a packed entry is replaced, deleted and moved like any other", () => {
  const { catalog } = filled(used({ a: 10, b: 20, c: 30, d: 40 }));

  catalog.insert(entry("a", { size: 3, lastAccess: 50 }));
  catalog.forget("b");
  const c = catalog.peek("c");
  assert(c);
  catalog.usedElsewhere(c, 45);

  assertEquals(order(catalog), "acd");
  assertEquals([catalog.entries, catalog.totalBytes], [3, 23]);
  assertEquals(catalog.addIfUnknown(entry("d")), false);
});

Deno.test("redate() moves a packed entry to the place of its time, forward and back", () => {
  const { catalog } = filled(used({ a: 10, b: 20, c: 30, d: 40 }));
  const [a, c] = ["a", "c"].map((url) => catalog.peek(url));
  assert(a && c);

  catalog.redate(a, 35, 1_000);
  catalog.redate(c, 5, 1_000);

  assertEquals(order(catalog), "dabc");
});

Deno.test("an entry that was known before the index stays", () => {
  const catalog = new Catalog(CAPS, undefined);
  const known = entry("b", { size: 5, lastAccess: 25 });
  catalog.insert(known);

  catalog.takeUp(packed(used({ a: 10, b: 20, c: 30 })));

  assertEquals(catalog.peek("b"), known);
  assertEquals([catalog.entries, catalog.totalBytes], [3, 25]);
  assertEquals(order(catalog), "cba");
});

Deno.test("a snapshot stays as it is while entries come, go and are used", async () => {
  const { catalog, flush } = filled(used({ a: 10, b: 20, c: 30, d: 40 }));
  catalog.replaceFromDisk(entry("x", { lastAccess: 25 }));
  const snapshot = catalog.snapshot();
  const before = [...snapshot.newestFirst()];

  const walk = snapshot.newestFirst();
  walk.next();
  catalog.use("a");
  catalog.use("x");
  catalog.forget("b");
  catalog.insert(entry("c", { size: 99 }));
  catalog.insert(entry("y"));

  assertEquals([...walk], before.slice(1));
  assertEquals(before.map(({ url }) => url).join(""), "dcxba");
  assertEquals(snapshot.count, 5);
  const packer = new EntryPacker(5);
  for (const _added of snapshot.packInto(packer)) { /* one by one */ }
  const again = new PackedEntries(5, packer.textBytes);
  again.records.set(packer.records);
  again.texts.set(packer.texts);
  assert(again.add(5));
  assertEquals([...again.oldestFirst()], before.toReversed());
  await flush();
});
