import { assertEquals } from "@std/assert";
import {
  conditionsOf,
  nextValidators,
} from "../../../src/core/text/origin_conditions.ts";

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

Deno.test("conditionsOf() sends a list of tags without the date of one of them", () => {
  for (const etag of ['"a", W/"b"', '"a,", "", "b"']) {
    assertEquals([...conditionsOf({ etag, lastModified: DATE })], [
      ["if-none-match", etag],
    ]);
  }
  for (const etag of ['"a", ', '"a",  "b"', '"a", *', ', "a"', '"a"; "b"']) {
    assertEquals([...conditionsOf({ etag, lastModified: DATE })], [
      ["if-modified-since", DATE],
    ], etag);
  }
});

Deno.test("nextValidators() lists tags once a former one comes back", () => {
  const next = (received: string, sent: string, first: string) =>
    nextValidators({ etag: received }, { etag: sent }, { etag: first }).etag;

  // Touched: its old tag may never come back.
  assertEquals(next('"2"', '"1"', '"1"'), '"2"');
  assertEquals(next('"3"', '"2"', '"1"'), '"3"');
  assertEquals(next('"1"', '"2"', '"1"'), '"1", "2"');
  assertEquals(next('"3"', '"1", "2"', '"1"'), '"3", "1", "2"');
  assertEquals(next('W/"1"', '"1", "2"', '"1"'), 'W/"1", "1", "2"');
  // The tag was sent in vain: its server compares no list, or no tag at all.
  assertEquals(next('"1"', '"1"', '"1"'), '"1"');
  assertEquals(next('"2"', '"1", "2"', '"1"'), '"2"');

  const received = { etag: '"1"', lastModified: DATE };
  const sent = { etag: '"2"', lastModified: "another" };
  const first = { etag: '"1"' };
  const list = { etag: '"1", "2"', lastModified: DATE };
  assertEquals(nextValidators(received, sent, first), list);
  assertEquals(nextValidators(received, {}, first), received);
  assertEquals(nextValidators({}, sent, first), {});
  assertEquals(nextValidators({}, sent, {}), {});
  const long = `"${"x".repeat(250)}"`;
  assertEquals(next('"1"', long, '"1"'), '"1"');
});

Deno.test("conditionsOf() leaves out what is no validator, and could be no header", () => {
  for (
    const etag of [
      "a",
      '"a',
      '"a" "b"',
      '"a","b',
      '"\u0100"',
      '"a"\r\nx: y',
      "*",
      '"\0"',
    ]
  ) {
    assertEquals([...conditionsOf({ etag })], [], etag);
  }
  for (
    const lastModified of ["", "yesterday", "1994-11-06", `${DATE}\r\nx: y`]
  ) {
    assertEquals([...conditionsOf({ lastModified })], [], lastModified);
  }
});
