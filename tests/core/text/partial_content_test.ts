import { assertEquals } from "@std/assert";
import {
  restHeaders,
  sizeByRest,
  strongValidatorOf,
} from "../../../src/core/text/partial_content.ts";

const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

Deno.test("strongValidatorOf() takes a strong tag, or a date that is a minute old", async (t) => {
  const cases: [Record<string, string>, string | undefined][] = [
    [{ ETag: '"a"' }, '"a"'],
    [{ ETag: '""' }, '""'],
    [{ ETag: '"a-\u00e4"' }, '"a-\u00e4"'],
    [{ ETag: '"a"', "Accept-Ranges": "bytes" }, '"a"'],
    [{ ETag: '"a"', "Accept-Ranges": "none" }, undefined],
    [{ ETag: 'W/"a"' }, undefined],
    [{ ETag: "a" }, undefined],
    [{ ETag: '"a b"' }, undefined],
    [{ ETag: '"a", "b"' }, undefined],
    [{}, undefined],
    [{ "Last-Modified": DATE }, undefined],
    [{ "Last-Modified": DATE, Date: DATE }, undefined],
    [
      { "Last-Modified": DATE, Date: "Sun, 06 Nov 1994 08:50:36 GMT" },
      undefined,
    ],
    [{ "Last-Modified": DATE, Date: "Sun, 06 Nov 1994 08:50:37 GMT" }, DATE],
    [{ "Last-Modified": "soon", Date: DATE }, undefined],
    // A client that has any tag must not send a date (RFC 9110 §13.1.5).
    [{
      ETag: 'W/"a"',
      "Last-Modified": DATE,
      Date: "Mon, 07 Nov 1994 08:49:37 GMT",
    }, undefined],
  ];
  for (const [headers, wanted] of cases) {
    await t.step(JSON.stringify(headers), () => {
      assertEquals(strongValidatorOf(new Headers(headers)), wanted);
    });
  }
});

Deno.test("restHeaders() asks for the bytes that are missing, of the same version alone", () => {
  const headers = restHeaders({ received: 5, size: 10, validator: '"a"' });
  assertEquals([...headers], [["if-range", '"a"'], ["range", "bytes=5-"]]);
});

const PART = { received: 5, size: 10, validator: '"a"' };
const RIGHT = { "ETag": '"a"', "Content-Range": "bytes 5-9/10" };

Deno.test("sizeByRest() takes the rest of the same version alone", async (t) => {
  const cases: [string, number, Record<string, string>, number | undefined][] =
    [
      ["the rest", 206, RIGHT, 10],
      [
        "the rest, with its length",
        206,
        { ...RIGHT, "Content-Length": "5" },
        10,
      ],
      [
        "a unit in capitals",
        206,
        { ...RIGHT, "Content-Range": "Bytes 5-9/10" },
        10,
      ],
      [
        "no coding by name",
        206,
        { ...RIGHT, "Content-Encoding": "identity" },
        10,
      ],
      ["the whole body", 200, RIGHT, undefined],
      ["another tag", 206, { ...RIGHT, ETag: '"b"' }, undefined],
      ["a weak tag", 206, { ...RIGHT, ETag: 'W/"a"' }, undefined],
      ["no tag", 206, { "Content-Range": "bytes 5-9/10" }, undefined],
      ["gzip", 206, { ...RIGHT, "Content-Encoding": "gzip" }, undefined],
      ["no range", 206, { ETag: '"a"' }, undefined],
      [
        "another start",
        206,
        { ...RIGHT, "Content-Range": "bytes 4-9/10" },
        undefined,
      ],
      [
        "another end",
        206,
        { ...RIGHT, "Content-Range": "bytes 5-8/10" },
        undefined,
      ],
      ["another length in all", 206, {
        ...RIGHT,
        "Content-Range": "bytes 5-8/9",
      }, undefined],
      ["an unknown length in all", 206, {
        ...RIGHT,
        "Content-Range": "bytes 5-9/*",
      }, undefined],
      ["a range that is refused", 416, {
        ...RIGHT,
        "Content-Range": "bytes */10",
      }, undefined],
      ["an end before the start", 206, {
        ...RIGHT,
        "Content-Range": "bytes 5-4/5",
      }, undefined],
      ["numbers without end", 206, {
        ...RIGHT,
        "Content-Range": `bytes 5-9/1${"0".repeat(99)}`,
      }, undefined],
      [
        "a length of a byte less",
        206,
        { ...RIGHT, "Content-Length": "4" },
        undefined,
      ],
    ];
  for (const [name, status, headers, wanted] of cases) {
    await t.step(name, () => {
      const response = { status, headers: new Headers(headers) };
      assertEquals(sizeByRest(response, PART), wanted);
    });
  }
});

Deno.test("sizeByRest() learns a length that was not known, and compares dates", () => {
  const headers = new Headers({
    "Last-Modified": DATE,
    "Content-Range": "bytes 5-9/10",
  });
  const part = { received: 5, size: undefined, validator: DATE };

  assertEquals(sizeByRest({ status: 206, headers }, part), 10);
  const other = { ...part, validator: "Sun, 06 Nov 1994 08:49:38 GMT" };
  assertEquals(sizeByRest({ status: 206, headers }, other), undefined);
});
