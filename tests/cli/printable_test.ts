import { assertEquals } from "@std/assert";
import { printable, printableJson } from "../../src/cli/output/printable.ts";

Deno.test("printable() makes control and invisible characters visible", () => {
  assertEquals(
    printable("a\x1b[31mb\x9bc\x07d\ne\u202Ef\u2028g\u{E0041}h\uFEFFi"),
    "a\\u{1b}[31mb\\u{9b}c\\u{7}d\\u{a}e\\u{202e}f\\u{2028}g\\u{e0041}h\\u{feff}i",
  );
});

Deno.test("printable() keeps ordinary text", () => {
  const text = "Katze 猫 قطة 👩‍🚀 \u200C ~ñ";
  assertEquals(printable(text), text);
});

Deno.test("printableJson() keeps the value and shows no raw control character", () => {
  const value = {
    "k\x9b": ["\x1b\x7f\u202E\u{E0041}\uD800", 1, null, "猫\u200D"],
  };
  for (const indent of [undefined, 2]) {
    const text = printableJson(value, indent);
    assertEquals(JSON.parse(text), value);
    assertEquals(/[[\p{Cc}\p{Cf}]--[\n\u200D]]/v.test(text), false, text);
  }
  assertEquals(printableJson("\n"), '"\\n"');
});
