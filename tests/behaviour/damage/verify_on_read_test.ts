import { assertEquals } from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { MediaCache } from "../../../mod.ts";
import { digestOf } from "../../../src/core/bodies/digest.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  pathsOf,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL_A = "https://example.org/a.png";

/** Bodies that enter RAM, and bodies that do not. */
const SIZES = [["small", 4], ["large", 0]] as const;

/** A directory with one entry, its body damaged after it was stored. */
async function rotten(dir: string): Promise<{ dat: string; json: string }> {
  const bytes = bytesOf(600_000);
  const paths = await writePair(dir, URL_A, bytes, {
    sidecar: { sha256: digestOf(bytes) },
  });
  await rot(paths.dat, 599_999);
  return paths;
}

/** Changes one bit of a file in place. */
async function rot(path: string, position: number): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  await file.seek(position, Deno.SeekMode.Start);
  await file.read(byte);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.seek(position, Deno.SeekMode.Start);
  await file.write(byte);
}

for (const [size, maxMemoryItemMb] of SIZES) {
  Deno.test(`with verifyOnRead a damaged ${size} body is dropped and downloaded again`, async () => {
    await using dir = await tempDir();
    const { dat, json } = await rotten(dir.path);
    const recorder = new Recorder();
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      verifyOnRead: true,
      maxMemoryItemMb,
      onEvent: recorder.onEvent,
    });

    assertEquals(await cache.get(URL_A), undefined);

    assertEquals(
      recorder.of("dropped").map(({ url, reason }) => [url, reason]),
      [
        [URL_A, "its bytes do not have the digest of the sidecar"],
      ],
    );
    assertEquals([await isThere(dat), await isThere(json)], [false, false]);
    const { entries, totalBytes, hits, diskErrors, orphanBytes } = cache
      .stats();
    assertEquals([entries, totalBytes, hits, diskErrors, orphanBytes], [
      0,
      0,
      0,
      0,
      0,
    ]);
    const get = () => Promise.resolve({ data: bytesOf(7) });
    await using media = await cache.getOrDownload(URL_A, get);
    assertEquals([media.source, await media.bytes(), await media.stored], [
      "download",
      bytesOf(7),
      true,
    ]);
  });

  Deno.test(`without verifyOnRead a damaged ${size} body is served`, async () => {
    await using dir = await tempDir();
    await rotten(dir.path);
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      maxMemoryItemMb,
    });

    await using media = await cache.get(URL_A);

    assertEquals((await media?.bytes())?.length, 600_000);
  });

  Deno.test(`with verifyOnRead a good ${size} body, and a body without a digest, are hits`, async () => {
    await using dir = await tempDir();
    const bytes = bytesOf(600_000);
    await writePair(dir.path, "good", bytes, {
      sidecar: { sha256: digestOf(bytes).toUpperCase() },
    });
    await writePair(dir.path, "unknown", bytes);
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      verifyOnRead: true,
      maxMemoryItemMb,
    });

    for (const url of ["good", "unknown", "good"]) {
      await using media = await cache.get(url);
      assertBytes(await media?.bytes(), bytes);
    }
    assertEquals(cache.stats().hits, 3);
  });
}

Deno.test("with verifyOnRead a large body is hashed once for all concurrent readers", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    verifyOnRead: true,
    maxMemoryItemMb: 0,
  });
  const bytes = bytesOf(600_000);
  await cache.put(URL_A, bytes, "image/png", "a.png");
  const read = async () => {
    await using media = await cache.get(URL_A);
    return await media?.bytes();
  };

  assertEquals(await Promise.all([read(), read()]), [bytes, bytes]);
  // Not noticed: this file has been hashed already.
  await rot(pathsOf(dir.path, URL_A).dat, 0);
  assertEquals((await read())?.[1], bytes[1]);

  // A new file is hashed again.
  await rotten(dir.path);
  const replaced = await Deno.readFile(pathsOf(dir.path, URL_A).dat);
  await Deno.remove(pathsOf(dir.path, URL_A).dat);
  await Deno.writeFile(pathsOf(dir.path, URL_A).dat, replaced);
  assertEquals(await read(), undefined);
});

Deno.test("with verifyOnRead a peek does not show a damaged body, and leaves its files", async () => {
  await using dir = await tempDir();
  const { dat } = await rotten(dir.path);
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    verifyOnRead: true,
    onEvent: () => {},
  });

  const media = await cache.getByKey(keyOf(URL_A), { peek: true });

  assertEquals([media, await isThere(dat)], [undefined, true]);
});

Deno.test("with verifyOnRead other caches of the directory learn of a dropped body", async () => {
  await using dir = await tempDir();
  const { key } = await writePair(dir.path, URL_A, bytesOf(5), {
    sidecar: { sha256: digestOf(bytesOf(5)) },
  });
  const options = { cacheDir: dir.path, onEvent: () => {} };
  await using other = await MediaCache.open(options);
  await using cache = await MediaCache.open({ ...options, verifyOnRead: true });
  await rot(pathsOf(dir.path, URL_A).dat, 0);

  assertEquals(await cache.get(URL_A), undefined);
  await other.put("b", bytesOf(7), "image/png", "b.png");

  assertEquals(await other.infoByKey(key), undefined);
  const { entries, totalBytes } = other.stats();
  assertEquals([entries, totalBytes], [1, 7]);
});

Deno.test("with verifyOnRead and readOnly a damaged body is a miss, and its files stay", async () => {
  await using dir = await tempDir();
  await rotten(dir.path);
  const before = await snapshotOf(dir.path);
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    verifyOnRead: true,
    readOnly: true,
    onEvent: () => {},
  });

  assertEquals(await cache.get(URL_A), undefined);
  assertEquals(await cache.get(URL_A), undefined);

  assertEquals(await snapshotOf(dir.path), before);
});

Deno.test("with verifyOnRead readers of a download continue when its entry is dropped", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    verifyOnRead: true,
    maxMemoryItemMb: 0,
    onEvent: () => {},
  });
  const get = () => Promise.resolve({ data: bytesOf(1_600_000) });
  await using media = await cache.getOrDownload(URL_A, get);
  const reader = media.body.getReader();
  let read = (await reader.read()).value?.length ?? 0;
  await media.stored;
  await rot(pathsOf(dir.path, URL_A).dat, 0);

  assertEquals(await cache.get(URL_A), undefined);

  assertEquals(await namesIn(dir.path), []);
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) break;
    read += value.length;
  }
  assertEquals(read, 1_600_000);
});
