import { assertEquals } from "@std/assert";
import { conditionsOf } from "../../../src/core/text/origin_conditions.ts";

const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

Deno.test("conditionsOf() sends the validators as they came", () => {
  for (const etag of ['"a"', 'W/"a"', '""', '"\xe9!"']) {
    const headers = conditionsOf({ etag, lastModified: DATE });
    assertEquals([...headers], [
      ["if-modified-since", DATE],
      ["if-none-match", etag],
    ]);
  }
  const rare = "Sunday, 06-Nov-94 08:49:37 GMT";
  assertEquals([...conditionsOf({ lastModified: rare })], [
    ["if-modified-since", rare],
  ]);
  assertEquals([...conditionsOf({})], []);
});

Deno.test("conditionsOf() leaves out what is no validator, and could be no header", () => {
  for (
    const etag of ["a", '"a', '"a" "b"', '"\u0100"', '"a"\r\nx: y', "*", '"\0"']
  ) {
    assertEquals([...conditionsOf({ etag })], [], etag);
  }
  for (
    const lastModified of ["", "yesterday", "1994-11-06", `${DATE}\r\nx: y`]
  ) {
    assertEquals([...conditionsOf({ lastModified })], [], lastModified);
  }
});
