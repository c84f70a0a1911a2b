/** Faults of the remote tier: no caller fails for them, and no wrong byte is served. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError, MediaCache, MediaCacheError } from "../../../mod.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import {
  type Host,
  openHost,
  openHosts,
  openTwo,
} from "../../fixtures/remote/hosts.ts";
import {
  inChunks,
  never,
  type StandInBucket,
  StandInTier,
} from "../../fixtures/remote/stand_in_tier.ts";

const URL_A = "https://example.org/a.bin";
const SMALL = pattern(10_000, 1);
const LARGE = pattern(1_048_576, 2);

/** URLs that no test has stored. */
const urls = (count: number) =>
  Array.from({ length: count }, (_, i) => `https://example.org/${i}`);

/** Opens two hosts; the first has uploaded `bytes` for URL_A. */
async function warmed(bytes: Uint8Array<ArrayBuffer>) {
  const opened = await openTwo({ limits: { idleTimeoutMs: 100 } });
  const { one, two } = opened;
  await one.cache.put(URL_A, bytes, "application/x-test", "a.bin");
  await one.tier.ended("put");
  const dispose = () => opened[Symbol.asyncDispose]();
  return { one, two, bucket: opened.bucket, [Symbol.asyncDispose]: dispose };
}

/** A copy of bytes of which one differs. */
function changed(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function setBytes(bucket: StandInBucket, bytes: Uint8Array<ArrayBuffer>) {
  for (const object of bucket.objects.values()) object.bytes = bytes;
}

/** A stream that breaks after some bytes. */
function cut(
  bytes: Uint8Array<ArrayBuffer>,
  end: number,
): ReadableStream<Uint8Array> {
  const reader = inChunks(bytes.slice(0, end)).getReader();
  return new ReadableStream({
    async pull(controller) {
      const { value } = await reader.read();
      if (value !== undefined) return controller.enqueue(value);
      controller.error(new TypeError("error reading a body from connection"));
    },
  }, { highWaterMark: 0 });
}

/** A stream that stops after some bytes. */
function stalled(
  bytes: Uint8Array<ArrayBuffer>,
  end: number,
): ReadableStream<Uint8Array> {
  const reader = inChunks(bytes.slice(0, end)).getReader();
  return new ReadableStream({
    async pull(controller) {
      const { value } = await reader.read();
      if (value !== undefined) return controller.enqueue(value);
      await never();
    },
  }, { highWaterMark: 0 });
}

Deno.test("a tier that refuses four calls is left alone", async () => {
  await using host = await openHost({ limits: { readOnly: true } });
  const { cache, tier, recorder } = host;
  tier.before = () => {
    throw new TypeError("connection refused");
  };
  const source = origin(SMALL);

  for (const url of urls(20)) {
    const media = await cache.getOrDownload(url, source.download);
    assertBytes(await media.bytes(), SMALL);
  }

  assertEquals(source.calls, 20);
  // The look for changes was before.
  assertEquals(tier.calls, ["changes", "get", "get", "get", "get"]);
  const { remote } = cache.stats();
  assertEquals(remote?.state, "down");
  assertEquals(remote?.errors, 4);
  assertEquals(remote?.skipped, 16);
  const down = recorder.of("remoteDown");
  assertEquals(down.map(({ reason }) => reason), ["ECONNREFUSED"]);
});

Deno.test("a tier that hangs costs four lookups their time, and a thousand misses no failure", async () => {
  await using host = await openHost({
    limits: { lookupTimeoutMs: 100, readOnly: true },
  });
  const { cache, tier, recorder } = host;
  tier.before = (method) => method === "get" ? never() : undefined;
  const source = origin(SMALL);

  const all = await Promise.all(
    urls(1_000).map(async (url) => {
      const media = await cache.getOrDownload(url, source.download);
      return (await media.bytes()).length;
    }),
  );

  assertEquals(all.filter((length) => length !== SMALL.length), []);
  assertEquals(source.calls, 1_000);
  // Eight requests at a time, one more after each of the first three failures, and one
  // after each cool-down of 5 s.
  assert(tier.count("get") <= 16, `${tier.count("get")} lookups`);
  const { remote } = cache.stats();
  assertEquals(remote?.state, "down");
  assertEquals((remote?.timeouts ?? 0) >= 4, true);
  assertEquals((remote?.skipped ?? 0) + (remote?.errors ?? 0), 1_000);
  const down = recorder.of("remoteDown");
  assertEquals(down.map(({ reason }) => reason), ["no answer within 100 ms"]);
});

Deno.test("a tier that is busy, and answers within its time, is not left alone", async () => {
  await using host = await openHost({ limits: { lookupTimeoutMs: 10_000 } });
  const { cache, tier } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "get" ? gate.promise : undefined;
  const source = origin(SMALL);

  const calls = urls(50).map((url) =>
    cache.getOrDownload(url, source.download)
  );
  await tier.begun("get", 8);
  assertEquals(tier.count("get"), 8);
  gate.resolve();
  for (const call of calls) await (await call).bytes();

  assertEquals(tier.count("get"), 50);
  const { remote } = cache.stats();
  assertEquals([remote?.state, remote?.errors], ["up", 0]);
  assertEquals(remote?.misses, 50);
});

for (
  const [title, error, reason] of [
    ["403", new HttpStatusError(403), "HTTP 403"],
    ["401", new HttpStatusError(401), "HTTP 401"],
    [
      "503 with Retry-After",
      new HttpStatusError(503, { retryAfterMs: 30_000 }),
      "HTTP 503",
    ],
  ] as const
) {
  Deno.test(`a tier that answers ${title} is left alone at once`, async () => {
    await using host = await openHost();
    const { cache, tier, recorder } = host;
    tier.before = (method) => {
      if (method === "get") throw error;
    };
    const source = origin(SMALL);

    for (const url of urls(3)) {
      await (await cache.getOrDownload(url, source.download)).bytes();
    }

    assertEquals(tier.count("get"), 1);
    assertEquals(recorder.of("remoteDown").map((event) => event.reason), [
      reason,
    ]);
  });
}

Deno.test("a small object on a slow line may take longer than a lookup", async () => {
  await using opened = await openTwo({ limits: { lookupTimeoutMs: 50 } });
  const { one, two: { cache, tier } } = opened;
  await one.cache.put(URL_A, SMALL, "application/x-test", "a.bin");
  await one.tier.ended("put");
  const gate = Promise.withResolvers<void>();
  const half = SMALL.length / 2;
  tier.stream = (bytes) => {
    const parts = [bytes.slice(0, half), bytes.slice(half)];
    return new ReadableStream({
      async pull(controller) {
        if (parts.length === 1) await gate.promise;
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    }, { highWaterMark: 0 });
  };
  const source = origin(SMALL);
  const call = cache.getOrDownload(URL_A, source.download);
  await tier.ended("get");

  // Another lookup takes all of its time meanwhile.
  tier.before = (method) => method === "get" ? never() : undefined;
  const other = await cache.getOrDownload(`${URL_A}?2`, source.download);
  assertBytes(await other.bytes(), SMALL);
  gate.resolve();

  assertBytes(await (await call).bytes(), SMALL);
  assertEquals(source.calls, 1);
});

Deno.test("a fault without a listener is printed once, without a secret", async () => {
  await using host = await openHost();
  const { cache, tier } = host;
  tier.before = () => {
    throw new Error("https://key:secret@bucket.example/ failed");
  };

  for (const url of urls(8)) {
    await (await cache.getOrDownload(url, origin(SMALL).download)).bytes();
  }

  assertEquals(JSON.stringify(host.recorder.events).includes("secret"), false);
  assertEquals(JSON.stringify(cache.stats()).includes("secret"), false);
});

for (const [size, bytes] of [["small", SMALL], ["large", LARGE]] as const) {
  Deno.test(`a ${size} object that is missing bytes is completed by the origin`, async () => {
    await using hosts = await warmed(bytes);
    const { two } = hosts;
    two.tier.stream = (bytes) => cut(bytes, bytes.length / 2);
    const source = origin(bytes);

    const media = await two.cache.getOrDownload(URL_A, source.download);

    assertBytes(await media.bytes(), bytes);
    assertEquals(await media.stored, true);
    assertEquals(source.calls, 1);
    const { remote } = two.cache.stats();
    assertEquals(remote?.errors, 1);
    assertEquals(remote?.continued, size === "large" ? 1 : 0);
  });

  Deno.test(`a ${size} object that ends early is completed by the origin`, async () => {
    await using hosts = await warmed(bytes);
    const { two } = hosts;
    two.tier.stream = (bytes) => inChunks(bytes.slice(0, -1));
    const source = origin(bytes);

    const media = await two.cache.getOrDownload(URL_A, source.download);

    assertBytes(await media.bytes(), bytes);
    assertEquals(source.calls, 1);
  });

  Deno.test(`a ${size} object that stalls is completed by the origin`, async () => {
    await using hosts = await warmed(bytes);
    const { two } = hosts;
    two.tier.stream = (bytes) => stalled(bytes, bytes.length / 2);
    const source = origin(bytes);

    const media = await two.cache.getOrDownload(URL_A, source.download);

    assertBytes(await media.bytes(), bytes);
    assertEquals(source.calls, 1);
    const { remote } = two.cache.stats();
    assertEquals([remote?.errors, remote?.timeouts], [1, 1]);
  });
}

Deno.test("a small object of other bytes is not served: the origin is asked", async () => {
  await using hosts = await warmed(SMALL);
  const { two, bucket } = hosts;
  setBytes(bucket, changed(SMALL, 5_000));
  const source = origin(SMALL);

  const media = await two.cache.getOrDownload(URL_A, source.download);

  assertBytes(await media.bytes(), SMALL);
  assertEquals(await media.stored, true);
  await two.tier.ended("delete");
  await two.tier.ended("put");
  assertEquals(source.calls, 1);
  assertEquals(two.cache.stats().remote?.corrupt, 1);
  // The object is the origin's again.
  assertEquals([...bucket.objects.values()][0]?.bytes, SMALL);
});

for (const at of [0, 700_000, LARGE.length - 1]) {
  Deno.test(`a large object whose byte ${at} is wrong never ends well`, async () => {
    await using hosts = await warmed(LARGE);
    const { two, bucket } = hosts;
    setBytes(bucket, changed(LARGE, at));
    const source = origin(LARGE);

    const media = await two.cache.getOrDownload(URL_A, source.download);

    await assertRejects(() => media.bytes(), MediaCacheError);
    assertEquals(await media.stored, false);
    await two.tier.ended("delete");
    assertEquals(bucket.objects.size, 0);
    assertEquals(two.cache.stats().remote?.corrupt, 1);
    // The next call asks the origin.
    const next = await two.cache.getOrDownload(URL_A, source.download);
    assertBytes(await next.bytes(), LARGE);
    assertEquals(source.calls, 1);
  });
}

for (const [kind, length] of [["longer", 1], ["shorter", -1]] as const) {
  Deno.test(`a small object that is ${kind} than its facts say is not served`, async () => {
    await using hosts = await warmed(SMALL);
    const { two, bucket } = hosts;
    setBytes(bucket, pattern(SMALL.length + length, 1));
    const source = origin(SMALL);

    const media = await two.cache.getOrDownload(URL_A, source.download);

    assertBytes(await media.bytes(), SMALL);
    assertEquals(source.calls, 1);
  });
}

Deno.test("an object that breaks is not completed by other bytes of the origin", async () => {
  await using hosts = await warmed(LARGE);
  const { two } = hosts;
  two.tier.stream = (bytes) => cut(bytes, bytes.length / 2);
  const source = origin(changed(LARGE, 3));

  const media = await two.cache.getOrDownload(URL_A, source.download);

  await assertRejects(() => media.bytes(), MediaCacheError);
  assertEquals(await media.stored, false);
});

Deno.test("an object that breaks fails its readers if the origin fails, too", async () => {
  await using hosts = await warmed(LARGE);
  const { two } = hosts;
  two.tier.stream = (bytes) => cut(bytes, bytes.length / 2);

  const media = await two.cache.getOrDownload(
    URL_A,
    () => Promise.resolve(new Response(null, { status: 500 })),
  );

  await assertRejects(() => media.bytes(), HttpStatusError);
});

Deno.test("a tier that gives no stream, or no facts, is a miss", async () => {
  for (
    const object of [null, {}, { entry: {}, body: null }, {
      entry: { mimetype: "a/b", filename: "a", size: -1, sha256: "x" },
      body: new ReadableStream(),
    }]
  ) {
    await using host = await openHost();
    const { cache, tier } = host;
    // deno-lint-ignore no-explicit-any -- a tier that breaks its contract
    tier.get = () => Promise.resolve(object as any);
    const source = origin(SMALL);

    const media = await cache.getOrDownload(URL_A, source.download);

    assertBytes(await media.bytes(), SMALL);
    assertEquals(source.calls, 1);
  }
});

Deno.test("a caller that leaves during the lookup does not fail the others", async () => {
  await using host = await openHost();
  const { cache, tier } = host;
  const gate = Promise.withResolvers<void>();
  tier.before = (method) => method === "get" ? gate.promise : undefined;
  const source = origin(SMALL);
  const { signal, abort } = controller();

  const leaver = cache.getOrDownload(URL_A, source.download, { signal });
  const stayer = cache.getOrDownload(URL_A, source.download);
  await tier.begun("get");
  abort();
  await assertRejects(() => leaver, DOMException);
  gate.resolve();

  assertBytes(await (await stayer).bytes(), SMALL);
});

function controller() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

for (
  const [who, others, limits] of [
    ["tier", {}, { readOnly: true }],
    ["cache", { readOnly: true }, {}],
  ] as const
) {
  Deno.test(`a wrong object is asked for once by a ${who} that is only read`, async () => {
    await using opened = await openHosts(1);
    const [one] = opened.hosts as [Host];
    await one.cache.put(URL_A, LARGE, "application/x-test", "a.bin");
    await one.tier.ended("put");
    setBytes(opened.bucket, changed(LARGE, 700_000));
    const tier = new StandInTier({ bucket: opened.bucket, limits, host: "2" });
    await using dir = await tempDir();
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      remote: tier,
      onEvent: () => {},
      ...others,
    });
    const source = origin(LARGE);
    const media = await cache.getOrDownload(URL_A, source.download);
    await assertRejects(() => media.bytes(), MediaCacheError);

    const next = await cache.getOrDownload(URL_A, source.download);

    assertBytes(await next.bytes(), LARGE);
    assertEquals(source.calls, 1);
    assertEquals(tier.count("get"), 1);
  });
}
