/** A miss that the remote tier answers. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { pathsOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { WriteFault } from "../../fixtures/faults/disk_faults.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { openHost, openTwo } from "../../fixtures/remote/hosts.ts";
import { StandInTier } from "../../fixtures/remote/stand_in_tier.ts";

const URL_A = "https://example.org/a.bin";

for (
  const [kind, size] of [
    ["a small body", 10_000],
    ["a body of 256 KiB", 262_144],
    ["a body of 1 MiB", 1_048_576],
  ] as const
) {
  Deno.test(`${kind} that one host has downloaded is not downloaded by another`, async () => {
    await using opened = await openTwo();
    const { one, two } = opened;
    const bytes = pattern(size);
    const source = origin(bytes, { filename: "a.bin" });

    const first = await one.cache.getOrDownload(URL_A, source.download);
    assertBytes(await first.bytes(), bytes);
    await one.tier.ended("put");
    const second = await two.cache.getOrDownload(URL_A, source.download);

    assertEquals(second.mimetype, first.mimetype);
    assertEquals(second.filename, first.filename);
    assertEquals(second.size, size);
    assertEquals(second.source, "download");
    assertBytes(await second.bytes(), bytes);
    assertEquals(await second.stored, true);
    assertEquals(source.calls, 1);
    // The object is not uploaded again.
    await two.cache.close();
    assertEquals(two.tier.count("put"), 0);
    const { remote, misses, bytesDownloaded } = two.cache.stats();
    assertEquals({ misses, bytesDownloaded }, {
      misses: 1,
      bytesDownloaded: 0,
    });
    assertEquals(remote?.hits, 1);
    assertEquals(remote?.bytesReceived, size);
    assertEquals(two.recorder.of("remoteHit").length, 1);
    assertEquals(two.recorder.of("miss").length, 0);
    assertEquals(two.recorder.of("stored")[0]?.source, "remote");
  });
}

Deno.test("a local hit calls no tier, in RAM or on disk", async () => {
  await using host = await openHost({ options: { maxMemoryItems: 1 } });
  const { cache, tier } = host;
  const one = origin(pattern(10_000));
  for (const url of [URL_A, `${URL_A}?2`]) {
    await (await cache.getOrDownload(url, one.download)).bytes();
  }
  await tier.ended("put", 2);
  const before = tier.calls.length;

  for (const url of [URL_A, `${URL_A}?2`, URL_A]) {
    await (await cache.getOrDownload(url, one.download)).bytes();
    await (await cache.get(url))?.bytes();
    await cache.has(url);
  }

  assertEquals(tier.calls.length, before);
  assertEquals(one.calls, 2);
});

Deno.test("get() and has() ask no tier for an object", async () => {
  await using host = await openHost();

  assertEquals(await host.cache.get(URL_A), undefined);
  assertEquals(await host.cache.has(URL_A), false);

  assertEquals(host.tier.calls, ["changes"]);
});

Deno.test("many callers of a URL share one lookup", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const bytes = pattern(600_000);
  const source = origin(bytes);
  await (await one.cache.getOrDownload(URL_A, source.download)).bytes();
  await one.tier.ended("put");

  const all = await Promise.all(
    Array.from(
      { length: 50 },
      async () => {
        const media = await two.cache.getOrDownload(URL_A, source.download);
        return await media.bytes();
      },
    ),
  );

  for (const each of all) assertBytes(each, bytes);
  assertEquals(source.calls, 1);
  assertEquals(two.tier.count("get"), 1);
});

Deno.test("two caches on one directory ask the tier once", async () => {
  await using host = await openHost();
  await using dir = await tempDir();
  const { bucket } = host;
  const bytes = pattern(600_000);
  const source = origin(bytes);
  await (await host.cache.getOrDownload(URL_A, source.download)).bytes();
  await host.tier.ended("put");
  const tiers = [1, 2].map(() => new StandInTier({ bucket }));
  const caches = await Promise.all(
    tiers.map((remote) => MediaCache.open({ cacheDir: dir.path, remote })),
  );

  const all = await Promise.all(caches.map(async (cache) => {
    const media = await cache.getOrDownload(URL_A, source.download);
    return await media.bytes();
  }));

  for (const each of all) assertBytes(each, bytes);
  assertEquals(source.calls, 1);
  assertEquals(tiers.map((tier) => tier.count("get")).sort(), [0, 1]);
  for (const cache of caches) await cache.close();
});

Deno.test("a read-only cache hands out an object, and stores nothing", async () => {
  await using opened = await openTwo({
    others: [{}, { readOnly: true }],
  });
  const { one, two } = opened;
  const bytes = pattern(600_000);
  const source = origin(bytes);
  await (await one.cache.getOrDownload(URL_A, source.download)).bytes();
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_A, source.download);

  assertBytes(await media.bytes(), bytes);
  assertEquals(await media.stored, false);
  await two.cache.delete(URL_A);
  assertEquals([two.tier.count("put"), two.tier.count("delete")], [0, 0]);
  assertEquals(source.calls, 1);
});

Deno.test("an object above maxDownloadMb is not used, nor replaced", async () => {
  await using opened = await openTwo({
    others: [{}, { maxDownloadMb: 0.5 }],
  });
  const { one, two } = opened;
  await one.cache.put(URL_A, pattern(600_000), "application/x-test", "a.bin");
  await one.tier.ended("put");
  const source = origin(pattern(1_000));

  const media = await two.cache.getOrDownload(URL_A, source.download);

  assertEquals((await media.bytes()).length, 1_000);
  await two.cache.close();
  assertEquals(two.tier.count("put"), 0);
});

Deno.test("facts that a hostile host has stored are made safe", async () => {
  await using host = await openHost();
  const { cache, cacheDir, tier, bucket } = host;
  await cache.put(URL_A, pattern(1_000), "image/png", "a.png");
  await tier.ended("put");
  const [[key, object] = ["", undefined]] = bucket.objects;
  if (object === undefined) throw new Error("nothing was uploaded");
  await cache.clear();
  bucket.objects.set(key, {
    ...object,
    entry: {
      ...object.entry,
      filename: "../../etc/passwd",
      mimetype: "text/html\r\nX-Evil: 1",
      sourceSize: -5,
      conversion: "x".repeat(2_000_000),
    },
  });

  const media = await cache.getOrDownload(URL_A, origin(pattern(1)).download);

  assertStrictEquals(media.filename.includes("/"), false);
  assertStrictEquals(/[\r\n]/.test(media.mimetype), false);
  assertEquals(await media.stored, true);
  const sidecar = await Deno.readTextFile(pathsOf(cacheDir, URL_A).json);
  assertEquals(sidecar.length < 2_000, true);
  assertEquals(sidecar.includes("-5"), false);
  assertEquals((await media.bytes()).length, 1_000);
});

Deno.test("a disk that is full during a remote hit breaks no caller", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const bytes = pattern(2_000_000);
  const source = origin(bytes);
  await one.cache.put(URL_A, bytes, "a/b", "a");
  await one.tier.ended("put");

  for (const after of [0, 65_536, 1_000_000]) {
    using _fault = new WriteFault(after);
    const media = await two.cache.getOrDownload(URL_A, source.download);
    assertBytes(await media.bytes(), bytes);
    assertEquals(await media.stored, false);
  }
  const media = await two.cache.getOrDownload(URL_A, source.download);

  assertBytes(await media.bytes(), bytes);
  assertEquals(await media.stored, true);
  assertEquals(source.calls, 0);
});

Deno.test("a reader that lags, and a second that joins late, get all bytes of an object", async () => {
  await using opened = await openTwo();
  const { one, two } = opened;
  const bytes = pattern(5_000_000);
  await one.cache.put(URL_A, bytes, "a/b", "a");
  await one.tier.ended("put");
  const { download } = origin(bytes);

  const first = await two.cache.getOrDownload(URL_A, download);
  const reader = first.body.getReader();
  const start = await readSome(reader, 1);
  const second = await two.cache.getOrDownload(URL_A, download);

  assertBytes(await second.bytes(), bytes);
  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), bytes);
  assertEquals(two.tier.count("get"), 1);
});

Deno.test("an object without a named type gets the type that its bytes tell", async () => {
  await using opened = await openTwo({ others: [{ sniff: false }, {}] });
  const { one, two } = opened;
  const png = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const untyped = { mimetype: "application/octet-stream", filename: "a" };
  const source = origin(png, untyped);
  await (await one.cache.getOrDownload(URL_A, source.download)).bytes();
  await one.tier.ended("put");

  const media = await two.cache.getOrDownload(URL_A, source.download);

  assertEquals([media.mimetype, media.filename], ["image/png", "a.png"]);
  assertBytes(await media.bytes(), png);
});
