import { assertEquals, assertRejects } from "@std/assert";
import { Failure, UsageError } from "../../src/cli/call/failures.ts";
import { parseUrls, readUrls } from "../../src/cli/call/url_list.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const empty = { readable: new Blob([]).stream() };

/** The bytes of a text in UTF-16, without a byte order mark. */
function utf16(text: string, littleEndian: boolean): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(2 * text.length));
  for (let i = 0; i < text.length; i++) {
    view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
  }
  return new Uint8Array(view.buffer);
}

Deno.test("parseUrls() splits at white space alone, and states the lines", () => {
  const cases: [text: string, ...urls: [url: string, line: number][]][] = [
    ["https://a/#x\r\n\r\n\thttps://b \n", ["https://a/#x", 1], [
      "https://b",
      3,
    ]],
    ["https://a https://b", ["https://a", 1], ["https://b", 1]],
    // Commas are part of URLs.
    ["https://a/1,2,3 https://b,c", ["https://a/1,2,3", 1], ["https://b,c", 1]],
    ["https://a\rhttps://b\rhttps://c", ["https://a", 1], ["https://b", 2], [
      "https://c",
      3,
    ]],
    [
      "https://a\u0085https://b\u2028https://c\u2029https://d",
      ["https://a", 1],
      [
        "https://b",
        2,
      ],
      ["https://c", 3],
      ["https://d", 4],
    ],
    ["https://a\vhttps://b\fhttps://c", ["https://a", 1], ["https://b", 1], [
      "https://c",
      1,
    ]],
    [
      "https://a\u00A0https://b\u3000https://c\uFEFFhttps://d",
      ["https://a", 1],
      [
        "https://b",
        1,
      ],
      ["https://c", 1],
      ["https://d", 1],
    ],
    // A comment begins a line, or follows white space.
    ["# no https://a\nhttps://b # no https://c\n#https://d", ["https://b", 2]],
    ["https://a#b https://c/#/d", ["https://a#b", 1], ["https://c/#/d", 1]],
    ["  # no\n\t#no\nhttps://a\u3000#no", ["https://a", 3]],
    ["https://a # no\rhttps://b", ["https://a", 1], ["https://b", 2]],
    ["#"],
    [""],
  ];
  for (const [text, ...urls] of cases) {
    assertEquals(
      parseUrls(text),
      urls.map(([url, line]) => ({ url, line })),
      JSON.stringify(text),
    );
  }
});

Deno.test("readUrls() reads files, standard input, and URLs as arguments, each URL once", async () => {
  await using temp = await tempDir();
  const file = `${temp.path}/urls.txt`;
  await Deno.writeTextFile(file, "# a\nhttps://file\nhttps://file");
  const stdin = () => ({ readable: new Blob(["https://stdin"]).stream() });

  assertEquals(await readUrls([file], stdin()), [
    { url: "https://file", line: 2 },
  ]);
  assertEquals(await readUrls(["-"], stdin()), [
    { url: "https://stdin", line: 1 },
  ]);
  assertEquals(await readUrls(["https://arg#x,y"], empty), [
    { url: "https://arg#x,y", operand: 1 },
  ]);
  // A quoted variable of a shell can hold white space, or several URLs.
  assertEquals(
    await readUrls([" https://a\nhttps://b  # no", "https://c\t"], empty),
    [
      { url: "https://a", operand: 1 },
      { url: "https://b", operand: 1 },
      { url: "https://c", operand: 2 },
    ],
  );
  assertEquals(
    await readUrls(["HTTP://arg", file, "-", "https://file"], stdin()),
    [
      { url: "HTTP://arg", operand: 1 },
      { url: "https://file", list: file, line: 2 },
      { url: "https://stdin", list: "-", line: 1 },
    ],
  );
  await assertRejects(() => readUrls([""], empty), UsageError, "needs a name");
  await assertRejects(() => readUrls(["-", "-"], empty), UsageError, "once");
  await assertRejects(() => readUrls(["C://urls.txt"], empty), Failure, "file");
  await assertRejects(
    () => readUrls(["example.org/a.png"], empty),
    Failure,
    "can't read example.org/a.png: there is no such file, and a URL begins with http:// or https://",
  );
});

Deno.test("readUrls() detects the encoding of a list by its byte order mark", async () => {
  const text = "https://a/ü # 🦕\r\nhttps://b";
  const urls = [{ url: "https://a/ü", line: 1 }, { url: "https://b", line: 2 }];
  const wrong = ["https://ä", "https://a"];
  const read = (...parts: BlobPart[]) =>
    readUrls(["-"], { readable: new Blob(parts).stream() });
  const mark = "\uFEFF";

  assertEquals(await read(text), urls);
  assertEquals(await read(mark, text), urls);
  assertEquals(await read(utf16(mark + text, true)), urls);
  assertEquals(await read(utf16(mark + text, false)), urls);
  assertEquals(await read(utf16(mark, true)), []);

  for (
    const bytes of [
      // Latin-1.
      Uint8Array.from(wrong.join("\n"), (letter) => letter.charCodeAt(0)),
      utf16("https://a", true),
      utf16("https://a", false),
      utf16(mark + "https://a", true).slice(0, -1),
      utf16(mark + "https://a\uD800", true),
      // UTF-32.
      utf16([...mark + "https://a"].join("\0") + "\0", true),
    ]
  ) {
    await assertRejects(
      () => read(bytes),
      Failure,
      "can't read -: it must be text in UTF-8, or in UTF-16 with a byte order mark",
    );
  }
});
