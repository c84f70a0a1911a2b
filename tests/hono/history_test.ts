import { assertEquals } from "@std/assert";
import { Counters, snapshot } from "../../src/core/api/stats.ts";
import { History } from "../../src/hono/metrics/history.ts";
import { COLUMNS, Timeline } from "../../src/hono/metrics/timeline.ts";

const START = 1_700_000_040_000; // a whole minute, so that columns are easy to tell

/** A history of hits, at times in seconds from the start. */
function historyOf(hits: readonly number[], until: number): Timeline {
  const counters = new Counters();
  const history = new History(() =>
    snapshot(counters, {
      entries: 0,
      entriesInMemory: 0,
      totalBytes: counters.hits * 10,
      maxBytes: 0,
      memoryBytes: 0,
      stagedBytes: 0,
      orphanBytes: 0,
      occupiedBytes: 0,
      comparing: false,
      inFlight: 0,
      degraded: [],
    }), START);
  for (const second of hits) {
    counters.hits++;
    history.look(START + second * 1000);
  }
  const now = START + until * 1000;
  return new Timeline(history.samples(now), now);
}

function busyColumns(timeline: Timeline): [column: number, hits: number][] {
  return timeline.growth("hits")
    .map((hits, column): [number, number] => [column - COLUMNS, hits])
    .filter(([, hits]) => hits > 0);
}

Deno.test("a timeline shows growth at its time, in columns of 2 s at first", () => {
  const timeline = historyOf([1, 1, 1.7, 41], 119.5);

  assertEquals(timeline.spanMs, 120_000);
  assertEquals(busyColumns(timeline), [[-60, 3], [-40, 1]]);
});

Deno.test("a burst is shown at its own time, however long the pause after it", () => {
  const timeline = historyOf([1, 1.1, 1.2, 1.3], 119.5);

  assertEquals(busyColumns(timeline), [[-60, 4]]);
});

Deno.test("a timeline grows with the age of the router, up to an hour", () => {
  assertEquals(historyOf([], 121).spanMs, 600_000);
  assertEquals(historyOf([], 601).spanMs, 3_600_000);
  assertEquals(historyOf([], 100_000).spanMs, 3_600_000);
});

Deno.test("growth of more than an hour ago is in no column, and a quiet hour is flat", () => {
  const timeline = historyOf([10, 20], 10_000);

  assertEquals(busyColumns(timeline), []);
  assertEquals(new Set(timeline.levels("totalBytes")), new Set([20]));
});

Deno.test("a history is bounded, whatever the number of events", () => {
  const hits = Array.from({ length: 10_000 }, (_, i) => i * 2);

  const timeline = historyOf(hits, 20_000);

  const counted = busyColumns(timeline).map(([, hits]) => hits);
  assertEquals(counted.length, 60);
  assertEquals(counted.slice(1, -1), new Array(58).fill(30));
});
