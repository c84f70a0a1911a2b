import { assertEquals } from "@std/assert";
import { parseRange } from "../../../src/core/text/byte_range.ts";

const CASES: [string | undefined, ReturnType<typeof parseRange>][] = [
  [undefined, "whole"],
  ["", "whole"],
  ["bytes=0-", { start: 0, end: 10 }],
  ["bytes=0-0", { start: 0, end: 1 }],
  ["bytes=3-5", { start: 3, end: 6 }],
  ["Bytes= 3-5 ", { start: 3, end: 6 }],
  ["bytes=9-", { start: 9, end: 10 }],
  ["bytes=9-99999999999999999999", { start: 9, end: 10 }],
  ["bytes=-3", { start: 7, end: 10 }],
  ["bytes=-10", { start: 0, end: 10 }],
  ["bytes=-99999999999999999999", { start: 0, end: 10 }],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=10-20", "unsatisfiable"],
  ["bytes=99999999999999999999-", "unsatisfiable"],
  ["bytes=5-3", "whole"],
  ["bytes=-", "whole"],
  ["bytes=0-1,3-4", "whole"],
  ["bytes=a-b", "whole"],
  ["bytes=1.5-2", "whole"],
  ["bytes=+1-2", "whole"],
  ["items=0-1", "whole"],
  ["0-1", "whole"],
];

for (const [header, expected] of CASES) {
  Deno.test(`parseRange() reads ${JSON.stringify(header)} of 10 bytes`, () => {
    assertEquals(parseRange(header, 10), expected);
  });
}
