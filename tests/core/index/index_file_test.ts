import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import {
  INDEX_NAME,
  NEW_INDEX_NAME,
} from "../../../src/core/disk/file_names.ts";
import { IndexFile } from "../../../src/core/index/index_file.ts";
import {
  HEADER_BYTES,
  outlinesBytes,
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
    inode: 12_345.678,
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

/** The entries in the index of a directory, or why it cannot be used. */
async function read(dir: string): Promise<Entry[] | "none" | "damaged"> {
  const reader = await fileIn(dir).open();
  if (reader === undefined) return "none";
  const all: Entry[] = [];
  try {
    for (let block = 0; block < reader.blocks; block++) {
      const some = await reader.read(block);
      if (some === undefined) return "damaged";
      assertEquals(reader.ordinalOf(block), all.length);
      all.push(...some);
    }
    assertEquals(reader.place, PLACE);
    assertEquals(reader.pending.count, all.length);
    const bytes = all.reduce((sum, { size }) => sum + size, 0);
    assertEquals(reader.pending.bytes, bytes);
  } finally {
    reader.close();
  }
  return all;
}

Deno.test("an index gives back the written entries in their order", async () => {
  await using dir = await tempDir();
  const hostile = [
    entry("https://example.org/ü?\u2028\u0000", { filename: "'ü' .png" }),
    entry("", { size: 2 ** 52, mtimeMs: 0, lastAccess: 0, storedAt: 0 }),
    entry("digest", { sha256: "0f".repeat(32) }),
  ];
  for (const count of [0, 1, 127, 128, 129, 1_000]) {
    const written = [...hostile, ...entries(count)];

    assert(await fileIn(dir.path).write(PLACE, written, new Pacer()));

    assertEquals(await read(dir.path), written);
  }
  const info = await Deno.stat(join(dir.path, INDEX_NAME));
  assertEquals((info.mode ?? 0) & 0o777, 0o600);
});

Deno.test("a future time counts as now", async () => {
  await using dir = await tempDir();
  const later = Date.now() + 1e9;
  await fileIn(dir.path).write(
    PLACE,
    [entry("a", { mtimeMs: later, lastAccess: later })],
    new Pacer(),
  );

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
    (_, i) => entry(`${i}`, { mtimeMs: later - i }),
  );
  await fileIn(dir.path).write(PLACE, all, new Pacer());
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
  await fileIn(dir.path).write(PLACE, entries(300), new Pacer());
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
  await fileIn(dir.path).write(PLACE, entries(300), new Pacer());
  const path = join(dir.path, INDEX_NAME);
  const bytes = await Deno.readFile(path);
  const random = new Random();
  const front = HEADER_BYTES + outlinesBytes(300);
  const everywhere = [
    ...Array.from({ length: HEADER_BYTES }, (_, i) => i),
    ...Array.from({ length: 200 }, () => random.integer(0, front - 1)),
    ...Array.from({ length: 200 }, () => random.integer(0, bytes.length - 1)),
  ];

  for (const at of everywhere) {
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 1 << random.integer(0, 7);
    await Deno.writeFile(path, flipped);
    const expected = at < front ? "none" : "damaged";
    assertEquals(await read(dir.path), expected, `${at}: ${random.hint}`);
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

  assertEquals(
    await fileIn(dir.path).write(PLACE, entries(3), new Pacer()),
    false,
  );
  busy.close();
  assertEquals(await read(dir.path), "none");
  assert(await fileIn(dir.path).write(PLACE, entries(3), new Pacer()));

  assertEquals(await read(dir.path), entries(3));
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assertEquals(names, [INDEX_NAME]);
});

Deno.test("an index that cannot be written whole leaves the old index and no other file", async () => {
  await using dir = await tempDir();
  await fileIn(dir.path).write(PLACE, entries(3), new Pacer());
  class Ended extends Pacer {
    override get due(): boolean {
      return true;
    }
    override yield(): Promise<void> {
      return Promise.reject(new Error("ended"));
    }
  }

  const written = fileIn(dir.path).write(PLACE, entries(500), new Ended());

  assertEquals(await written.catch((error) => error.message), "ended");
  assertEquals(await read(dir.path), entries(3));
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assertEquals(names, [INDEX_NAME]);
});

Deno.test("a record follows the rules of a sidecar, even if its digest is right", async (t) => {
  const wrong: Record<string, Partial<Record<keyof Entry, unknown>>> = {
    "a path for a key": { key: "../secret" },
    "the key of another URL": { key: keyOf("b") },
    "a URL that is no text": { url: 5 },
    "a URL that is not Unicode": { url: "\ud800", key: keyOf("\ud800") },
    "a type that is no text": { mimetype: null },
    "a name that is no text": { filename: ["a"] },
    "a size of nothing": { size: 0 },
    "a size that is no integer": { size: 1.5 },
    "a time that is no number": { mtimeMs: "1" },
    "a time without end": { storedAt: Infinity },
    "an inode that is no number": { inode: null },
    "a digest that is no text": { sha256: 5 },
  };
  for (const [what, facts] of Object.entries(wrong)) {
    await t.step(what, async () => {
      await using dir = await tempDir();
      const all = [entry("c"), entry("a", facts as Partial<Entry>)];
      await fileIn(dir.path).write(PLACE, all, new Pacer());

      const isCounted = facts.size === undefined;
      assertEquals(await read(dir.path), isCounted ? "damaged" : "none");
    });
  }
});

Deno.test("names and types of an index are made safe, like those of a sidecar", async () => {
  await using dir = await tempDir();
  const facts = {
    filename: "../../etc/pass\0wd",
    mimetype: "text/html\r\nX-Evil: 1",
  };
  await fileIn(dir.path).write(PLACE, [entry("a", facts)], new Pacer());

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

  const isWritten = await fileIn(dir.path)
    .write(PLACE, entries(3), new Pacer());

  assertEquals(isWritten, false);
  assertEquals(await Deno.readTextFile(precious), "mine");
});
