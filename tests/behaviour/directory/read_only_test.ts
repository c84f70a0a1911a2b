import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, MediaCacheError } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  OLD_MS,
  setAge,
  snapshotOf,
  streamOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const silent = { onEvent: () => {} };

Deno.test("a read-only cache changes no file, whatever is called", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5), { ageMs: 60_000 });
  await writePair(dir.path, "b", bytesOf(5), { ageMs: 50_000 });
  await writePair(dir.path, "broken", bytesOf(5), {
    sidecar: { size: 6 },
    ageMs: OLD_MS,
  });
  const staged = join(dir.path, `${"0".repeat(64)}.abc1.part`);
  await Deno.writeFile(staged, bytesOf(5));
  await setAge(staged, OLD_MS);
  const before = await snapshotOf(dir.path);
  const source = streamOf(bytesOf(5));
  {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      readOnly: true,
      maxSizeMb: 4 / 1_048_576,
      ...silent,
    });

    await using media = await cache.get("a");
    assertEquals(await media?.bytes(), bytesOf(5));
    assertEquals(await cache.has("b"), true);
    assertEquals(await cache.get("broken"), undefined);
    assertEquals(await cache.put("a", bytesOf(3), "image/png", "a"), true);
    assertEquals(await cache.put("c", source.stream, "image/png", "c"), false);
    assertEquals(
      await cache.put("a", bytesOf(3), "image/png", "a", { replace: true }),
      false,
    );
    assertEquals(await cache.delete("a"), false);
    await cache.clear();
    const { fixed, problems } = await cache.verify({ fix: true });
    assertEquals([fixed, problems.length], [0, 2]);
    await using download = await cache.getOrDownload(
      "d",
      () => Promise.resolve({ data: bytesOf(4) }),
    );
    assertEquals(await download.bytes(), bytesOf(4));
    assertEquals(await download.stored, false);
    assertEquals(await cache.has("a"), true);
    const { entries, diskErrors, evictions } = cache.stats();
    assertEquals([entries, diskErrors, evictions], [2, 0, 0]);
  }

  assertEquals(source.cancelled, true);
  assertEquals(await snapshotOf(dir.path), before);
});

Deno.test("a read-only cache keeps the order of uses in memory", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(5), { ageMs: 60_000 });
  await writePair(dir.path, "b", bytesOf(5), { ageMs: 50_000 });
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    readOnly: true,
  });

  await using _media = await cache.get("a");

  const order = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(order, ["a", "b"]);
});

Deno.test("a read-only cache makes no directory, and its open() rejects", async () => {
  await using dir = await tempDir();
  const cacheDir = join(dir.path, "missing");
  await using cache = new MediaCache({ cacheDir, readOnly: true, ...silent });

  await assertRejects(
    () => cache.ensureLoaded(),
    MediaCacheError,
    `--allow-read=${cacheDir}`,
  );
  assertEquals(await cache.get("a"), undefined);
  assertEquals(await cache.put("a", bytesOf(3), "image/png", "a"), false);
  await using media = await cache.getOrDownload(
    "a",
    () => Promise.resolve({ data: bytesOf(4) }),
  );
  assertEquals(await media.bytes(), bytesOf(4));

  assertEquals(await isThere(cacheDir), false);
});

Deno.test("a read-only cache finds entries that another cache stores", async () => {
  await using dir = await tempDir();
  await using reader = await MediaCache.open({
    cacheDir: dir.path,
    readOnly: true,
  });
  await using writer = await MediaCache.open({ cacheDir: dir.path });

  assertEquals(await reader.get("a"), undefined);
  await writer.put("a", bytesOf(3), "image/png", "a.png");

  await using media = await reader.get("a");
  assert(media);
  assertEquals(await media.bytes(), bytesOf(3));
});
