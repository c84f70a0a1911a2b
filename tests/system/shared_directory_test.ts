/**
 * Several processes on one directory, for longer than the other tests and with
 * the Python original among them.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { join } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import {
  bodyBytesIn,
  isThere,
  namesIn,
  pathsOf,
} from "../fixtures/directory/files.ts";
import { markedBody } from "../fixtures/bodies/marked_body.ts";
import { python } from "../fixtures/python/original.ts";
import { followTogether } from "../fixtures/sharing/follow_lags.ts";
import { turn } from "../fixtures/cache/recorder.ts";
import {
  share,
  type SharingProcess,
} from "../fixtures/sharing/sharing_processes.ts";
import type { Reads } from "../fixtures/sharing/sharing_worker.ts";
import { SlowOrigin } from "../fixtures/sharing/slow_origin.ts";

const CHUNKS = Array.from({ length: 40 }, (_, i) => pattern(4096, i + 1));
const URLS = ["a", "b", "c", "d", "e"];
const SIZES = [2000, 2000, 2001, 70_000, 300_000];

function tell(line: string): void {
  // deno-lint-ignore no-console -- a figure of this machine
  console.log(line);
}

Deno.test("3 processes of 25 callers each read a download while it comes", async () => {
  await using processes = await share(4);
  await using origin = new SlowOrigin(CHUNKS, 25);
  const { wanted, holder, lagsMs } = await followTogether(
    processes.all,
    origin.url,
    25,
    4096,
  );

  assertEquals(lagsMs.length, 3 * CHUNKS.length);
  const end = wanted[holder]?.arrivals.at(-1) ?? NaN;
  for (const { arrivals } of wanted) {
    assertLess(arrivals[CHUNKS.length / 2] ?? NaN, end);
  }
  tell(`followers are behind by at most ${lagsMs.at(-1)} ms`);
});

for (const manner of ["silent", "partial"] as const) {
  const state = manner === "silent" ? "before it has" : "when it has sent";
  Deno.test(`a holder killed ${state} bytes is replaced`, async () => {
    await using processes = await share(3);
    await using origin = new SlowOrigin(CHUNKS, 1, [manner]);
    const { all } = processes;
    const wanting = new Map<unknown, Promise<unknown>>(
      all.map((process) => [
        process,
        manner === "silent"
          ? process.ask("want", origin.url, 5, 4096).catch(() => {})
          : process.ask("take", "unread", origin.url),
      ]),
    );
    const { process: holder } = await origin.asked(1, all);
    if (manner === "partial") await Promise.all(wanting.values());
    const killed = performance.now();
    const killedAt = Date.now();
    holder.kill("SIGKILL");
    const others = processes.except(holder);
    const { process: successor, time } = await origin.asked(2, others);
    tell(`taken over after ${(time - killed).toFixed(0)} ms`);
    for (const process of others) {
      await wanting.get(process);
      if (manner === "silent") continue;
      // Until then it reads the file of the dead holder, which has no more
      // bytes.
      if (process !== successor) await process.ask("leave", killedAt);
      const size = CHUNKS.length * 4096;
      assertEquals(await process.ask("readRest", "unread"), size);
    }
    assertEquals(origin.requests.length, 2);
  });
}

for (const maxMemoryItems of [0, 64]) {
  const tier = maxMemoryItems === 0 ? "without" : "with";
  Deno.test(`in 16,000 reads ${tier} a memory tier none is torn while others replace and delete`, async () => {
    await using processes = await share(4, { maxMemoryItems });
    const [one, two, ...readers] = processes.all;
    assert(one !== undefined && two !== undefined);
    const writing = [
      one.ask("replace", URLS, [1, 2, 3], SIZES),
      two.ask("replace", URLS, [4, 5, 6], SIZES),
    ];

    const reads = [];
    for (let i = 0; i < 4; i++) {
      reads.push(
        ...await Promise.all(
          readers.map((process) => process.ask("read", URLS, 2000)),
        ),
      );
    }
    await Promise.all([one.ask("stop"), two.ask("stop")]);
    const writes = await Promise.all(writing);

    assertEquals(reads.reduce((sum, { bodies }) => sum + bodies, 0), 16_000);
    assertEquals(reads.flatMap(({ torn }) => torn), []);
    assertEquals(reads.flatMap(({ errors }) => errors), []);
    assert(Math.min(...writes) > 100);
    for (const process of processes.all) {
      assertEquals(await process.ask("faults"), []);
    }
  });
}

/**
 * The files of the original: every mark has its own length, some of several
 * pieces.
 */
const THEIR_MARKS = [11, 12, 13, 14, 15];
const THEIR_SIZES = [5000, 5001, 70_000, 270_000, 400_000];

/** The results of a reader whose file is rewritten in place during the read. */
const REWRITTEN = /^IncompleteBodyError|rewritten by another program$/;

/**
 * Lets the original store other versions round after round, and evict between.
 */
async function rewrite(
  cacheDir: string,
  urls: string[],
  state: { rounds: number; isOver: boolean },
): Promise<void> {
  for (; !state.isOver; state.rounds++) {
    const { rounds } = state;
    const entries = urls.map((url, i) => {
      const version = (rounds + i) % THEIR_MARKS.length;
      const size = THEIR_SIZES[version] ?? 0;
      const { bytes, mimetype, filename } = markedBody(
        THEIR_MARKS[version] ?? 0,
        size,
      );
      return {
        url,
        mimetype,
        filename,
        size,
        ts: Date.now() / 1000,
        data: bytes,
      };
    });
    await python.write(cacheDir, entries);
    if (rounds % 3 !== 2) continue;
    try {
      await python.evict(cacheDir, rounds % 2 === 0 ? 300_000 : 0);
    } catch (error) {
      // The original fails if others remove the file that it is about to
      // remove.
      if (!String(error).includes("FileNotFoundError")) throw error;
    }
  }
}

for (const maxMemoryItems of [0, 2]) {
  const tier = maxMemoryItems === 0 ? "without" : "with";
  Deno.test(`while the Python original writes and evicts, no read ${tier} a memory tier is torn, and no entry of this cache is wrong`, async () => {
    await using processes = await share(3, {
      maxMemoryItems,
      maxSizeMb: 2_000_000 / 1_048_576,
    });
    const { all: [one, ...readers], cacheDir } = processes;
    assert(one !== undefined);
    const theirs = ["x", "y", "z"];
    const writing = one.ask("replace", URLS, [1, 2, 3], SIZES);
    const state = { rounds: 0, isOver: false };
    const rewriting = rewrite(cacheDir, theirs, state);

    const reads: Reads[] = [];
    const read = async (process: SharingProcess, urls: string[]) => {
      do reads.push(await process.ask("read", urls, 500)); while (
        state.rounds < 16
      );
    };
    await Promise.all(readers.flatMap((process) => [
      read(process, [...URLS, ...theirs]),
      read(process, theirs),
    ]));
    state.isOver = true;
    await one.ask("stop");

    await rewriting;
    const errors = reads.flatMap(({ errors }) => errors);
    const bodies = reads.reduce((sum, { bodies }) => sum + bodies, 0);
    tell(
      `${state.rounds} rounds, ${bodies} reads, of which ${errors.length} ended with an error`,
    );
    assert(await writing > 100);
    assertEquals(reads.flatMap(({ torn }) => torn), []);
    assertEquals(errors.filter((error) => !REWRITTEN.test(error)), []);
    await python.evictAll(cacheDir);
    // The original does not announce its removals, so RAM may hold some of
    // them.
    const left = [...URLS, ...theirs].map((url) => readers[0]?.ask("get", url));
    const found = (await Promise.all(left)).filter((found) => found !== null);
    assert(found.length <= maxMemoryItems);
    assert(await one.ask("put", "a", 1, 1000));
    assertEquals((await readers[0]?.ask("get", "a"))?.[0], 1);
  });
}

Deno.test("a process that hangs during a commit costs the others their stores, and a second once", async () => {
  await using processes = await share(2);
  const [stopped, other] = processes.all;
  assert(stopped !== undefined && other !== undefined);
  await other.ask("put", "a", 1, 1000);
  const hanging = stopped.ask("stopInCommit", "b").catch(() => undefined);
  const { dat } = pathsOf(processes.cacheDir, "b");
  while (!await isThere(dat)) await turn();

  const start = performance.now();
  const puts = await Promise.all(
    ["c", "d", "e", "f"].map((url) => other.ask("put", url, 1, 1000)),
  );
  const ms = performance.now() - start;
  assertEquals(puts, [false, false, false, false]);
  assert(ms < 8_000, `${ms} ms`);
  assertEquals((await other.ask("get", "a"))?.[0], 1);
  await using origin = new SlowOrigin(CHUNKS, 1);
  assertEquals((await other.ask("want", origin.url, 5, 4096)).errors, []);

  stopped.kill("SIGKILL");
  await hanging;
  assertEquals(await other.ask("put", "c", 1, 1000), true);
  assertEquals(await other.ask("put", "b", 2, 1000), true);
  assertEquals((await other.ask("get", "b"))?.[0], 2);
});

Deno.test("processes killed one after the other while they store keep the budget and every whole entry", async () => {
  const maxBytes = 400_000;
  const options = { maxSizeMb: maxBytes / 1_048_576 };
  await using processes = await share(6, options);
  const { all, cacheDir } = processes;
  const last = all.at(-1);
  assert(last !== undefined);
  const filling = all.map((process, i) =>
    process.ask("fill", `${i % 3}`, 30_000).catch(() => 0)
  );
  for (const process of all.slice(0, -1)) {
    const { length } = await namesIn(cacheDir);
    while ((await namesIn(cacheDir)).length === length) await turn();
    process.kill("SIGKILL");
  }
  await last.ask("stop");
  // Puts and downloads that run are still stored.
  await filling.at(-1);
  await last.ask("put", "last", 1, 1);

  // A kill may leave a body without a sidecar, which is not an entry.
  let bytes = 0;
  for (const name of await namesIn(cacheDir)) {
    if (!name.endsWith(".json")) continue;
    const dat = join(cacheDir, name.replace(".json", ".dat"));
    const { size } = JSON.parse(await Deno.readTextFile(join(cacheDir, name)));
    assertEquals((await Deno.stat(dat)).size, size);
    bytes += size;
  }
  const { totalBytes } = await last.ask("stats");
  assertEquals(totalBytes, bytes);
  assert(bytes <= maxBytes && bytes <= await bodyBytesIn(cacheDir));
  assertEquals(await last.ask("faults"), []);
});
