import { assertEquals, assertStrictEquals } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { monitorOf } from "../../src/hono/metrics/monitor.ts";
import { statsRouter } from "../../src/hono/stats_router.ts";
import { TopEntries } from "../../src/hono/media/top_entries.ts";
import { UseCounter } from "../../src/hono/metrics/use_counter.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { runProgram } from "../fixtures/processes/program.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

Deno.test("routers of one cache share one subscription", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  let subscriptions = 0;
  const { subscribe } = cache;
  cache.subscribe = (listener) => {
    subscriptions++;
    return subscribe.call(cache, listener);
  };

  for (let i = 0; i < 100; i++) statsRouter(cache);

  assertEquals(subscriptions, 1);
  assertStrictEquals(monitorOf(cache), monitorOf(cache));
});

Deno.test("recent events are the last ones, and successive hits are one event", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const { events } = monitorOf(cache);
  for (let i = 0; i < 40; i++) {
    await cache.put(`a:${i}`, pattern(10), "image/png", "a.png");
  }
  for (let i = 0; i < 5; i++) await cache.get("a:1");

  const list = events.list();

  assertEquals(list.length, 30);
  assertEquals([list[0]?.event.type, list[0]?.count], ["hit", 5]);
  assertEquals(list[1]?.event.type, "stored");
});

Deno.test("top entries are the largest, and the most used", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const { uses } = monitorOf(cache);
  for (let i = 0; i < 12; i++) {
    await cache.put(`a:${i}`, pattern(10 + i), "image/png", `${i}.png`);
  }
  for (const i of [3, 3, 3, 5, 5, 2]) await cache.get(`a:${i}`);
  await cache.get("a:7");
  await cache.delete("a:7");

  const top = new TopEntries(cache, uses);
  const [first, second] = await Promise.all([top.find(), top.find()]);

  assertStrictEquals(first, second);
  const names = (list: typeof first.largest) =>
    list.map(({ entry }) => parseInt(entry.filename));
  assertEquals(names(first.largest), [11, 10, 9, 8, 6, 5, 4, 3]);
  assertEquals(names(first.mostUsed), [3, 5, 2, 11, 10, 9, 8, 6]);
  assertEquals(first.mostUsed[0]?.uses, 3);
});

Deno.test("a use counter is bounded and keeps the most used entries", () => {
  const uses = new UseCounter();
  for (let i = 0; i < 10; i++) uses.add("often");
  for (let i = 0; i < 50_000; i++) uses.add(`${i}`);

  assertEquals(uses.of("often"), 10);
  assertEquals(uses.of("0"), 0);
});

Deno.test("a router keeps no process alive", async () => {
  const printed = await runProgram(`
    import { statsRouter } from "${
    import.meta.resolve("../../src/hono/stats_router.ts")
  }";
    const router = statsRouter(await MediaCache.open({ cacheDir }));
    console.log((await router.request("/")).status);`);

  assertEquals(printed, [200]);
});
