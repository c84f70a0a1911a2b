import { assertEquals } from "@std/assert";
import { Deadline } from "../../../src/core/async/deadline.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";

function watch(idleMs: number, totalMs: number) {
  const errors: string[] = [];
  const deadline = new Deadline(idleMs, totalMs, (kind, limitMs) => {
    errors.push(`${kind} ${limitMs}`);
  });
  return { deadline, errors };
}

Deno.test("Deadline ends a body that is silent for too long", () => {
  using time = new FakeTime();
  const { errors } = watch(100, Infinity);

  time.tick(99);
  assertEquals(errors, []);
  time.tick(1);

  assertEquals(errors, ["idle 100"]);
  assertEquals(time.timers, 0);
});

Deno.test("Deadline counts silence from the last byte", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, Infinity);

  for (let i = 0; i < 10; i++) {
    time.tick(90);
    deadline.alive();
    assertEquals(time.timers, 1);
  }
  assertEquals(errors, []);
  time.tick(99);
  assertEquals(errors, []);
  time.tick(1);

  assertEquals(errors, ["idle 100"]);
});

Deno.test("Deadline begins anew when a byte comes after a timeout", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, 250);

  time.tick(100);
  deadline.alive();
  time.tick(99);
  assertEquals(errors, ["idle 100"]);
  time.tick(1);
  assertEquals(errors, ["idle 100", "idle 100"]);
  deadline.alive();
  time.tick(50);

  assertEquals(errors, ["idle 100", "idle 100", "total 250"]);
});

Deno.test("Deadline does not count time in which it is paused", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, Infinity);

  time.tick(90);
  deadline.pause();
  time.tick(1000);
  deadline.resume();
  time.tick(99);
  assertEquals(errors, []);
  time.tick(100);

  assertEquals(errors, ["idle 100"]);
});

Deno.test("Deadline keeps the process alive unless it is paused", () => {
  using time = new FakeTime();
  const { deadline } = watch(100, Infinity);

  assertEquals(time.urgentTimers, 1);
  deadline.pause();
  time.tick(100);
  assertEquals([time.timers, time.urgentTimers], [1, 0]);
  deadline.resume();
  time.tick(50);
  deadline.alive();
  time.tick(50);
  assertEquals([time.timers, time.urgentTimers], [1, 1]);
  deadline.stop();
});

Deno.test("Deadline ends a body that takes too long in total, paused or not", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, 250);

  deadline.pause();
  time.tick(250);

  assertEquals(errors, ["total 250"]);
});

Deno.test("Deadline leaves no timer when it is stopped", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, 250);

  deadline.stop();
  deadline.stop();
  time.tick(1000);

  assertEquals([time.timers, errors], [0, []]);
});

Deno.test("Deadline without limits sets no timer", () => {
  using time = new FakeTime();

  watch(Infinity, Infinity);

  assertEquals(time.timers, 0);
});

Deno.test("Deadline counts no time in which the event loop was held", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(1000, Infinity);

  time.tick(500);
  time.hold(900);
  assertEquals(errors, []);
  time.tick(300);
  assertEquals(errors, []);
  time.tick(200);

  assertEquals(errors, ["idle 1000"]);
  deadline.stop();
});

Deno.test("Deadline begins anew after a hold that is as long as the limit", () => {
  using time = new FakeTime();
  const { errors } = watch(1000, Infinity);

  time.tick(990);
  time.hold(60_000);
  time.tick(999);
  assertEquals(errors, []);
  time.tick(1);

  assertEquals(errors, ["idle 1000"]);
});

Deno.test("Deadline counts no hold for the whole download either", () => {
  using time = new FakeTime();
  const { errors } = watch(Infinity, 800);

  time.tick(700);
  time.hold(5000);
  assertEquals(errors, []);
  time.tick(100);

  assertEquals(errors, ["total 800"]);
});

Deno.test("Deadline lets bytes that came during a short hold come first", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(1000, Infinity);

  time.tick(990);
  time.hold(100);
  assertEquals(errors, []);
  deadline.alive();
  time.tick(999);
  assertEquals(errors, []);
  time.tick(1);

  assertEquals(errors, ["idle 1000"]);
});

Deno.test("Deadline ends a silent body although the event loop is held again and again", () => {
  using time = new FakeTime();
  const { errors } = watch(100, Infinity);

  for (let i = 0; i < 9; i++) time.hold(40);

  assertEquals(errors, ["idle 100"]);
});

Deno.test("Deadline counts the time between a timeout and the next byte for the whole", () => {
  using time = new FakeTime();
  const { deadline, errors } = watch(100, 1000);

  time.tick(100);
  time.tick(890);
  deadline.alive();
  time.tick(15);

  assertEquals(errors, ["idle 100", "total 1000"]);
});

Deno.test("Deadline counts no silence while the task waits for the cache", () => {
  using time = new FakeTime();
  const errors: string[] = [];
  let isHeldBack = true;
  new Deadline(800, Infinity, (kind) => errors.push(kind), () => isHeldBack);

  time.tick(4000);
  isHeldBack = false;
  time.tick(799);
  assertEquals(errors, []);
  time.tick(1);

  assertEquals(errors, ["idle"]);
});
