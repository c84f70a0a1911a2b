import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError } from "../../../mod.ts";
import { parseRetryAfter } from "../../../src/core/text/http_date.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const NOW = Date.UTC(1994, 10, 6, 8, 49, 0);

Deno.test("parseRetryAfter() reads seconds and HTTP-dates", async (t) => {
  const cases: [value: string | null, expected: number | undefined][] = [
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5_000],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 37_000],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 37_000],
    ["Sun Nov  6 08:49:37 1994", 37_000],
    ["Sun, 06 Nov 1994 08:48:00 GMT", 0],
    [null, undefined],
    ["", undefined],
    ["-1", undefined],
    ["+1", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["5, 6", undefined],
    ["soon", undefined],
    ["1994-11-06", undefined],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    [String(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
  ];
  for (const [value, expected] of cases) {
    await t.step(value?.slice(0, 40) || `${value}`, () => {
      assertEquals(parseRetryAfter(value, NOW), expected);
    });
  }
});

Deno.test("HttpStatusError states how long a server asks to wait", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  const rejection = async (path: string, headers: HeadersInit) => {
    const url = origin.on(
      path,
      () => new Response("busy", { status: 429, headers }),
    );
    return await assertRejects(
      () =>
        opened.cache.getOrDownload(
          url,
          ({ url, signal }) => fetch(url, { signal }),
        ),
      HttpStatusError,
    );
  };

  assertEquals(
    (await rejection("/s", { "Retry-After": "7" })).retryAfterMs,
    7_000,
  );
  assertEquals((await rejection("/none", {})).retryAfterMs, undefined);
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const waitMs =
    (await rejection("/date", { "Retry-After": date })).retryAfterMs;
  assert(waitMs !== undefined && waitMs > 3_500_000 && waitMs <= 3_600_000);
});

Deno.test("HttpStatusError has no waiting time unless given one", () => {
  assertEquals(new HttpStatusError(503).retryAfterMs, undefined);
  assertEquals(new HttpStatusError(503, { retryAfterMs: 5 }).retryAfterMs, 5);
});
