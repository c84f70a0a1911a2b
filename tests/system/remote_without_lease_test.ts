/** Hosts whose object store can't keep conditions: no lease, and all else. */
import { assert, assertEquals } from "@std/assert";
import { HostProcesses } from "../fixtures/remote/host_processes.ts";
import { digestOf, MediaOrigin } from "../fixtures/remote/media_origin.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";

const STORES = [
  { conditions: "ignored", title: "ignores If-None-Match" },
  { conditions: "refused", title: "answers 501 to If-None-Match" },
] as const;

for (const { conditions, title } of STORES) {
  Deno.test(`on a store that ${title} hosts share without a lease`, async () => {
    await using engine = new S3Engine();
    engine.conditions = conditions;
    const tier: S3TierOptions = {
      ...engine.options,
      ...{ lease: "bucket", lookupTimeoutMs: 20_000, changesEveryMs: 200 },
    };
    const probed = s3Tier(tier);
    const { signal } = new AbortController();
    const { reachable, lease, reason } = await probed.probe(signal);
    await probed.close?.();
    assertEquals([reachable, lease], [true, false]);
    assert(reason?.includes("If-None-Match"), reason);

    await using origin = new MediaOrigin(100);
    await using hosts = await HostProcesses.start({ tier });
    const urls = origin.urls("a", 10, 100_000);
    const right = Object.fromEntries(urls.map((url) => [url, [digestOf(url)]]));
    const { errors, digests, bodies } = await hosts.want(urls, 10);
    assertEquals(errors, []);
    assertEquals(bodies, 300);
    assertEquals(digests, right);
    const downloads = origin.downloads(urls);
    assert(downloads <= 30, `${downloads} downloads`);
    const stats = await hosts.remoteStats();
    assertEquals(stats.map(({ lease }) => lease), Array(3).fill("refused"));
    assertEquals(stats.map(({ state }) => state), Array(3).fill("up"));

    await hosts.uploaded();
    const fresh = await hosts.add();
    assertEquals((await fresh.ask("want", urls, 1, 4)).digests, right);
    assertEquals(origin.downloads(urls), downloads);
    const [url = ""] = urls;
    assert(await fresh.ask("delete", url));
    for (const host of hosts.all) await host.ask("gone", url);
  });
}
