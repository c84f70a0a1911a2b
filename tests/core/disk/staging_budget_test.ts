import { assert, assertEquals } from "@std/assert";
import {
  type Lender,
  type Reservation,
  StagingBudget,
} from "../../../src/core/disk/staging_budget.ts";
import { Random } from "../../fixtures/inputs/random.ts";

const UNFOLLOWED: Lender = { isFollowed: false };
const FOLLOWED: Lender = { isFollowed: true };

/** A budget of 1,000,000 bytes, with a clock that the test sets (ms). */
function clocked() {
  const clock = { ms: 0 };
  return { clock, staging: new StagingBudget(1_000_000, () => clock.ms) };
}

/** Receives bytes at a pace (bytes a ms) for a while (ms); the number received. */
function receive(
  clock: { ms: number },
  download: Reservation | undefined,
  pace: number,
  forMs: number,
): number {
  const stepMs = Math.min(forMs, 100);
  for (let ms = 0; ms < forMs; ms += stepMs) {
    clock.ms += stepMs;
    assertEquals(download?.write(pace * stepMs), true);
  }
  return pace * forMs;
}

Deno.test("reserve() refuses bytes that do not fit beside the reserved ones", () => {
  const staging = new StagingBudget(10);

  const first = staging.reserve(6);
  assert(first);
  assertEquals(staging.reserve(5), undefined);
  assert(staging.reserve(4));
  assertEquals(staging.free, 0);
});

Deno.test("the bytes counted are those written, not those reserved", () => {
  const staging = new StagingBudget(10);
  const reservation = staging.reserve(6);

  assertEquals(staging.bytes, 0);
  assertEquals(reservation?.write(2), true);
  assertEquals([staging.bytes, staging.free], [2, 4]);
});

Deno.test("write() above a reservation takes free bytes, and no more", () => {
  const staging = new StagingBudget(10);
  const unknown = staging.reserve(0);
  const known = staging.reserve(4);

  assertEquals(unknown?.write(6), true);
  assertEquals(unknown?.write(1), false);
  assertEquals(known?.write(4), true);
  assertEquals([staging.bytes, staging.free], [10, 0]);
});

Deno.test("a refused write counts nothing", () => {
  const staging = new StagingBudget(10);
  const reservation = staging.reserve(0);

  assertEquals(reservation?.write(11), false);
  assertEquals([staging.bytes, staging.free], [0, 10]);
  assertEquals(reservation?.write(10), true);
});

Deno.test("release() gives every byte back, once", () => {
  const staging = new StagingBudget(10);
  const reservation = staging.reserve(6);
  const other = staging.reserve(3);
  other?.write(3);
  reservation?.write(7);

  reservation?.release();
  reservation?.release();

  assertEquals([staging.bytes, staging.free], [3, 7]);
});

Deno.test("a budget of zero refuses every write", () => {
  const staging = new StagingBudget(0);

  assertEquals(staging.reserve(0)?.write(1), false);
  assertEquals(staging.reserve(1), undefined);
});

Deno.test("settle() gives back the bytes reserved and not written", () => {
  const staging = new StagingBudget(10);
  const reservation = staging.reserve(8);
  reservation?.write(3);

  reservation?.settle();

  assertEquals([staging.bytes, staging.free], [3, 7]);
  reservation?.release();
  assertEquals([staging.bytes, staging.free], [0, 10]);
});

Deno.test("a download that has just begun lends to a body that is much smaller, and to no other", () => {
  const { staging } = clocked();
  staging.reserve(1_000_000, UNFOLLOWED);

  assertEquals(staging.reserve(210_000), undefined);
  assert(staging.reserve(190_000));
});

Deno.test("a download at a usual pace keeps what it needs before an equal one is complete", () => {
  const { clock, staging } = clocked();
  const healthy = staging.reserve(900_000, UNFOLLOWED);
  receive(clock, healthy, 100, 3000);

  assertEquals(staging.reserve(600_000, UNFOLLOWED), undefined);
  assertEquals(staging.reserve(200_000, UNFOLLOWED), undefined);
});

for (const pace of [0, 0.1, 1]) {
  Deno.test(`a download that trickles at ${pace} bytes a millisecond lends nearly all`, () => {
    const { clock, staging } = clocked();
    const slow = staging.reserve(1_000_000, UNFOLLOWED);
    receive(clock, slow, pace, 30_000);

    assert(staging.reserve(850_000));
  });
}

Deno.test("a download that was fast and trickles now lends", () => {
  const { clock, staging } = clocked();
  const slow = staging.reserve(1_000_000, UNFOLLOWED);
  receive(clock, slow, 100, 5000);
  assertEquals(staging.reserve(400_000), undefined);

  receive(clock, slow, 0.1, 60_000);

  assert(staging.reserve(400_000));
});

Deno.test("the download that needs its bytes last lends first, and one that others follow after it", () => {
  const { clock, staging } = clocked();
  const followed = staging.reserve(300_000, FOLLOWED);
  const slow = staging.reserve(300_000, UNFOLLOWED);
  const slower = staging.reserve(400_000, UNFOLLOWED);
  for (let ms = 0; ms < 20_000; ms += 100) {
    receive(clock, slow, 0.2, 100);
    receive(clock, slower, 0.1, 100);
  }
  const borrower = staging.reserve(600_000);
  assert(borrower);

  // Only a part of what `slow` has reserved was needed.
  assertEquals(slow?.write(50_000), true);
  assertEquals(followed?.write(300_000), true);
  assertEquals(slower?.write(100_000), false);
});

Deno.test("a download that others follow borrows all that one that nobody follows has not received", () => {
  const { clock, staging } = clocked();
  const healthy = staging.reserve(900_000, UNFOLLOWED);
  receive(clock, healthy, 100, 3000);
  const followed = staging.reserve(0, FOLLOWED);
  const unfollowed = staging.reserve(0, UNFOLLOWED);

  assertEquals(unfollowed?.write(400_000), false);
  assertEquals(followed?.write(700_000), true);
  assertEquals(healthy?.write(1), false);
});

Deno.test("of two downloads that others follow neither takes what the other needs", () => {
  const { clock, staging } = clocked();
  const healthy = staging.reserve(900_000, FOLLOWED);
  receive(clock, healthy, 100, 3000);

  assertEquals(staging.reserve(0, FOLLOWED)?.write(400_000), false);
  assertEquals(healthy?.write(600_000), true);
});

Deno.test("what was lent comes back when the borrower ends, before it is free for others", () => {
  const { staging } = clocked();
  const slow = staging.reserve(1_000_000, UNFOLLOWED);
  const borrower = staging.reserve(100_000, UNFOLLOWED);
  borrower?.write(100_000);

  borrower?.release();

  assertEquals(staging.free, 0);
  assertEquals(slow?.write(1_000_000), true);
});

Deno.test("a lender that becomes fast takes its bytes back from a borrower that is slow by then", () => {
  const { clock, staging } = clocked();
  const lender = staging.reserve(1_000_000, UNFOLLOWED);
  const borrower = staging.reserve(150_000, UNFOLLOWED);
  receive(clock, borrower, 0.1, 30_000);

  assertEquals(lender?.write(950_000), true);
  assertEquals(borrower?.write(100_000), false);
});

Deno.test("a lender that needs its bytes while the borrower comes at a usual pace finds no room", () => {
  const { clock, staging } = clocked();
  const lender = staging.reserve(1_000_000, UNFOLLOWED);
  const borrower = staging.reserve(150_000, UNFOLLOWED);
  receive(clock, borrower, 100, 1000);

  assertEquals(lender?.write(850_000), true);
  assertEquals(lender?.write(1000), false);
  assertEquals(borrower?.write(50_000), true);
});

Deno.test("a body of unknown length borrows little from a download at a usual pace", () => {
  const { clock, staging } = clocked();
  const healthy = staging.reserve(1_000_000, UNFOLLOWED);
  receive(clock, healthy, 100, 1000);
  const unknown = staging.reserve(0, UNFOLLOWED);

  let borrowed = 0;
  while (unknown?.write(1000)) borrowed += 1000;

  assert(borrowed > 100_000 && borrowed < 200_000, `${borrowed}`);
  assertEquals(healthy?.write(900_000 - borrowed), true);
});

Deno.test("several downloads that trickle lend together", () => {
  const { clock, staging } = clocked();
  for (let i = 0; i < 4; i++) staging.reserve(250_000, UNFOLLOWED);
  clock.ms += 10_000;

  assert(staging.reserve(700_000));
});

Deno.test("puts and conversions lend nothing", () => {
  const { clock, staging } = clocked();
  const put = staging.reserve(1_000_000);
  clock.ms += 60_000;

  assertEquals(staging.reserve(1), undefined);
  assertEquals(put?.write(1_000_000), true);
});

Deno.test("after a time in which the event loop was held, a download still has its pace", () => {
  const { clock, staging } = clocked();
  const healthy = staging.reserve(900_000, UNFOLLOWED);
  receive(clock, healthy, 200, 1000);
  clock.ms += 3_600_000;

  assertEquals(staging.reserve(600_000), undefined);
});

Deno.test("reserveUpTo() reserves as many bytes as fit", () => {
  const { staging } = clocked();
  assertEquals(staging.reserveUpTo(0), undefined);
  assertEquals(staging.reserveUpTo(400_000)?.bytes, 400_000);
  assertEquals(staging.reserveUpTo(1_000_000)?.bytes, 600_000);
  assertEquals(staging.reserveUpTo(1_000_000), undefined);
});

Deno.test("reserveUpTo() borrows", () => {
  const { staging } = clocked();
  staging.reserve(1_000_000, UNFOLLOWED);
  assertEquals(staging.reserveUpTo(640_000)?.bytes, 160_000);
});

Deno.test("staged bytes are within the limit whatever downloads, puts and conversions do", () => {
  const random = new Random();
  const { clock, staging } = clocked();
  const bodies: { reservation: Reservation; left: number }[] = [];
  for (let step = 0; step < 20_000; step++) {
    clock.ms += random.integer(0, 200);
    const body = random.pick([undefined, ...bodies]);
    if (body === undefined) {
      const size = random.integer(0, 600_000);
      const lender = random.pick([undefined, UNFOLLOWED, FOLLOWED]);
      const reservation = staging.reserve(
        random.pick([0, size]),
        lender,
      );
      if (reservation !== undefined && bodies.length < 12) {
        bodies.push({ reservation, left: size });
      } else reservation?.release();
    } else {
      const bytes = Math.min(body.left, random.integer(1, 60_000));
      const fits = body.reservation.write(bytes);
      body.left -= bytes;
      if (!fits) body.reservation.settle();
      if (!fits && random.chance(2) || body.left === 0 || random.chance(20)) {
        body.reservation.release();
        bodies.splice(bodies.indexOf(body), 1);
      }
    }
    assert(staging.bytes <= 1_000_000, random.hint);
    assert(staging.free >= 0 && staging.free <= 1_000_000, random.hint);
  }
  for (const { reservation } of bodies) reservation.release();
  assertEquals([staging.bytes, staging.free], [0, 1_000_000], random.hint);
});
