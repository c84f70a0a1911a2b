import { assertEquals } from "@std/assert";
import { Bell } from "../../../src/core/async/condition.ts";

Deno.test("Condition wakes the callers that wait, and none that come later", async () => {
  const bell = new Bell();
  const woken: string[] = [];
  const first = bell.wait().then(() => woken.push("first"));
  const second = bell.wait().then(() => woken.push("second"));

  bell.ring();
  const late = bell.wait().then(() => woken.push("late"));
  await Promise.all([first, second]);
  assertEquals(woken, ["first", "second"]);
  bell.ring();
  await late;

  assertEquals(woken, ["first", "second", "late"]);
});
