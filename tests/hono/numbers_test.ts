import { assertEquals, assertStringIncludes } from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";

Deno.test("/stats has the original's keys with their meaning, and further keys", async () => {
  await using router = await mounted({}, { maxSizeMb: 10 });
  const { cache } = router;
  await cache.put("a:1", pattern(1_048_576), "image/png", "a.png");
  await cache.get("a:1");
  await cache.get("a:1");
  const failing = () => Promise.reject(new Error("down"));
  await cache.getOrDownload("a:2", failing).catch(() => {});

  const response = await router.ask("/stats");

  assertEquals(response.headers.get("Cache-Control"), "no-store");
  assertEquals(await response.json(), {
    "media_cache": {
      "entries": 1,
      "entries_in_memory": 1,
      "total_bytes": 1_048_576,
      "total_mb": 1,
      "max_mb": 10,
      "hits": 2,
      "misses": 1,
      "hit_rate": 0.667,
      "memory_bytes": 1_048_576,
      "staged_bytes": 0,
      "orphan_bytes": 0,
      // The body, its sidecar, and the list of changes.
      "occupied_bytes": 1_048_576 + 2 * 4096,
      "comparing": false,
      "failures": 1,
      "in_flight": 0,
      "coalesced": 0,
      "failed_over": 0,
      "refreshed": 0,
      "resumed": 0,
      "retried": 0,
      "failures_remembered": 0,
      "addresses_refused": 0,
      "sniffed": 0,
      "revalidated": 0,
      "stale": 0,
      "unacceptable": 0,
      "handle_hits": 0,
      "uploads": 0,
      "evictions": 0,
      "bytes_downloaded": 0,
      "bytes_served": 0,
      "conversions": 0,
      "conversion_failures": 0,
      "disk_errors": 0,
      "degraded": [],
    },
  });
});

Deno.test("/healthz is ok while the directory can be written", async () => {
  await using router = await mounted();

  const well = await router.ask("/healthz");
  assertEquals([well.status, await well.text()], [200, "ok\n"]);
  assertEquals(well.headers.get("Cache-Control"), "no-store");

  await Deno.remove(router.dir, { recursive: true });
  await Deno.writeTextFile(router.dir, "a file in its place");
  const ill = await router.ask("/healthz");
  assertEquals(ill.status, 503);
  assertEquals(await ill.text(), "the directory can't be used: ENOTDIR\n");

  await Deno.remove(router.dir);
  assertEquals(await statusOf(router.ask("/healthz")), 200);
});

Deno.test("a closed cache still shows its numbers, and is not healthy", async () => {
  await using router = await mounted({ access: "trusted" });
  await router.cache.close();

  assertEquals(await statusOf(router.ask("/stats")), 200);
  assertEquals(await statusOf(router.ask("/metrics")), 200);
  const health = await router.ask("/healthz");
  assertEquals(health.status, 503);
  assertStringIncludes(await health.text(), "closed");
  assertEquals(await statusOf(router.ask("/entries")), 503);
  assertEquals(await statusOf(router.ask(`/media/${"0".repeat(64)}`)), 503);
});
