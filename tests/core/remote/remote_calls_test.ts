import { assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError, type MediaCacheEvent } from "../../../mod.ts";
import { Breaker } from "../../../src/core/remote/breaker.ts";
import { RemoteCalls } from "../../../src/core/remote/remote_calls.ts";
import { RemoteCounters } from "../../../src/core/remote/remote_counters.ts";
import { EventHub } from "../../../src/core/reporting/event_hub.ts";
import { never } from "../../fixtures/remote/stand_in_tier.ts";

/** Calls with a clock that a test sets. */
function calls(maxConcurrentLookups = 8) {
  let now = 0;
  const events: MediaCacheEvent[] = [];
  const counters = new RemoteCounters();
  const calls = new RemoteCalls(
    { maxConcurrentLookups },
    new EventHub((event) => events.push(event)),
    counters,
    new Breaker(() => now),
  );
  return { calls, counters, events, pass: (ms: number) => void (now += ms) };
}

const LONG = { timeoutMs: 60_000 };
const good = () => Promise.resolve("good");

Deno.test("a call returns its value, also undefined", async () => {
  const { calls: it } = calls();

  assertEquals(await it.run(good, LONG), { value: "good" });
  assertEquals(await it.run(() => Promise.resolve(undefined), LONG), {
    value: undefined,
  });
});

Deno.test("a call that rejects, throws or takes too long has failed, and is counted", async () => {
  const { calls: it, counters } = calls();
  const thrower = () => {
    throw new Error("broken");
  };

  assertEquals(
    await it.run(() => Promise.reject(new Error("broken")), LONG),
    "failed",
  );
  assertEquals(await it.run(thrower, LONG), "failed");
  assertEquals(await it.run(never, { timeoutMs: 5 }), "failed");

  assertEquals([counters.errors, counters.timeouts], [3, 1]);
});

Deno.test("a tier that is up again is told once, with the time that it was down", async () => {
  const { calls: it, events, pass } = calls();
  for (let i = 0; i < 6; i++) {
    await it.run(() => Promise.reject(new HttpStatusError(500)), LONG);
  }
  pass(7_000);
  for (let i = 0; i < 3; i++) await it.run(good, LONG);

  assertEquals(events.map(({ time: _, ...event }) => event), [
    { type: "remoteDown", reason: "HTTP 500" },
    { type: "remoteUp", downMs: 7_000 },
  ]);
});

Deno.test("of many calls after the cool-down one alone is made", async () => {
  const { calls: it, pass } = calls();
  for (let i = 0; i < 4; i++) {
    await it.run(() => Promise.reject(new Error("broken")), LONG);
  }
  pass(5_000);
  let made = 0;
  const gate = Promise.withResolvers<void>();
  const task = () => {
    made++;
    return gate.promise;
  };

  const [first, ...others] = Array.from(
    { length: 20 },
    () => it.run(task, LONG),
  );
  const outcomes = await Promise.all(others);
  gate.resolve();

  assertEquals(await first, { value: undefined });
  assertEquals(made, 1);
  assertEquals(outcomes.filter((each) => each === "skipped").length, 19);
});

Deno.test("a call that finds no free request in time is skipped, which is no failure", async () => {
  const { calls: it, counters } = calls(1);
  const gate = Promise.withResolvers<void>();
  const first = it.run(() => gate.promise, LONG);

  assertEquals(await it.run(good, { timeoutMs: 5 }), "skipped");

  gate.resolve();
  await first;
  assertEquals(counters.errors, 0);
});

Deno.test("an aborted call rejects with the reason, and tells nothing about the tier", async () => {
  const { calls: it, counters } = calls();
  for (let i = 0; i < 10; i++) {
    const controller = new AbortController();
    const call = it.run(never, { ...LONG, signal: controller.signal });
    controller.abort(new Error("left"));
    await assertRejects(() => call, Error, "left");
  }

  assertEquals([it.isDown, counters.errors], [false, 0]);
});

Deno.test("close() ends the calls that run, and later ones are skipped", async () => {
  const { calls: it } = calls();
  const running = it.run(never, LONG);
  it.close();

  assertEquals(await running, "skipped");
  assertEquals(await it.run(good, LONG), "skipped");
  await it.settled();
});

Deno.test("the signal of a call that took too long is aborted", async () => {
  const { calls: it } = calls();
  let seen: AbortSignal | undefined;

  await it.run((signal) => {
    seen = signal;
    return never();
  }, { timeoutMs: 5 });

  assertEquals(seen?.aborted, true);
});

Deno.test("a strange Retry-After does not keep the tier down for ever", async () => {
  for (const retryAfterMs of [NaN, Infinity, -5, 0]) {
    const { calls: it, pass } = calls();
    for (let i = 0; i < 4; i++) {
      const error = new HttpStatusError(503, { retryAfterMs });
      await it.run(() => Promise.reject(error), LONG);
    }
    pass(60_000);

    assertEquals(await it.run(good, LONG), { value: "good" });
  }
});

Deno.test("when the tier is down nobody waits for it any longer, and work in the background goes on", async () => {
  const { calls: it, counters } = calls();
  const gate = Promise.withResolvers<string>();
  const waiting = it.run(never, LONG);
  const background = it.run(() => gate.promise, {
    ...LONG,
    isBackground: true,
  });
  for (let i = 0; i < 4; i++) {
    await it.run(() => Promise.reject(new Error("broken")), LONG);
  }

  assertEquals(await waiting, "skipped");
  gate.resolve("good");
  assertEquals(await background, { value: "good" });
  assertEquals([it.isDown, counters.errors], [true, 4]);
});

Deno.test("a refusal that tells of one call alone leaves the tier up, and a down tier down", async () => {
  const { calls: it, counters, events, pass } = calls();
  let refused = 0;
  const options = { ...LONG, onRefused: () => void refused++ };
  const refuse = () => Promise.reject(new HttpStatusError(403));

  for (let i = 0; i < 8; i++) {
    assertEquals(await it.run(refuse, options), "failed");
  }
  assertEquals([refused, counters.errors, it.isDown], [8, 8, false]);
  // A tier that asks for time is down for all calls.
  const busy = () => Promise.reject(new HttpStatusError(429));
  for (let i = 0; i < 4; i++) await it.run(busy, options);
  assertEquals([refused, it.isDown], [8, true]);
  pass(5_000);
  assertEquals(await it.run(refuse, options), "failed");
  assertEquals([it.isDown, it.admits], [true, true]);
  assertEquals(await it.run(good, options), { value: "good" });
  assertEquals(events.map(({ type }) => type), ["remoteDown", "remoteUp"]);
});
