import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  formatContentDisposition,
  parseFilename,
} from "../../../src/core/text/content_disposition.ts";
import { safeFilename } from "../../../src/core/text/filename.ts";

/** A small generator (xorshift32): its seed repeats a failed run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

Deno.test("parseFilename() reads filename as token or quoted-string", async (t) => {
  const cases: [header: string, expected: string | undefined][] = [
    ["attachment; filename=cat.png", "cat.png"],
    ['attachment; filename="cat.png"', "cat.png"],
    ['inline;filename="a cat.png"', "a cat.png"],
    ['ATTACHMENT ; FileName = "cat.png" ', "cat.png"],
    ['attachment; filename="a;b=c.png"; size=3', "a;b=c.png"],
    ['attachment; filename="a \\"b\\" \\\\ c.png"', 'a "b" \\ c.png'],
    ['attachment; filename="f\\oo.html"', "foo.html"],
    ['attachment; filename="no end.png', "no end.png"],
    ['attachment; filename="end\\', "end"],
    ['attachment; filename="a.png"junk; size=3', "a.png"],
    ["attachment; filename=two words.png; size=3", "two words.png"],
    ["filename=bare.png", "bare.png"],
    ["inline; filename=a.png, inline; filename=a.png", "a.png"],
    ["inline; filename=a, b.png", "a, b.png"],
    ["a, a", undefined],
    ["attachment;;; filename=cat.png;", "cat.png"],
    ['attachment; name="filename=no.png"; filename=yes.png', "yes.png"],
    ["attachment; xfilename=no.png", undefined],
    ["attachment; filename=one.png; filename=two.png", "one.png"],
    ['attachment; filename=""; filename="b.png"', "b.png"],
    ["attachment", undefined],
    ["attachment; filename", undefined],
    ["attachment; filename=", undefined],
    ['attachment; filename=" "', undefined],
    ["", undefined],
    ["=;=;=", undefined],
    ['attachment; filename="50%41.png"', "50%41.png"],
  ];
  for (const [header, expected] of cases) {
    await t.step(
      header || "(empty)",
      () => assertEquals(parseFilename(header), expected),
    );
  }
});

Deno.test("parseFilename() prefers filename* over filename", () => {
  const expected = "naïve.png";

  assertEquals(
    parseFilename("a; filename=x.png; filename*=UTF-8''na%C3%AFve.png"),
    expected,
  );
  assertEquals(
    parseFilename("a; filename*=UTF-8''na%C3%AFve.png; filename=x.png"),
    expected,
  );
});

Deno.test("parseFilename() decodes filename*", async (t) => {
  const cases: [value: string, expected: string | undefined][] = [
    ["UTF-8''%e2%82%ac%20rates.png", "€ rates.png"],
    ["utf-8'en'%E2%82%AC.png", "€.png"],
    ["ISO-8859-1'en'%A3%20rates.png", "£ rates.png"],
    ["iso-8859-1''caf%E9.png", "café.png"],
    ["\"UTF-8''caf%C3%A9.png\"", "café.png"],
    ["UTF-8''it's.png", "it's.png"],
    ["UTF-8''a b.png", "a b.png"],
    ["UTF-8''caf\u00c3\u00a9.png", "café.png"],
    ["UTF-8''%F0%9F%90%B1.gif", "🐱.gif"],
  ];
  for (const [value, expected] of cases) {
    await t.step(
      value,
      () =>
        assertEquals(parseFilename(`attachment; filename*=${value}`), expected),
    );
  }
});

Deno.test("parseFilename() falls back to filename when filename* is invalid", async (t) => {
  const values = [
    "UTF-8''%ZZ.png",
    "UTF-8''%E2%82.png",
    "UTF-8''%",
    "UTF-8''%C3%28",
    "UTF-8''",
    "UTF-8'x.png",
    "x.png",
    "''x.png",
    "KOI8-R''%C1.png",
    "iso-8859-1''%4.png",
  ];
  for (const value of values) {
    await t.step(value, () => {
      assertEquals(
        parseFilename(`attachment; filename*=${value}; filename="ok.png"`),
        "ok.png",
      );
    });
  }
});

Deno.test("parseFilename() decodes UTF-8 that was read as Latin-1", () => {
  const headers = new Headers();
  const raw = String.fromCharCode(...new TextEncoder().encode("日本.gif"));
  headers.set("content-disposition", `attachment; filename="${raw}"`);

  assertEquals(parseFilename(headers.get("content-disposition")!), "日本.gif");
});

Deno.test("parseFilename() keeps Latin-1 that is not UTF-8", () => {
  assertEquals(
    parseFilename('attachment; filename="caf\u00e9.png"'),
    "café.png",
  );
  assertEquals(parseFilename('attachment; filename="日本.png"'), "日本.png");
});

Deno.test("parseFilename() decodes encoded words in filename", async (t) => {
  const cases: [value: string, expected: string][] = [
    ["=?utf-8?B?5oiR5LusL2EucG5n?=", "我们/a.png"],
    ["=?UTF-8?b?Y2F0LnBuZw==?=", "cat.png"],
    ["=?UTF-8?B?Y2F0LnBuZw?=", "cat.png"],
    ["=?utf-8?Q?na=C3=AFve_cat.png?=", "naïve cat.png"],
    ["=?utf-8?q?a b=2Fc.png?=", "a b/c.png"],
    ["=?ISO-8859-1?Q?caf=e9.png?=", "café.png"],
    ["=?gbk?B?ztLDxy5wbmc=?=", "我们.png"],
    ["=?Shift_JIS?B?k/qWey5wbmc=?=", "日本.png"],
    ["=?utf-8*en?Q?cat.png?=", "cat.png"],
    ["=?utf-8?Q?a?= =?utf-8?Q?b.png?=", "ab.png"],
    ["=?utf-8?Q?a?==?utf-8?Q?b.png?=", "ab.png"],
    [
      "=?utf-8?B?5og=?= =?utf-8?B?kS5wbmc=?=",
      "我.png",
    ],
    ["=?utf-8?Q?=E6=88?= =?UTF-8?Q?=91.png?=", "我.png"],
    ["=?utf-8?Q?a?= =?iso-8859-1?Q?=E9.png?=", "aé.png"],
    ["=?utf-8?Q?a?= b.png", "a b.png"],
    ["my =?utf-8?Q?a?=.png", "my a.png"],
    // Undecodable names stay unchanged, but never contain a path.
    ["=?utf-8?B?5oiR/LusL2EucG5n!?=", "=?utf-8?B?5oiR_LusL2EucG5n!?="],
    ["=?utf-8?B?/////w==?=", "=?utf-8?B?_____w==?="],
    ["=?x-unheard-of?B?L2E/?=.png", "=?x-unheard-of?B?L2E_?=.png"],
    ["=?utf-8?Q?a/=E6=88.png?=", "=?utf-8?Q?a_=E6=88.png?="],
    ["=?utf-8?Q?=ZZ/a.png?=", "=?utf-8?Q?=ZZ_a.png?="],
    ["dir/=?utf-8?B?/?=", "dir/=?utf-8?B?_?="],
    ["=?utf-8?X?YS/i?=.png", "=?utf-8?X?YS_i?=.png"],
    [
      "=?utf-8?B?YS9i?= =?utf-8?B?5oi/LusL2",
      "a/b =?utf-8?B?5oi_LusL2",
    ],
    ["=?utf-8?B?5oi/LusL2?", "=?utf-8?B?5oi_LusL2?"],
    // Not encoded words.
    ["=?utf-8?X?YS9i?=", "=?utf-8?X?YS9i?="],
    ["=?utf-8?B?YS9i", "=?utf-8?B?YS9i"],
    ["=?=?=?b?=", "=?=?=?b?="],
  ];
  for (const [value, expected] of cases) {
    await t.step(value, () => {
      assertEquals(parseFilename(`inline; filename="${value}"`), expected);
      assertEquals(parseFilename(`inline; filename=${value}`), expected);
    });
  }
  assertEquals(
    safeFilename(
      parseFilename('a; filename="=?utf-8?B?5oiR5LusL2EucG5n?="') ?? "",
    ),
    "a.png",
  );
});

Deno.test("parseFilename() takes linear time", () => {
  const size = 200_000;
  const hostile = [
    "a".repeat(size),
    ";".repeat(size),
    "a;".repeat(size) + "filename=x",
    "filename=x;".repeat(size / 10),
    'filename="' + "\\".repeat(size),
    'filename="' + '\\"'.repeat(size),
    "filename*=utf-8''" + "%".repeat(size),
    "filename*=utf-8" + "'".repeat(size),
    "filename" + " ".repeat(size) + "x",
    'filename="' + "=?".repeat(size),
    'filename="' + "=?a?b?".repeat(size),
    'filename="' + "=?utf-8?q?a?= ".repeat(size / 10),
    'filename="=?utf-8?q?a?=' + " ".repeat(size),
    'filename="' + "=?utf-8?q?".repeat(size / 10) + "?=",
  ];
  const start = performance.now();
  for (const header of hostile) parseFilename(header);

  // Quadratic time would take minutes.
  assert(performance.now() - start < 5_000);
});

Deno.test("formatContentDisposition() writes one plain filename where plain ASCII is enough", () => {
  assertEquals(
    formatContentDisposition("inline", "cat.png"),
    'inline; filename="cat.png"',
  );
  assertEquals(
    formatContentDisposition("attachment", "a cat; (1) 100%.png"),
    'attachment; filename="a cat; (1) 100%.png"',
  );
});

Deno.test("formatContentDisposition() adds filename* where plain ASCII is not enough", async (t) => {
  const cases: [name: string, expected: string][] = [
    [
      "日本.gif",
      "filename=\"__.gif\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.gif",
    ],
    ["🐱.gif", "filename=\"_.gif\"; filename*=UTF-8''%F0%9F%90%B1.gif"],
    ["50%41.png", "filename=\"50_41.png\"; filename*=UTF-8''50%2541.png"],
    [
      "\u017f\u212a'()!.png",
      "filename=\"__'()!.png\"; filename*=UTF-8''%C5%BF%E2%84%AA%27%28%29!.png",
    ],
  ];
  for (const [name, expected] of cases) {
    await t.step(name, () => {
      assertEquals(
        formatContentDisposition("attachment", name),
        `attachment; ${expected}`,
      );
    });
  }
});

Deno.test("formatContentDisposition() stays valid for any name", async (t) => {
  const names = [
    "",
    "..",
    "a\r\nset-cookie: b=c",
    'a"; filename="b',
    "a\\",
    "a\0b\x7f",
    "\ud800.png",
    "x".repeat(10_240) + ".png",
    "é".repeat(10_240),
    "../../etc/passwd",
  ];
  for (const name of names) {
    await t.step(JSON.stringify(name).slice(0, 40), () => {
      const value = formatContentDisposition("inline", name);
      const headers = new Headers({ "content-disposition": value });

      assertEquals(headers.get("content-disposition"), value);
      assertMatch(
        value,
        /^inline; filename="[ !#-[\]-~]+"(?:; filename\*=UTF-8''[\w!#$&+.^`|~%-]+)?$/,
      );
      assertEquals(parseFilename(value), safeFilename(name));
      assert(value.length < 1_100);
    });
  }
});

Deno.test("parseFilename() reads back what formatContentDisposition() writes for any name", async (t) => {
  const seed = Date.now() & 0x7fffffff;
  const random = randomFrom(seed);
  const alphabet = [
    "\r",
    "\n",
    "\0",
    '"',
    "\\",
    "/",
    "%",
    "4",
    "'",
    "*",
    ";",
    "=",
    " ",
    ".",
    "a",
    "é",
    "日",
  ];
  alphabet.push("\ud83d", "\udc31", "\u202e", "ſ", "\u0085");

  await t.step(`seed ${seed}`, () => {
    for (let round = 0; round < 5_000; round++) {
      const units = Array.from(
        { length: random(30) },
        () => alphabet[random(alphabet.length)],
      );
      if (round % 10 === 0) {
        units.push(String.fromCharCode(random(0x10000)).repeat(random(300)));
      }
      const name = units.join("");
      const value = formatContentDisposition("attachment", name);

      assertEquals(new Headers({ x: value }).get("x"), value);
      assertEquals(parseFilename(value), safeFilename(name));
    }
  });
});

Deno.test("parseFilename() never throws", async (t) => {
  const seed = Date.now() & 0x7fffffff;
  const random = randomFrom(seed);
  const parts = [
    "filename",
    "*",
    "=",
    '"',
    "\\",
    ";",
    "'",
    "UTF-8",
    "''",
    "%",
    "%E2",
    "%zz",
    " ",
    "\t",
    "a",
    "é",
  ];
  parts.push("iso-8859-1", "\ud800", "日", "\0", "\n");

  await t.step(`seed ${seed}`, () => {
    for (let round = 0; round < 20_000; round++) {
      const header = Array.from(
        { length: random(16) },
        () => parts[random(parts.length)],
      ).join("");
      const name = parseFilename(header);

      assert(name === undefined || name.length > 0);
    }
  });
});
