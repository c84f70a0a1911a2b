import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { bytesOf, pathsOf } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const CANONICAL = "https://cdn.example.org/a.png";

/** The canonical URL that a CDN's signed URLs need. */
function withoutQuery(url: string): string {
  return url.split("?")[0] ?? url;
}

Deno.test("URLs with one canonical URL are one entry, for every call", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: withoutQuery,
    onEvent: recorder.onEvent,
  });

  await cache.put(`${CANONICAL}?sig=1`, bytesOf(3), "image/png", "a.png");

  assertEquals(await cache.has(`${CANONICAL}?sig=2`), true);
  await using media = await cache.get(new URL(`${CANONICAL}?sig=3`));
  assertEquals([media?.url, media?.key], [CANONICAL, keyOf(CANONICAL)]);
  await using byKey = await cache.getByKey(keyOf(CANONICAL));
  assertEquals(byKey?.url, CANONICAL);
  await using again = await cache.getOrDownload(`${CANONICAL}?sig=4`, () => {
    throw new Error("not called");
  });
  assertEquals(await again.bytes(), bytesOf(3));
  assertEquals(recorder.of("hit").map(({ url }) => url), [
    CANONICAL,
    CANONICAL,
    CANONICAL,
  ]);
  const entries = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(entries, [CANONICAL]);
  assertEquals(await cache.delete(`${CANONICAL}?sig=5`), true);
  assertEquals(cache.stats().entries, 0);
});

Deno.test("the sidecar holds the canonical URL, and its hash is the name of the file", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: withoutQuery,
  });

  await cache.put(`${CANONICAL}?sig=1`, bytesOf(3), "image/png", "a.png");

  const { json } = pathsOf(dir.path, CANONICAL);
  assertEquals(JSON.parse(await Deno.readTextFile(json)).url, CANONICAL);
  await using plain = await MediaCache.open({ cacheDir: dir.path });
  assertEquals(await plain.has(CANONICAL), true);
});

Deno.test("the downloader gets the caller's own URL, and callers with one canonical URL share it", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: withoutQuery,
  });
  const asked: string[] = [];
  const downloader = ({ url }: { url: string }) => {
    asked.push(url);
    return Promise.resolve({ data: bytesOf(3) });
  };

  const media = await Promise.all([
    cache.getOrDownload(`${CANONICAL}?sig=1`, downloader),
    cache.getOrDownload(`${CANONICAL}?sig=2`, downloader),
  ]);
  for (const one of media) {
    assertEquals(one.url, CANONICAL);
    assertEquals(await one.bytes(), bytesOf(3));
  }

  assertEquals(asked, [`${CANONICAL}?sig=1`]);
});

Deno.test("a call rejects with the error that canonicalUrl throws", async () => {
  await using dir = await tempDir();
  const error = new Error("no such media");
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl() {
      throw error;
    },
  });
  let called = false;

  for (
    const call of [
      () => cache.get("a"),
      () => cache.has("a"),
      () => cache.put("a", bytesOf(3), "image/png", "a.png"),
      () => cache.delete("a"),
      () =>
        cache.getOrDownload("a", () => {
          called = true;
          return Promise.resolve({ data: bytesOf(3) });
        }),
    ]
  ) {
    assertStrictEquals(await assertRejects(call), error);
  }
  assertEquals([called, cache.stats().misses], [false, 0]);
});

Deno.test("if canonicalUrl gives no string or an empty one, every call rejects with a TypeError", async () => {
  await using dir = await tempDir();
  const values = [undefined, null, 5, new URL(CANONICAL), new String("a"), ""];
  for (const value of values) {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      // @ts-expect-error like a caller without types
      canonicalUrl: () => value,
    });
    const download = () => Promise.resolve({ data: bytesOf(3) });

    for (
      const call of [
        () => cache.get("a"),
        () => cache.has("a"),
        () => cache.put("a", bytesOf(3), "image/png", "a.png"),
        () => cache.delete("a"),
        () => cache.getOrDownload("a", download),
      ]
    ) await assertRejects(call, TypeError, "canonicalUrl");
    assertEquals(cache.stats().misses, 0);
  }
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  assertEquals(cache.stats().entries, 0);
});

Deno.test("an asynchronous canonicalUrl is a TypeError, and its rejection is handled", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    // @ts-expect-error like a caller without types
    canonicalUrl: () => Promise.reject(new Error("the caller's own")),
  });

  await assertRejects(() => cache.get("a"), TypeError, "canonicalUrl");
});
