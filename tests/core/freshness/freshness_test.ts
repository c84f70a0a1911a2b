import { assertEquals } from "@std/assert";
import {
  type Freshness,
  freshnessOf,
  type FreshnessTimes,
} from "../../../src/core/freshness/freshness.ts";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const LIMITS = { maxAgeMs: HOUR, staleWhileRevalidateMs: HOUR };

const NEVER = {
  storedAt: 0,
  validatedAt: undefined,
  failedAt: undefined,
};

/** An entry that was stored some time ago, and perhaps checked. */
function ago(
  storedMs: number,
  { validatedMs, failedMs }: { validatedMs?: number; failedMs?: number } = {},
): FreshnessTimes {
  const at = (ms: number | undefined) => ms === undefined ? ms : NOW - ms;
  return {
    storedAt: NOW - storedMs,
    validatedAt: at(validatedMs),
    failedAt: at(failedMs),
  };
}

const CASES: [string, FreshnessTimes, Freshness][] = [
  ["stored now", ago(0), "fresh"],
  ["a moment below the limit", ago(HOUR - 1), "fresh"],
  ["at the limit", ago(HOUR), "usable"],
  ["a moment below both limits", ago(2 * HOUR - 1), "usable"],
  ["at both limits", ago(2 * HOUR), "expired"],
  ["confirmed since", ago(9 * HOUR, { validatedMs: 1 }), "fresh"],
  ["confirmed long ago", ago(9 * HOUR, { validatedMs: 2 * HOUR }), "expired"],
  [
    "stored again since it was confirmed",
    ago(1, { validatedMs: 9 * HOUR }),
    "fresh",
  ],
  ["a check has just failed", ago(9 * HOUR, { failedMs: 0 }), "deferred"],
  ["a check failed 29 s ago", ago(9 * HOUR, { failedMs: 29_999 }), "deferred"],
  ["a check failed 30 s ago", ago(9 * HOUR, { failedMs: 30_000 }), "expired"],
  [
    "a check failed, and the clock was set back",
    ago(9 * HOUR, { failedMs: -1 }),
    "expired",
  ],
  ["a failure before it was confirmed", ago(1, { failedMs: 0 }), "fresh"],
  ["a time of the future", ago(-2 * HOUR), "expired"],
  ["a little ahead, as by another machine's clock", ago(-60_000), "fresh"],
  [
    "stored in the future, and confirmed since",
    ago(-9 * HOUR, { validatedMs: 5 }),
    "fresh",
  ],
  ["no time known", NEVER, "expired"],
];

for (const [name, times, wanted] of CASES) {
  Deno.test(`freshnessOf() of an entry: ${name}: ${wanted}`, () => {
    assertEquals(freshnessOf(times, LIMITS, NOW), wanted);
  });
}

Deno.test("freshnessOf() with maxAgeMs 0 is never fresh, and defers no check", () => {
  const limits = { maxAgeMs: 0, staleWhileRevalidateMs: 0 };
  assertEquals(freshnessOf(ago(0), limits, NOW), "expired");
  assertEquals(freshnessOf(ago(0, { failedMs: 0 }), limits, NOW), "expired");
});

Deno.test("freshnessOf() defers by maxAgeMs where that is below 30 s", () => {
  const limits = { maxAgeMs: 1_000, staleWhileRevalidateMs: 0 };
  const failed = (failedMs: number) =>
    freshnessOf(ago(HOUR, { failedMs }), limits, NOW);
  assertEquals([failed(999), failed(1_000)], ["deferred", "expired"]);
});

Deno.test("freshnessOf() takes infinite limits", () => {
  const never = { maxAgeMs: Infinity, staleWhileRevalidateMs: 0 };
  assertEquals(freshnessOf(NEVER, never, NOW), "fresh");
  const always = { maxAgeMs: 0, staleWhileRevalidateMs: Infinity };
  assertEquals(freshnessOf(NEVER, always, NOW), "usable");
});
