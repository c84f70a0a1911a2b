import { assertEquals, assertRejects } from "@std/assert";
import { Background } from "../../../src/core/async/background.ts";
import { CacheClosedError } from "../../../src/core/api/errors.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";

Deno.test("background work that no caller waits for does not keep the process alive", async () => {
  using timers = holdTimers();
  const background = new Background();

  const next = background.yield();

  assertEquals(timers.waiting.map(({ unreferenced }) => unreferenced), [true]);
  timers.all[0]?.callback();
  await next;
});

Deno.test("background work that a caller waits for continues at once", async () => {
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

Deno.test("stop() ends the work at its next turn, even if the work is being waited for", async () => {
  using timers = holdTimers();
  const background = new Background();
  const next = background.yield();

  background.stop();

  await assertRejects(() => next, CacheClosedError);
  await assertRejects(() => background.yield(), CacheClosedError);
  assertEquals([background.stopped, timers.waiting], [true, []]);
});
