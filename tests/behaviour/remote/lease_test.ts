/** Hosts that download by lease: one downloads, the others get its object. */
import { assertEquals, assertRejects } from "@std/assert";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { openHost, openHosts, openTwo } from "../../fixtures/remote/hosts.ts";
import { never } from "../../fixtures/remote/stand_in_tier.ts";
import { awake } from "../../fixtures/time/awake.ts";

const URL_A = "https://example.org/a.bin";
const BYTES = pattern(300_000);

Deno.test("three hosts of 50 callers download a URL once", async () => {
  await using opened = await openHosts(3, { leases: true });
  const source = origin(BYTES);

  const all = await Promise.all(
    opened.hosts.flatMap(({ cache }) =>
      Array.from({ length: 50 }, async () => {
        const media = await cache.getOrDownload(URL_A, source.download);
        return await media.bytes();
      })
    ),
  );

  for (const each of all) assertBytes(each, BYTES);
  assertEquals(source.calls, 1);
  const stats = opened.hosts.map(({ cache }) => cache.stats().remote);
  assertEquals(stats.map((each) => each?.leasesHeld).sort(), [0, 0, 1]);
  assertEquals(stats.map((each) => each?.leasesAwaited).sort(), [0, 1, 1]);
  assertEquals(stats.map((each) => each?.lease), ["on", "on", "on"]);
  // The looks of a host that waits are no misses of their own.
  assertEquals(stats.map((each) => each?.misses).sort(), [0, 0, 1]);
  assertEquals(stats.map((each) => each?.hits).sort(), [0, 1, 1]);
});

Deno.test("a host whose download fails gives its lease back", async () => {
  await using opened = await openTwo({ leases: true });
  const { one, two } = opened;

  await assertRejects(() =>
    one.cache.getOrDownload(URL_A, () => Promise.reject(new Error("gone")))
  );
  const media = await two.cache.getOrDownload(URL_A, origin(BYTES).download);

  assertBytes(await media.bytes(), BYTES);
  assertEquals(one.tier.released.length, 1);
  assertEquals(two.cache.stats().remote?.leasesHeld, 1);
});

Deno.test("a body that is not uploaded gives its lease back", async () => {
  await using host = await openHost({
    leases: true,
    limits: { maxEntryMb: 0.1 },
  });
  const media = await host.cache.getOrDownload(
    URL_A,
    origin(BYTES).download,
  );
  await media.bytes();
  await host.cache.close();

  assertEquals(host.tier.released.length, 1);
});

Deno.test("when the holder of a lease has died, another host downloads after its time", async () => {
  await using host = await openHost({
    leases: true,
    limits: { leaseTtlMs: 10_000, leaseWaitMs: 10_000 },
  });
  const { cache, bucket, tier } = host;
  const source = origin(BYTES);
  // The key of the URL is known after a first lookup.
  tier.before = (method) => {
    if (method !== "lease") return;
    tier.before = () => {};
    const [key = ""] = seen;
    bucket.leases.set(key, Date.now() + 100);
  };
  const seen: string[] = [];
  const get = tier.get.bind(tier);
  tier.get = (key, signal) => {
    seen.push(key);
    return get(key, signal);
  };

  const media = await cache.getOrDownload(URL_A, source.download);

  assertBytes(await media.bytes(), BYTES);
  assertEquals(source.calls, 1);
  assertEquals(cache.stats().remote?.leasesHeld, 1);
});

Deno.test("a host waits for another for leaseWaitMs at most", async () => {
  await using host = await openHost({
    leases: true,
    limits: { leaseWaitMs: 60 },
  });
  const { cache, tier } = host;
  Object.assign(tier, {
    lease: () => Promise.resolve({ held: false, leftMs: 60_000 }),
  });
  const source = origin(BYTES);

  const media = await cache.getOrDownload(URL_A, source.download);

  assertBytes(await media.bytes(), BYTES);
  assertEquals(source.calls, 1);
});

for (
  const [title, probed, lease] of [
    ["refuses leases", { reachable: true, lease: false }, "refused"],
    ["can't be reached", { reachable: false, lease: false }, "unproven"],
  ] as const
) {
  Deno.test(`without a lease after a probe that ${title}, all else works`, async () => {
    await using host = await openHost({ leases: true });
    const { cache, tier, bucket } = host;
    tier.probed = probed;

    const media = await cache.getOrDownload(URL_A, origin(BYTES).download);
    assertBytes(await media.bytes(), BYTES);
    await tier.ended("put");

    assertEquals(cache.stats().remote?.lease, lease);
    assertEquals(tier.count("lease"), 0);
    assertEquals(bucket.objects.size, 1);
  });
}

Deno.test("stats() tells that leases are paused after failures, and go on after an outage", async () => {
  await using host = await openHost({ leases: true });
  const { cache, tier } = host;
  let count = 0;
  const download = async () => {
    const url = `https://example.org/${count++}`;
    const { download } = origin(BYTES.slice(0, 1000));
    await (await cache.getOrDownload(url, download)).bytes();
  };
  const lease = () => cache.stats().remote?.lease;
  await download();
  tier.before = (method) => {
    if (method === "lease") throw new TypeError("reset");
  };
  await download();
  await download();
  assertEquals(lease(), "on");
  await download();
  assertEquals(lease(), "paused");
  const asked = tier.count("lease");
  await download();
  assertEquals(tier.count("lease"), asked);

  tier.before = () => Promise.reject(new TypeError("reset"));
  while (cache.stats().remote?.state === "up") await download();
  assertEquals(lease(), "on");
});

Deno.test("a lease that fails or hangs costs no caller a failure", async () => {
  for (const fault of [never, () => Promise.reject(new TypeError("reset"))]) {
    await using host = await openHost({
      leases: true,
      limits: { lookupTimeoutMs: 50 },
    });
    const { cache, tier } = host;
    tier.before = (method) => method === "lease" ? fault() : undefined;

    const media = await cache.getOrDownload(URL_A, origin(BYTES).download);

    assertBytes(await media.bytes(), BYTES);
  }
});

Deno.test("a host that uploads nothing takes no lease", async () => {
  await using host = await openHost({
    leases: true,
    limits: { readOnly: true },
  });
  const { cache, tier } = host;

  await (await cache.getOrDownload(URL_A, origin(BYTES).download)).bytes();

  assertEquals([tier.count("lease"), tier.count("probe")], [0, 0]);
  assertEquals(cache.stats().remote?.lease, "off");
});

Deno.test("close() ends the wait for another host", async () => {
  await using host = await openHost({ leases: true });
  const { cache, tier } = host;
  Object.assign(tier, {
    lease: () => Promise.resolve({ held: false, leftMs: 60_000 }),
  });
  const call = cache.getOrDownload(URL_A, origin(BYTES).download);
  call.catch(() => {});
  await tier.begun("get", 2);

  await cache.close({ timeoutMs: 20 });

  await assertRejects(() => call);
});

Deno.test("downloads that have waited for leases keep to maxConcurrentDownloads", async () => {
  await using host = await openHost({
    leases: true,
    options: { maxConcurrentDownloads: 2 },
  });
  const { cache, tier } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "lease" ? gate.promise : undefined;
  let running = 0;
  let most = 0;
  const download = async () => {
    most = Math.max(most, ++running);
    for (let i = 0; i < 5; i++) await turn();
    running--;
    return { data: BYTES, mimetype: "a/b" };
  };

  const calls = Array.from(
    { length: 8 },
    (_, i) => cache.getOrDownload(`${URL_A}?${i}`, download),
  );
  await tier.begun("lease", 8);
  gate.resolve();

  for (const call of calls) assertBytes(await (await call).bytes(), BYTES);
  assertEquals(most, 2);
});

Deno.test("a downloader that calls for a URL whose lease was awaited lends its slot", async () => {
  await using host = await openHost({
    leases: true,
    options: { maxConcurrentDownloads: 1 },
  });
  const { cache } = host;
  const source = origin(BYTES);

  const media = await cache.getOrDownload(`${URL_A}?outer`, async () => {
    const inner = await cache.getOrDownload(URL_A, source.download);
    return { data: await inner.bytes(), mimetype: "a/b" };
  });

  assertBytes(await media.bytes(), BYTES);
});

Deno.test("a deleted download gives its lease back at once, and leaves that of the next one alone", async () => {
  await using host = await openHost({ leases: true });
  const { cache, tier } = host;
  const old = await begin(cache, URL_A);
  old.tap.write(BYTES.subarray(0, 10_000));
  const media = await old.call;
  await cache.delete(URL_A);
  assertEquals(tier.released.length, 1);
  const next = await begin(cache, URL_A);

  old.tap.fail(new Error("gone"));
  await assertRejects(() => media.bytes());
  await turn();

  assertEquals(tier.released.length, 1);
  assertEquals(cache.stats().remote?.leasesHeld, 2);
  next.tap.write(BYTES);
  next.tap.end();
  assertBytes(await (await next.call).bytes(), BYTES);
});

Deno.test("a download that goes uncached gives its lease back at once", async () => {
  await using host = await openHost({
    leases: true,
    options: { maxSizeMb: 0.05 },
  });
  const { cache, tier, recorder } = host;
  const { tap, call } = await begin(cache, URL_A);
  tap.write(BYTES.subarray(0, 100_000));
  const reading = (await call).bytes();
  await recorder.seen("uncached");

  assertEquals(tier.released.length, 1);

  tap.write(BYTES.subarray(100_000));
  tap.end();
  assertBytes(await reading, BYTES);
});

Deno.test("an upload that a change elsewhere has ended gives its lease back", async () => {
  await using opened = await openTwo({
    leases: true,
    limits: { changesEveryMs: 20 },
  });
  using _awake = awake();
  const { one, two } = opened;
  two.tier.before = (method) => method === "put" ? never() : undefined;
  await (await two.cache.getOrDownload(URL_A, origin(BYTES).download)).bytes();
  await two.tier.begun("put");

  await one.cache.delete(URL_A);
  await two.recorder.seen("dropped");
  await two.tier.ended("changes", two.tier.count("changes") + 2);

  assertEquals(two.tier.released.length, 1);
});

Deno.test("a probe that can't reach the tier does not tell that it is up", async () => {
  await using host = await openHost({ leases: true });
  const { cache, tier } = host;
  tier.probed = { reachable: false, lease: false };

  await (await cache.getOrDownload(URL_A, origin(BYTES).download)).bytes();

  assertEquals(cache.stats().remote?.errors, 1);
});

Deno.test("a lease or probe of another shape costs no caller a failure", async () => {
  for (const answer of [null, 1, {}, { held: false, leftMs: NaN }]) {
    await using host = await openHost({
      leases: true,
      limits: { leaseWaitMs: 50 },
    });
    const { cache, tier } = host;
    const strange = () => Promise.resolve(answer);
    Object.assign(tier, { lease: strange });
    const media = await cache.getOrDownload(URL_A, origin(BYTES).download);
    assertBytes(await media.bytes(), BYTES);

    Object.assign(tier, { probe: strange });
    const other = await cache.getOrDownload(
      `${URL_A}?2`,
      origin(BYTES).download,
    );
    assertBytes(await other.bytes(), BYTES);
  }
});

Deno.test("a lease whose time is no number is a failure of the tier, asked for three times", async () => {
  for (const leftMs of ["soon", 5n, {}, Infinity, undefined]) {
    await using host = await openHost({ leases: true });
    const { cache, tier } = host;
    let leases = 0;
    const strange = () => {
      leases++;
      return Promise.resolve({ held: false, leftMs });
    };
    Object.assign(tier, { lease: strange });

    for (let i = 0; i < 5; i++) {
      const url = `${URL_A}?${i}`;
      const media = await cache.getOrDownload(url, origin(BYTES).download);
      assertBytes(await media.bytes(), BYTES);
    }

    // Then this host downloads without leases for a while.
    assertEquals(leases, 3);
    assertEquals(cache.stats().remote?.errors, 3);
    assertEquals(cache.stats().remote?.state, "up");
  }
});

for (const method of ["lease", "probe"] as const) {
  Deno.test(`a ${method} that hangs while lookups work costs three misses their time`, async () => {
    await using host = await openHost({
      leases: true,
      limits: { lookupTimeoutMs: 50, idleTimeoutMs: 50 },
    });
    const { cache, tier } = host;
    tier.before = (each) => each === method ? never() : undefined;

    for (let i = 0; i < 6; i++) {
      const url = `${URL_A}?${i}`;
      const media = await cache.getOrDownload(url, origin(BYTES).download);
      assertBytes(await media.bytes(), BYTES);
    }

    assertEquals(tier.count(method), 3);
    assertEquals(cache.stats().remote?.state, "up");
  });
}

Deno.test("a deletion during the upload of a download gives its lease back", async () => {
  await using host = await openHost({ leases: true });
  const { cache, tier, bucket } = host;
  tier.before = (method) => method === "put" ? never() : undefined;
  await (await cache.getOrDownload(URL_A, origin(BYTES).download)).bytes();
  await tier.begun("put");

  await cache.delete(URL_A);
  await cache.close();

  assertEquals(tier.released.length, 1);
  assertEquals(bucket.leases.size, 0);
});
