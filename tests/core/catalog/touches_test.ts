import { assert, assertEquals } from "@std/assert";
import type { Entry } from "../../../src/core/catalog/entry.ts";
import { spread, Touches } from "../../../src/core/catalog/touches.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { turn } from "../../fixtures/cache/recorder.ts";

function entry(url: string, lastAccess: number): Entry {
  return {
    key: url,
    url,
    mimetype: "",
    filename: "",
    size: 1,
    storedAt: 0,
    identity: 0,
    sidecarStamp: 0,
    lastAccess,
    mtimeMs: 0,
    isYoung: false,
    seenAtMs: 0,
  };
}

/** Touches, and the times that they wrote. */
function recorded(): { touches: Touches; written: [string, number][] } {
  const written: [string, number][] = [];
  const touches = new Touches((entry, timeMs) => {
    written.push([entry.url, timeMs]);
    return Promise.resolve();
  });
  return { touches, written };
}

Deno.test("flush() writes each entry once, oldest use first, with the time of its last use", async () => {
  const { touches, written } = recorded();
  const a = entry("a", 1_000);
  touches.mark(a);
  touches.mark(entry("b", 2_000));
  a.lastAccess = 3_000;
  touches.mark(a);

  await touches.flush();
  assertEquals(written, [["b", 2_000], ["a", 3_000]]);
  await touches.flush();
  assertEquals(written.length, 2);
});

Deno.test("forget() drops a use that is not yet written", async () => {
  const { touches, written } = recorded();
  const a = entry("a", 1_000);
  touches.mark(a);

  touches.forget(a);
  await touches.flush();

  assertEquals(written, []);
});

Deno.test("flush() gives uses within one millisecond distinct times in their order", async () => {
  const { touches, written } = recorded();
  for (let i = 9; i >= 0; i--) touches.mark(entry(`${i}`, 5_000 + i / 1_000));

  await touches.flush();

  assertEquals(written.map(([url]) => url).join(""), "0123456789");
  const times = written.map(([, time]) => time);
  assertEquals(times, [...new Set(times)].sort((a, b) => a - b));
  assertEquals(times.at(-1), 5_000);
});

Deno.test("flush() writes no time before that of an earlier flush", async () => {
  const { touches, written } = recorded();
  touches.mark(entry("first", 5_000));
  await touches.flush();
  for (let i = 0; i < 10; i++) touches.mark(entry(`${i}`, 5_001 + i / 1_000));

  await touches.flush();

  assertEquals(written.map(([, time]) => time >= 5_000), Array(11).fill(true));
});

Deno.test("flush() clamps a future time to now", async () => {
  const { touches, written } = recorded();
  const before = Date.now();
  touches.mark(entry("a", before + 3_600_000));

  await touches.flush();

  const [, time = Infinity] = written[0] ?? [];
  assertEquals([time >= before, time <= Date.now()], [true, true]);
});

Deno.test("flush() writes the mtimes anew, in their order, that lie in the future since the clock was set back", async () => {
  using clock = new ShiftedClock();
  const all = ["a", "b", "c"].map((url, i) => entry(url, 1_000 * i));
  const written: [string, number][] = [];
  const touches = new Touches((entry, timeMs) => {
    written.push([entry.url, timeMs]);
    entry.mtimeMs = timeMs;
    return Promise.resolve();
  }, () => ({
    latestMtime: (upTo) =>
      Math.max(
        0,
        ...all.map((it) => it.mtimeMs).filter((time) => time <= upTo),
      ),
    datedAfter: (timeMs) => all.filter(({ mtimeMs }) => mtimeMs > timeMs),
  }));
  const start = Date.now();
  for (const [i, entry] of all.entries()) entry.lastAccess = start - 9 + i;
  for (const entry of all) touches.mark(entry);
  await touches.flush();
  assertEquals(written.splice(0).map(([url]) => url), ["a", "b", "c"]);

  clock.aheadMs = -60_000;
  const [a] = all;
  if (a !== undefined) {
    a.lastAccess = start + 1;
    touches.mark(a);
  }
  await touches.flush();

  assertEquals(written.map(([url]) => url), ["b", "c", "a"]);
  const times = written.splice(0).map(([, time]) => time);
  assertEquals(new Set(times).size, 3);
  assert(times.every((time) => time <= start - 59_000));
  await touches.flush();
  assertEquals(written, []);
});

Deno.test("mark() causes a flush within 5 seconds, by a single timer that keeps no process alive", async () => {
  using timers = holdTimers();
  const { touches, written } = recorded();

  touches.mark(entry("a", 1_000));
  touches.mark(entry("b", 2_000));

  const [timer] = timers.all;
  assertEquals([timers.all.length, timer?.unreferenced], [1, true]);
  assertEquals((timer?.waitMs ?? Infinity) <= 5_000, true);
  await timer?.callback();
  assertEquals(written.length, 2);
});

Deno.test("flush() cancels the timer, and the next mark() sets another", async () => {
  using timers = holdTimers();
  const { touches } = recorded();
  touches.mark(entry("a", 1_000));

  await touches.flush();
  assertEquals(timers.waiting, []);
  touches.mark(entry("a", 2_000));
  assertEquals(timers.waiting.length, 1);
});

/** Uses of entries that were stored in the opposite order, unless given. */
function uses(
  times: number[],
  storedAt: (i: number) => number = (i) => -i,
): { lastAccess: number; storedAt: number }[] {
  return times.map((lastAccess, i) => ({ lastAccess, storedAt: storedAt(i) }));
}

Deno.test("spread() keeps distinct milliseconds unchanged", () => {
  assertEquals(spread([], 0, 100), []);
  assertEquals(spread(uses([10, 20, 30]), 0, 100), [10, 20, 30]);
  assertEquals(spread(uses([10.9, 20.1]), 0, 100), [10, 20]);
});

Deno.test("spread() makes room before equal times, down to the floor", () => {
  assertEquals(spread(uses([50, 50, 50]), 0, 100), [48, 49, 50]);
  assertEquals(spread(uses([49, 50, 50]), 0, 100), [48, 49, 50]);
  assertEquals(spread(uses([50, 50, 50]), 49, 100), [49, 49, 50]);
});

Deno.test("spread() leaves equal times that the order of storing tells apart", () => {
  const ascending = (i: number) => i;
  assertEquals(spread(uses([50, 50, 50], ascending), 0, 100), [50, 50, 50]);
  // The middle entry was stored last: the third must get a later time.
  const order = [1, 3, 2];
  const storedAt = (i: number) => order[i] ?? NaN;
  assertEquals(spread(uses([50, 50, 50], storedAt), 0, 100), [49, 49, 50]);
});

Deno.test("spread() never goes beyond now, for any floor and times", () => {
  assertEquals(spread(uses([200, 300]), 0, 100), [99, 100]);
  assertEquals(spread(uses([50]), 200, 100), [100]);
});

Deno.test("flush() writes nothing where the disk has the time already", async () => {
  const { touches, written } = recorded();
  const stored = { ...entry("a", 5_000.001), mtimeMs: 5_000 };
  touches.mark(stored);
  touches.mark({ ...entry("b", 6_000), mtimeMs: 4_000 });

  await touches.flush();

  assertEquals(written, [["b", 6_000]]);
});

Deno.test("flush() also waits for writes of an earlier flush", async () => {
  const writing = Promise.withResolvers<void>();
  const touches = new Touches(() => writing.promise);
  touches.mark(entry("a", 1_000));
  const first = touches.flush();
  const second = touches.flush();

  const waiting = turn().then(() => "waiting");
  assertEquals(await Promise.race([second, waiting]), "waiting");
  writing.resolve();
  await Promise.all([first, second]);
});
