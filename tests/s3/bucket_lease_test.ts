import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError } from "../../mod.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { remoteKey, remotePut } from "../fixtures/remote/entries.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { ShiftedClock } from "../fixtures/time/shifted_clock.ts";

const KEY = remoteKey("cat");
const TTL_MS = 15_000;
const never = new AbortController().signal;

/** Several hosts on one engine. */
function start() {
  const engine = new S3Engine();
  const tiers = Array.from(
    { length: 3 },
    () => s3Tier({ ...engine.options, lease: "bucket" }),
  );
  return {
    engine,
    take: async (host: number) => await tiers[host]!.lease!(KEY, TTL_MS, never),
    tiers,
    async [Symbol.asyncDispose]() {
      for (const tier of tiers) await tier.close?.();
      await engine[Symbol.asyncDispose]();
    },
  };
}

Deno.test("of several hosts one has the lease, and the others know how long", async () => {
  await using hosts = start();

  const leases = await Promise.all([0, 1, 2].map(hosts.take));

  assertEquals(leases.filter(({ held }) => held).length, 1);
  for (const lease of leases) {
    if (!lease.held) {
      assert(lease.leftMs > 0 && lease.leftMs <= TTL_MS, `${lease.leftMs}`);
    }
  }
  assertEquals(hosts.engine.names("lease/"), [`lease/v1/${KEY}.0`]);
});

Deno.test("a lease that nobody needs costs one request", async () => {
  await using hosts = start();

  assertEquals((await hosts.take(0)).held, true);

  assertEquals(hosts.engine.requests.length, 1);
});

Deno.test("a refusal leaves its connection to later requests", async () => {
  await using hosts = start();
  await hosts.take(0);
  hosts.engine.refusesLate = true;
  for (let time = 0; time < 10; time++) await hosts.take(1);

  const [, ...others] = hosts.engine.requests;
  assertEquals(others.length, 20);
  const { size } = new Set(others.map(({ port }) => port));
  assert(size < 5, `${size} connections`);
});

Deno.test("a lease that is too old is taken over by exactly one host", async () => {
  await using hosts = start();
  await hosts.take(0);

  hosts.engine.age("lease/", TTL_MS - 2000);
  assertEquals((await hosts.take(1)).held, false);
  hosts.engine.age("lease/", 2000);
  const leases = await Promise.all([1, 2].map(hosts.take));

  assertEquals(leases.map(({ held }) => held).sort(), [false, true]);
  assertEquals(hosts.engine.names("lease/").length, 2);
});

Deno.test("the age of a lease is told by the clock of the store", async () => {
  await using hosts = start();
  using clock = new ShiftedClock(10 * 60_000);
  await hosts.take(0);

  clock.aheadMs = -10 * 60_000;
  const lease = await hosts.take(1);

  assert(!lease.held && lease.leftMs > TTL_MS - 3000 && lease.leftMs <= TTL_MS);
});

Deno.test("a lease that is given back can be taken at once", async () => {
  await using hosts = start();
  const lease = await hosts.take(0);
  assert(lease.held);

  await lease.release?.(never);

  assertEquals(hosts.engine.names("lease/"), []);
  assertEquals((await hosts.take(1)).held, true);
});

Deno.test("a lease that is given back late is left: another host may have taken it over", async () => {
  await using hosts = start();
  const lease = await hosts.tiers[0]!.lease!(KEY, 0, never);
  assert(lease.held);
  assertEquals((await hosts.tiers[1]!.lease!(KEY, 0, never)).held, true);

  await lease.release?.(never);

  assertEquals(hosts.engine.names("lease/"), [
    `lease/v1/${KEY}.0`,
    `lease/v1/${KEY}.1`,
  ]);
});

Deno.test("a host does not wait for a lease of its own", async () => {
  await using hosts = start();
  await hosts.take(0);

  assertEquals((await hosts.take(0)).held, true);
  assertEquals((await hosts.take(1)).held, false);
});

Deno.test("after a delete no host waits for the lease of the old download", async () => {
  await using hosts = start();
  await hosts.take(0);
  await hosts.tiers[0]!.put(KEY, remotePut(new Uint8Array(3)), never);

  await hosts.tiers[2]!.delete(KEY, never);

  assertEquals((await hosts.take(1)).held, true);
});

Deno.test("a key whose leases were never given back has none, after eight", async () => {
  await using hosts = start();
  for (let taken = 0; taken < 8; taken++) {
    assertEquals((await hosts.take(taken % 2)).held, true);
    hosts.engine.age("lease/", TTL_MS);
  }

  const lease = await hosts.take(2);

  assertEquals(lease, { held: true });
  assertEquals(hosts.engine.names("lease/").length, 8);
});

Deno.test("a lease that another host creates at this moment is asked for again soon", async () => {
  await using hosts = start();
  for (const status of [409, 429]) {
    hosts.engine.refuse = ({ method }) =>
      method === "PUT" ? { status } : undefined;

    assertEquals(await hosts.take(0), { held: false, leftMs: 1000 });
  }
});

Deno.test("an engine that knows no conditions rejects with its status", async () => {
  await using hosts = start();
  hosts.engine.conditions = "refused";

  const error = await assertRejects(() => hosts.take(0), HttpStatusError);

  assertEquals(error.status, 501);
});

Deno.test("without the option there is no lease, and delete() asks for none", async () => {
  await using engine = new S3Engine();
  const tier = s3Tier(engine.options);

  assertEquals(tier.lease, undefined);
  await tier.delete(KEY, never);

  assertEquals(engine.requests.map(({ method }) => method), ["DELETE", "PUT"]);
  await tier.close?.();
});
