import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { CHANGES_NAME } from "../../src/core/disk/file_names.ts";
import { endure, SMALL_MEMORY } from "../fixtures/faults/endured_fault.ts";
import {
  bytesOf,
  isThere,
  pathsOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { FaultedCache, MODES_COUNT } from "../fixtures/faults/faulted_cache.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { readOnlyMount, Tmpfs } from "../fixtures/directory/tmpfs.ts";
import { cli } from "../fixtures/processes/cli.ts";

Deno.test("a full disk breaks nothing, and the cache recovers when there is room again", async () => {
  await using disk = await Tmpfs.mount("size=8m");
  const cacheDir = join(disk.path, "cache");
  await using cache = await FaultedCache.open({ cacheDir, ...SMALL_MEMORY });

  await endure(cache, cacheDir, () => disk.fill(), {
    code: /ENOSPC$/,
    hit: /^disk$/,
    stored: false,
  });
});

Deno.test("a disk without room for names breaks nothing, and the cache recovers when there is room again", async () => {
  await using disk = await Tmpfs.mount("size=16m,nr_inodes=40");
  const cacheDir = join(disk.path, "cache");
  await using cache = await FaultedCache.open({ cacheDir, ...SMALL_MEMORY });

  await endure(cache, cacheDir, () => disk.crowd(), {
    code: /ENOSPC$/,
    hit: /^disk$/,
    stored: false,
    runningStored: true,
  });
});

Deno.test("a disk that becomes read-only breaks nothing, and the cache recovers when it is writable again", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await using cache = await FaultedCache.open({ cacheDir, ...SMALL_MEMORY });

  await endure(cache, cacheDir, () => readOnlyMount(cacheDir), {
    code: /EROFS$/,
    hit: /^disk$/,
    stored: false,
  });
});

for (const count of [0, 1, 2, 3]) {
  Deno.test(`a process that may open ${count} more files breaks nothing, and the cache recovers when it may open more`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    await using cache = await FaultedCache.open({ cacheDir, ...SMALL_MEMORY });

    await endure(cache, cacheDir, () => cache.limitFiles(count), {
      code: /EMFILE$/,
      hit: count === 0 ? /^miss$/ : /^disk$|^miss$/,
      ...(count === 0 && { stored: false, runningStored: true }),
    });
  });
}

for (const mode of [0o500, 0o000]) {
  Deno.test(`a directory of mode ${mode.toString(8)} breaks nothing, and the cache recovers when it is accessible again`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    const how = { wrapper: MODES_COUNT };
    await using cache = await FaultedCache
      .open({ cacheDir, ...SMALL_MEMORY }, how);
    const forbid = async () => {
      await Deno.chmod(cacheDir, mode);
      return { [Symbol.asyncDispose]: () => Deno.chmod(cacheDir, 0o700) };
    };

    await endure(cache, cacheDir, forbid, {
      code: /EACCES$/,
      hit: mode === 0 ? /^miss$/ : /^disk$/,
      stored: false,
    });
  });
}

Deno.test("an entry that cannot be removed is not reported as removed", async () => {
  await using temp = await tempDir();
  const how = { wrapper: MODES_COUNT };
  const cacheDir = join(temp.path, "cache");
  await using cache = await FaultedCache
    .open({ cacheDir, ...SMALL_MEMORY }, how);
  await cache.ask("put", "a:1000000");

  for (const mode of [0o500, 0o000]) {
    await Deno.chmod(cacheDir, mode);
    assertEquals(await cache.ask("delete", "a:1000000"), false);
    await Deno.chmod(cacheDir, 0o700);
    assertEquals(await cache.ask("get", "a:1000000"), "disk");
  }

  const { stats, faults } = await cache.ask("tell");
  assertEquals([stats.diskErrors, faults], [2, ["delete an entry: EACCES"]]);
});

Deno.test("an unreadable body is a miss, and a hit when it is readable again", async () => {
  await using temp = await tempDir();
  const how = { wrapper: MODES_COUNT };
  const cacheDir = join(temp.path, "cache");
  await using cache = await FaultedCache
    .open({ cacheDir, ...SMALL_MEMORY }, how);
  await cache.ask("put", "a:1000000");
  const { dat } = pathsOf(cacheDir, "a:1000000");

  await Deno.chmod(dat, 0o000);
  assertEquals(await cache.ask("get", "a:1000000"), "miss");
  const { read, stored } = await cache.ask("download", "a:1000000");
  assertEquals([read, stored], ["whole", true]);

  const { faults, events } = await cache.ask("tell");
  assertEquals(faults, ["read an entry: EACCES"]);
  assertEquals(events.dropped, undefined);
  assertEquals(await cache.ask("get", "a:1000000"), "disk");
});

Deno.test("an unreadable list of changes blocks no entry", async () => {
  await using temp = await tempDir();
  const how = { wrapper: MODES_COUNT };
  const cacheDir = join(temp.path, "cache");
  {
    await using cache = await FaultedCache.open({ cacheDir }, how);
    await cache.ask("put", "a:1000");
  }
  const changes = join(cacheDir, CHANGES_NAME);
  await Deno.chmod(changes, 0o000);
  for (const readOnly of [true, false]) {
    await using cache = await FaultedCache.open({ cacheDir, readOnly }, how);

    assertEquals(await cache.ask("get", "a:1000"), "disk");
    assertEquals(await cache.ask("put", "b:1000"), !readOnly);

    const { faults, stats } = await cache.ask("tell");
    assertEquals(faults, ["lock the directory: EACCES"]);
    assertEquals(stats.entries, readOnly ? 1 : 2);
  }
});

/** Objects that may stand in the place of the directory. */
const replacements: Record<string, (path: string) => Promise<unknown>> = {
  "nothing": () => Promise.resolve(),
  "another directory": (path) => Deno.mkdir(path),
  "a file": (path) => Deno.writeTextFile(path, "in the way"),
  "a link to another directory": async (path) => {
    await Deno.mkdir(`${path}.other`);
    await Deno.symlink(`${path}.other`, path);
  },
  "a link to nothing": (path) => Deno.symlink(`${path}.nothing`, path),
};

for (const [name, replace] of Object.entries(replacements)) {
  const isStored = name === "nothing" || name.endsWith("another directory");
  Deno.test(`${name} in the directory's place breaks nothing, and the cache recovers when the directory is back`, async () => {
    await using temp = await tempDir();
    const cacheDir = join(temp.path, "cache");
    await using cache = await FaultedCache.open({ cacheDir, ...SMALL_MEMORY });
    const exchange = async () => {
      await Deno.rename(cacheDir, `${cacheDir}.away`);
      await replace(cacheDir);
      return {
        async [Symbol.asyncDispose]() {
          for (const path of [cacheDir, `${cacheDir}.other`]) {
            if (await isThere(path)) {
              await Deno.remove(path, { recursive: true });
            }
          }
          await Deno.rename(`${cacheDir}.away`, cacheDir);
        },
      };
    };

    await endure(cache, cacheDir, exchange, {
      hit: /^miss$/,
      dropped: name !== "a file",
      ...(!isStored && { stored: false }),
    });
  });
}

Deno.test("get --output on a full disk keeps the existing file", async () => {
  await using disk = await Tmpfs.mount("size=4m");
  await using temp = await tempDir();
  const url = "https://a";
  await writePair(temp.path, url, bytesOf(2_000_000));
  const file = join(disk.path, "file");
  await Deno.writeTextFile(file, "as it was");
  await disk.fill();

  const run = await cli(["get", url, "--dir", temp.path, "--output", file]);

  assertEquals(run.code, 1);
  assertMatch(run.stderr, /can't write .*: No space left on device/);
  assertEquals(await Deno.readTextFile(file), "as it was");
  assertEquals(
    (await Array.fromAsync(Deno.readDir(disk.path))).filter(
      ({ name }) => name.endsWith(".part"),
    ),
    [],
  );
});
