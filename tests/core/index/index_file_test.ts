import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CatalogSnapshot } from "../../../src/core/catalog/catalog_snapshot.ts";
import {
  DIGEST,
  NUMBER,
  RECORD_BYTES,
} from "../../../src/core/catalog/packed_entry.ts";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import {
  INDEX_NAME,
  NEW_INDEX_NAME,
} from "../../../src/core/disk/file_names.ts";
import { IndexFile } from "../../../src/core/index/index_file.ts";
import { HEADER_BYTES } from "../../../src/core/index/index_format.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { Pacer } from "../../../src/core/async/pacer.ts";
import { isThere } from "../../fixtures/directory/files.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const PLACE = { id: "0123456789abcdef", position: 42 };

function entry(url: string, facts: Partial<Entry> = {}): Entry {
  return {
    key: keyOf(url),
    url,
    mimetype: "image/png",
    filename: "a.png",
    size: url.length,
    storedAt: 1_763_762_612_123.457,
    identity: 12_345.678,
    sidecarStamp: 2 ** 53 - 1,
    lastAccess: 1_763_762_612_999,
    mtimeMs: 1_763_762_612_999,
    isYoung: false,
    seenAtMs: 0,
    ...facts,
  };
}

function entries(count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => entry(`${i}`));
}

function fileIn(dir: string): IndexFile {
  return new IndexFile(new FileSystem(), (name) => join(dir, name));
}

/** Writes an index of entries, the least recently used first. */
function write(
  dir: string,
  all: readonly Entry[],
  pacer = new Pacer(),
): Promise<boolean> {
  return fileIn(dir).write(PLACE, new CatalogSnapshot(all, undefined), pacer);
}

/** The entries in the index of a directory, in their order; "none" when it is not believed. */
async function read(dir: string): Promise<Entry[] | "none"> {
  const saved = await fileIn(dir).open(unexpected);
  if (saved === undefined) return "none";
  const { place, entries } = saved;
  assertEquals(place, PLACE);
  const all = [...entries.oldestFirst()];
  assertEquals(entries.count, all.length);
  assertEquals(entries.bytes, all.reduce((sum, { size }) => sum + size, 0));
  // All blocks are in memory: the leak check sees that the file is closed.
  return all;
}

function unexpected(error: unknown): void {
  throw error;
}

/** Changes an index of a single block, as a stranger who makes the right checksums. */
function forged(
  index: Uint8Array<ArrayBuffer>,
  forge: (view: DataView) => void,
): Uint8Array {
  const bytes = index.slice();
  const view = new DataView(bytes.buffer);
  const blocks = view.getUint32(16, true);
  const slots = view.getUint32(20, true);
  const listStart = bytes.length - 4 * slots - 32 * blocks;
  forge(view);
  if (blocks > 0) {
    const block = bytes.subarray(HEADER_BYTES, listStart);
    view.setUint32(listStart, crc32(block), true);
  }
  view.setUint32(32, crc32(bytes.subarray(listStart)), true);
  view.setUint32(0, crc32(bytes.subarray(4, HEADER_BYTES)), true);
  return bytes;
}

Deno.test("an index gives back the written entries in their order", async () => {
  await using dir = await tempDir();
  const hostile = [
    entry("https://example.org/ü?\u2028\u0000", { filename: "'ü' .png" }),
    entry("", { size: 2 ** 52, mtimeMs: 0, lastAccess: 0, storedAt: 0 }),
    entry("digest", { sha256: "0f".repeat(32) }),
    entry("\ufeffmark", { filename: "long".repeat(40), mimetype: "a/b" }),
    entry(`https://example.org/${"\u20ac".repeat(300_000)}`),
  ];
  for (const count of [0, 1, 1_018, 1_019, 1_020, 1_021, 3_000]) {
    const written = [...hostile, ...entries(count)];

    assert(await write(dir.path, written));

    assertEquals(await read(dir.path), written);
  }
  const info = await Deno.stat(join(dir.path, INDEX_NAME));
  assertEquals((info.mode ?? 0) & 0o777, 0o600);
});

Deno.test("a future time counts as now", async () => {
  await using dir = await tempDir();
  const later = Date.now() + 1e9;
  await write(dir.path, [entry("a", { mtimeMs: later, lastAccess: later })]);

  const all = await read(dir.path);

  assert(Array.isArray(all));
  assertEquals(all[0]?.mtimeMs, later);
  assert((all[0]?.lastAccess ?? Infinity) <= Date.now());
});

Deno.test("future times count as the same time, however long reading takes", async () => {
  await using dir = await tempDir();
  const later = Date.now() + 1e9;
  const all = Array.from(
    { length: 300 },
    (_, i) => entry(`${i}`, { mtimeMs: later + i, lastAccess: later + i }),
  );
  await write(dir.path, all);
  const { now } = Date;
  let time = now();
  Date.now = () => time++;
  try {
    const found = await read(dir.path);

    assert(Array.isArray(found));
    const times = new Set(found.map(({ lastAccess }) => lastAccess));
    assertEquals(times.size, 1);
  } finally {
    Date.now = now;
  }
});

Deno.test("a truncated index states nothing wrong, whatever its length", async () => {
  await using dir = await tempDir();
  await write(dir.path, entries(300));
  const path = join(dir.path, INDEX_NAME);
  const bytes = await Deno.readFile(path);
  const step = Math.ceil(bytes.length / 200);

  for (let length = 0; length < bytes.length; length += step) {
    await Deno.writeFile(path, bytes.subarray(0, length));
    assertEquals(await read(dir.path), "none");
  }
});

Deno.test("a flipped bit in a block costs the entries of the block, and elsewhere the index", async () => {
  await using dir = await tempDir();
  const all = [...entries(1_024), entry("last")];
  await write(dir.path, all);
  const path = join(dir.path, INDEX_NAME);
  const bytes = await Deno.readFile(path);
  const random = new Random();
  const lastStart = HEADER_BYTES + 1_024 * RECORD_BYTES +
    all.slice(0, 1_024).reduce((sum, { url }) => sum + url.length + 14, 0);
  const listStart = lastStart + RECORD_BYTES + "lastimage/pnga.png".length;
  const parts = [
    { start: 0, end: HEADER_BYTES, expected: "none" as const },
    { start: HEADER_BYTES, end: lastStart, expected: all.slice(1_024) },
    { start: lastStart, end: listStart, expected: all.slice(0, 1_024) },
    { start: listStart, end: bytes.length, expected: "none" as const },
  ];

  for (const { start, end, expected } of parts) {
    const everywhere = Array.from(
      { length: HEADER_BYTES },
      (_, i) =>
        end - start === HEADER_BYTES ? i : random.integer(start, end - 1),
    );
    for (const at of everywhere) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 1 << random.integer(0, 7);
      await Deno.writeFile(path, flipped);
      assertEquals(await read(dir.path), expected, `${at}: ${random.hint}`);
    }
  }
});

Deno.test("an index of another version, another kind of file and no file are not used", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, INDEX_NAME);
  assertEquals(await read(dir.path), "none");
  await fileIn(dir.path).remove();

  await Deno.writeTextFile(path, "x".repeat(500));
  assertEquals(await read(dir.path), "none");
  await fileIn(dir.path).remove();
  await Deno.mkdir(path);
  assertEquals(await read(dir.path), "none");
});

Deno.test("one process writes an index at a time, and overwrites the rest of a killed one", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, NEW_INDEX_NAME);
  await Deno.writeFile(path, new Uint8Array(1_000_000));
  const busy = await Deno.open(path, { write: true });
  busy.tryLockSync(true);

  assertEquals(await write(dir.path, entries(3)), false);
  busy.close();
  assertEquals(await read(dir.path), "none");
  assert(await write(dir.path, entries(3)));

  assertEquals(await read(dir.path), entries(3));
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assertEquals(names, [INDEX_NAME]);
});

Deno.test("an index that cannot be written whole leaves the old index and no other file", async () => {
  await using dir = await tempDir();
  await write(dir.path, entries(3));
  class Ended extends Pacer {
    override get due(): boolean {
      return true;
    }
    override yield(): Promise<void> {
      return Promise.reject(new Error("ended"));
    }
  }

  const written = write(dir.path, entries(500), new Ended());

  assertEquals(await written.catch((error) => error.message), "ended");
  assertEquals(await read(dir.path), entries(3));
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assertEquals(names, [INDEX_NAME]);
});

Deno.test("a record follows the rules of a sidecar, even if its checksum is right", async (t) => {
  const wrong: [string, Partial<Entry>][] = [
    ["the key of another URL", { key: keyOf("b") }],
    ["a URL that is not Unicode", { url: "\ud800", key: keyOf("x") }],
    ["the same key twice", { key: keyOf("c"), url: "c" }],
  ];
  for (const [what, facts] of wrong) {
    await t.step(what, async () => {
      await using dir = await tempDir();
      await write(dir.path, [entry("c"), entry("a", facts), entry("d")]);

      assertEquals(await read(dir.path), [entry("c"), entry("d")]);
    });
  }
});

Deno.test("a record with a number that no entry can have costs its block", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, INDEX_NAME);
  await write(dir.path, [entry("c"), entry("a"), entry("d")]);
  const bytes = await Deno.readFile(path);
  const wrong: [keyof typeof NUMBER, number][] = [
    ["size", 0],
    ["size", -1],
    ["size", 1.5],
    ["size", 2 ** 53],
    ["size", 2 ** 53 - 1],
    ["lastAccess", NaN],
    ["mtimeMs", NaN],
    ["storedAt", Infinity],
    ["identity", NaN],
    ["sidecarStamp", -Infinity],
  ];
  for (const [name, value] of wrong) {
    const at = HEADER_BYTES + RECORD_BYTES + 8 * NUMBER[name];
    const forge = (view: DataView) => view.setFloat64(at, value, true);
    await Deno.writeFile(path, forged(bytes, forge));

    assertEquals(await read(dir.path), [], `${name} ${value}`);
  }
});

Deno.test("an index is not written with numbers that it would not be believed with", async () => {
  await using dir = await tempDir();
  await write(dir.path, [entry("c")]);

  for (const facts of [{ size: 0 }, { size: 2 ** 53 - 1 }, { mtimeMs: NaN }]) {
    const all = [entry("c"), entry("a", facts), entry("d")];
    assertEquals(await write(dir.path, all), false);
  }

  assertEquals(await read(dir.path), [entry("c")]);
});

Deno.test("a record whose text is not UTF-8 or overlaps another is not believed", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, INDEX_NAME);
  await write(dir.path, [entry("a"), entry("b")]);
  const bytes = await Deno.readFile(path);
  const record = HEADER_BYTES;
  const texts = record + 2 * RECORD_BYTES;
  const damages: [string, (view: DataView) => void, Entry[]][] = [
    ["no UTF-8", (view) => view.setUint8(texts, 0xff), [entry("b")]],
    ["no UTF-8 as a name", (view) => view.setUint8(texts + 10, 0xff), [
      entry("b"),
    ]],
    ["another start", (view) => view.setUint32(record + 48, 1, true), []],
    [
      "a length beyond the end",
      (view) => view.setUint32(record + 52, 2 ** 31, true),
      [],
    ],
  ];
  for (const [what, damage, expected] of damages) {
    await Deno.writeFile(path, forged(bytes, damage));

    assertEquals(await read(dir.path), expected, what);
  }
});

Deno.test("counts, list and table that do not fit are not believed, even if their checksums are right", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, INDEX_NAME);
  await write(dir.path, [entry("a"), entry("b")]);
  const bytes = await Deno.readFile(path);
  const slots = new DataView(bytes.buffer).getUint32(20, true);
  const tableStart = bytes.length - 4 * slots;
  const list = tableStart - 32;
  const forgeries: [string, (view: DataView) => void, Entry[] | "none"][] = [
    ["no entries", (view) => view.setUint32(12, 0, true), "none"],
    [
      "too many entries",
      (view) => view.setUint32(12, 2 ** 32 - 1, true),
      "none",
    ],
    [
      "too many blocks",
      (view) => view.setUint32(16, 2 ** 32 - 1, true),
      "none",
    ],
    ["no slots", (view) => view.setUint32(20, 0, true), "none"],
    ["too many slots", (view) => view.setUint32(20, 2 ** 31, true), "none"],
    ["no number", (view) => view.setFloat64(24, NaN, true), "none"],
    [
      "too many in a block",
      (view) => view.setUint32(list + 4, 3, true),
      "none",
    ],
    ["a long block", (view) => view.setUint32(list + 8, 2 ** 31, true), "none"],
    [
      "less than nothing",
      (view) => view.setFloat64(list + 16, -1, true),
      "none",
    ],
    [
      "no bytes on disk",
      (view) => view.setFloat64(list + 24, NaN, true),
      "none",
    ],
    ["another sum", (view) => view.setFloat64(list + 16, 3, true), []],
    ["another sum on disk", (view) => view.setFloat64(list + 24, 3, true), []],
    ["an empty table", (view) => {
      new Uint8Array(view.buffer).fill(0, tableStart);
    }, []],
    ["a full table", (view) => {
      new Uint8Array(view.buffer).fill(0xff, tableStart);
    }, []],
    ["another key", (view) => {
      view.setUint8(HEADER_BYTES + RECORD_BYTES + DIGEST.key, 1);
    }, [entry("a")]],
  ];
  for (const [what, forge, expected] of forgeries) {
    await Deno.writeFile(path, forged(bytes, forge));

    assertEquals(await read(dir.path), expected, what);
  }
});

Deno.test("an index that is replaced or removed gives its blocks from the file that was opened", async () => {
  await using dir = await tempDir();
  await write(dir.path, entries(1_025));
  const saved = await fileIn(dir.path).open(unexpected);
  assert(saved);

  await write(dir.path, [entry("new")]);
  assertEquals(saved.entries.peek(keyOf("7")), entry("7"));
  await fileIn(dir.path).remove();

  assertEquals([...saved.entries.oldestFirst()], entries(1_025));
});

Deno.test("blocks of an index that is closed or can't be read are lost, and a fault is told", async () => {
  await using dir = await tempDir();
  await write(dir.path, entries(1_025));
  const faults: unknown[] = [];
  const open = async () => {
    const saved = await fileIn(dir.path).open((error) => faults.push(error));
    assert(saved);
    return saved;
  };
  const closed = await open();
  assertEquals(closed.entries.peek(keyOf("7")), entry("7"));
  closed.close();
  closed.close();
  assertEquals(closed.entries.peek(keyOf("8")), entry("8"));
  assertEquals(closed.entries.peek(keyOf("1024")), undefined);
  assertEquals([closed.entries.count, faults], [1_024, []]);

  const broken = await open();
  const { readSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.readSync = () => {
    throw new Error("Input/output error");
  };
  try {
    assertEquals(broken.entries.peek(keyOf("7")), undefined);
  } finally {
    Deno.FsFile.prototype.readSync = readSync;
  }
  assertEquals([broken.entries.count, faults.length], [1, 1]);
  assertEquals(broken.entries.peek(keyOf("1024")), entry("1024"));
});

Deno.test("an index of the version before is not believed", async () => {
  await using dir = await tempDir();
  const header = new Uint8Array(128);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x78_64_69_6d, true);
  view.setUint32(4, 2, true);
  header.set(hash("sha256", header.subarray(0, -32), "buffer"), 96);
  await Deno.writeFile(join(dir.path, INDEX_NAME), header);

  assertEquals(await read(dir.path), "none");
});

Deno.test("an entry whose digest is not a SHA-256 is left out alone", async () => {
  await using dir = await tempDir();
  await write(dir.path, [entry("a"), entry("b", { sha256: "5" }), entry("c")]);

  assertEquals(await read(dir.path), [entry("a"), entry("c")]);
});

Deno.test("names and types of an index are made safe, like those of a sidecar", async () => {
  await using dir = await tempDir();
  const facts = {
    filename: "../../etc/pass\0wd",
    mimetype: "text/html\r\nX-Evil: 1",
  };
  await write(dir.path, [entry("a", facts)]);

  const all = await read(dir.path);

  assert(Array.isArray(all));
  assertEquals(all[0]?.filename, "passwd");
  assertEquals(all[0]?.mimetype, "application/octet-stream");
});

Deno.test("the rest of an index of a killed process is removed, unless it is being written", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, NEW_INDEX_NAME);
  await Deno.writeTextFile(path, "https://example.org/secret");
  const busy = await Deno.open(path, { write: true });
  busy.tryLockSync(true);
  await fileIn(dir.path).remove();
  assertEquals(await isThere(path), true);
  busy.close();

  await fileIn(dir.path).remove();

  assertEquals(await isThere(path), false);
});

Deno.test("a file with a hard link to the name of a new index is not truncated", async () => {
  await using dir = await tempDir();
  const precious = join(dir.path, "precious");
  await Deno.writeTextFile(precious, "mine");
  await Deno.link(precious, join(dir.path, NEW_INDEX_NAME));

  const isWritten = await write(dir.path, entries(3));

  assertEquals(isWritten, false);
  assertEquals(await Deno.readTextFile(precious), "mine");
});
