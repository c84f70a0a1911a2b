/** Hosts whose object store dies, hangs, refuses, lies and comes back. */
import { assert, assertEquals } from "@std/assert";
import { CephProcess } from "../fixtures/remote/ceph_process.ts";
import { EngineProxy } from "../fixtures/remote/engine_proxy.ts";
import { HostProcesses } from "../fixtures/remote/host_processes.ts";
import { digestOf, MediaOrigin } from "../fixtures/remote/media_origin.ts";
import type { S3TierOptions } from "../../src/s3/s3.ts";

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

/** A tier with a prefix of its own. A busy machine must not be taken for a fault. */
function tier(options: Partial<S3TierOptions> = {}): S3TierOptions {
  const prefix = `${crypto.randomUUID()}/`;
  const limits = { lookupTimeoutMs: 20_000, idleTimeoutMs: 20_000 };
  return { ...ceph.access, prefix, lease: "bucket", ...limits, ...options };
}

function rightDigests(urls: string[]): Record<string, string[]> {
  return Object.fromEntries(urls.map((url) => [url, [digestOf(url)]]));
}

/** How the engine fails as a whole, and comes back. */
interface Outage {
  readonly title: string;
  begin(proxy: EngineProxy): Promise<void> | void;
  end(proxy: EngineProxy): Promise<void> | void;
}

const OUTAGES: readonly Outage[] = [
  {
    title: "is killed",
    begin: () => ceph.kill(),
    end: () => ceph.restart(),
  },
  {
    title: "hangs",
    begin: () => ceph.stop(),
    end: () => ceph.continue(),
  },
  {
    title: "answers 503",
    begin: (proxy) => {
      proxy.faultOf = () => "unavailable";
    },
    end: (proxy) => {
      proxy.faultOf = () => undefined;
    },
  },
];

for (const { title, begin, end } of OUTAGES) {
  Deno.test(`no caller fails while the engine ${title}, and hosts share again after its return`, async () => {
    await using origin = new MediaOrigin(50);
    await using proxy = new EngineProxy(ceph.endpoint);
    const endpoint = title.includes("503") ? proxy.endpoint : ceph.endpoint;
    // Each look at a hanging engine takes that time.
    const limits = { lookupTimeoutMs: 3000, idleTimeoutMs: 5000 };
    await using hosts = await HostProcesses.start({
      tier: tier({ endpoint, ...limits }),
    });
    const urls = origin.urls("a", 60, 100_000);
    const until = (state: "up" | "down") =>
      Promise.all(
        hosts.all.map((host) =>
          host.ask("until", state, origin.url(state, 1000))
        ),
      );

    const wanting = hosts.want(urls, 5, 6);
    await origin.asked(20);
    await begin(proxy);
    const results = await wanting;
    await until("down");
    await end(proxy);

    assertEquals(results.errors, []);
    assertEquals(results.bodies, 900);
    assertEquals(results.digests, rightDigests(urls));

    await until("up");
    const again = origin.urls("again", 20, 100_000);
    const { errors, digests } = await hosts.want(again, 5, 6);
    assertEquals(errors, []);
    assertEquals(digests, rightDigests(again));
    assertEquals(origin.downloads(again), 20);
  });
}

Deno.test("bodies that the engine cuts are completed by the origin", async () => {
  await using origin = new MediaOrigin();
  await using proxy = new EngineProxy(ceph.endpoint);
  await using hosts = await HostProcesses.start({
    count: 1,
    tier: tier({ endpoint: proxy.endpoint }),
  });
  const urls = origin.urls("a", 8, 1_000_000);
  await hosts.want(urls, 1);
  await hosts.uploaded();
  const fresh = await hosts.add();

  proxy.faultOf = ({ kind, method }) =>
    kind === "object" && method === "GET" ? "cut" : undefined;
  const { bodies, errors, digests } = await fresh.ask("want", urls, 5, 2);

  assertEquals(errors, []);
  assertEquals(bodies, 40);
  assertEquals(digests, rightDigests(urls));
  const { continued = 0 } = (await fresh.ask("stats")).remote ?? {};
  assert(continued >= 2, `${continued} were continued`);
});

Deno.test("small bodies with other bytes come from the origin, unnoticed", async () => {
  await using origin = new MediaOrigin();
  await using proxy = new EngineProxy(ceph.endpoint);
  await using hosts = await HostProcesses.start({
    count: 1,
    tier: tier({ endpoint: proxy.endpoint }),
  });
  const urls = origin.urls("a", 8, 100_000);
  await hosts.want(urls, 1);
  await hosts.uploaded();
  const fresh = await hosts.add();

  proxy.faultOf = ({ kind, method }) =>
    kind === "object" && method === "GET" ? "wrong" : undefined;
  const { bodies, errors, digests } = await fresh.ask("want", urls, 5, 2);

  assertEquals(errors, []);
  assertEquals(bodies, 40);
  assertEquals(digests, rightDigests(urls));
  const { corrupt = 0 } = (await fresh.ask("stats")).remote ?? {};
  assert(corrupt >= 1, `${corrupt} were corrupt`);
});

Deno.test("large bodies with other bytes end in an error, never as a whole, and then come from the origin", async () => {
  await using origin = new MediaOrigin();
  await using proxy = new EngineProxy(ceph.endpoint);
  await using hosts = await HostProcesses.start({
    count: 1,
    tier: tier({ endpoint: proxy.endpoint }),
  });
  const [url = ""] = origin.urls("a", 1, 1_000_000);
  await hosts.want([url], 1);
  await hosts.uploaded();
  const fresh = await hosts.add();

  proxy.faultOf = ({ kind, method }) =>
    kind === "object" && method === "GET" ? "wrong" : undefined;
  const { errors, digests } = await fresh.ask("want", [url], 5, 1);
  assertEquals(digests, {});
  assertEquals(errors.length, 5);
  assertEquals((await fresh.ask("stats")).remote?.corrupt, 1);

  proxy.faultOf = () => undefined;
  const again = await fresh.ask("want", [url], 5, 1);
  assertEquals(again.errors, []);
  assertEquals(again.digests, rightDigests([url]));
});

Deno.test("the host with the lease is killed: another downloads, and the third waits for it", async () => {
  await using origin = new MediaOrigin(100);
  await using hosts = await HostProcesses.start({
    // The next host must have uploaded within the time of its lease, also on a busy machine.
    tier: tier({ leaseTtlMs: 6000 }),
  });
  const url = origin.url("a", 1_000_000);
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  const { before } = origin;
  origin.before = () => killed;

  const wanting = new Map(hosts.all.map((host) => [
    host,
    host.ask("want", [url], 50, 1).catch(() => undefined),
  ]));
  const holder = hosts.named((await origin.asked(1)).host);
  holder.kill("SIGKILL");
  origin.before = before;
  resolve();
  wanting.delete(holder);
  const results = await Promise.all(wanting.values());

  assertEquals(results.map((result) => result?.errors), [[], []]);
  const right = rightDigests([url]);
  assertEquals(results.map((result) => result?.digests), [right, right]);
  assertEquals(origin.downloads([url]), 2);
});
