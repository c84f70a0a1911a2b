import { assertEquals } from "@std/assert";
import { RememberedFailures } from "../../../src/core/download/remembered_failures.ts";

Deno.test("a failure is remembered for its time, by the URL that failed", () => {
  let now = 0;
  const failures = new RememberedFailures(100, () => now);
  const error = new Error("gone");
  failures.add("a?signature=1", "a", error);

  assertEquals(failures.find("a?signature=1")?.error, error);
  assertEquals(failures.find("a?signature=2"), undefined);
  now = 99;
  assertEquals(failures.find("a?signature=1")?.error, error);
  now = 100;
  assertEquals(failures.find("a?signature=1"), undefined);
});

Deno.test("an option that throws, or gives no time, remembers nothing", () => {
  const results: unknown[] = [
    0,
    -1,
    NaN,
    "100",
    undefined,
    Promise.resolve(100),
  ];
  for (const result of results) {
    const failures = new RememberedFailures(() => result as number, () => 0);
    failures.add("a", "a", new Error("gone"));
    assertEquals(failures.find("a"), undefined, String(result));
  }
  const throwing = new RememberedFailures(() => {
    throw new Error("no idea");
  });
  throwing.add("a", "a", new Error("gone"));
  assertEquals(throwing.find("a"), undefined);
});

Deno.test("an error that is undefined is remembered, too", () => {
  const failures = new RememberedFailures(Infinity, () => 0);
  failures.add("a", "a", undefined);
  assertEquals("error" in (failures.find("a") ?? {}), true);
});

Deno.test("of more than 10,000 failures the oldest are forgotten, and forget() takes all URLs of a media", () => {
  const failures = new RememberedFailures((error) => Number(error), () => 0);
  for (let i = 0; i < 10_001; i++) failures.add(`${i}`, `${i % 2}`, 100);
  assertEquals([failures.find("0"), failures.find("1")?.error], [
    undefined,
    100,
  ]);
  failures.add("1", "1", 100);
  failures.add("new", "1", 100);
  assertEquals([failures.find("1")?.error, failures.find("2")], [
    100,
    undefined,
  ]);

  failures.forget("1");
  assertEquals(failures.find("1"), undefined);
  assertEquals(failures.find("10000")?.error, 100);
  failures.clear();
  assertEquals(failures.find("10000"), undefined);
});
