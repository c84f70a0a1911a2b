import { assertEquals } from "@std/assert";
import { Breaker } from "../../../src/core/remote/breaker.ts";

/** A breaker whose clock a test sets. */
function breaker() {
  let now = 1_000;
  const breaker = new Breaker(() => now);
  const call = (isGood: boolean, pauseMs?: number) => {
    const ticket = breaker.enter();
    if (ticket === undefined) return "refused";
    return isGood ? breaker.succeeded(ticket) : breaker.failed(ticket, pauseMs);
  };
  return { breaker, call, pass: (ms: number) => void (now += ms) };
}

Deno.test("four failures in a row open the breaker", () => {
  const { breaker: it, call } = breaker();

  assertEquals([call(false), call(false), call(false)], [false, false, false]);
  assertEquals(it.isOpen, false);
  assertEquals(call(false), true);

  assertEquals([it.isOpen, it.admits, call(true)], [true, false, "refused"]);
});

Deno.test("a success between failures begins the row anew", () => {
  const { breaker: it, call } = breaker();
  for (const isGood of [false, false, false, true, false, false, false]) {
    call(isGood);
  }

  assertEquals(it.isOpen, false);
});

Deno.test("more than half of twenty calls within ten seconds open the breaker", () => {
  const { breaker: it, call } = breaker();
  // Two of three fail, never four in a row.
  for (let i = 0; i < 18; i++) call(i % 3 === 0);
  assertEquals(it.isOpen, false);
  call(true);
  call(false);

  assertEquals(it.isOpen, true);
});

Deno.test("failures of more than ten seconds ago do not count", () => {
  const { breaker: it, call, pass } = breaker();
  for (let i = 0; i < 18; i++) call(i % 3 === 0);
  pass(11_000);
  call(true);
  call(false);

  assertEquals(it.isOpen, false);
});

Deno.test("half of the calls may fail", () => {
  const { breaker: it, call } = breaker();
  for (let i = 0; i < 200; i++) call(i % 2 === 0);

  assertEquals(it.isOpen, false);
});

Deno.test("after the cool-down a single call is let through, and closes the breaker", () => {
  const { breaker: it, call, pass } = breaker();
  for (let i = 0; i < 4; i++) call(false);
  pass(4_999);
  assertEquals(it.enter(), undefined);
  pass(1);
  const probe = it.enter();
  if (probe === undefined) throw new Error("no call was let through");
  assertEquals(it.enter(), undefined);

  assertEquals(it.succeeded(probe), 5_000);

  assertEquals([it.isOpen, call(true)], [false, undefined]);
});

Deno.test("a failed call after the cool-down begins another", () => {
  const { breaker: it, call, pass } = breaker();
  for (let i = 0; i < 4; i++) call(false);
  pass(5_000);

  assertEquals(call(false), false);

  pass(4_999);
  assertEquals(call(true), "refused");
  pass(1);
  assertEquals(call(true), 10_000);
  assertEquals(it.isOpen, false);
});

Deno.test("a call that is given up after the cool-down lets another through", () => {
  const { breaker: it, call, pass } = breaker();
  for (let i = 0; i < 4; i++) call(false);
  pass(5_000);
  const probe = it.enter();
  if (probe === undefined) throw new Error("no call was let through");

  it.left(probe);

  assertEquals(call(true), 5_000);
});

Deno.test("the results of calls before the breaker opened change nothing", () => {
  const { breaker: it, call, pass } = breaker();
  const [late, later] = [it.enter(), it.enter()];
  if (late === undefined || later === undefined) throw new Error("refused");
  for (let i = 0; i < 4; i++) call(false);

  assertEquals(it.succeeded(late), undefined);
  assertEquals(it.failed(later), false);
  assertEquals(it.isOpen, true);
  pass(5_000);
  assertEquals(call(true), 5_000);
});

Deno.test("a failure that asks to wait opens the breaker for that time, a minute at most", () => {
  for (
    const [pauseMs, waitMs] of [[2_000, 2_000], [600_000, 60_000]] as const
  ) {
    const { call, pass } = breaker();

    assertEquals(call(false, pauseMs), true);

    pass(waitMs - 1);
    assertEquals(call(true), "refused");
    pass(1);
    assertEquals(call(true), waitMs);
  }
});

Deno.test("the window holds a grain a second, however many calls there are", () => {
  const { breaker: it, call, pass } = breaker();
  for (let i = 0; i < 100_000; i++) {
    call(i % 3 !== 0);
    if (i % 1_000 === 0) pass(100);
  }

  assertEquals(it.isOpen, false);
});
