/** Handles of a media whose origin is asked again: they go with their bytes, and not before. */
import { assertEquals } from "@std/assert";
import type { Media } from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { agingCache, HOUR_MS } from "../../fixtures/cache/aging_cache.ts";
import {
  passing,
  type VersionedOrigin,
} from "../../fixtures/servers/versioned_origin.ts";

const PLACE = "telegram:123:photo";
const OLD = pattern(5_000);
const TAGGED = { body: OLD, headers: { etag: '"1"' } };

for (
  const [name, change, kept] of [
    ["304 keeps the handle", (_origin: VersionedOrigin) => {}, true],
    ["200 with the same bytes keeps the handle", (origin: VersionedOrigin) => {
      origin.version = { body: OLD, headers: { etag: '"2"' } };
    }, true],
    ["200 with other bytes forgets the handle", (origin: VersionedOrigin) => {
      origin.version = { body: pattern(6_000, 2), headers: { etag: '"2"' } };
    }, false],
  ] as const
) {
  Deno.test(`a revalidation that ends in ${name}`, async () => {
    await using aging = await agingCache(TAGGED);
    const { cache, origin, clock } = aging;
    const sent: (string | number)[] = [];
    const send = () =>
      cache.sendOnce(origin.url, PLACE, passing, {
        again: (handle: string) => Promise.resolve(sent.push(handle)),
        first: async (media: Media) => {
          const { length } = await media.bytes();
          return { result: sent.push(length), handle: `of ${length}` };
        },
      });
    await send();
    clock.aheadMs = HOUR_MS;
    // A send by handle asks no origin, however old the entry is.
    await send();
    assertEquals(origin.requests.length, 1);
    change(origin);

    await (await cache.getOrDownload(origin.url, passing)).bytes();
    await send();

    assertEquals(origin.requests.length, 2);
    assertEquals(sent, [5_000, "of 5000", kept ? "of 5000" : 6_000]);
    const handle = await cache.handle(origin.url, PLACE);
    assertEquals(handle, kept ? "of 5000" : "of 6000");
  });
}

Deno.test("the handle of bytes that the send itself has found at the origin is kept", async () => {
  await using aging = await agingCache(TAGGED);
  const { cache, origin, clock } = aging;
  await (await cache.getOrDownload(origin.url, passing)).bytes();
  clock.aheadMs = HOUR_MS;
  origin.version = { body: pattern(6_000, 2), headers: { etag: '"2"' } };
  const sent: (string | number)[] = [];
  const send = () =>
    cache.sendOnce(origin.url, PLACE, passing, {
      again: (handle: string) => Promise.resolve(sent.push(handle)),
      first: async (media: Media) => {
        const { length } = await media.bytes();
        return { result: sent.push(length), handle: `of ${length}` };
      },
    });

  await Promise.all([send(), send()]);

  assertEquals(sent, [6_000, "of 6000"]);
});
