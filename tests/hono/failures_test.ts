/** How the router reports failed downloads. */
import { assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import type { Downloader, MediaCache } from "../../mod.ts";
import { statsRouter } from "../../src/hono/stats_router.ts";
import { begin } from "../fixtures/cache/begun.ts";
import { emptyCache } from "../fixtures/cache/empty_cache.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted } from "../fixtures/servers/mounted.ts";
import { Origin } from "../fixtures/servers/origin.ts";

const SECRET = "https://secret-host.example/bot1:token/cat.png";

/** The failures in a text of metrics, without those that never happened. */
function failuresIn(text: string): Record<string, number> {
  const samples = text.matchAll(
    /^media_cache_download_failures_total\{reason="([^"]*)"\} (\d+)$/gm,
  );
  return Object.fromEntries(
    [...samples].map(([, reason, count]) => [reason!, Number(count)] as const)
      .filter(([, count]) => count > 0),
  );
}

async function fail(cache: MediaCache, error: unknown): Promise<void> {
  const downloader: Downloader = () => Promise.reject(error);
  await cache.getOrDownload(SECRET, downloader).catch(() => {});
}

Deno.test("failures are shown with number and reason, and with host and URL to readers with access", async () => {
  for (const options of [{}, { access: "trusted" } as const]) {
    await using origin = new Origin();
    await using router = await mounted(options);
    const { cache } = router;
    const gone = origin.url("/bot1:token/gone.png");
    const get: Downloader = ({ url, signal }) => fetch(url, { signal });
    await cache.getOrDownload(gone, get).catch(() => {});
    await cache.getOrDownload(gone, get).catch(() => {});
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const refusing = `http://127.0.0.1:${listener.addr.port}/bot1:token`;
    await cache.getOrDownload(refusing, get).catch(() => {});

    const stats = await (await router.ask("/stats")).json();
    const metrics = await (await router.ask("/metrics")).text();
    const page = await (await router.ask("")).text();

    assertEquals(stats.media_cache.failures, 3);
    assertEquals(failuresIn(metrics), { "HTTP 404": 2, ECONNREFUSED: 1 });
    assertStringIncludes(page, "HTTP 404 × 2, ECONNREFUSED × 1");
    for (const detail of ["ECONNREFUSED after 0 B", "HTTP 404 after 0 B"]) {
      assertStringIncludes(page, detail);
    }
    for (const text of [metrics, page]) {
      const isPageWithAccess = text === page && "access" in options;
      for (const secret of [new URL(refusing).host, refusing, gone]) {
        assertEquals(text.includes(secret), isPageWithAccess, secret);
      }
    }
  }
});

Deno.test("a download that was ended because its callers left does not count as failed", async () => {
  await using opened = await emptyCache({ whenAbandoned: "abort" });
  const { cache, recorder } = opened;
  const router = statsRouter(cache);
  const { tap, call } = await begin(cache, "a:");
  tap.write(pattern(10));
  await (await call)[Symbol.asyncDispose]();
  await recorder.seen("failed");
  await fail(cache, new DOMException("", "AbortError"));

  const metrics = await (await router.request("/metrics")).text();

  assertEquals(failuresIn(metrics), { AbortError: 1 });
  assertEquals(cache.stats().failures, 1);
});

Deno.test("failures before the router was made count, without a reason", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  await fail(cache, new Error());
  const router = statsRouter(cache);
  await fail(cache, new Error());

  const metrics = await (await router.request("/metrics")).text();

  assertEquals(failuresIn(metrics), { Error: 1, other: 1 });
});

Deno.test("a server with changing names, codes and statuses makes a limited number of series", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const router = statsRouter(cache);
  const named = (name: string, more: object = {}) =>
    Object.assign(new Error(SECRET), { name, ...more });
  await fail(cache, named("other"));
  for (let i = 0; i < 200; i++) {
    await fail(cache, named(`Name${i}`));
    await fail(cache, named("Error", { code: `CODE_${i}` }));
    await fail(cache, named("Error", { status: 400 + i }));
  }
  await fail(cache, named("Error", { code: "ECONNREFUSED" }));

  const text = await (await router.request("/metrics")).text();

  const failures = failuresIn(text);
  const total = Object.values(failures).reduce((a, b) => a + b);
  assertEquals([total, cache.stats().failures], [602, 602]);
  assertEquals(failures["ECONNREFUSED"], 1);
  assertEquals(failures["HTTP 404"], 1);
  assertEquals(failures["HTTP 4xx"], 95);
  assertEquals(Object.keys(failures).length < 50, true);
  const series = text.match(/^media_cache_download_failures_total/gm);
  assertEquals((series ?? []).length < 60, true);
  assertEquals(text.match(/reason="other"/g)?.length, 1);
  assertFalse(/secret-host|token|cat\.png/.test(text));
});
