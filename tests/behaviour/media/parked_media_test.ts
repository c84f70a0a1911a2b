/** Media that nobody has read yet, more than may keep their files open. */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { walk } from "@std/fs/walk";
import { fromFileUrl, join } from "@std/path";
import {
  type Media,
  MediaCache,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { LENT_NAME } from "../../../src/core/disk/file_names.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  snapshotOf,
} from "../../fixtures/directory/files.ts";
import {
  openFiles,
  openFilesAtLast,
} from "../../fixtures/directory/open_files.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { CommandedProcess } from "../../fixtures/processes/commanded_process.ts";
import { runProgram } from "../../fixtures/processes/program.ts";
import type { UnreadWorker } from "../../fixtures/sharing/unread_worker.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";

const WORKER = fromFileUrl(
  import.meta.resolve("../../fixtures/sharing/unread_worker.ts"),
);
/** Some more than the 256 that keep their files open. */
const COUNT = 300;
const PARKED = COUNT - 256;

/** Bytes of a body that a hit does not read whole. */
const LENGTH = 20_000;

/** A cache of entries that are never in memory. */
async function filled(
  cacheDir: string,
  count = COUNT,
  options: MediaCacheOptions = {},
): Promise<MediaCache> {
  const cache = await MediaCache.open({
    cacheDir,
    maxMemoryItems: 0,
    ...options,
  });
  for (let n = 0; n < count; n++) {
    await cache.put(`${n}`, bytesOf(LENGTH, n), "image/png", "a.png");
  }
  return cache;
}

/** Looks all up, and waits until no more than 256 have their files open. */
async function unread(
  cache: MediaCache,
  cacheDir: string,
  count = COUNT,
): Promise<Media[]> {
  const all: Media[] = [];
  for (let n = 0; n < count; n++) {
    const media = await cache.get(`${n}`);
    assert(media);
    all.push(media);
  }
  assertEquals(await openFilesAtLast(cacheDir, 256), 256);
  return all;
}

async function assertReadable(all: readonly Media[]): Promise<void> {
  for (const [n, media] of all.entries()) {
    // Text: the difference of two long arrays takes gigabytes.
    const found = String(await media.bytes());
    assert(found === String(bytesOf(LENGTH, n)), `wrong bytes of ${n}`);
  }
}

/** The links to what is parked. */
async function links(cacheDir: string): Promise<string[]> {
  const lent = join(cacheDir, LENT_NAME);
  try {
    const found = await Array.fromAsync(walk(lent, { includeDirs: false }));
    return found.map(({ path }) => path);
  } catch (error) {
    // The last link takes its folder with it, perhaps during the walk.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

Deno.test("1,500 unread Media can be read after clear(), and never more than 256 files are open", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 1_500);
  const all = await unread(cache, dir.path, 1_500);

  await cache.clear();
  assertEquals(openFiles(dir.path).length, 256);
  assert(await cache.put("0", bytesOf(9), "image/png", "a.png"));
  const last = await cache.get("0");
  assertEquals(await openFilesAtLast(dir.path, 256), 256);

  await assertReadable(all);
  await last?.body.cancel();
  assertEquals(openFiles(dir.path), []);
});

const goings: [string, (cacheDir: string) => Promise<unknown>][] = [
  ["another cache clears", async (cacheDir) => {
    await using other = await MediaCache.open({ cacheDir });
    await other.clear();
  }],
  ["another cache replaces", async (cacheDir) => {
    await using other = await MediaCache.open({ cacheDir });
    for (let n = 0; n < COUNT; n++) {
      const bytes = bytesOf(LENGTH, n + 1);
      await other.put(`${n}`, bytes, "image/png", "", { replace: true });
    }
  }],
  ["somebody removes", async (cacheDir) => {
    for (const name of await namesIn(cacheDir)) {
      if (/\.(?:dat|json)$/.test(name)) await Deno.remove(join(cacheDir, name));
    }
  }],
];
for (const [what, go] of goings) {
  for (const durable of [false, true]) {
    const how = durable ? " of a durable cache" : "";
    Deno.test(`unread Media${how} can be read when ${what} all entries`, async () => {
      await using dir = await tempDir();
      await using cache = await filled(dir.path, COUNT, { durable });
      const all = await unread(cache, dir.path);

      await go(dir.path);

      await assertReadable(all);
      assertEquals(openFiles(dir.path), []);
      assertEquals(cache.stats().diskErrors, 0);
    });
  }
}

Deno.test("unread Media on a slow disk can be read when another cache clears all entries", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path);
  using _slow = new SlowDisk();
  const all = await unread(cache, dir.path);
  assertEquals((await links(dir.path)).length, PARKED);

  await using other = await MediaCache.open({ cacheDir: dir.path });
  await other.clear();

  await assertReadable(all);
  assertEquals(openFiles(dir.path), []);
});

Deno.test("unread Media whose files are open keep them when another cache clears and they would be parked", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 2 * COUNT);
  const all = await unread(cache, dir.path);
  for (let n = 0; n < COUNT; n++) await cache.delete(`${n}`);
  {
    await using other = await filled(dir.path, 0);
    for (let n = COUNT; n < COUNT + 100; n++) {
      all.push((await cache.get(`${n}`))!);
      await other.delete(`${n}`);
    }
  }
  for (let n = COUNT + 100; n < 2 * COUNT; n++) {
    all.push((await cache.get(`${n}`))!);
  }

  await assertReadable(all);
  assertEquals(openFiles(dir.path), []);
});

Deno.test("the link to an entry goes when the last of its Media is read, cancelled or disposed", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path);
  const all = await unread(cache, dir.path);
  assertEquals((await links(dir.path)).length, PARKED);
  const others: Media[] = [];
  for (let n = 0; n < 3; n++) others.push((await cache.get(`${n}`))!);
  assertEquals(await openFilesAtLast(dir.path, 253), 253);
  assertEquals((await links(dir.path)).length, PARKED + 3);

  await assertReadable(all);
  assertEquals((await links(dir.path)).length, 3);
  const [read, cancelled, disposed] = others;
  assertBytes(await read?.bytes(), bytesOf(LENGTH, 0));
  assertEquals((await links(dir.path)).length, 2);
  await cancelled?.body.cancel();
  assertEquals((await links(dir.path)).length, 1);
  await disposed?.[Symbol.asyncDispose]();

  assertEquals(await links(dir.path), []);
});

Deno.test("parked files count nowhere, and close() leaves no link", async () => {
  await using dir = await tempDir();
  {
    await using cache = await filled(dir.path);
    const { orphanBytes, occupiedBytes } = cache.stats();
    const all = await unread(cache, dir.path);
    assertEquals((await links(dir.path)).length, PARKED);

    const { problems, entries } = await cache.verify();
    assertEquals([problems, entries], [[], COUNT]);
    await using other = await filled(dir.path, 0);
    for (
      const { stats } of [cache, other].map((it) => ({ stats: it.stats() }))
    ) {
      assertEquals(stats.entries, COUNT);
      assertEquals(stats.orphanBytes, orphanBytes);
      assert(stats.occupiedBytes <= occupiedBytes);
    }
    const reader = all[0]!.body.getReader({ mode: "byob" });
    const start = await reader.read(new Uint8Array(10));
    assertEquals((await links(dir.path)).length, PARKED - 1);
    await other.close();
    await cache.close();
    const rest = await reader.read(new Uint8Array(LENGTH));
    const parts = [start.value!, rest.value!];
    assertBytes(await new Blob(parts).bytes(), bytesOf(LENGTH, 0));
    await reader.cancel();
  }

  assertFalse(await isThere(join(dir.path, LENT_NAME)));
});

Deno.test("a cache that is read-only parks unread Media without a link", async () => {
  await using dir = await tempDir();
  await (await filled(dir.path)).close();
  const before = await snapshotOf(dir.path);
  await using cache = await filled(dir.path, 0, { readOnly: true });
  const all = await unread(cache, dir.path);

  assertEquals(await snapshotOf(dir.path), before);
  assertFalse(await isThere(join(dir.path, LENT_NAME)));
  await assertReadable(all);
});

Deno.test("parking needs no other permission than to read and write the folder", async () => {
  const program = `
    const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
    const all = [];
    for (let n = 0; n < ${COUNT}; n++) {
      await cache.put(\`\${n}\`, new Uint8Array(${LENGTH}), "image/png", "a.png");
      all.push(await cache.get(\`\${n}\`));
    }
    await cache.clear();
    let bytes = 0;
    for (const media of all) bytes += (await media.bytes()).length;
    const { diskErrors, degraded } = cache.stats();
    await cache.close();
    console.log(JSON.stringify([bytes, diskErrors, degraded]));
  `;
  const tmp = Deno.env.get("TMPDIR") ?? "/tmp";
  const flags = ["--no-prompt", `--allow-read=${tmp}`, `--allow-write=${tmp}`];
  assertEquals(await runProgram(program, { flags }), [[COUNT * LENGTH, 0, []]]);
});

Deno.test("links of a killed process are removed at the next start, or within a minute", async () => {
  await using dir = await tempDir();
  using timers = holdTimers();
  await using _running = await filled(dir.path, 0);
  const look = timers.waiting.find(({ waitMs }) => waitMs === 60_000);
  assert(look?.unreferenced);
  timers[Symbol.dispose]();
  const lent = join(dir.path, LENT_NAME);
  for (const opens of [false, true]) {
    {
      await using killed = new CommandedProcess<UnreadWorker>(WORKER);
      await killed.ask("open", { cacheDir: dir.path }, COUNT);
      assertEquals(await killed.ask("hold", COUNT), COUNT);
      assertEquals((await links(dir.path)).length, PARKED);
      await Deno.writeTextFile(join(lent, "mine"), "a");

      // The process lives: nothing of it is removed.
      await (await filled(dir.path, 0)).close();
      await look.callback();
      assertEquals((await links(dir.path)).length, PARKED + 1);
    }
    if (opens) await (await filled(dir.path, 0)).close();
    else await look.callback();

    assertEquals(await links(dir.path), [join(lent, "mine")]);
    await Deno.remove(join(lent, "mine"));
  }
  await look.callback();
  assertFalse(await isThere(lent));
});

const harms: [string, (lent: string, outside: string) => Promise<void>][] = [
  ["removed", () => Promise.resolve()],
  ["replaced by a file", (lent) => Deno.writeTextFile(lent, "mine")],
  ["replaced by a link", (lent, outside) => Deno.symlink(outside, lent)],
];
for (const [what, harm] of harms) {
  Deno.test(`unread Media can be read when the folder of what is lent is ${what}, and nothing else is touched`, async () => {
    await using dir = await tempDir();
    const cacheDir = join(dir.path, "cache");
    const outside = join(dir.path, "outside");
    const kept = join(outside, crypto.randomUUID());
    await Deno.mkdir(kept, { recursive: true });
    await Deno.writeTextFile(join(kept, "0"), "mine");
    const lent = join(cacheDir, LENT_NAME);
    {
      await using cache = await filled(cacheDir, 2 * COUNT);
      const all = await unread(cache, cacheDir);
      await Deno.remove(lent, { recursive: true });
      await harm(lent, outside);
      await (await filled(cacheDir, 0)).close();

      for (let n = COUNT; n < 2 * COUNT; n++) {
        all.push((await cache.get(`${n}`))!);
      }
      assertEquals(await openFilesAtLast(cacheDir, 256), 256);
      await assertReadable(all);
      assertEquals(openFiles(cacheDir), []);
      assertEquals((await cache.verify()).problems, []);
      assertEquals(cache.stats().diskErrors, 0);
    }
    assertEquals(await isThere(lent), what !== "removed");
    assertEquals(await Deno.readTextFile(join(kept, "0")), "mine");
    assertEquals((await Array.fromAsync(Deno.readDir(outside))).length, 1);
  });
}
