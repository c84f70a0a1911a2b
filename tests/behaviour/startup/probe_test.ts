import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, MediaCacheError } from "../../../mod.ts";
import { CallFault } from "../../fixtures/faults/disk_faults.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("probe() finds no problem in a good directory, and leaves no file in it", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });

  assertEquals(await cache.probe(), undefined);
  assertEquals(await namesIn(temp.path), []);
});

Deno.test("probe() states why nothing can be stored, without a path", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await using cache = await MediaCache.open({ cacheDir });
  await Deno.remove(cacheDir);
  await Deno.writeTextFile(cacheDir, "a file in its place");

  assertEquals(await cache.probe(), "the directory can't be used: ENOTDIR");

  await Deno.remove(cacheDir);
  assertEquals(await cache.probe(), undefined);
});

Deno.test("probe() reports a directory in which files cannot be renamed, and opening rejects", async () => {
  await using temp = await tempDir();
  const error = new Deno.errors.PermissionDenied("Operation not permitted");
  using _fault = new CallFault("renameSync", error);
  await using cache = new MediaCache({ cacheDir: temp.path });

  assertEquals(
    await cache.probe(),
    "the directory can't be used: PermissionDenied",
  );
  await assertRejects(() => cache.ensureLoaded(), MediaCacheError);
  assertEquals(await namesIn(temp.path), []);
});

Deno.test("probe() reports a directory that cannot be made", async () => {
  await using temp = await tempDir();
  await Deno.writeTextFile(join(temp.path, "file"), "");
  await using cache = new MediaCache({ cacheDir: join(temp.path, "file/dir") });

  assertEquals(await cache.probe(), "the directory can't be used: ENOTDIR");
});

Deno.test({
  name: "probe() reports a missing permission",
  permissions: { read: true, write: false, env: true, sys: true },
  async fn() {
    await using cache = new MediaCache({ cacheDir: "nowhere" });

    assertEquals(
      await cache.probe(),
      "the directory can't be used: a permission is missing",
    );
  },
});

Deno.test("probe() changes nothing if the cache is readOnly, and states that a cache is closed", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await Deno.mkdir(cacheDir);
  const cache = await MediaCache.open({ cacheDir, readOnly: true });
  assertEquals(cache.limits.readOnly, true);

  assertEquals(await cache.probe(), undefined);
  await Deno.remove(cacheDir);
  assertEquals(await cache.probe(), "the directory can't be used: ENOENT");
  await cache.close();
  assertEquals(await cache.probe(), "the cache is closed");
});
