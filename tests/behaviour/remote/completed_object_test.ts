/** Objects that break, and whose origin breaks as well while it completes them. */
import { assertEquals } from "@std/assert";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { openTwo } from "../../fixtures/remote/hosts.ts";
import { inChunks } from "../../fixtures/remote/stand_in_tier.ts";
import { RawServer, wholeOrRest } from "../../fixtures/servers/raw_server.ts";

const BODY = pattern(1_048_576, 2);
const FACTS = { "Content-Type": "application/x-test", ETag: '"one"' };

for (
  const [when, cut] of [
    ["before the bytes that were handed out", 100_000],
    ["behind them", 900_000],
  ] as const
) {
  Deno.test(`an origin that breaks while it completes an object goes on, ${when}`, async () => {
    await using server = new RawServer((request) => ({
      ...wholeOrRest(request, BODY, FACTS),
      ...(request.index === 0 && { cut }),
    }));
    await using opened = await openTwo();
    const { one, two } = opened;
    await one.cache.put(server.url(), BODY, "application/x-test", "a.bin");
    await one.tier.ended("put");
    two.tier.stream = (bytes) => inChunks(bytes.slice(0, bytes.length / 2));

    const media = await two.cache.getOrDownload(
      server.url(),
      ({ url, signal, headers }) => fetch(url, { signal, headers }),
    );

    assertBytes(await media.bytes(), BODY);
    assertEquals(await media.stored, true);
    assertEquals(server.ranges, [null, `bytes=${cut}-`]);
    const { resumed, remote } = two.cache.stats();
    assertEquals([resumed, remote?.continued], [1, 1]);
  });
}
