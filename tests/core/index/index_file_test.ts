import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CatalogSnapshot } from "../../../src/core/catalog/catalog_snapshot.ts";
import { RECORD_BYTES } from "../../../src/core/catalog/packed_entry.ts";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import {
  INDEX_NAME,
  NEW_INDEX_NAME,
} from "../../../src/core/disk/file_names.ts";
import { IndexFile } from "../../../src/core/index/index_file.ts";
import {
  BLOCK_HEAD_BYTES,
  HEADER_BYTES,
} from "../../../src/core/index/index_format.ts";
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
  const saved = await fileIn(dir).read();
  if (saved === undefined) return "none";
  const { place, entries } = saved;
  assertEquals(place, PLACE);
  const { count, bytes } = entries;
  const all = [...entries.oldestFirst()];
  if (all.length === count) {
    assertEquals(bytes, all.reduce((sum, { size }) => sum + size, 0));
  }
  return all;
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
  for (const count of [0, 1, 1_018, 1_019, 1_020, 3_000]) {
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

Deno.test("a flipped bit anywhere in an index is noticed", async () => {
  await using dir = await tempDir();
  await write(dir.path, entries(300));
  const path = join(dir.path, INDEX_NAME);
  const bytes = await Deno.readFile(path);
  const random = new Random();
  const front = HEADER_BYTES + BLOCK_HEAD_BYTES;
  const everywhere = [
    ...Array.from({ length: front }, (_, i) => i),
    ...Array.from({ length: 400 }, () => random.integer(0, bytes.length - 1)),
  ];

  for (const at of everywhere) {
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 1 << random.integer(0, 7);
    await Deno.writeFile(path, flipped);
    assertEquals(await read(dir.path), "none", `${at}: ${random.hint}`);
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
  /** `isFatal`: the whole index is not believed, else this entry alone. */
  const wrong: [string, Partial<Entry>, isFatal: boolean][] = [
    ["the key of another URL", { key: keyOf("b") }, false],
    ["a URL that is not Unicode", { url: "\ud800", key: keyOf("x") }, false],
    ["a size of nothing", { size: 0 }, true],
    ["a size below nothing", { size: -1 }, true],
    ["a size that is no integer", { size: 1.5 }, true],
    ["a size that no number holds", { size: 2 ** 53 }, true],
    ["sizes that no number holds", { size: 2 ** 53 - 1 }, true],
    ["a use that is no number", { lastAccess: NaN }, true],
    ["a time that is no number", { mtimeMs: NaN }, true],
    ["a time without end", { storedAt: Infinity }, true],
    ["an identity that is no number", { identity: NaN }, true],
    ["a stamp that is no number", { sidecarStamp: -Infinity }, true],
    ["the same key twice", { key: keyOf("c"), url: "c" }, true],
  ];
  for (const [what, facts, isFatal] of wrong) {
    await t.step(what, async () => {
      await using dir = await tempDir();
      await write(dir.path, [entry("c"), entry("a", facts), entry("d")]);

      const expected = isFatal ? "none" : [entry("c"), entry("d")];
      assertEquals(await read(dir.path), expected);
    });
  }
});

Deno.test("a record whose text is not UTF-8 or overlaps another is not believed", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, INDEX_NAME);
  await write(dir.path, [entry("a"), entry("b")]);
  const bytes = await Deno.readFile(path);
  const record = HEADER_BYTES + BLOCK_HEAD_BYTES;
  const texts = record + 2 * RECORD_BYTES;
  const damages: [string, (view: DataView) => void, Entry[] | "none"][] = [
    ["no UTF-8", (view) => view.setUint8(texts, 0xff), [entry("b")]],
    ["no UTF-8 as a name", (view) => view.setUint8(texts + 10, 0xff), [
      entry("b"),
    ]],
    ["another start", (view) => view.setUint32(record + 48, 1, true), "none"],
    [
      "a length beyond the end",
      (view) => view.setUint32(record + 52, 2 ** 31, true),
      "none",
    ],
  ];
  for (const [what, damage, expected] of damages) {
    const damaged = bytes.slice();
    const view = new DataView(damaged.buffer);
    damage(view);
    const block = damaged.subarray(HEADER_BYTES + 4);
    view.setUint32(HEADER_BYTES, crc32(block), true);
    await Deno.writeFile(path, damaged);

    assertEquals(await read(dir.path), expected, what);
  }
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
