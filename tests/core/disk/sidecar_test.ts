import { assert, assertEquals, assertMatch } from "@std/assert";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  formatSidecar,
  mismatchOf,
  parseSidecar,
  type Sidecar,
} from "../../../src/core/disk/sidecar.ts";
import { Random } from "../../fixtures/inputs/random.ts";

const URL_A = "https://example.org/a.png";
const KEY_A = keyOf(URL_A);

const FULL: Sidecar = {
  url: URL_A,
  mimetype: "image/png",
  filename: "a.png",
  size: 3,
  ts: 1763762612.123456,
};

/** The parsed sidecar with these members beside its url. */
function parse(members: string): Sidecar | string {
  return parseSidecar(`{"url": ${JSON.stringify(URL_A)}, ${members}}`, KEY_A);
}

Deno.test("formatSidecar() writes the members of the Python original, under its names", () => {
  const text = formatSidecar(FULL);

  assertEquals(JSON.parse(text), { ...FULL });
  assertEquals(parseSidecar(text, KEY_A), FULL);
});

Deno.test("parseSidecar() reads back the sidecar of a conversion", () => {
  const sidecar: Sidecar = {
    ...FULL,
    sha256: "0".repeat(64),
    sourceMimetype: "image/gif",
    sourceSize: 7,
    conversion: "too many frames",
  };

  assertEquals(parseSidecar(formatSidecar(sidecar), KEY_A), sidecar);
});

Deno.test("parseSidecar() needs only the url", () => {
  assertEquals(parseSidecar(JSON.stringify({ url: URL_A }), KEY_A), {
    url: URL_A,
    mimetype: "application/octet-stream",
    filename: "attachment",
    size: 0,
    ts: 0,
  });
});

Deno.test("parseSidecar() takes a size of 0 and a whole ts", () => {
  const sidecar = parse('"size": 0, "ts": 5');

  assert(typeof sidecar !== "string");
  assertEquals([sidecar.size, sidecar.ts], [0, 5]);
});

Deno.test("parseSidecar() refuses members of a wrong type, and names them", async (t) => {
  const wrong: [members: string, member: string][] = [
    ['"size": -1', "size"],
    ['"size": 1e400', "size"],
    ['"size": "5"', "size"],
    ['"size": 1.5', "size"],
    ['"size": null', "size"],
    ['"size": true', "size"],
    ['"size": [3]', "size"],
    ['"size": 9007199254740993', "size"],
    ['"ts": "now"', "ts"],
    ['"ts": null', "ts"],
    ['"ts": -1e400', "ts"],
    ['"mimetype": 5', "mimetype"],
    ['"mimetype": null', "mimetype"],
    ['"filename": {}', "filename"],
    ['"filename": null', "filename"],
    ['"url": 5', "url"],
    ['"url": null', "url"],
  ];
  for (const [members, member] of wrong) {
    await t.step(members, () => {
      const reason = parse(members);

      assert(typeof reason === "string");
      assertMatch(reason, new RegExp(`^${member} `));
    });
  }
});

Deno.test("parseSidecar() refuses JSON that is not an object, and text that is not JSON", () => {
  for (const text of ["null", "[]", "5", '"url"', "true"]) {
    assertEquals(parseSidecar(text, KEY_A), "sidecar is not an object");
  }
  for (
    const text of ["", "{", '{"url": NaN}', "{}}", "\ufeff{}", "\0", "{'a':1}"]
  ) {
    assertEquals(parseSidecar(text, KEY_A), "sidecar is not JSON");
  }
});

Deno.test("parseSidecar() treats __proto__ like any other name", () => {
  const text = `{"__proto__": {"url": ${JSON.stringify(URL_A)}}}`;

  assertEquals(parseSidecar(text, KEY_A), "url is not a string");
  assertEquals(parse('"__proto__": {"size": 9}'), {
    url: URL_A,
    mimetype: "application/octet-stream",
    filename: "attachment",
    size: 0,
    ts: 0,
  });
});

Deno.test("parseSidecar() refuses a url that belongs to another file name", () => {
  const text = formatSidecar({ ...FULL, url: "https://example.org/b.png" });

  assertMatch(String(parseSidecar(text, KEY_A)), /^url does not hash/);
});

Deno.test("parseSidecar() refuses a url with a lone surrogate, which would share its hash", () => {
  const url = "https://example.org/\ud800";

  assertEquals(keyOf(url), keyOf("https://example.org/\ufffd"));
  assert(
    typeof parseSidecar(formatSidecar({ ...FULL, url }), keyOf(url)) ===
      "string",
  );
});

Deno.test("parseSidecar() survives deep nesting and long text", () => {
  const deep = "[".repeat(30_000);

  assertEquals(parseSidecar(deep, KEY_A), "sidecar is not JSON");
  assert(
    typeof parse(`"extra": ${deep}${"]".repeat(30_000)}`) !== "string",
  );
  const long = parse(`"filename": "${"x".repeat(60_000)}.png"`);
  assert(typeof long !== "string");
  assert(long.filename.length <= 255 && long.filename.endsWith(".png"));
});

Deno.test("parseSidecar() makes the name and the type safe to show", () => {
  const sidecar = parse(
    '"filename": "../../etc/pass\\u0000wd", "mimetype": "text/html\\r\\nX: 1"',
  );

  assert(typeof sidecar !== "string");
  assertEquals(sidecar.filename, "passwd");
  assert(!/[\r\n]/.test(sidecar.mimetype));
});

Deno.test("mismatchOf() treats a size of 0 as not given", () => {
  assertEquals(mismatchOf({ ...FULL, size: 0 }, 5), undefined);
  assertEquals(mismatchOf({ ...FULL, size: 5 }, 5), undefined);
  assertMatch(mismatchOf({ ...FULL, size: 5 }, 4) ?? "", /5 bytes: found 4/);
  assertMatch(mismatchOf({ ...FULL, size: 0 }, 0) ?? "", /empty/);
});

Deno.test("parseSidecar() never throws, and never invents a record, for broken text", () => {
  const random = new Random();
  const text = new TextEncoder().encode(formatSidecar(FULL));

  for (let round = 0; round < 3_000; round++) {
    const broken = text.slice(0, random.integer(0, text.length));
    const whole = round % 2 === 0 ? text.slice() : broken;
    for (let flips = random.integer(0, 4); flips > 0 && whole.length; flips--) {
      const at = random.integer(0, whole.length - 1);
      whole[at] = (whole[at] ?? 0) ^ 1 << random.integer(0, 7);
    }
    const parsed = parseSidecar(new TextDecoder().decode(whole), KEY_A);
    if (typeof parsed === "string") continue;
    assertEquals(parsed.url, URL_A, random.hint);
    assert(Number.isSafeInteger(parsed.size), random.hint);
    assert(parsed.size >= 0 && Number.isFinite(parsed.ts), random.hint);
    assert(parsed.filename !== "" && parsed.mimetype !== "", random.hint);
  }
});
