import { assertEquals } from "@std/assert";
import { HttpStatusError } from "../../../mod.ts";
import { resolveRemote } from "../../../src/core/api/remote_option.ts";
import { OptionCheck } from "../../../src/core/api/option_check.ts";
import { Breaker } from "../../../src/core/remote/breaker.ts";
import { Leases } from "../../../src/core/remote/leases.ts";
import { RemoteCalls } from "../../../src/core/remote/remote_calls.ts";
import { RemoteCounters } from "../../../src/core/remote/remote_counters.ts";
import { EventHub } from "../../../src/core/reporting/event_hub.ts";
import { StandInTier } from "../../fixtures/remote/stand_in_tier.ts";

const { signal } = new AbortController();
const LONG = { timeoutMs: 60_000 };

/** Leases of a tier whose breaker has a clock that a test sets. */
function leases() {
  let now = 0;
  const tier = new StandInTier({ leases: true });
  const remote = resolveRemote(new OptionCheck("open cache"), tier);
  if (remote === undefined) throw new Error("no tier");
  const counters = new RemoteCounters();
  const calls = new RemoteCalls(
    remote.limits,
    new EventHub(() => {}),
    counters,
    new Breaker(() => now),
  );
  const it = new Leases(
    remote,
    calls,
    counters,
    true,
    () => Promise.resolve("none"),
  );
  return {
    ...{ it, tier, calls, counters },
    pass: (ms: number) => void (now += ms),
    /** Makes calls that fail until the tier is down, and lets the next succeed. */
    outage: async () => {
      while (!calls.isDown) await calls.run(unavailable, LONG);
      now += 5_000;
      await calls.run(() => Promise.resolve(), LONG);
    },
  };
}

function unavailable(): Promise<never> {
  return Promise.reject(new HttpStatusError(503));
}

Deno.test("an outage of the tier ends the pause of leases, for all downloads after it", async () => {
  const { it, tier, calls, counters, outage } = leases();
  await it.turn("proven", signal);
  tier.before = (method) => method === "lease" ? unavailable() : undefined;
  for (let i = 0; i < 3; i++) {
    await it.turn(`failed${i}`, signal);
    // Lookups work: the tier is not down.
    await calls.run(() => Promise.resolve(), LONG);
  }
  assertEquals([it.isUsed, calls.isDown], [false, false]);
  await outage();

  tier.before = () => {};
  for (let i = 0; i < 3; i++) {
    assertEquals(it.isUsed, true);
    await it.turn(`again${i}`, signal);
  }

  assertEquals(counters.leasesHeld, 4);
});
