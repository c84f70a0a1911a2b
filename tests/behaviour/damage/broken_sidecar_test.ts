/**
 * Sidecars that are broken or state wrong facts, read by a lookup and by the
 * scan.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheEvent } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { safeFilename } from "../../../src/core/text/filename.ts";
import {
  formatSidecar,
  MAX_SIDECAR_BYTES,
} from "../../../src/core/disk/sidecar.ts";
import { bytesOf, pathsOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** Turns the text of a good sidecar into another text. */
type Break = (good: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/**
 * The minimum length of the bodies in bytes; each body has its own length and
 * bytes.
 */
const BODY_BYTES = 40;

function urlOf(index: number): string {
  // URLs of one length, so that their sidecars have one length too.
  return `https://example.org/${String(index).padStart(5, "0")}.png`;
}

/** The text of a good sidecar. */
function goodSidecar(index: number): Uint8Array<ArrayBuffer> {
  const text = formatSidecar({
    url: urlOf(index),
    mimetype: "image/png",
    filename: "日本.png",
    size: BODY_BYTES + index % 50,
    ts: 1763762612.123456,
    sha256: "0f".repeat(32),
    conversion: "frames",
  });
  return new TextEncoder().encode(text);
}

/**
 * Breaks the sidecars of a directory, each in its own way, and looks each up:
 * in a cache that has not scanned the directory, and in one that has.
 *
 * A found entry must have its own URL, its own bytes, and a name and a type
 * that are safe to show.
 *
 * @returns For each break, whether its entry was found; both caches must agree.
 */
async function lookUp(breaks: readonly Break[]): Promise<boolean[]> {
  await using dir = await tempDir();
  const urls = new Set<string>();
  for (const [index, damage] of breaks.entries()) {
    const url = urlOf(index);
    urls.add(url);
    const { json, dat } = pathsOf(dir.path, url);
    await Deno.writeFile(dat, bytesOf(BODY_BYTES + index % 50, index));
    await Deno.writeFile(json, damage(goodSidecar(index)));
  }
  const events: MediaCacheEvent[] = [];
  const options = {
    cacheDir: dir.path,
    onEvent: (event: MediaCacheEvent) => events.push(event),
  };
  const found: boolean[][] = [];

  const scanned = await MediaCache.open(options);
  const listed = new Map<string, string>();
  for await (const { url, key } of scanned.entries()) listed.set(url, key);
  for (const [url, key] of listed) {
    assert(urls.has(url), url);
    assertEquals(key, keyOf(url));
  }
  found.push([...urls].map((url) => listed.has(url)));

  for (const cache of [scanned, new MediaCache(options)]) {
    const hits: boolean[] = [];
    for (const [index, url] of [...urls].entries()) {
      await using media = await cache.get(url);
      hits.push(media !== undefined);
      await using byKey = await cache.getByKey(keyOf(url));
      assertEquals(byKey !== undefined, media !== undefined, url);
      if (media === undefined) continue;
      assertEquals([media.url, media.key], [url, keyOf(url)]);
      assertEquals(
        await media.bytes(),
        bytesOf(BODY_BYTES + index % 50, index),
      );
      assertEquals(media.filename, safeFilename(media.filename));
      assert(/^[\x20-\x7e]+\/[\x20-\x7e]+$/.test(media.mimetype));
    }
    assertEquals(cache.stats().diskErrors, 0);
    await cache.close();
    found.push(hits);
  }
  const [first = []] = found;
  for (const others of found) assertEquals(others, first);
  assertEquals(events.filter(({ type }) => type === "diskError"), []);
  return first;
}

Deno.test("a sidecar with any bit flipped is a miss or its own entry", async () => {
  const bits = goodSidecar(0).length * 8;
  const breaks = Array.from({ length: bits }, (_, bit): Break => (good) => {
    good[bit >> 3] = (good[bit >> 3] ?? 0) ^ 1 << (bit & 7);
    return good;
  });

  const found = await lookUp(breaks);

  // Many bits change only the name, the type, the time, or blanks.
  assert(found.includes(true) && found.includes(false));
  // No bit of the URL and of the size may be among them.
  const text = new TextDecoder("latin1").decode(goodSidecar(0));
  for (const part of [urlOf(0), `${BODY_BYTES},`, '"url"', "{"]) {
    const start = text.indexOf(part) * 8;
    const bits = part === `${BODY_BYTES},` ? 16 : part.length * 8;
    for (let bit = start; bit < start + bits; bit++) {
      assertEquals(found[bit], false, `bit ${bit} of ${part}`);
    }
  }
});

Deno.test("a sidecar truncated at any length is a miss", async () => {
  const { length } = goodSidecar(0);
  const breaks = Array.from(
    { length },
    (_, end): Break => (good) => good.slice(0, end),
  );

  const found = await lookUp(breaks);

  assertEquals(found, Array(length).fill(false));
});

/** Replaces the JSON of one member. */
function withMember(name: string, json: string): Break {
  return (good) => {
    const members = Object.entries(JSON.parse(new TextDecoder().decode(good)))
      .filter(([other]) => other !== name)
      .map(([other, value]) => `"${other}": ${JSON.stringify(value)}`);
    return encode(`{${[...members, `"${name}": ${json}`].join()}}`);
  };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

Deno.test("a member of a wrong type is a miss, unless no result depends on it", async () => {
  const types = {
    string: ['"x"', '"\\ud800"'],
    number: ["1.5", "-1", "1e400", "1e300", "9007199254740993", "-0.5"],
    other: ["null", "true", "[]", "{}", '["x"]', '{"toString": 1}'],
  };
  const { string, number, other } = types;
  const wrong: Record<string, string[]> = {
    url: [...string, ...number, ...other],
    mimetype: [...number, ...other],
    filename: [...number, ...other],
    size: [...string, ...number, ...other],
    ts: ['"x"', "1e400", ...other],
  };
  for (const [name, values] of Object.entries(wrong)) {
    const found = await lookUp(values.map((json) => withMember(name, json)));
    assertEquals(found, values.map(() => false), name);
  }
  for (const name of ["sourceMimetype", "sourceSize", "conversion", "future"]) {
    const values = [...string, ...number, ...other];
    const found = await lookUp(values.map((json) => withMember(name, json)));
    assertEquals(found, values.map(() => true), name);
  }
  const times = ["-1", "0", "1e300", "-1e300"];
  const found = await lookUp(times.map((json) => withMember("ts", json)));
  assertEquals(found, times.map(() => true));
});

Deno.test("text that no JSON parser or no UTF-8 decoder accepts is a miss", async () => {
  const prefix = (...bytes: number[]): Break => (good) =>
    new Uint8Array([...bytes, ...good]);
  const deep = "[".repeat(100_000);
  const found = await lookUp([
    prefix(0xef, 0xbb, 0xbf), // BOM
    prefix(0xff, 0xfe), // BOM of UTF-16
    prefix(0xff),
    prefix(0),
    (good) => new Uint8Array(good.map((byte) => byte === 0x22 ? 0x80 : byte)),
    (good) => new Uint8Array([...good, 0xc0, 0x80]),
    (good) => new Uint8Array([...good, ...good]),
    () => encode(""),
    () => encode(deep),
    () => encode('{"url":'.repeat(100_000)),
    withMember("size", "NaN"),
    withMember("size", "0x28"),
    withMember("url", "undefined"),
    () => new Uint8Array(1000),
    () => new Uint8Array(10_000_000).fill(0x20),
    (good) => new Uint8Array([...good, ...new Uint8Array(10_000_000)]),
  ]);

  assertEquals(found, found.map(() => false));
});

Deno.test("a sidecar longer than the maximum is a miss, even if it is valid", async () => {
  const padded = (length: number): Break => (good) => {
    const text = new Uint8Array(length).fill(0x20);
    text.set(good);
    return text;
  };

  const found = await lookUp([
    padded(MAX_SIDECAR_BYTES),
    padded(MAX_SIDECAR_BYTES + 1),
    padded(10_000_000),
  ]);

  assertEquals(found, [true, false, false]);
});

Deno.test("nested values, duplicate names and unusual names in a sidecar change nothing", async () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const found = await lookUp([
    withMember("deep", deep),
    withMember("__proto__", '{"url": "https://evil.example/", "size": 7}'),
    withMember("constructor", '{"prototype": {"url": 1}}'),
    withMember("toString", "null"),
    withMember("then", "5"),
  ]);

  assertEquals(found, found.map(() => true));
  assertEquals(Object.hasOwn(Object.prototype, "url"), false);
});

Deno.test("the last value of a duplicate member counts", async () => {
  const again = (member: string): Break => (good) => {
    const text = new TextDecoder().decode(good);
    return encode(text.replace(/\}$/, `, ${member}}`));
  };

  const found = await lookUp([
    again(`"url": ${JSON.stringify(urlOf(0))}`),
    again('"url": "https://evil.example/"'),
    again('"size": 1'),
  ]);

  assertEquals(found, [true, false, false]);
});

Deno.test("swapped sidecars are never taken for other entries", async () => {
  await using dir = await tempDir();
  const a = await writePair(dir.path, "a", bytesOf(5, 1));
  const b = await writePair(dir.path, "b", bytesOf(5, 2));
  await Deno.rename(a.json, join(dir.path, "swap"));
  await Deno.rename(b.json, a.json);
  await Deno.rename(join(dir.path, "swap"), b.json);
  const options = { cacheDir: dir.path, onEvent: () => {} };
  await using cache = new MediaCache(options);

  for (const url of ["a", "b"]) {
    assertEquals(await cache.get(url), undefined);
    assertEquals(await cache.has(url), false);
    assertEquals(await cache.infoByKey(keyOf(url)), undefined);
  }
  await cache.ensureLoaded();
  assertEquals(cache.stats().entries, 0);
});
