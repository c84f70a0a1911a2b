import { assertEquals, assertRejects } from "@std/assert";
import { Background } from "../../../src/core/async/background.ts";
import { CacheClosedError } from "../../../src/core/api/errors.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";

Deno.test("work that nobody waits for keeps no process alive", async () => {
  using timers = holdTimers();
  const background = new Background();

  const next = background.yield();

  assertEquals(timers.waiting.map(({ unreferenced }) => unreferenced), [true]);
  timers.all[0]?.callback();
  await next;
});

Deno.test("work that somebody waits for goes on at once", async () => {
  using timers = holdTimers();
  const background = new Background();
  const work = async () => {
    for (let i = 0; i < 3; i++) await background.yield();
    return "done";
  };

  const working = work();

  assertEquals(await background.awaited(working), "done");
  assertEquals(timers.waiting, []);
});

Deno.test("stop() ends the work at its next turn, also one that it is waiting for", async () => {
  using timers = holdTimers();
  const background = new Background();
  const next = background.yield();

  background.stop();

  await assertRejects(() => next, CacheClosedError);
  await assertRejects(() => background.yield(), CacheClosedError);
  assertEquals([background.stopped, timers.waiting], [true, []]);
});
