import { assertEquals } from "@std/assert";
import { Condition } from "../../../src/core/async/condition.ts";

Deno.test("Condition wakes the callers that wait, and none that come later", async () => {
  const condition = new Condition();
  const woken: string[] = [];
  const first = condition.wait().then(() => woken.push("first"));
  const second = condition.wait().then(() => woken.push("second"));

  condition.notifyAll();
  const late = condition.wait().then(() => woken.push("late"));
  await Promise.all([first, second]);
  assertEquals(woken, ["first", "second"]);
  condition.notifyAll();
  await late;

  assertEquals(woken, ["first", "second", "late"]);
});
