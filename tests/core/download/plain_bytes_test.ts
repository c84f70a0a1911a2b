import { assert, assertEquals } from "@std/assert";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { looksPlain } from "../../../src/core/download/plain_bytes.ts";
import { parseContentCodings } from "../../../src/core/text/content_codings.ts";

const encoder = new TextEncoder();

Deno.test("looksPlain() recognizes text in UTF-8, even with its last character cut", () => {
  for (
    const text of [
      "x^2 + y",
      "<svg/>",
      '{"a":1}',
      "日本語の文書です",
      "\ufeffa\tb\r\n",
      "",
    ]
  ) {
    assert(looksPlain(encoder.encode(text)), text);
  }
  assert(looksPlain(encoder.encode("日本語").subarray(0, 7)));
  assert(!looksPlain(new Uint8Array([0x61, 0x00, 0x62, 0x63])));
  assert(!looksPlain(new Uint8Array([0xe9, 0x61, 0x62, 0x63])));
});

Deno.test("looksPlain() does not accept compressed bytes", () => {
  for (
    const text of [
      "hello hello hello",
      "x".repeat(1000),
      Array.from({ length: 999 }, (_, i) => i * 7919 % 1009).join(),
    ]
  ) {
    for (
      const compress of [
        gzipSync,
        deflateSync,
        deflateRawSync,
        brotliCompressSync,
        zstdCompressSync,
      ]
    ) {
      assert(
        !looksPlain(compress(encoder.encode(text)).subarray(0, 4096)),
        `${compress.name} of ${text.slice(0, 9)}`,
      );
    }
  }
});

Deno.test("parseContentCodings() lists the codings, and leaves out invalid ones", () => {
  assertEquals(parseContentCodings("gzip"), ["gzip"]);
  assertEquals(parseContentCodings(" GZIP ,X-Gzip,, br"), [
    "gzip",
    "gzip",
    "br",
  ]);
  assertEquals(parseContentCodings("identity, utf-8, deflate"), ["deflate"]);
  assertEquals(parseContentCodings("zstd, x-compress"), ["zstd", "compress"]);
  assertEquals(parseContentCodings("none, ISO-8859-1, image/png"), []);
  assertEquals(parseContentCodings("dcb, gzip;q=1"), ["unknown", "unknown"]);
  assertEquals(parseContentCodings(""), []);
  assertEquals(parseContentCodings(null), []);
});
