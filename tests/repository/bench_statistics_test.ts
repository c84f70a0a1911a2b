import { assertEquals, assertThrows } from "@std/assert";
import { spreadOf, summarize } from "../bench/statistics.ts";
import { isProven, isUnsure, judge, type Target } from "../bench/verdict.ts";

const MIB = 2 ** 20;

const FASTER: Target = {
  title: "put",
  needs: [["ours", "put"], ["theirs", "put"]],
  figure: (ours = NaN, theirs = NaN) => theirs / ours,
  limit: { atLeast: 3 },
  unit: "×",
};

const SMALL: Target = {
  title: "memory",
  needs: [["ours", "growth"]],
  figure: (bytes = NaN) => bytes / MIB,
  limit: { atMost: 64 },
  unit: "MiB",
};

/** Judges the measurements of each contender. */
function judged(target: Target, measured: Record<string, number[]>) {
  return judge(target, ([contender]) => {
    const values = measured[contender];
    return values && summarize(values);
  });
}

Deno.test("summarize() finds the median, in any order", () => {
  const { median, min, max, count } = summarize([9, 1, 5]);

  assertEquals([median, min, max, count], [5, 1, 9, 3]);
});

Deno.test("summarize() takes the mean of the two values in the middle", () => {
  assertEquals(summarize([1, 2, 4, 8]).median, 3);
});

Deno.test("summarize() refuses an empty list", () => {
  assertThrows(() => summarize([]), RangeError);
});

Deno.test("one outlier does not count as spread, many do", () => {
  assertEquals(spreadOf(summarize([10, 10, 10, 10, 90])), 0);
  assertEquals(spreadOf(summarize([8, 9, 10, 11, 12])), 0.2);
});

Deno.test("a single measurement has an unknown spread", () => {
  assertEquals(spreadOf(summarize([1])), undefined);
});

Deno.test("judge() compares medians with the target", () => {
  const met = judged(FASTER, { ours: [1, 1, 1], theirs: [3, 3, 3] });
  const missed = judged(FASTER, { ours: [1, 1, 1], theirs: [2.9, 2.9, 2.9] });

  assertEquals([met.figure, met.verdict, met.wanted], [3, "met", "≥ 3×"]);
  assertEquals(missed.verdict, "missed");
  assertEquals([met, missed].map(isProven), [true, false]);
});

Deno.test("judge() states that a rival was not measured", () => {
  const { verdict, figure } = judged(FASTER, { ours: [1, 1, 1] });

  assertEquals([verdict, figure], ["not measured", undefined]);
});

Deno.test("judge() states the figure of the necessary work alone", () => {
  const target: Target = {
    ...FASTER,
    floor: [["bare", "put"], ["theirs", "put"]],
  };
  const measured = { ours: [2, 2, 2], theirs: [4, 4, 4] };

  const { figure, floor } = judged(target, {
    ...measured,
    bare: [1, 1, 1],
  });

  assertEquals([figure, floor], [2, 4]);
  assertEquals(judged(target, measured).floor, undefined);
});

Deno.test("a target is not proven by measurements that lie far apart", () => {
  const judgement = judged(FASTER, { ours: [1, 1, 1], theirs: [3, 6, 9] });

  assertEquals(judgement.verdict, "met");
  assertEquals([judgement.spread, isUnsure(judgement)], [0.5, true]);
  assertEquals(isProven(judgement), false);
});

Deno.test("a target is not proven by a single measurement", () => {
  assertEquals(isProven(judged(FASTER, { ours: [1], theirs: [9] })), false);
});

Deno.test("judge() shows a limit of time in milliseconds", () => {
  const target: Target = {
    title: "open",
    needs: [["ours", "open"]],
    figure: (seconds = NaN) => seconds * 1000,
    limit: { atMost: 20 },
    unit: "ms",
  };

  const { figure, wanted, spread } = judged(target, {
    ours: [0.001, 0.002, 0.003],
  });

  assertEquals([figure, wanted, spread], [2, "≤ 20 ms", 0.05]);
});

Deno.test("the spread of memory counts against the allowed growth", () => {
  const judgement = judged(SMALL, { ours: [MIB, 4 * MIB, 9 * MIB] });

  assertEquals([judgement.figure, judgement.wanted], [4, "≤ 64 MiB"]);
  assertEquals([judgement.spread, isProven(judgement)], [4 / 64, true]);
});
