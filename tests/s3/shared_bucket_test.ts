/** Caches of several hosts, each with a directory of its own, and one bucket. */
import { assertEquals } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { Origin } from "../fixtures/servers/origin.ts";

const LARGE = pattern(1_000_000);

/** An engine, an origin, and hosts that close before both. */
async function start() {
  const stack = new AsyncDisposableStack();
  const engine = stack.use(new S3Engine());
  const origin = stack.use(new Origin());
  const url = origin.bytes("/cat.png", LARGE, { "Content-Type": "image/png" });
  await Promise.resolve();
  return {
    engine,
    origin,
    url,
    async host(
      options: Partial<S3TierOptions> = {},
    ): Promise<MediaCache> {
      const { path: cacheDir } = stack.use(await tempDir());
      const remote = s3Tier({ ...engine.options, ...options });
      return stack.use(
        await MediaCache.open({ cacheDir, remote, onEvent() {} }),
      );
    },
    async get(cache: MediaCache): Promise<Uint8Array> {
      const media = await cache.getOrDownload(
        url,
        ({ url, signal }) => fetch(url, { signal }),
      );
      return await media.bytes();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test("what one host has downloaded, another gets from the bucket", async () => {
  await using hosts = await start();
  const { engine, origin } = hosts;
  const here = await hosts.host();
  assertEquals(await hosts.get(here), LARGE);
  await here.close();

  const there = await hosts.host();
  assertEquals(await hosts.get(there), LARGE);

  assertEquals(origin.requests("/cat.png"), 1);
  assertEquals(there.stats().remote?.hits, 1);
  assertEquals(engine.names().length, 1);
  assertEquals(engine.count("PUT"), 1);
});

Deno.test("of hosts with a lease one downloads", async () => {
  await using hosts = await start();
  const { origin } = hosts;
  const caches = [
    await hosts.host({ lease: "bucket" }),
    await hosts.host({ lease: "bucket" }),
    await hosts.host({ lease: "bucket" }),
  ];

  const bodies = await Promise.all(caches.map(hosts.get));

  assertEquals(bodies, [LARGE, LARGE, LARGE]);
  assertEquals(origin.requests("/cat.png"), 1);
  for (const cache of caches) assertEquals(cache.stats().remote?.lease, "on");
});

Deno.test("where the store ignores conditions, each host downloads", async () => {
  await using hosts = await start();
  const { engine, origin } = hosts;
  engine.conditions = "ignored";
  const cache = await hosts.host({ lease: "bucket" });

  assertEquals(await hosts.get(cache), LARGE);

  assertEquals(origin.requests("/cat.png"), 1);
  assertEquals(cache.stats().remote?.lease, "refused");
});

for (
  const [fault, status] of [["an outage", 503], ["a busy store", 429]] as const
) {
  Deno.test(`a host whose first probe meets ${fault} downloads by lease after it`, async () => {
    await using hosts = await start();
    const { engine } = hosts;
    let puts = 0;
    engine.refuse = ({ method, name }) =>
      method === "PUT" && name.startsWith("probe/") && ++puts > 1
        ? { status }
        : undefined;
    const cache = await hosts.host({ lease: "bucket" });
    assertEquals(await hosts.get(cache), LARGE);
    assertEquals(cache.stats().remote?.lease, "unproven");

    engine.refuse = () => undefined;
    await cache.delete(hosts.url);
    assertEquals(await hosts.get(cache), LARGE);

    assertEquals(cache.stats().remote?.lease, "on");
    assertEquals(cache.stats().remote?.leasesHeld, 1);
  });
}

Deno.test("a URL with a token is nowhere in the bucket", async () => {
  await using hosts = await start();
  const { engine, origin } = hosts;
  const url = origin.bytes("/bot1:SECRET/cat.png", LARGE);
  const cache = await hosts.host({ lease: "bucket" });
  const media = await cache.getOrDownload(
    url,
    ({ url, signal }) => fetch(url, { signal }),
  );
  await media.bytes();
  await cache.delete(url);
  await cache.close();

  const sent = engine.requests.map(({ name, headers }) => [name, ...headers]);
  assertEquals(JSON.stringify(sent).includes("SECRET"), false);
  assertEquals(engine.count("PUT") > 0, true);
});

Deno.test("a store that refuses, cuts or is gone fails no call", async () => {
  await using hosts = await start();
  const { engine } = hosts;
  const first = await hosts.host();
  await hosts.get(first);
  await first.close();

  engine.bodyFault = { kind: "cut", after: 400_000 };
  assertEquals(await hosts.get(await hosts.host()), LARGE);
  engine.bodyFault = undefined;
  for (const status of [403, 429, 500, 503]) {
    engine.refuse = () => ({ status });
    assertEquals(await hosts.get(await hosts.host()), LARGE);
  }
  const gone = { endpoint: "http://127.0.0.1:65530" };
  assertEquals(await hosts.get(await hosts.host(gone)), LARGE);
});
