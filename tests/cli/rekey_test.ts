import { assert, assertEquals, assertMatch } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { platforms } from "../../src/platforms/platforms.ts";
import { cli, FakeOutput, linesOf } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  snapshotOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const CAT = "https://cdn.discordapp.com/attachments/10/20/cat.png";
const DOG = "https://cdn.discordapp.com/attachments/10/30/dog.png";
const OTHER = "https://example.com/other.png?token=stays";
const TELEGRAM = "https://api.telegram.org/file/bot12:canary/photos/file_1.jpg";

/** All text of a folder: names and contents. */
async function textOf(dir: string): Promise<string> {
  let text = "";
  for await (const { name } of Deno.readDir(dir)) {
    text += `${name}\n`;
    if ((await Deno.stat(`${dir}/${name}`)).isFile) {
      text += await Deno.readTextFile(`${dir}/${name}`);
    }
  }
  return text;
}

Deno.test("rekey gives entries the keys of their canonical URLs, with bytes, times and order", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const digest = { sha256: "ab".repeat(32), sourceMimetype: "image/gif" };
  const cat = await writePair(dir, `${CAT}?ex=1&is=1&hm=1`, bytesOf(100), {
    ageMs: 60_000,
    sidecar: { ...digest, sourceSize: 7 },
  });
  await writePair(dir, TELEGRAM, bytesOf(50), { ageMs: 120_000 });
  await writePair(dir, OTHER, bytesOf(30), { ageMs: 90_000 });
  const { mtime } = await Deno.stat(cat.dat);
  const { ts } = JSON.parse(await Deno.readTextFile(cat.json));
  const before = await snapshotOf(dir);

  const dry = await cli(["rekey", "--dir", dir, "--dry-run"]);
  assertEquals([dry.code, dry.stderr], [0, ""]);
  assertEquals(
    dry.stdout,
    "2 entries would be moved, 0 merged, 1 unchanged\n",
  );
  assertEquals(await snapshotOf(dir), before);

  const run = await cli(["rekey", "--dir", dir]);
  assertEquals([run.code, run.stderr], [0, ""]);
  assertEquals(run.stdout, "2 entries moved, 0 merged, 1 unchanged\n");

  const paths = pathsOf(dir, CAT);
  assertEquals((await Deno.stat(paths.dat)).mtime, mtime);
  assertEquals(await Deno.readFile(paths.dat), bytesOf(100));
  assertEquals(JSON.parse(await Deno.readTextFile(paths.json)), {
    ...{ url: CAT, mimetype: "image/png", filename: "a.png", size: 100, ts },
    ...digest,
    sourceSize: 7,
  });
  assertEquals((await namesIn(dir)).length, 6);
  assert(!(await textOf(dir)).includes("canary"));

  await using cache = await MediaCache.open({
    cacheDir: dir,
    canonicalUrl: platforms(),
  });
  const urls = (await Array.fromAsync(cache.entries())).map(({ url }) => url);
  assertEquals(urls, [CAT, OTHER, TELEGRAM.replace(":canary", "")]);
  assertEquals((await cache.get(`${CAT}?ex=9&is=9&hm=9`))?.size, 100);
  const { problems } = await cache.verify();
  // The digest of the fixture is of no bytes.
  assertEquals(problems.map(({ names }) => names.length), [2]);

  const again = await cli(["rekey", "--dir", dir, "--json"]);
  assertEquals(JSON.parse(again.stdout), {
    ...{ result: "done", moved: 0, merged: 0, unchanged: 3, failed: 0 },
    dryRun: false,
  });
});

Deno.test("of entries that meet under one URL, rekey keeps the one stored last", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const stored = (url: string, size: number, ts: number) =>
    writePair(dir, url, bytesOf(size), { sidecar: { ts } });
  await stored(`${CAT}?ex=1&is=1&hm=1`, 1, 1000);
  await stored(`${CAT}?ex=2&is=2&hm=2`, 2, 3000);
  await stored(`${CAT}?ex=3&is=3&hm=3`, 3, 2000);
  await stored(DOG, 4, 2000);
  await stored(`${DOG}?ex=1&is=1&hm=1`, 5, 1000);

  for (const options of [["--dry-run"], []]) {
    const run = await cli(["rekey", "--dir", dir, "--json", ...options]);
    const { moved, merged, unchanged } = JSON.parse(run.stdout);

    assertEquals([moved, merged, unchanged], [1, 3, 1]);
  }
  await using cache = await MediaCache.open({ cacheDir: dir });
  const sizes = [await cache.get(CAT), await cache.get(DOG)]
    .map((media) => media?.size);
  assertEquals(sizes, [2, 4]);
  assertEquals((await namesIn(dir)).length, 4);
});

Deno.test("a note goes with its entry, and the note of other bytes is removed", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const stored = async (url: string, ts: number, handle?: string) => {
    const { key } = await writePair(dir, url, bytesOf(5), { sidecar: { ts } });
    if (handle === undefined) return;
    const note = JSON.stringify({ handles: { place: handle } });
    await Deno.writeTextFile(`${dir}/${key}.note`, note);
  };
  const other = TELEGRAM.replace("file_1", "file_2");
  // Moved; merged into an older entry, without a note and with one; and kept.
  await stored(`${CAT}?ex=1&is=1&hm=1`, 1000, "moved");
  await stored(DOG, 1000, "outdated");
  await stored(`${DOG}?ex=1&is=1&hm=1`, 2000);
  await stored(TELEGRAM.replace(":canary", ""), 1000, "outdated");
  await stored(TELEGRAM, 2000, "newer");
  await stored(other.replace(":canary", ""), 2000, "kept");
  await stored(other, 1000, "outdated");

  const run = await cli(["rekey", "--dir", dir, "--json"]);

  const { moved, merged, failed } = JSON.parse(run.stdout);
  assertEquals([moved, merged, failed], [1, 3, 0]);
  await using cache = await MediaCache.open({
    cacheDir: dir,
    canonicalUrl: platforms(),
  });
  const handles: (string | undefined)[] = [];
  for (const url of [CAT, DOG, TELEGRAM, other]) {
    handles.push(await cache.handle(url, "place"));
  }
  assertEquals(handles, ["moved", undefined, "newer", "kept"]);
  assertEquals((await namesIn(dir)).length, 4 * 2 + 3);
});

Deno.test("rekey goes on where a killed run has stopped", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const signed = `${CAT}?ex=1&is=1&hm=1`;
  const sidecar = async (url: string, size: number) => {
    const { json } = pathsOf(dir, url);
    const fields = {
      url,
      mimetype: "image/png",
      filename: "a.png",
      size,
      ts: 1,
    };
    await Deno.writeTextFile(json, JSON.stringify(fields));
  };
  // Killed before the body got its new name.
  await writePair(dir, signed, bytesOf(9), { sidecar: { ts: 1 } });
  await sidecar(CAT, 9);
  // Killed before the old sidecar was removed.
  await writePair(dir, DOG, bytesOf(8), { sidecar: { ts: 1 } });
  await sidecar(`${DOG}?ex=1&is=1&hm=canary`, 8);

  const run = await cli(["rekey", "--dir", dir]);

  assertEquals(run.code, 0, run.stderr);
  assertEquals(
    await namesIn(dir),
    [CAT, DOG].flatMap((url) => {
      const { key } = pathsOf(dir, url);
      return [`${key}.dat`, `${key}.json`];
    }).sort(),
  );
  assert(!(await textOf(dir)).includes("canary"));
  await using cache = await MediaCache.open({ cacheDir: dir });
  assertEquals(await (await cache.get(CAT))?.bytes(), bytesOf(9));
});

Deno.test("caches that are open learn what rekey moves, and read on", async () => {
  await using temp = await tempDir();
  const cacheDir = temp.path;
  await using plain = await MediaCache.open({ cacheDir });
  await using named = await MediaCache.open({
    cacheDir,
    canonicalUrl: platforms(),
  });
  const signed = `${CAT}?ex=1&is=1&hm=1`;
  const body = bytesOf(300_000);
  await plain.put(signed, body, "image/png", "cat.png");
  const media = await plain.get(signed);
  assertEquals(await named.get(signed), undefined);

  const run = await cli(["rekey", "--dir", cacheDir]);

  assertMatch(run.stdout, /^1 entry moved/);
  assertEquals(await media?.bytes(), body);
  assertEquals(await plain.has(signed), false);
  const listed = await Array.fromAsync(plain.entries());
  assertEquals(listed.map(({ url }) => url), [CAT]);
  assertEquals(await (await named.get(signed))?.bytes(), body);
  assertEquals((await plain.get(CAT))?.size, body.length);
});

Deno.test("two runs of rekey at a time move each entry once", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const urls = Array.from(
    { length: 60 },
    (_, n) => `https://cdn.discordapp.com/attachments/10/${n}/cat.png`,
  );
  for (const url of urls) await writePair(dir, `${url}?ex=1`, bytesOf(10));

  const runs = await Promise.all(
    [1, 2].map(() => cli(["rekey", "--dir", dir, "--json"])),
  );

  const moved = runs.map(({ stdout }) => JSON.parse(stdout).moved);
  assertEquals(moved.reduce((sum, each) => sum + each), 60);
  assertEquals(runs.map(({ code }) => code), [0, 0]);
  await using cache = await MediaCache.open({ cacheDir: dir });
  const found = await Array.fromAsync(cache.entries());
  assertEquals(found.map(({ url }) => url).sort(), urls.sort());
});

Deno.test("an interrupted rekey tells so, and the next run does the rest", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  await writePair(dir, `${CAT}?ex=1`, bytesOf(10));
  const ended = AbortSignal.abort();

  const run = await cli(["rekey", "--dir", dir], { signal: ended });

  assertEquals(run.code, 130);
  assertMatch(run.stdout, /^0 entries moved.*interrupted, run it again/);
  const rest = await cli(["rekey", "--dir", dir]);
  assertMatch(rest.stdout, /^1 entry moved/);
});

Deno.test("rekey shows its progress on a terminal, and removes it", async () => {
  await using temp = await tempDir();
  await writePair(temp.path, `${CAT}?ex=1`, bytesOf(10));
  const stderr = new FakeOutput(true);

  const run = await cli(["rekey", "--dir", temp.path], { stderr });

  assertEquals(run.code, 0);
  assertEquals(stderr.text, "\r\x1b[K0 of 1\r\x1b[K");
  assertEquals(linesOf(run.stdout).length, 1);
});
