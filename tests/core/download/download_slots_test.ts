import { assertEquals, assertRejects } from "@std/assert";
import {
  type DownloadSlot,
  DownloadSlots,
} from "../../../src/core/download/download_slots.ts";

/** Slots of a limit, with downloads that have begun. */
function slotsOf(max: number, count = 0) {
  const slots = new DownloadSlots(max);
  const ended: DownloadSlot[] = [];
  const add = (isKept = false) => {
    const slot: DownloadSlot = slots.add(() => {
      if (!isKept) ended.push(slot);
      return !isKept;
    });
    return slot;
  };
  const begun = Array.from({ length: count }, () => {
    const slot = add();
    slots.tryTake(slot);
    return slot;
  });
  return { slots, ended, add, begun };
}

const { signal } = new AbortController();

Deno.test("DownloadSlots starts waiting downloads in order", async () => {
  const { slots, add, begun: [first] } = slotsOf(1, 1);
  const order: number[] = [];
  const waits = [0, 1, 2].map(async (n) => {
    const slot = add();
    assertEquals(slots.tryTake(slot), false);
    await slots.wait(slot, signal);
    order.push(n);
    slots.leave(slot);
  });

  slots.leave(first!);
  slots.leave(first!);
  await Promise.all(waits);

  assertEquals(order, [0, 1, 2]);
  assertEquals(slots.tryTake(add()), true);
  assertEquals(slots.tryTake(add()), false);
});

Deno.test("DownloadSlots skips a download whose wait was aborted, at the moment of its start too", async () => {
  const { slots, add, begun: [first] } = slotsOf(1, 1);
  const controllers = [new AbortController(), new AbortController()];
  const waits = controllers.map(({ signal }) => slots.wait(add(), signal));
  const last = add();
  const waiting = slots.wait(last, signal);

  for (const controller of controllers) controller.abort(new Error("enough"));
  slots.leave(first!);

  for (const wait of waits) await assertRejects(() => wait, Error, "enough");
  await waiting;
  assertEquals(last.use, "own");
  const { signal: aborted } = controllers[0]!;
  await assertRejects(() => slots.wait(add(), aborted), Error, "enough");
});

Deno.test("DownloadSlots takes the slot of an abandoned download for a wanted one alone", async () => {
  const { slots, ended, add, begun: [first] } = slotsOf(1, 1);
  slots.abandon(first!);
  const unwanted = add();
  slots.abandon(unwanted);
  assertEquals(slots.tryTake(unwanted), false);
  const waiting = slots.wait(unwanted, signal);
  const wanted = add();

  assertEquals(slots.tryTake(wanted), true);
  slots.leave(wanted);
  assertEquals(unwanted.use, "waiting");
  slots.leave(first!);

  await waiting;
  assertEquals(unwanted.use, "abandoned");
  assertEquals(ended, []);
});

Deno.test("DownloadSlots ends the abandoned download that was silent for longest", () => {
  const { slots, ended, add, begun } = slotsOf(2, 2);
  const [a, b] = begun;
  slots.hear(a!);
  for (const slot of begun) slots.abandon(slot);
  const next = [add(), add()];
  for (const slot of next) slots.tryTake(slot);
  for (const slot of next) slots.abandon(slot);
  assertEquals(ended, []);

  slots.tryTake(add());
  assertEquals(ended, [b]);
  slots.tryTake(add());
  assertEquals(ended, [b, a]);
  slots.tryTake(add());
  assertEquals(ended, [b, a]);
});

Deno.test("DownloadSlots ends no abandoned download that other processes follow", () => {
  const { slots, ended, add, begun: [first] } = slotsOf(1, 1);
  slots.leave(first!);
  const kept = [add(true), add(true)];
  const others = [add(), add()];
  for (const slot of [...kept, ...others]) {
    slots.tryTake(slot);
    slots.abandon(slot);
  }

  slots.tryTake(add());

  assertEquals(ended, others);
  assertEquals(kept.map(({ use }) => use), ["abandoned", "abandoned"]);
});

Deno.test("DownloadSlots lets a running download go on above the limit, and no other begin", () => {
  const { slots, add, begun: [paused, abandoned] } = slotsOf(2, 2);
  slots.leave(paused!);
  slots.abandon(abandoned!);
  const others = [add(), add()];
  for (const slot of others) assertEquals(slots.tryTake(slot), true);

  slots.resume(paused!);
  slots.enter(abandoned!, "download");

  assertEquals([paused!.use, abandoned!.use], ["own", "own"]);
  const next = add();
  slots.leave(others[0]!);
  slots.leave(others[1]!);
  assertEquals(slots.tryTake(next), false);
  slots.leave(paused!);
  assertEquals(slots.tryTake(next), true);
});

Deno.test("DownloadSlots limits nothing where the limit is infinite", () => {
  const { slots, ended, begun } = slotsOf(Infinity, 1000);

  for (const slot of begun) slots.abandon(slot);

  assertEquals(ended, []);
});

Deno.test("DownloadSlots lends no slot for a call that was given up", async () => {
  const { slots, add, begun: [outer] } = slotsOf(1, 1);
  await slots.run(outer!, async () => {
    const first = add();
    const second = add();
    assertEquals(slots.tryTake(first), true);
    assertEquals(first.use, "lent");
    assertEquals(slots.tryTake(second), false);
    const waiting = slots.wait(second, signal);

    second.leaveFirst?.();
    slots.leave(first);
    assertEquals(second.use, "waiting");
    slots.leave(outer!);

    await waiting;
    assertEquals(second.use, "own");
  });
});
