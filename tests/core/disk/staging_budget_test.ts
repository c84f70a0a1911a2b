import { assert, assertEquals } from "@std/assert";
import { StagingBudget } from "../../../src/core/disk/staging_budget.ts";

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
