import { assert, assertEquals } from "@std/assert";
import { Catalog } from "../../../src/core/catalog/catalog.ts";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { KeyTable, slotsFor } from "../../../src/core/catalog/key_table.ts";
import { PackedBlock } from "../../../src/core/catalog/packed_block.ts";
import { PackedEntries } from "../../../src/core/catalog/packed_entries.ts";
import {
  BLOCK_ENTRIES,
  EntryPacker,
} from "../../../src/core/catalog/packed_entry.ts";
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

/** The blocks of an index on disk, and the numbers of those that were read. */
class Blocks {
  readonly #blocks: (PackedBlock | undefined)[] = [];
  readonly #table: KeyTable;
  /** The numbers of the blocks that were read, in that order. */
  readonly read: number[] = [];

  /** Packs entries, the least recently used first. */
  constructor(entries: readonly Entry[], perBlock = BLOCK_ENTRIES) {
    this.#table = new KeyTable(new Uint32Array(slotsFor(entries.length + 9)));
    for (let i = 0; i < entries.length; i += perBlock) {
      const packer = new EntryPacker(perBlock);
      for (const each of entries.slice(i, i + perBlock)) packer.add(each);
      this.addPacked(packer);
    }
  }

  /** Adds a block with what a packer has. */
  addPacked(packer: EntryPacker): void {
    const block = new PackedBlock(packer.bytes(), packer.count);
    const first = this.#blocks.push(block) * BLOCK_ENTRIES - BLOCK_ENTRIES;
    for (let i = 0; i < block.count; i++) {
      const [word, next] = [block.keyWord(i, 0), block.keyWord(i, 1)];
      assert(this.#table.add(word, next, first + i));
    }
  }

  /** Puts other bytes, or none, in place of those of a block, whose sums stay known. */
  opened(instead: Record<number, PackedBlock | undefined> = {}): PackedEntries {
    const blocks = this.#blocks.map((block) => {
      const sums = block?.sums();
      assert(sums);
      return sums;
    });
    Object.assign(this.#blocks, instead);
    const load = (number: number) => {
      this.read.push(number);
      return this.#blocks[number];
    };
    return new PackedEntries({ blocks, table: this.#table, load });
  }
}

/** Packs entries, which come least recently used first. */
function packed(entries: readonly Entry[]): PackedEntries {
  return new Blocks(entries).opened();
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
  assert(entries.peek(keyOf("c")));
  assertEquals([...entries.keys()], [keyOf("a"), keyOf("c")]);
});

Deno.test("packed entries know nothing of other keys", () => {
  for (const entries of [packed([]), packed([entry("a")])]) {
    const { count, bytes, occupiedBytes } = entries;

    assertEquals(entries.drop(keyOf("z")), false);
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

Deno.test("a block is read when one of its entries is needed, and only once", () => {
  const urls = Array.from({ length: 12 }, (_, i) => `${i}`);
  const blocks = new Blocks(urls.map((url) => entry(url)), 3);
  const entries = blocks.opened();
  const read = (need: () => unknown) => {
    blocks.read.length = 0;
    need();
    return blocks.read.join("");
  };

  assertEquals(read(() => [entries.count, entries.bytes, entries.gone()]), "");
  assertEquals(read(() => entries.peek(keyOf("new"))), "");
  assertEquals(read(() => entries.oldestFirst().next()), "0");
  assertEquals(read(() => entries.drop(keyOf("7"))), "2");
  assertEquals(read(() => entries.peek(keyOf("6"))), "");
  assertEquals(read(() => [...entries.keys()]), "13");
  assertEquals(read(() => [...entries.oldestFirst()]), "");
});

Deno.test("entries of a block that can't be read leave, and the others stay", () => {
  const urls = Array.from({ length: 9 }, (_, i) => `${i}`);
  const needs: ((entries: PackedEntries) => unknown)[] = [
    (entries) => entries.peek(keyOf("4")),
    (entries) => entries.drop(keyOf("4")),
    (entries) => entries.stateOf(keyOf("4")),
    (entries) => [...entries.keys()],
    (entries) => [...entries.oldestFirst()],
    (entries) => entries.latestMtime(Infinity),
    (entries) => entries.datedAfter(-1),
  ];
  const sizes = urls.map((url, i) => entry(url, { size: i + 1 }));
  const one = new EntryPacker(1);
  one.add(entry("4"));
  const wrong = [undefined, new PackedBlock(one.bytes(), 1)];
  for (const need of needs) {
    for (const instead of wrong) {
      const blocks = new Blocks(sizes, 3);
      const entries = blocks.opened({ 1: instead });
      const { count, bytes, occupiedBytes } = entries;
      assertEquals([count, bytes], [9, 45]);

      need(entries);

      assertEquals([entries.count, entries.bytes], [6, 30]);
      assertEquals(entries.occupiedBytes, occupiedBytes / 9 * 6);
      assertEquals(entries.peek(keyOf("4")), undefined);
      const left = Array.from(entries.oldestFirst(), ({ url }) => url);
      assertEquals(left.join(""), "012678");
      assertEquals(blocks.read.filter((number) => number === 1), [1]);
    }
  }
});

Deno.test("a snapshot skips the records of a block that can't be read", () => {
  const blocks = new Blocks(Object.values(used({ a: 1, b: 2, c: 3, d: 4 })), 2);
  const catalog = new Catalog(CAPS, undefined);
  catalog.takeUp(blocks.opened({ 0: undefined }));
  catalog.insert(entry("x", { lastAccess: 3.5 }));
  const snapshot = catalog.snapshot();

  const urls = Array.from(snapshot.newestFirst(), ({ url }) => url);
  const packer = new EntryPacker(5);
  for (const _added of snapshot.packInto(packer)) { /* one by one */ }

  assertEquals(urls.toSorted().join(""), "cdx");
  assertEquals(packer.count, 3);
});

Deno.test("records to which the table does not lead leave, so that victims do not repeat", () => {
  for (const need of ["keys", "oldestFirst"] as const) {
    const blocks = new Blocks([entry("a"), entry("b"), entry("a")]);
    const entries = blocks.opened();

    assertEquals([...entries[need]()].length, 2);

    assertEquals(entries.count, 2);
    assertEquals(entries.drop(keyOf("a")), true);
    assertEquals(entries.drop(keyOf("a")), false);
  }
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
  const again = new Blocks([]);
  again.addPacked(packer);
  assertEquals([...again.opened().oldestFirst()], before.toReversed());
  await flush();
});
