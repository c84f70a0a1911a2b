/** Mounts that refuse one kind of operation and do all others. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CHANGES_NAME } from "../../src/core/disk/file_names.ts";
import { SMALL_MEMORY } from "../fixtures/faults/endured_fault.ts";
import { namesIn } from "../fixtures/directory/files.ts";
import { FaultedCache } from "../fixtures/faults/faulted_cache.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  type ErrorCode,
  faultEnv,
  type OperationName,
} from "./fault_injection.ts";

/**
 * The refused operation: its name in the stats, if the cache works worse
 * without it, its name in the fault injector, and the errors of real mounts.
 */
const REFUSALS: [string, OperationName, ErrorCode[]][] = [
  ["chmod", "chmod", ["EPERM", "EOPNOTSUPP"]],
  ["flock", "lock", ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL"]],
  ["fsync", "sync", ["EINVAL", "ENOSYS"]],
  ["link", "link", ["EPERM", "EOPNOTSUPP", "EMLINK", "EXDEV"]],
  ["", "truncate", ["EPERM", "ENOSYS"]],
  ["utime", "utime", ["EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP"]],
];

const PUT = "p:300000";
const DOWNLOADED = "d:1000000";
const GIF = "f:0";

for (const [name, operation, codes] of REFUSALS) {
  for (const code of codes) {
    Deno.test(`a mount that refuses ${operation} with ${code} stores every body, and reports once what it lacks`, async () => {
      await using temp = await tempDir();
      const cacheDir = join(temp.path, "cache");
      const options = { cacheDir, durable: true, ...SMALL_MEMORY };
      const fault = { action: "fail", code } as const;
      const env = await faultEnv(cacheDir, { fault, operations: [operation] });
      {
        await using cache = new FaultedCache({ env });
        // Without it chmod has nothing to set.
        await cache.ask("umask", name === "chmod" ? 0o177 : 0o077);
        assertEquals(await cache.ask("open", options), "");
        assertEquals(await cache.ask("probe"), "");
        for (const replaced of ["put", "again"]) {
          assertEquals(await cache.ask("put", PUT), true, replaced);
        }
        const { read, stored } = await cache.ask("download", DOWNLOADED);
        assertEquals([read, stored], ["whole", true]);
        const gif = await cache.ask("gif", GIF);
        assertEquals([gif.mimetype, gif.stored], ["video/mp4", true]);
        assertEquals(await cache.ask("get", PUT), "disk");
        assertEquals(await cache.ask("delete", GIF), true);
        assertEquals(await cache.ask("probe"), "");

        const { stats, events, faults } = await cache.ask("tell");
        const told = name === "" ? [[], undefined] : [[name], 1];
        assertEquals([stats.degraded, events.degraded], told);
        assertEquals([stats.diskErrors, faults], [0, []]);
        assertEquals(events.uncached, undefined);
        await cache.ask("close");
        assertEquals(await cache.end(), { code: 0, complaints: "" });
      }
      const names = await namesIn(cacheDir);
      assertEquals(names.filter((name) => name.endsWith(".part")), []);

      await using cache = await FaultedCache.open(options);
      assertEquals(await cache.ask("get", PUT), "disk");
      assertEquals(await cache.ask("get", DOWNLOADED), "disk");
      const { stats } = await cache.ask("tell");
      assertEquals([stats.entries, stats.degraded], [2, []]);
    });
  }
}

Deno.test("on a mount that refuses locks a running download does not count as a leftover", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  const fault = { action: "fail", code: "ENOLCK" } as const;
  const env = await faultEnv(cacheDir, { fault, operations: ["lock"] });
  await using cache = await FaultedCache.open({ cacheDir }, { env });
  const url = `r:${3 * 2 ** 20}`;

  await cache.ask("begin", url);
  const names = await namesIn(cacheDir);
  const { stored, late: _, ...reads } = await cache.ask("finish", url);

  // Its name belongs to this process alone, which never removes such a file as
  // a leftover.
  assertEquals(names.filter((name) => name.endsWith(".download.part")), []);
  assertEquals(names.filter((name) => name.endsWith(".part")).length, 1);
  assertEquals(new Set(Object.values(reads)), new Set(["whole"]));
  assertEquals(stored, true);
  assertEquals((await Array.fromAsync(Deno.readDir(cacheDir))).length, 3);
  assertEquals((await namesIn(cacheDir)).includes(CHANGES_NAME), false);
});
