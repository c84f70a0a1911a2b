/** Three processes as three hosts, on a real object store. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { gifOfDelays } from "../fixtures/gif/gif_writer.ts";
import { CephProcess } from "../fixtures/remote/ceph_process.ts";
import { HostProcesses } from "../fixtures/remote/host_processes.ts";
import { digestOf, MediaOrigin } from "../fixtures/remote/media_origin.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import type { S3TierOptions } from "../../src/s3/s3.ts";

const MIB = 1_048_576;

/** What a host may need beyond its memory before, whatever the size of the body. */
const MAX_GROWTH_DOWN = 64 * MIB;
const MAX_GROWTH_UP = 96 * MIB;

let ceph: CephProcess;
Deno.test.beforeAll(async () => {
  ceph = await CephProcess.start();
});
Deno.test.beforeEach(async () => {
  // A test that has failed may have left it so.
  await ceph.continue();
  await ceph.restart();
});
Deno.test.afterAll(async () => {
  await ceph[Symbol.asyncDispose]();
});

/**
 * A tier with a prefix of its own. Here the number of downloads counts, not their time: a
 * machine under load gets more of it than a host of users.
 */
function tier(options: Partial<S3TierOptions> = {}): S3TierOptions {
  const prefix = `${crypto.randomUUID()}/`;
  const limits = { lookupTimeoutMs: 20_000, idleTimeoutMs: 20_000 };
  return { ...ceph.access, prefix, lease: "bucket", ...limits, ...options };
}

function tell(line: string): void {
  // deno-lint-ignore no-console -- a figure of this machine
  console.log(line);
}

for (
  const { lease, most } of [
    { lease: "bucket", most: 1 },
    { lease: "off", most: 3 },
  ] as const
) {
  const leased = lease === "bucket" ? "with a lease" : "without a lease";
  Deno.test(`3 hosts of 50 callers download a URL at most ${most} times ${leased}`, async () => {
    await using origin = new MediaOrigin(300);
    await using hosts = await HostProcesses.start({ tier: tier({ lease }) });
    const url = origin.url("a", MIB);

    const { bodies, errors, digests } = await hosts.want([url], 50);

    assertEquals(errors, []);
    assertEquals(bodies, 150);
    assertEquals(digests, { [url]: [digestOf(url)] });
    const downloads = origin.downloads([url]);
    assert(downloads >= 1 && downloads <= most, `${downloads} downloads`);
    tell(`${downloads} downloads ${leased}`);
  });
}

Deno.test("3 hosts of 10 callers each download 40 URLs 40 times by lease, and a fresh host none", async () => {
  await using origin = new MediaOrigin(100);
  await using hosts = await HostProcesses.start({ tier: tier() });
  const urls = origin.urls("a", 40, 100_000);
  const right = Object.fromEntries(urls.map((url) => [url, [digestOf(url)]]));

  const { bodies, errors, digests } = await hosts.want(urls, 10, 8);

  assertEquals(errors, []);
  assertEquals(bodies, 1200);
  assertEquals(digests, right);
  assertEquals(origin.downloads(urls), 40);

  await hosts.uploaded();
  const fresh = await hosts.add();
  const again = await fresh.ask("want", urls, 1, 8);
  assertEquals(again.errors, []);
  assertEquals(again.digests, right);
  assertEquals(origin.downloads(urls), 40);
  assertEquals((await fresh.ask("stats")).remote?.hits, 40);
});

Deno.test("a GIF that 3 hosts want is downloaded and converted once", async () => {
  await using origin = new Origin();
  await using hosts = await HostProcesses.start({ tier: tier() });
  const headers = { "Content-Type": "image/gif" };
  const url = origin.bytes("/a.gif", gifOfDelays([10, 20, 30]), headers);

  const { errors, digests } = await hosts.want([url], 5);

  assertEquals(errors, []);
  assertEquals(digests[url]?.length, 1);
  assertEquals(origin.requests("/a.gif"), 1);
  const stats = await Promise.all(hosts.all.map((host) => host.ask("stats")));
  const conversions = stats.map(({ conversions }) => conversions);
  assertEquals(conversions.sort(), [0, 0, 1]);
});

Deno.test("what a host deletes or replaces, the others drop", async () => {
  await using origin = new MediaOrigin();
  await using hosts = await HostProcesses.start({
    tier: tier({ changesEveryMs: 200 }),
  });
  const [one, ...others] = hosts.all;
  assert(one !== undefined);
  const [deleted = "", replaced = ""] = origin.urls("a", 2, 1000);
  await hosts.want([deleted, replaced], 1);
  await hosts.uploaded();

  assert(await one.ask("delete", deleted));
  assert(await one.ask("replace", replaced, "newer"));
  await hosts.uploaded();

  for (const host of others) {
    await host.ask("gone", deleted);
    await host.ask("gone", replaced);
    assertEquals(await host.ask("text", replaced), "newer");
  }
  assertEquals(origin.downloads([deleted]), 1);
  await hosts.want([deleted], 1);
  // Within seconds of the deletion, downloads are taken for older than it and not shared.
  assert(origin.downloads([deleted]) > 1);
});

Deno.test("hosts with other prefixes share nothing", async () => {
  await using origin = new MediaOrigin();
  const url = origin.url("a", 1000);
  for (const prefix of ["one/", "two/"]) {
    await using hosts = await HostProcesses.start({
      count: 1,
      tier: tier({ prefix }),
    });
    await hosts.want([url], 1);
    await hosts.uploaded();
  }
  assertEquals(origin.downloads([url]), 2);
});

Deno.test("a local hit asks the engine nothing, be it well, stopped or dead", async () => {
  await using origin = new MediaOrigin();
  await using hosts = await HostProcesses.start({
    count: 1,
    tier: tier({ changesEveryMs: 3_600_000 }),
    cache: { maxMemoryItems: 4 },
  });
  const [host] = hosts.all;
  const urls = origin.urls("a", 16, 10_000);
  await hosts.want(urls, 1);
  await hosts.uploaded();
  const look = async (state: string) => {
    const ms = await host?.ask("hits", urls, 2000) ?? [];
    tell(`${state}: half of the hits within ${ms[1000]?.toFixed(3)} ms`);
  };

  const before = await ceph.requests();
  await look("well");
  // The request that asks for the count is not a request to the gateway.
  assertEquals(await ceph.requests(), before);
  await ceph.stop();
  await look("stopped");
  await ceph.continue();
  assertEquals(await ceph.requests(), before);
  await ceph.kill();
  await look("dead");
  const stats = (await host?.ask("stats"))?.remote;
  assertEquals([stats?.state, stats?.errors], ["up", 0]);
  await ceph.restart();
});

Deno.test("a body of 256 MiB goes up and down in a small part of its size", async () => {
  await using origin = new MediaOrigin();
  await using hosts = await HostProcesses.start({
    count: 2,
    tier: tier({ maxEntryMb: 1024 }),
    cache: { maxSizeMb: 1024 },
  });
  const [one, two] = hosts.all;
  assert(one !== undefined && two !== undefined);
  const small = origin.url("small", 16 * MIB);
  for (const host of [one, two]) {
    await host.ask("download", small);
    await host.ask("upload");
  }
  const url = origin.url("large", 256 * MIB);

  await one.ask("download", url);
  const up = await one.ask("upload");
  const { digest, growthBytes: down } = await two.ask("download", url);

  assertEquals(digest, digestOf(url));
  assertEquals(origin.downloads([url]), 1);
  tell(`${(up / MIB).toFixed(0)} MiB up, ${(down / MIB).toFixed(0)} MiB down`);
  assertLess(up, MAX_GROWTH_UP);
  assertLess(down, MAX_GROWTH_DOWN);
});
