import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import {
  assertFollowed,
  SMALL_MEMORY,
} from "../fixtures/faults/endured_fault.ts";
import { FaultedCache } from "../fixtures/faults/faulted_cache.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { readOnlyMount, Tmpfs } from "../fixtures/directory/tmpfs.ts";
import { ArmedFault } from "./armed_fault.ts";

const MB = 2 ** 20;

Deno.test("during writes of 200 ms other calls are answered, and all readers get their bytes", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await using fault = await ArmedFault.make(cacheDir, {
    fault: { action: "delay", ms: 200 },
    operations: ["write"],
  });
  await using cache = await FaultedCache
    .open({ cacheDir, ...SMALL_MEMORY }, { env: fault.env });
  await cache.ask("put", "m:1000");
  await cache.ask("begin", `r:${2 * MB}`);

  await using _armed = await fault.arm({ at: 0, ms: 200 });
  let isOver = false;
  const finish = cache.ask("finish", `r:${2 * MB}`)
    .finally(() => isOver = true);
  let answers = 0;
  let longestMs = 0;
  while (!isOver) {
    const start = performance.now();
    assertEquals(await cache.ask("get", "m:1000"), "memory");
    longestMs = Math.max(longestMs, performance.now() - start);
    answers++;
  }
  const followed = await finish;

  assertFollowed(followed);
  assertEquals([followed.late, followed.stored], ["whole", true]);
  const writes = (await fault.operations()).length;
  // deno-lint-ignore no-console -- a figure for the reader
  console.log(
    `${answers} answers during ${writes} writes, the last to come after ${
      Math.round(longestMs)
    } ms`,
  );
  assert(writes >= 16, `${writes} writes`);
  assert(answers > 5 * writes, `${answers} answers in ${writes} writes`);
  assertEquals((await cache.ask("tell")).stats.diskErrors, 0);
  await cache.ask("close");
  assertEquals(await cache.end(), { code: 0, complaints: "" });
});

Deno.test("memory holds little of a long body without room on the disk, however slow a reader is", async () => {
  await using disk = await Tmpfs.mount("size=8m");
  const cacheDir = join(disk.path, "cache");
  await using cache = await FaultedCache.open({ cacheDir });
  assertEquals(await cache.ask("crawl", `w:${32 * MB}`), ["whole", "whole"]);

  const before = await cache.residentBytes();
  await cache.peakBytes();
  assertEquals(await cache.ask("crawl", `c:${192 * MB}`), ["whole", "whole"]);
  const growth = await cache.peakBytes() - before;

  // deno-lint-ignore no-console -- a figure for the reader
  console.log(`RSS grew by ${Math.round(growth / MB)} MiB at most`);
  assert(growth < 64 * MB, `${growth / MB} MiB`);
  const { stats, events, faults } = await cache.ask("tell");
  assertEquals([stats.diskErrors, events.uncached], [2, 2]);
  assertEquals(faults, ["write a download: ENOSPC"]);
  await cache.ask("close");
  assertEquals(await cache.end(), { code: 0, complaints: "" });
});

/** The reasons why a cache cannot write, and the report of each. */
const REFUSALS: [
  string,
  (cache: FaultedCache, dir: string) => Promise<AsyncDisposable>,
  RegExp,
][] = [
  ["that is read-only", (_, dir) => readOnlyMount(dir), /EROFS$/],
  [
    "in a process that may open no more files",
    (cache) => cache.limitFiles(0),
    /EMFILE$/,
  ],
];

for (const [where, refuse, code] of REFUSALS) {
  Deno.test(`memory holds little of a long body on a disk ${where}, however slow a reader is`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    await using cache = await FaultedCache.open({ cacheDir });
    let growth: number;
    {
      await using _fault = await refuse(cache, cacheDir);
      const warm = await cache.ask("crawl", `w:${64 * MB}`);
      assertEquals(warm, ["whole", "whole"]);

      const before = await cache.residentBytes();
      await cache.peakBytes();
      const reads = await cache.ask("crawl", `c:${128 * MB}`);
      assertEquals(reads, ["whole", "whole"]);
      growth = await cache.peakBytes() - before;
    }

    // deno-lint-ignore no-console -- a figure for the reader
    console.log(`RSS grew by ${Math.round(growth / MB)} MiB at most`);
    assert(growth < 64 * MB, `${growth / MB} MiB`);
    const { events, faults } = await cache.ask("tell");
    assertEquals([events.uncached, events.stored], [2, undefined]);
    for (const fault of faults) assertMatch(fault, code);
    assert(faults.length > 0);
    assertEquals(await cache.ask("put", "p:1000"), true);
    await cache.ask("close");
    assertEquals(await cache.end(), { code: 0, complaints: "" });
  });
}
