import { assertEquals } from "@std/assert";
import {
  isInRanges,
  isMediaRange,
} from "../../../src/core/text/media_ranges.ts";

Deno.test("isMediaRange() takes types and wildcards without parameters", () => {
  const ranges = {
    "image/png": true,
    "image/*": true,
    "IMAGE/*": true,
    "*/*": true,
    "application/vnd.a+json": true,
    "": false,
    "image": false,
    "*": false,
    "*/png": false,
    "image/": false,
    "/png": false,
    "image/p*": false,
    "image/png;q=1": false,
    "image/png, image/gif": false,
    " image/png": false,
    "image/png\n": false,
    "image/png/x": false,
    [`image/${"x".repeat(128)}`]: false,
  };
  for (const [text, isRange] of Object.entries(ranges)) {
    assertEquals(isMediaRange(text), isRange, JSON.stringify(text));
  }
});

Deno.test("isInRanges() compares a type with each range", () => {
  const cases: [mimetype: string, ranges: string[], isIn: boolean][] = [
    ["image/png", ["image/*"], true],
    ["Image/PNG; q=1", ["image/*"], true],
    ["image/png", ["IMAGE/PNG"], true],
    ["image/png", ["image/jpeg", "video/*"], false],
    ["image/png", [], false],
    ["image/png", ["*/*"], true],
    ["text/html", ["*/*"], true],
    ["text/html", ["image/*", "video/*", "audio/*"], false],
    ["application/octet-stream", ["image/*"], false],
    ["application/octet-stream", ["application/octet-stream"], true],
    // Not `images/*`, nor a prefix.
    ["images/png", ["image/*"], false],
    ["image/pngx", ["image/png"], false],
    // Script: to be named.
    ["image/svg+xml", ["image/*"], false],
    ["image/svg+xml", ["image/*", "image/svg+xml"], true],
    ["image/other+xml", ["image/*"], false],
    ["image/svg+xml", ["*/*"], true],
    // Groups of the standard.
    ["application/ogg", ["audio/*"], true],
    ["application/ogg", ["video/*"], true],
    ["application/ogg", ["image/*"], false],
    ["application/vnd.ms-fontobject", ["font/*"], true],
  ];
  for (const [mimetype, ranges, isIn] of cases) {
    assertEquals(isInRanges(mimetype, ranges), isIn, `${mimetype}: ${ranges}`);
  }
});
