/** `close()` of a cache with a remote tier. */
import { assertEquals } from "@std/assert";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { origin } from "../../fixtures/remote/counted_origin.ts";
import { openHost } from "../../fixtures/remote/hosts.ts";
import { never } from "../../fixtures/remote/stand_in_tier.ts";

const URL_A = "https://example.org/a.bin";

Deno.test("close() lets uploads end, and closes the tier", async () => {
  await using host = await openHost();
  const { cache, tier, bucket } = host;
  for (let i = 0; i < 20; i++) {
    await cache.put(`https://example.org/${i}`, pattern(1_000), "a/b", "a");
  }

  await cache.close();

  assertEquals(bucket.objects.size, 20);
  assertEquals(tier.isClosed, true);
});

Deno.test("close() waits for a tier that hangs no longer than timeoutMs, and leaves nothing", async () => {
  await using host = await openHost();
  const { cache, tier } = host;
  tier.before = () => never();
  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  const call = cache.getOrDownload(`${URL_A}?2`, origin(pattern(9)).download);
  await tier.begun("get");
  await tier.begun("put");
  call.catch(() => {});

  // The leak checks of this test see timers that are left.
  await cache.close({ timeoutMs: 50 });

  assertEquals(cache.stats().remote?.uploadsQueued, 0);
});

Deno.test("close({ abort: true }) waits for no tier", async () => {
  await using host = await openHost();
  const { cache, tier } = host;
  tier.before = () => never();
  tier.close = never;
  await cache.put(URL_A, pattern(1_000), "a/b", "a");
  await tier.begun("put");

  await cache.close({ abort: true });

  assertEquals(cache.stats().remote?.uploadsQueued, 0);
});

Deno.test("a tier whose close() throws or rejects does no harm", async () => {
  for (
    const close of [
      () => {
        throw new Error("broken");
      },
      () => Promise.reject(new Error("broken")),
    ]
  ) {
    await using host = await openHost();
    host.tier.close = close;
    await host.cache.close();
  }
});
