/** Entries are uploaded after they were stored, and nobody waits for that. */
import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { openHost } from "../../fixtures/remote/hosts.ts";
import { never, StandInTier } from "../../fixtures/remote/stand_in_tier.ts";

const URL_A = "https://example.org/a.bin";

Deno.test("a put and a download are uploaded, with facts and never with the URL", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  const bytes = pattern(300_000);

  assertEquals(await cache.put(URL_A, bytes, "image/png", "a.png"), true);
  await tier.ended("put");
  await (await cache.getOrDownload(`${URL_A}?2`, origin(bytes).download))
    .bytes();
  await tier.ended("put", 2);

  const [first, second] = [...bucket.objects.values()];
  assertBytes(first?.bytes, bytes);
  assertBytes(second?.bytes, bytes);
  assertEquals(first?.entry.mimetype, "image/png");
  assertEquals(first?.entry.filename, "a.png");
  assertEquals(first?.entry.size, 300_000);
  assertEquals(first?.entry.sha256.length, 64);
  assertEquals(
    JSON.stringify([...bucket.objects]).includes("example.org"),
    false,
  );
  await cache.close();
  const { remote } = cache.stats();
  assertEquals([remote?.uploads, remote?.bytesSent], [2, 600_000]);
});

Deno.test("a put of a stream is uploaded with its digest", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  const bytes = pattern(3_000_000);
  const data = new Blob([bytes]).stream();

  await cache.put(URL_A, data, "image/png", "a.png");
  await tier.ended("put");

  assertEquals([...bucket.objects.values()][0]?.bytes, bytes);
});

Deno.test("callers wait for no upload", async () => {
  await using host = await openHost();
  const { cache, tier } = host;
  tier.before = (method) => method === "put" ? never() : undefined;

  assertEquals(await cache.put(URL_A, pattern(10), "a/b", "a"), true);
  const media = await cache.getOrDownload(
    `${URL_A}?2`,
    origin(pattern(10)).download,
  );
  assertEquals(await media.stored, true);

  assertEquals(cache.stats().remote?.uploadsQueued, 2);
  await cache.close({ abort: true });
});

Deno.test("an upload is skipped when the queue is full, or the body too large", async () => {
  await using host = await openHost({
    limits: { maxQueuedUploads: 2, maxConcurrentUploads: 1, maxEntryMb: 0.5 },
  });
  const { cache, tier, bucket } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "put" ? gate.promise : undefined;

  await cache.put("https://example.org/large", pattern(600_000), "a/b", "a");
  for (let i = 0; i < 5; i++) {
    await cache.put(`https://example.org/${i}`, pattern(1_000), "a/b", "a");
  }
  await tier.begun("put");
  gate.resolve();
  await tier.ended("put", 3);
  await cache.close();

  assertEquals(bucket.objects.size, 3);
  assertEquals(cache.stats().remote?.uploadsSkipped, 3);
});

Deno.test("an entry that is evicted before its upload is skipped", async () => {
  await using host = await openHost({
    options: { maxSizeMb: 0.1, maxMemoryItems: 0 },
    limits: { maxConcurrentUploads: 1 },
  });
  const { cache, tier, bucket } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "put" ? gate.promise : undefined;

  await cache.put("https://example.org/1", pattern(60_000), "a/b", "a");
  await tier.begun("put");
  await cache.put("https://example.org/2", pattern(60_000), "a/b", "a");
  await cache.put("https://example.org/3", pattern(60_000, 3), "a/b", "a");
  gate.resolve();
  await tier.ended("put", 2);
  await cache.close();

  // The first was evicted during its upload, and the second before it began.
  assertEquals(bucket.objects.size, 2);
  assertEquals(cache.stats().remote?.uploadsSkipped, 1);
});

Deno.test("a failed upload is tried once more", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  let failures = 1;
  tier.before = (method) => {
    if (method === "put" && failures-- > 0) throw new TypeError("reset");
  };

  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  await tier.ended("put", 2);
  await cache.close();

  assertEquals(bucket.objects.size, 1);
  const { remote } = cache.stats();
  assertEquals([remote?.uploads, remote?.errors], [1, 1]);
});

Deno.test("the last of two entries of a URL is the one that is uploaded", async () => {
  await using host = await openHost({ limits: { maxConcurrentUploads: 1 } });
  const { cache, tier, bucket } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "put" ? gate.promise : undefined;

  await cache.put(URL_A, pattern(1_000, 1), "a/b", "a");
  await tier.begun("put");
  await cache.put(URL_A, pattern(1_000, 2), "a/b", "a", { replace: true });
  gate.resolve();
  await cache.close();

  assertEquals([...bucket.objects.values()][0]?.bytes, pattern(1_000, 2));
});

Deno.test("a tier that is only read is given nothing", async () => {
  await using host = await openHost({ limits: { readOnly: true } });
  const { cache, tier } = host;

  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  await cache.put(URL_A, pattern(1_000, 2), "a/b", "a", { replace: true });
  await cache.delete(URL_A);
  await cache.close();

  assertEquals([tier.count("put"), tier.count("delete")], [0, 0]);
});

Deno.test("clear() leaves the objects", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  await tier.ended("put");

  await cache.clear();
  await cache.close();

  assertEquals(bucket.objects.size, 1);
  assertEquals(tier.count("delete"), 0);
});

Deno.test("an upload that hangs does not keep a later entry of its URL from being uploaded", async () => {
  await using host = await openHost({ limits: { maxConcurrentUploads: 1 } });
  const { cache, tier, bucket } = host;
  tier.before = (method) =>
    method === "put" && tier.count("put") === 1 ? never() : undefined;

  await cache.put(URL_A, pattern(1_000, 1), "a/b", "a");
  await tier.begun("put");
  await cache.put(URL_A, pattern(1_000, 2), "a/b", "a", { replace: true });
  await cache.close();

  assertEquals([...bucket.objects.values()][0]?.bytes, pattern(1_000, 2));
});

Deno.test("two caches on one directory upload each what it has stored", async () => {
  await using host = await openHost();
  const { cache, tier, bucket, cacheDir } = host;
  const remote = new StandInTier({ bucket });
  await using other = await MediaCache.open({ cacheDir, remote });

  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  await other.put(`${URL_A}?2`, pattern(1_000), "a/b", "a");
  await tier.ended("put");
  await remote.ended("put");

  assertEquals([tier.count("put"), remote.count("put")], [1, 1]);
  assertEquals(bucket.objects.size, 2);
});
