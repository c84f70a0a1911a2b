import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RemoteEntry } from "../../src/core/api/remote_tier.ts";
import { safeFilename } from "../../src/core/text/filename.ts";
import { cleanMimetype } from "../../src/core/text/mimetype.ts";
import { entryOf, metadataOf } from "../../src/s3/entry_metadata.ts";
import {
  HOSTILE_NAMES,
  HOSTILE_TYPES,
} from "../fixtures/inputs/hostile_text.ts";
import { Random } from "../fixtures/inputs/random.ts";
import { remoteEntry } from "../fixtures/remote/entries.ts";

const ENTRY = remoteEntry(new Uint8Array(5));

function reread(entry: RemoteEntry): RemoteEntry | undefined {
  return entryOf(new Headers(metadataOf(entry)));
}

/** Bytes of the headers with their names, as AWS counts them and more. */
function bytesOf(headers: Record<string, string>): number {
  return Object.entries(headers).flat().join("").length;
}

Deno.test("the facts of an entry survive as headers", () => {
  const full: RemoteEntry = {
    ...ENTRY,
    mimetype: "video/mp4",
    filename: "Кот – 猫 100% 🐱.mp4",
    sourceMimetype: "image/gif",
    sourceSize: 1_234_567,
    conversion: "conversion failed: pix_fmt=yuv420p",
    sourceSha256: "5".repeat(64),
    etag: 'W/"a, b%é"',
    lastModified: "Sun, 06 Nov 1994 08:49:37 GMT",
  };

  assertEquals(reread(ENTRY), ENTRY);
  assertEquals(reread(full), full);
  assertEquals(
    reread({ ...ENTRY, mimetype: "audio/ogg; codecs=opus" })?.mimetype,
    "audio/ogg; codecs=opus",
  );
});

Deno.test("metadata hold no URL, and nothing but the facts", () => {
  assertEquals(Object.keys(metadataOf(ENTRY)), [
    "x-amz-meta-mimetype",
    "x-amz-meta-filename",
    "x-amz-meta-size",
    "x-amz-meta-sha256",
    "x-amz-meta-stored-at",
  ]);
});

Deno.test("the longest names, types and reasons stay below 2 KB", () => {
  const headers = metadataOf({
    ...ENTRY,
    filename: "🐱".repeat(255),
    mimetype: `${"%".repeat(127)}/${"%".repeat(127)}; a=${"b".repeat(900)}`,
    sourceMimetype: `image/x; ${"ab=%;".repeat(180)}`,
    conversion: "🐱".repeat(300),
    size: Number.MAX_SAFE_INTEGER,
    sourceSize: Number.MAX_SAFE_INTEGER,
    storedAt: Number.MAX_SAFE_INTEGER,
    sourceSha256: "5".repeat(64),
    etag: `"${"é".repeat(254)}"`,
    lastModified: "Sun, 06 Nov 1994 08:49:37 GMT",
  });

  assert(bytesOf(headers) <= 2048, `${bytesOf(headers)} bytes`);
  const entry = entryOf(new Headers(headers));
  assertEquals(entry?.filename, safeFilename("🐱".repeat(255)));
  assertMatch(entry?.conversion ?? "", /^🐱+$/u);
});

Deno.test("a type that is too long loses its parameters first", () => {
  const mimetype = `image/png; a="${"%".repeat(400)}"`;

  assertEquals(reread({ ...ENTRY, mimetype })?.mimetype, "image/png");
});

Deno.test("hostile names and types become safe headers, and safe facts", () => {
  for (const filename of HOSTILE_NAMES) {
    for (const mimetype of HOSTILE_TYPES) {
      const headers = metadataOf({
        ...ENTRY,
        filename,
        mimetype,
        conversion: filename,
      });

      for (const value of Object.values(headers)) {
        assertMatch(value, /^[!-~]*$/);
      }
      const entry = entryOf(new Headers(headers));
      assertEquals(entry?.filename, safeFilename(filename));
      assertEquals(entry?.mimetype, cleanMimetype(mimetype));
    }
  }
});

Deno.test("what another program wrote is a safe entry or none", () => {
  const random = new Random();
  const right = metadataOf({
    ...ENTRY,
    sourceMimetype: "image/gif",
    sourceSize: 9,
    conversion: "x",
  });
  const junk = [
    ...[
      "",
      "0",
      "-1",
      "1e3",
      "00",
      "9".repeat(17),
      "0x10",
      "NaN",
      "%",
      "%zz",
      "%ff%fe",
    ],
    ...[
      "a, b",
      "A".repeat(64),
      "%00",
      "..%2F..%2Fetc",
      "%0d%0aX%3a%20y",
      "%F0%9F%90%B1",
    ],
    ...HOSTILE_NAMES.map((name) =>
      encodeURIComponent(name.toWellFormed()).slice(0, 2000)
    ),
  ];
  for (let run = 0; run < 3000; run++) {
    const headers = { ...right };
    for (const name of Object.keys(headers)) {
      if (random.chance(6)) headers[name] = random.pick(junk);
      else if (random.chance(20)) delete headers[name];
    }
    const hint = `${JSON.stringify(headers)}: ${random.hint}`;

    const entry = entryOf(new Headers(headers));

    if (entry === undefined) continue;
    assertEquals(entry.filename, safeFilename(entry.filename), hint);
    assertEquals(entry.mimetype, cleanMimetype(entry.mimetype), hint);
    assertMatch(entry.sha256, /^[0-9a-f]{64}$/, hint);
    for (const number of [entry.size, entry.storedAt, entry.sourceSize ?? 0]) {
      assert(Number.isSafeInteger(number) && number >= 0, hint);
    }
  }
});

Deno.test("an entry whose facts are missing or impossible is none", () => {
  const right = metadataOf(ENTRY);
  const wrong: Record<string, string[]> = {
    "x-amz-meta-size": ["", "-1", "1.5", "05", "9007199254740993"],
    "x-amz-meta-sha256": ["", ENTRY.sha256.toUpperCase(), `${ENTRY.sha256}0`],
    "x-amz-meta-stored-at": ["", "yesterday"],
    "x-amz-meta-mimetype": ["%"],
    "x-amz-meta-filename": ["%E0%A4%A"],
  };
  for (const [name, values] of Object.entries(wrong)) {
    const { [name]: _, ...others } = right;
    assertEquals(entryOf(new Headers(others)), undefined, name);
    for (const value of values) {
      assertEquals(
        entryOf(new Headers({ ...right, [name]: value })),
        undefined,
        `${name}: ${value}`,
      );
    }
  }
});

Deno.test("an object of another length than its facts tell is none", () => {
  const headers = new Headers(metadataOf(ENTRY));

  headers.set("content-length", String(ENTRY.size - 1));
  assertEquals(entryOf(headers), undefined);
  headers.set("content-length", String(ENTRY.size));
  assertEquals(entryOf(headers), ENTRY);
});

Deno.test("members that a later version writes are ignored", () => {
  const headers = new Headers(metadataOf(ENTRY));
  headers.set("x-amz-meta-later", "%22abc%22");
  headers.set("x-amz-meta-validated-at", "1700000000000");

  assertEquals(entryOf(headers), ENTRY);
});

Deno.test("random facts survive as headers of at most 2 KB", () => {
  const random = new Random();
  const characters = [
    ..."aZ09 ._-%&=+/\\\"';,()!*~\u0000\u001f\u007f\u0080é猫🐱\ud800\u202e",
  ];
  const text = (most: number) =>
    Array.from(
      { length: random.integer(0, most) },
      () => random.pick(characters),
    ).join("");
  for (let run = 0; run < 2000; run++) {
    const entry: RemoteEntry = {
      mimetype: random.chance(2) ? "image/webp" : text(300),
      filename: text(300),
      size: random.integer(0, 2 ** 40),
      sha256: ENTRY.sha256,
      storedAt: random.integer(0, 2 ** 42),
      sourceMimetype: random.chance(2) ? undefined : "image/gif",
      sourceSize: random.chance(2) ? undefined : random.integer(0, 2 ** 40),
      conversion: random.chance(2) ? undefined : text(20),
      etag: random.chance(2) ? undefined : text(256),
    };

    const headers = metadataOf(entry);

    assert(bytesOf(headers) <= 2048, random.hint);
    const { sourceMimetype, sourceSize, conversion, etag, ...facts } = entry;
    const hasEtag = etag !== undefined && "x-amz-meta-etag" in headers;
    assertEquals(entryOf(new Headers(headers)), {
      ...facts,
      mimetype: cleanMimetype(entry.mimetype),
      filename: safeFilename(entry.filename),
      ...(sourceMimetype === undefined ? {} : { sourceMimetype }),
      ...(sourceSize === undefined ? {} : { sourceSize }),
      ...(conversion === undefined
        ? {}
        : { conversion: conversion.toWellFormed() }),
      ...(hasEtag && { etag: etag.toWellFormed() }),
    }, random.hint);
  }
});
