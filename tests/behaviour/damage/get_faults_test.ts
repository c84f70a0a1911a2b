import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  OLD_MS,
  pathsOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL_A = "https://example.org/a.png";

Deno.test("has() is false for an entry with a missing or truncated body", async () => {
  await using dir = await tempDir();
  const gone = await writePair(dir.path, "gone", bytesOf(3));
  const cut = await writePair(dir.path, "cut", bytesOf(3));
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await Deno.remove(gone.dat);
  await Deno.truncate(cut.dat, 2);

  assertEquals([await cache.has("gone"), await cache.has("cut")], [
    false,
    false,
  ]);
});

Deno.test("an entry with a missing body is dropped", async () => {
  await using dir = await tempDir();
  const { dat } = await writePair(dir.path, URL_A, bytesOf(3));
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  await Deno.remove(dat);

  assertEquals(await cache.get(URL_A), undefined);

  assertEquals(recorder.of("dropped").length, 1);
  const { entries, totalBytes, diskErrors, hits } = cache.stats();
  assertEquals([entries, totalBytes, diskErrors, hits], [0, 0, 0, 0]);
});

Deno.test("an entry with a body that does not match its sidecar is dropped, and its files stay for the grace period", async () => {
  await using dir = await tempDir();
  const { dat, json } = await writePair(dir.path, URL_A, bytesOf(5));
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  await Deno.truncate(dat, 3);

  assertEquals(await cache.get(URL_A), undefined);

  assertEquals(recorder.of("dropped").length, 1);
  assertEquals(recorder.of("skipped").map(({ path }) => path), [json]);
  assertEquals([cache.stats().entries, cache.stats().diskErrors], [0, 0]);
  assertEquals(
    cache.stats().orphanBytes,
    3 + (await Deno.stat(json)).size,
  );
  assertEquals([await isThere(dat), await isThere(json)], [true, true]);
});

Deno.test("a lookup of a broken pair keeps the counts of the scan right", async () => {
  await using dir = await tempDir();
  const { dat, json } = await writePair(dir.path, URL_A, bytesOf(5), {
    sidecar: { size: 6 },
  });
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  const bytes = 5 + (await Deno.stat(json)).size;
  assertEquals(cache.stats().orphanBytes, bytes);

  await cache.get(URL_A);

  assertEquals(cache.stats().orphanBytes, bytes);
  assertEquals(await isThere(dat), true);
});

Deno.test("a body that cannot be read is a miss, and the entry stays", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  const { json, key } = pathsOf(dir.path, URL_A);
  await writePair(dir.path, URL_A, bytesOf(3), { ageMs: OLD_MS });
  const { lstatSync } = Deno;
  Deno.lstatSync = (path) => {
    if (String(path).includes(key)) throw new Deno.errors.PermissionDenied();
    return lstatSync(path);
  };
  try {
    assertEquals(await cache.get(URL_A), undefined);
    assertEquals(await cache.has(URL_A), false);
  } finally {
    Deno.lstatSync = lstatSync;
  }

  assertEquals(cache.stats().diskErrors, 2);
  assertEquals(await isThere(json), true);
  await using media = await cache.get(URL_A);
  assertEquals(await media?.bytes(), bytesOf(3));
});
