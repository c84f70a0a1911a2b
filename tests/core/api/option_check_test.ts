import { assertEquals, assertThrows } from "@std/assert";
import { OptionCheck } from "../../../src/core/api/option_check.ts";

const check = new OptionCheck("open shop", "counter");

Deno.test("value() returns right values, and undefined", () => {
  const isEven = (n: number | undefined) => n !== undefined && n % 2 === 0;

  assertEquals(check.value("size", 4, "number", "an even number", isEven), 4);
  assertEquals(check.value("size", undefined, "number"), undefined);
  assertEquals(check.choice("color", "red", ["red", "blue"]), "red");
});

Deno.test("a wrong type throws a TypeError, another wrong value a RangeError", () => {
  const cases: [typeof TypeError, () => unknown, string][] = [
    [
      TypeError,
      () => check.value("size", "4", "number"),
      `counter.size must be a number: received "4"`,
    ],
    [
      RangeError,
      () => check.value("size", 5, "number", "even", (n) => n % 2 === 0),
      "counter.size must be even: received 5",
    ],
    [
      RangeError,
      () => check.choice<string>("color", "green", ["red", "blue"]),
      `counter.color must be "red" or "blue": received "green"`,
    ],
    [
      TypeError,
      () => check.object("till", null),
      "counter.till must be an object: received null",
    ],
    [
      TypeError,
      () => check.nothingLeft({ colour: "red" }),
      `each option of counter must be one that is known: received "colour"`,
    ],
  ];
  for (const [type, call, text] of cases) {
    const { message } = assertThrows(call, type);
    assertEquals(message, `Cannot open shop: ${text}`);
  }
});
