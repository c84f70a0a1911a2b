/**
 * Directories in which nothing can be stored, and the errors of opening them.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import type { MediaCacheOptions } from "../../mod.ts";
import { cli } from "../fixtures/processes/cli.ts";
import { SMALL_MEMORY } from "../fixtures/faults/endured_fault.ts";
import { FaultedCache, MODES_COUNT } from "../fixtures/faults/faulted_cache.ts";
import { namesIn } from "../fixtures/directory/files.ts";
import type { StartOptions } from "../fixtures/processes/commanded_process.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { readOnlyMount, Tmpfs } from "../fixtures/directory/tmpfs.ts";
import { type ErrorCode, faultEnv } from "./fault_injection.ts";

/** Makes a directory unwritable until disposed. */
type Forbid = (dir: string) => Promise<AsyncDisposable>;

const FORBIDDEN: Record<string, { forbid: Forbid; code: string }> = {
  "of another user": {
    forbid: async (dir) => {
      await Deno.chown(dir, 1000, 1000);
      await Deno.chmod(dir, 0o755);
      return { [Symbol.asyncDispose]: () => Deno.chown(dir, 0, 0) };
    },
    code: "Permission denied (os error 13)",
  },
  "on a read-only mount": {
    forbid: readOnlyMount,
    code: "Read-only file system (os error 30)",
  },
};

/** A cache that was used before, in a new directory. */
async function usedBefore(cacheDir: string): Promise<void> {
  await using cache = await FaultedCache.open({ cacheDir });
  await cache.ask("put", "a:100000");
  await cache.ask("close");
}

async function opened(
  options: MediaCacheOptions,
  how: StartOptions = {},
) {
  const cache = new FaultedCache(how);
  const problem = await cache.ask("open", options);
  return { cache, problem };
}

for (const [name, { forbid, code }] of Object.entries(FORBIDDEN)) {
  Deno.test(`opening a directory ${name} rejects and names it, and the cache continues uncached`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    await usedBefore(cacheDir);
    const how = { wrapper: MODES_COUNT };
    {
      await using _forbidden = await forbid(cacheDir);
      const options = { cacheDir, ...SMALL_MEMORY };
      const { cache: writer, problem } = await opened(options, how);
      await using cache = writer;

      assertMatch(problem, /^MediaCacheError: Cannot open cache: cacheDir /);
      assertEquals([problem.includes(cacheDir), problem.includes(code)], [
        true,
        true,
      ]);
      assertEquals(await cache.ask("get", "a:100000"), "disk");
      const download = await cache.ask("download", "b:100000");
      assertEquals([download.read, download.stored], ["whole", false]);
      assertEquals(await cache.ask("put", "c:1000"), false);

      const readOnly = { ...options, readOnly: true };
      const { cache: reader, problem: none } = await opened(readOnly, how);
      await using looking = reader;
      assertEquals(none, "");
      assertEquals(await looking.ask("get", "a:100000"), "disk");
    }
    const { cache: later, problem } = await opened({ cacheDir }, how);
    await using cache = later;
    assertEquals(problem, "");
    assertEquals(await cache.ask("put", "c:1000"), true);
  });
}

Deno.test("opening a directory that cannot be written succeeds as soon as it can, in the same cache", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await Deno.mkdir(cacheDir);
  const mount = await readOnlyMount(cacheDir);
  const { cache: opening, problem } = await opened({ cacheDir });
  await using cache = opening;
  assertMatch(problem, /Read-only file system/);
  await mount[Symbol.asyncDispose]();

  assertEquals(await cache.ask("load"), "");
  assertEquals(await cache.ask("put", "a:1000"), true);
});

/** Errors of creating a file, and whether opening rejects with each. */
const CREATE_ERRORS: Partial<Record<ErrorCode, boolean>> = {
  EPERM: true,
  EACCES: true,
  EROFS: true,
  ENOSPC: false,
  EDQUOT: false,
  EIO: false,
  EMFILE: false,
  ENFILE: false,
  // Of network mounts whose server is away for a while.
  EAGAIN: false,
  EBUSY: false,
  EHOSTDOWN: false,
  EHOSTUNREACH: false,
  ENETUNREACH: false,
  ENOTCONN: false,
  EREMOTEIO: false,
  ESTALE: false,
  ETIMEDOUT: false,
};

for (const [code, rejects] of Object.entries(CREATE_ERRORS)) {
  for (const isThere of [true, false]) {
    const name = isThere ? "can't be written" : "can't be made";
    Deno.test(`opening a directory that ${name} for ${code} ${rejects ? "rejects" : "is reported as a passing fault"}`, async () => {
      await using temp = await tempDir();
      const cacheDir = join(temp.path, "cache");
      if (isThere) await usedBefore(cacheDir);
      const fault = { action: "fail", code: code as ErrorCode } as const;
      const operations = ["create", "mkdir"] as const;
      const env = await faultEnv(cacheDir, { fault, operations });
      const { cache: opening, problem } = await opened({ cacheDir }, { env });
      await using cache = opening;

      assertEquals(problem.includes(cacheDir), rejects, problem);
      const { read } = await cache.ask("download", "b:100000");
      assertEquals(read, "whole");
      const { faults, stats } = await cache.ask("tell");
      const isTold = faults.some((fault) =>
        fault.startsWith("write to the directory: ")
      );
      assertEquals([isTold, stats.degraded], [!rejects, []]);
      if (isThere) assertEquals(await cache.ask("get", "a:100000"), "disk");
    });
  }
}

Deno.test("opening on a full disk succeeds, and bodies are stored when there is room again", async () => {
  await using disk = await Tmpfs.mount("size=8m");
  const cacheDir = join(disk.path, "cache");
  await usedBefore(cacheDir);
  const full = await disk.fill();
  await using cache = await FaultedCache.open({ cacheDir });
  const { stats, faults } = await cache.ask("tell");
  assertEquals(
    [stats.entries, stats.diskErrors, faults],
    [1, 1, ["write to the directory: ENOSPC"]],
  );
  assertEquals(await cache.ask("get", "a:100000"), "disk");
  assertEquals(await cache.ask("put", "b:100000"), false);

  await full[Symbol.asyncDispose]();
  assertEquals(await cache.ask("put", "b:100000"), true);
});

Deno.test("the command line makes room on a full disk", async () => {
  await using disk = await Tmpfs.mount("size=8m");
  const cacheDir = join(disk.path, "cache");
  await usedBefore(cacheDir);
  await using _full = await disk.fill();

  const { code, stdout, stderr } = await cli([
    "prune",
    "--max-size-mb=0",
    `--dir=${cacheDir}`,
  ]);

  assertEquals(code, 0, stderr);
  assertMatch(stderr, /^media-cache: can't write to the directory: No space /);
  assertMatch(stdout, /a\.png/);
  assertEquals(await namesIn(cacheDir), []);
});

Deno.test("under a umask that removes the owner's rights, a process bound by modes stores and finds entries", async () => {
  for (const umask of [0o177, 0o277, 0o777]) {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "above", "cache");
    for (const url of ["a:100000", "b:100000"]) {
      await using cache = new FaultedCache({ wrapper: MODES_COUNT });
      await cache.ask("umask", umask);
      assertEquals(await cache.ask("open", { cacheDir }), "");
      assertEquals(await cache.ask("put", url), true);
      assertEquals((await cache.ask("gif", `g:${url}`)).mimetype, "video/mp4");
      await cache.ask("close");
      const { faults, stats } = await cache.ask("tell");
      assertEquals([faults, stats.degraded], [[], []]);
    }
    await using cache = await FaultedCache.open({ cacheDir }, {
      wrapper: MODES_COUNT,
    });
    assertEquals(await cache.ask("get", "a:100000"), "disk");
  }
});

Deno.test("a directory with unreadable names cannot be used", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await Deno.mkdir(cacheDir, { mode: 0o300 });
  for (const readOnly of [false, true]) {
    const how = { wrapper: MODES_COUNT };
    const { cache: opening, problem } = await opened(
      { cacheDir, readOnly },
      how,
    );
    await using cache = opening;

    assertMatch(problem, /^MediaCacheError: .*Permission denied/);
    assertEquals(
      await cache.ask("probe"),
      "the directory can't be used: EACCES",
    );
  }
});

for (const operation of ["rename", "unlink"] as const) {
  Deno.test(`a directory in which no ${operation} succeeds cannot be used`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    await Deno.mkdir(cacheDir);
    const fault = { action: "fail", code: "EPERM" } as const;
    const env = await faultEnv(cacheDir, { fault, operations: [operation] });
    const { cache: opening, problem } = await opened({ cacheDir }, { env });
    await using cache = opening;

    assertMatch(problem, /^MediaCacheError: .*Operation not permitted/);
    assertEquals(
      await cache.ask("probe"),
      "the directory can't be used: EPERM",
    );
  });
}
