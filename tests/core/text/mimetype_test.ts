import { assert, assertEquals } from "@std/assert";
import mimeDb from "mime-db/db.json" with { type: "json" };
import {
  cleanMimetype,
  extensionsOf,
  extractMimetype,
  isCarrier,
  isInlineSafe,
  isMediaExtension,
  normalizeMimetype,
  OCTET_STREAM,
} from "../../../src/core/text/mimetype.ts";

Deno.test("normalizeMimetype() keeps type and subtype in lower case", async (t) => {
  const cases: [given: string, expected: string][] = [
    ["image/png", "image/png"],
    ["Image/PNG", "image/png"],
    [" text/html ; charset=utf-8", "text/html"],
    ['video/mp4;codecs="avc1, mp4a"', "video/mp4"],
    ["image/svg+xml", "image/svg+xml"],
    ["application/vnd.a-b.c_d!#$&^", "application/vnd.a-b.c_d!#$&^"],
    ["image/png;", "image/png"],
  ];
  for (const [given, expected] of cases) {
    await t.step(given, () => assertEquals(normalizeMimetype(given), expected));
  }
});

Deno.test("normalizeMimetype() returns octet-stream for text that is not a media type", async (t) => {
  const cases = [
    null,
    undefined,
    "",
    "   ",
    "png",
    "image/",
    "/png",
    "image/p ng",
    "image/png/x",
    "image/png, image/png",
    "image/png\r\nx: y",
    "im\0age/png",
    "image/pñg",
    ";charset=utf-8",
    `image/${"x".repeat(128)}`,
  ];
  for (const given of cases) {
    await t.step(JSON.stringify(given) ?? "undefined", () => {
      assertEquals(normalizeMimetype(given), OCTET_STREAM);
    });
  }
});

Deno.test("extractMimetype() finds the same type as response.blob()", async (t) => {
  const headers: [header: string, expected: string][] = [
    ["image/jpeg, image/jpeg", "image/jpeg"],
    ["Image/JPEG", "image/jpeg"],
    ["text/html;charset=x, image/png", "image/png"],
    ["image/png;a=b,text/html", "text/html"],
    ["image/png, */*", "image/png"],
    ["*/*, image/png", "image/png"],
    ["text/html, */*;q=1", "text/html"],
    ["*/*", OCTET_STREAM],
    ["image/png, bogus", "image/png"],
    ["bogus, image/png", "image/png"],
    ["image/png, image/", "image/png"],
    ["image/png,,", "image/png"],
    [",", OCTET_STREAM],
    ["", OCTET_STREAM],
    ["text/html;", "text/html"],
    ["text/html ; charset=utf-8", "text/html"],
    ["image/png\t;\tq=1", "image/png"],
    ['image/png; a=",text/html"', "image/png"],
    ['image/png; a="x, text/html', "image/png"],
    ['image/png; a="\\", text/html", image/gif', "image/gif"],
    ['text/html;charset="utf-8,",image/gif', "image/gif"],
    ["text/html;charset=gbk, text/plain, text/html", "text/html"],
    ['text/html"x, image/png', OCTET_STREAM],
    ["text /html", OCTET_STREAM],
    ["text/ html", OCTET_STREAM],
    ["image/png text/html", OCTET_STREAM],
    ["\u00a0image/png", OCTET_STREAM],
    ["image/p\u00f1g", OCTET_STREAM],
    ["', image/png", "image/png"],
  ];
  for (const [header, expected] of headers) {
    await t.step(header || "(empty)", async () => {
      const response = new Response("x", {
        headers: { "content-type": header },
      });
      const { type } = await response.blob();

      assertEquals(extractMimetype(header), expected);
      assertEquals(type.split(";")[0] || OCTET_STREAM, expected);
    });
  }
  assertEquals(extractMimetype(null), OCTET_STREAM);
});

Deno.test("a media type is parsed in linear time", () => {
  const size = 500_000;
  const start = performance.now();
  for (const unit of [" ", ",", '"', '"\\', ";", "a/b,"]) {
    extractMimetype(`image/png${unit.repeat(size)}x`);
    cleanMimetype(`image/png${unit.repeat(size)}x`);
  }

  // Quadratic time would take minutes.
  assert(performance.now() - start < 5_000);
});

Deno.test("cleanMimetype() reduces a list to the type that a browser would use", () => {
  assertEquals(cleanMimetype("image/jpeg, image/jpeg"), "image/jpeg");
  assertEquals(cleanMimetype("image/png, text/html"), "text/html");
  assertEquals(cleanMimetype("image/png; a=b,text/html"), "text/html");
  assertEquals(cleanMimetype("*/*"), OCTET_STREAM);
});

Deno.test("cleanMimetype() accepts a tab between parameters", () => {
  assertEquals(cleanMimetype("image/png;\tq=1"), "image/png");
  assertEquals(cleanMimetype("\timage/png\t"), "image/png");
  assertEquals(cleanMimetype("image\t/png"), OCTET_STREAM);
});

Deno.test("cleanMimetype() keeps a stated type with its case and parameters", () => {
  assertEquals(cleanMimetype("Image/PNG"), "Image/PNG");
  assertEquals(
    cleanMimetype("  text/plain; charset=utf-8 "),
    "text/plain; charset=utf-8",
  );
  assertEquals(
    cleanMimetype('audio/ogg; codecs="opus"'),
    'audio/ogg; codecs="opus"',
  );
});

Deno.test("cleanMimetype() replaces a type that could break a header", async (t) => {
  const cases = [
    "",
    "png",
    "image/png\r\nset-cookie: a=b",
    "image/png; a=\0",
    "image/png; a=ü",
    "image/png; a=\ud800",
    `image/png; a=${"x".repeat(10_000)}`,
  ];
  for (const given of cases) {
    await t.step(JSON.stringify(given).slice(0, 40), () => {
      assertEquals(cleanMimetype(given), OCTET_STREAM);
    });
  }
});

Deno.test("extensionsOf() lists the usual extension first", async (t) => {
  const cases: [mimetype: string, usual: string][] = [
    ["image/jpeg", ".jpg"],
    ["image/webp", ".webp"],
    ["image/gif", ".gif"],
    ["video/mp4", ".mp4"],
    ["video/webm", ".webm"],
    ["video/quicktime", ".mov"],
    ["audio/ogg", ".ogg"],
    ["audio/mpeg", ".mp3"],
    ["audio/mp4", ".m4a"],
    ["application/x-tgsticker", ".tgs"],
    ["application/zip+dotlottie", ".lottie"],
    ["application/pdf", ".pdf"],
    ["Text/Plain; charset=utf-8", ".txt"],
    ["audio/opus", ".opus"],
    ["audio/flac", ".flac"],
    ["image/jp2", ".jp2"],
    ["image/vnd.djvu", ".djvu"],
    ["video/mp2t", ".ts"],
    ["audio/x-aiff", ".aif"],
    ["font/woff2", ".woff2"],
    ["application/msword", ".doc"],
  ];
  for (const [mimetype, usual] of cases) {
    await t.step(
      mimetype,
      () => assertEquals(extensionsOf(mimetype)[0], usual),
    );
  }
});

Deno.test("extensionsOf() also lists the rarer extensions", async (t) => {
  const cases: [mimetype: string, rarer: string][] = [
    ["video/mpeg", ".m2v"],
    ["video/mpeg", ".m1v"],
    ["video/mp4", ".mp4v"],
    ["audio/mp4", ".mp4a"],
    ["audio/midi", ".kar"],
    ["audio/mpeg", ".m3a"],
    ["image/jpeg", ".jfif"],
  ];
  for (const [mimetype, rarer] of cases) {
    await t.step(`${rarer} of ${mimetype}`, () => {
      const extensions = extensionsOf(mimetype);

      assert(extensions.includes(rarer));
      assertEquals(extensions.length, new Set(extensions).size);
    });
  }
});

Deno.test("the image, audio and video types of mime-db have their extensions", () => {
  const database = mimeDb as Record<string, { extensions?: string[] }>;
  const media = Object.entries(database).filter(([mimetype, { extensions }]) =>
    /^(?:image|audio|video)\//.test(mimetype) && extensions !== undefined
  );
  const missing = media.filter(([mimetype, { extensions = [] }]) =>
    !extensions.every((each) => extensionsOf(mimetype).includes(`.${each}`))
  );

  // 132 of 174 types had none. The copy of mime-db in @std/media-types may
  // lack the newest types.
  assert(media.length > 150);
  assert(missing.length <= media.length / 20, missing.join("; "));
});

Deno.test("extensionsOf() lists nothing for an unknown type", () => {
  assertEquals(extensionsOf(OCTET_STREAM), []);
  assertEquals(extensionsOf("image/x-unheard-of"), []);
  assertEquals(extensionsOf("constructor"), []);
});

Deno.test("isMediaExtension() accepts images, videos, audio and stickers only", () => {
  for (const extension of [".png", ".JPG", ".mp4", ".oga", ".tgs", ".lottie"]) {
    assert(isMediaExtension(extension), extension);
  }
  for (const extension of [".m2v", ".mp4v", ".djvu", ".JP2"]) {
    assert(isMediaExtension(extension), extension);
  }
  for (const extension of ["", ".", "png", ".txt", ".zip", ".php", ".pdf"]) {
    assert(!isMediaExtension(extension), extension);
  }
});

Deno.test("isCarrier() recognizes types that name only a container", () => {
  assert(isCarrier("text/plain; charset=utf-8"));
  assert(isCarrier("application/zip"));
  assert(!isCarrier("application/zip+dotlottie"));
  assert(!isCarrier(OCTET_STREAM));
});

Deno.test("isInlineSafe() allows raster images, video and audio", () => {
  const types =
    "image/png image/jpeg image/gif image/webp image/avif image/apng video/mp4 video/webm " +
    "video/ogg audio/ogg audio/mpeg audio/wav audio/flac audio/aac audio/mp4 IMAGE/PNG;a=b";
  for (const mimetype of types.split(" ")) {
    assert(isInlineSafe(mimetype), mimetype);
  }
});

Deno.test("isInlineSafe() never allows types that can carry script", () => {
  const types =
    "image/svg+xml text/html text/xml application/xml application/xhtml+xml application/pdf " +
    "text/javascript text/css application/octet-stream text/plain application/json image/svg+xml;image/png " +
    "multipart/x-mixed-replace image/png,text/html";
  for (const mimetype of types.split(" ")) {
    assert(!isInlineSafe(mimetype), mimetype);
  }
  assert(!isInlineSafe(""));
});
