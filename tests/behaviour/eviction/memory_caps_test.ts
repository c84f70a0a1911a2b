import { assert, assertEquals } from "@std/assert";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { Random } from "../../fixtures/inputs/random.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MB = 1_048_576;
const CAPS = {
  maxMemoryItems: 4,
  maxMemoryMb: 5_000 / MB,
  maxMemoryItemMb: 2_000 / MB,
};

function assertCaps(cache: MediaCache, hint?: string): void {
  const { entriesInMemory, memoryBytes, entries } = cache.stats();
  assert(entriesInMemory <= CAPS.maxMemoryItems, hint);
  assert(memoryBytes <= 5_000, hint);
  assert(entriesInMemory <= entries, hint);
}

async function sourceOf(
  cache: MediaCache,
  url: string,
): Promise<string | undefined> {
  await using media = await cache.get(url);
  return media?.source;
}

Deno.test("the three caps of memory hold after every call", async () => {
  const random = new Random();
  await using dir = await tempDir();
  for (let i = 0; i < 10; i++) {
    await writePair(dir.path, `${i}`, bytesOf(random.integer(1, 2_500)));
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...CAPS });
  assertEquals(cache.stats().memoryBytes, 0);

  for (let step = 0; step < 300; step++) {
    const url = `${random.integer(0, 14)}`;
    const kind = random.integer(0, 9);
    if (kind < 5) await (await cache.get(url))?.bytes();
    else if (kind < 7) {
      const data = bytesOf(random.integer(1, 2_500));
      await cache.put(url, data, "image/png", "a", { replace: kind === 6 });
    } else if (kind === 7) await cache.delete(url);
    else {
      const data = bytesOf(random.integer(1, 2_500));
      const media = await cache.getOrDownload(
        url,
        () => Promise.resolve({ data }),
      );
      await media.bytes();
      await media.stored;
    }
    assertCaps(cache, random.hint);
  }
});

Deno.test("hits after a restart also evict from memory", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 9; i++) {
    await writePair(dir.path, `${i}`, bytesOf(1_000));
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...CAPS });

  for (let i = 0; i < 9; i++) {
    assertEquals(await sourceOf(cache, `${i}`), "disk");
    assertCaps(cache);
  }

  assertEquals(cache.stats().entriesInMemory, 4);
  assertEquals(await sourceOf(cache, "8"), "memory");
  assertEquals(await sourceOf(cache, "4"), "disk");
  assertEquals(await sourceOf(cache, "6"), "memory");
});

Deno.test("many concurrent hits also evict from memory", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 20; i++) {
    await writePair(dir.path, `${i}`, bytesOf(1_500));
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...CAPS });

  await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    await using media = await cache.get(`${i % 20}`);
    assertEquals(await media?.bytes(), bytesOf(1_500));
    assertCaps(cache);
  }));

  assertEquals(cache.stats().entriesInMemory, 3);
});

Deno.test("a body above the cap for one body is served from disk every time", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...CAPS });
  await cache.put("a", bytesOf(2_001), "image/png", "a.png");
  await cache.put("b", bytesOf(2_000), "image/png", "b.png");

  for (let round = 0; round < 2; round++) {
    assertEquals(await sourceOf(cache, "a"), "disk");
    assertEquals(await sourceOf(cache, "b"), "memory");
  }
  assertEquals(cache.stats().memoryBytes, 2_000);
});

Deno.test("a body of more than 64 KiB enters memory at the first hit after its put", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const long = bytesOf(65_537);
  await cache.put("a", long, "image/png", "a.png");
  await cache.put("b", bytesOf(65_536), "image/png", "b.png");
  await cache.put("c", ReadableStream.from([long]), "image/png", "c.png");
  assertEquals(cache.stats().memoryBytes, 65_536);

  for (const [url, first] of [["a", "disk"], ["b", "memory"], ["c", "disk"]]) {
    assertEquals(await sourceOf(cache, `${url}`), first);
    assertEquals(await sourceOf(cache, `${url}`), "memory");
  }
});

Deno.test("a cap of zero items or zero bytes keeps nothing in memory", async () => {
  const options: MediaCacheOptions[] = [
    { maxMemoryItems: 0 },
    { maxMemoryMb: 0 },
    { maxMemoryItemMb: 0 },
  ];
  for (const option of options) {
    await using dir = await tempDir();
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      ...option,
    });

    await cache.put("a", bytesOf(5), "image/png", "a.png");
    await using media = await cache.get("a");

    assertEquals(media?.source, "disk");
    assertEquals(await media?.bytes(), bytesOf(5));
    const { entriesInMemory, memoryBytes } = cache.stats();
    assertEquals([entriesInMemory, memoryBytes], [0, 0]);
  }
});

Deno.test("an entry deleted from disk is dropped from memory too", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 3_000 / MB,
  });
  for (const url of ["a", "b", "c", "d", "e"]) {
    await cache.put(url, bytesOf(1_000), "image/png", "a.png");
    assert(cache.stats().memoryBytes <= 3_000);
  }

  assertEquals([cache.stats().entriesInMemory, cache.stats().entries], [3, 3]);
});
