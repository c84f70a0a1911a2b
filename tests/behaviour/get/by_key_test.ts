import { assert, assertEquals, assertRejects } from "@std/assert";
import { CacheClosedError, MediaCache } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { writePair } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MB = 1_048_576;

Deno.test("getByKey() with peek changes no order and no count", async () => {
  await using temp = await tempDir();
  const { events, onEvent } = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxMemoryItems: 1,
    onEvent,
  });
  await cache.put("a:old", pattern(10), "image/png", "old.png");
  await cache.put("a:new", pattern(20), "image/png", "new.png");
  const before = cache.stats();
  const told = events.length;

  for (const url of ["a:old", "a:new"]) {
    const media = await cache.getByKey(keyOf(url), { peek: true });
    assertEquals((await media?.bytes())?.length, url === "a:old" ? 10 : 20);
  }

  assertEquals(cache.stats(), before);
  assertEquals(events.length, told);
  const names = (await Array.fromAsync(cache.entries())).map((e) => e.filename);
  assertEquals(names, ["new.png", "old.png"]);
});

Deno.test("getByKey() with peek finds nothing where get() finds nothing", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.put("a:gone", pattern(5 * MB), "image/png", "a.png");
  await Deno.remove(`${temp.path}/${keyOf("a:gone")}.dat`);

  for (const key of [keyOf("a:gone"), keyOf("a:never"), "../../etc/passwd"]) {
    assertEquals(await cache.getByKey(key, { peek: true }), undefined);
    assertEquals(await cache.infoByKey(key), undefined);
  }
});

Deno.test("infoByKey() states the same as entries(), and the digest of the sidecar", async () => {
  await using temp = await tempDir();
  const sha256 = "0f".repeat(32);
  const { key } = await writePair(temp.path, "a:foreign", pattern(10), {
    sidecar: { sha256 },
  });
  await using cache = new MediaCache({ cacheDir: temp.path });
  const early = await cache.infoByKey(key);
  await cache.ensureLoaded();
  const [info] = await Array.fromAsync(cache.entries());

  assertEquals(info?.sha256, sha256);
  assertEquals(early, info);
  assertEquals(await cache.infoByKey(key), info);
  await using media = await cache.getByKey(key);
  assertEquals(media?.entry?.storedAt, info?.storedAt);
});

Deno.test("infoByKey() states a use that is not on disk yet", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.put("a", pattern(10), "image/png", "a.png");
  await cache.put("b", pattern(10), "image/png", "b.png");
  await cache.get("a");

  const [latest] = await Array.fromAsync(cache.entries());

  assertEquals(latest?.filename, "a.png");
  assertEquals(await cache.infoByKey(keyOf("a")), latest);
});

Deno.test("joinByKey() joins a running download and counts like getOrDownload()", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: (url) => `id:${url}`,
  });
  const { tap, call } = await begin(cache, "a");

  const joining = cache.joinByKey(keyOf("id:a"));
  tap.write(pattern(10));
  const [first, second] = [await call, await joining];
  assertEquals(second?.entry, undefined);
  const reads = [first.bytes(), second?.bytes()];
  tap.end();

  for (const bytes of await Promise.all(reads)) {
    assertEquals(bytes, pattern(10));
  }
  const { misses, coalesced } = cache.stats();
  assertEquals({ misses, coalesced }, { misses: 2, coalesced: 1 });
  assertEquals(await cache.joinByKey(keyOf("id:a")), undefined);
  await using hit = await cache.getByKey(keyOf("id:a"));
  assertEquals(hit?.source, "memory");
});

Deno.test("joinByKey() is undefined without a running download, and follows the signal", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const { tap, call } = await begin(cache, "a");

  assertEquals(await cache.joinByKey(keyOf("b")), undefined);
  assertEquals(await cache.joinByKey("no key"), undefined);
  const signal = AbortSignal.abort(new Error("gone"));
  await assertRejects(
    () => cache.joinByKey(keyOf("a"), { signal }),
    Error,
    "gone",
  );
  assertEquals(cache.stats().coalesced, 0);
  tap.write(pattern(1));
  tap.end();
  await (await call).bytes();
});

Deno.test("deleteByKey() removes the entry, whatever canonicalUrl makes of its URL", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: (url) => `id:${new URL(url).pathname}`,
  });
  await cache.put("https://a.example/x?1", pattern(3), "image/png", "x.png");

  assert(await cache.deleteByKey(keyOf("id:/x")));
  assertEquals(await cache.deleteByKey(keyOf("id:/x")), false);
  assertEquals(await cache.deleteByKey("x"), false);
  assertEquals(cache.stats().entries, 0);
});

Deno.test("deleteByKey() detaches a running download", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const { tap, call } = await begin(cache, "a");
  tap.write(pattern(10));
  const media = await call;

  assertEquals(await cache.deleteByKey(keyOf("a")), false);
  const bytes = media.bytes();
  tap.end();

  assertEquals(await bytes, pattern(10));
  assertEquals(await media.stored, false);
});

Deno.test("calls with a key refuse an invalid key and a closed cache", async () => {
  await using temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  const key = keyOf("a");
  const wrong: string = JSON.parse("1");

  await assertRejects(() => cache.infoByKey(wrong), TypeError, "key must be");
  await cache.close();

  await assertRejects(() => cache.getByKey(key), CacheClosedError);
  await assertRejects(() => cache.infoByKey(key), CacheClosedError);
  await assertRejects(() => cache.joinByKey(key), CacheClosedError);
  await assertRejects(() => cache.deleteByKey(key), CacheClosedError);
});
