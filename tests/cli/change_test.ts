/** The commands that remove files: verify, prune, rm. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { cli, linesOf } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  namesIn,
  OLD_MS,
  pathsOf,
  snapshotOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const MB = 1_048_576;

Deno.test("verify lists problems, and removes them only with --fix", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const { dat } = await writePair(dir, "https://whole", bytesOf(10));
  const { key } = await writePair(dir, "https://broken", bytesOf(5), {
    sidecar: { size: 6 },
    ageMs: OLD_MS,
  });
  await Deno.writeTextFile(`${dir}/notes.txt`, "not ours");
  const before = await snapshotOf(dir);

  const found = await cli(["verify", "--dir", dir]);
  assertEquals([found.code, found.stderr], [1, ""]);
  const problem = (verdict: string) =>
    new RegExp(
      `^${verdict}  ${key}.json, ${key}.dat \\(\\d+ B\\): its .dat must have 6`,
    );
  assertMatch(found.stdout, problem("wrong"));
  assertEquals(
    linesOf(found.stdout)[1],
    "1 entry whole, 10 B; 0 checked by digest; 1 wrong",
  );
  const json = await cli(["verify", "--dir", dir, "--json"]);
  const { problems: [{ bytes, ...wrong }], ...rest } = JSON.parse(json.stdout);
  assertEquals([json.code, typeof bytes, wrong, rest], [
    1,
    "number",
    {
      names: [`${key}.json`, `${key}.dat`],
      reason: "its .dat must have 6 bytes: found 5",
      young: false,
    },
    { entries: 1, bytes: 10, digests: 0, fixed: 0 },
  ]);
  assertEquals(await snapshotOf(dir), before);

  const fixed = await cli(["verify", "--dir", dir, "--fix"]);
  assertEquals(fixed.code, 0);
  assertMatch(fixed.stdout, problem("removed"));
  assertMatch(fixed.stdout, /1 wrong, 1 removed\n$/);
  const names = [dat, dat.replace(/dat$/, "json"), `${dir}/notes.txt`];
  assertEquals((await namesIn(dir)).map((name) => `${dir}/${name}`), names);
  assertEquals((await cli(["verify", "--dir", dir])).code, 0);
});

Deno.test("prune removes the least recently used entries until the rest fits", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const urls = ["https://new", "https://mid", "https://old"];
  const keys: string[] = [];
  for (const [i, url] of urls.entries()) {
    const bytes = bytesOf(MB);
    const options = { ageMs: i * 60_000, sidecar: { filename: `${i}.png` } };
    keys.push((await writePair(dir, url, bytes, options)).key);
  }
  const prune = (...args: string[]) => cli(["prune", "--dir", dir, ...args]);
  const [, mid = "", old = ""] = keys;
  const before = await snapshotOf(dir);

  const dry = await prune("--max-size-mb", "1.5", "--dry-run");
  assertEquals(linesOf(dry.stdout), [
    `${old.slice(0, 12)}     1.0 MiB  2m ago    2.png`,
    `${mid.slice(0, 12)}     1.0 MiB  1m ago    1.png`,
    "2 entries would go, 2.0 MiB; 1 entry left, 1.0 MiB",
  ]);
  assertEquals(await snapshotOf(dir), before);
  const nothing = await prune("--max-size-mb", "3");
  assertEquals(
    nothing.stdout,
    "0 entries removed, 0 B; 3 entries left, 3.0 MiB\n",
  );
  assertEquals(await snapshotOf(dir), before);

  const json = await prune("--max-size-mb", "2", "--json");
  const { evicted: [{ lastAccess, storedAt, ...victim }], ...rest } = JSON
    .parse(json.stdout);
  assertEquals([json.code, typeof lastAccess, typeof storedAt, rest], [
    0,
    "number",
    "number",
    { entries: 2, totalBytes: 2 * MB, maxBytes: 2 * MB, dryRun: false },
  ]);
  const record = { filename: "2.png", mimetype: "image/png", size: MB };
  assertEquals(victim, { key: old, ...record });
  assertEquals(
    await namesIn(dir),
    before.map((line) => line.split(" ")[0]!)
      .filter((name) => !name.startsWith(old)),
  );

  const all = await prune("--max-size-mb", "0");
  assertMatch(all.stdout, /2 entries removed, 2.0 MiB; 0 entries left, 0 B\n$/);
  assertEquals(await namesIn(dir), []);
});

Deno.test("prune leaves the handles of the entries that it removes", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const url = "https://example.org/a.png";
  const place = "telegram:123:photo";
  await writePair(dir, url, bytesOf(100));
  await using cache = await MediaCache.open({ cacheDir: dir });
  await cache.setHandle(url, place, "AgAC");

  const { code } = await cli(["prune", "--dir", dir, "--max-size-mb", "0"]);

  assertEquals(code, 0);
  assertEquals(await cache.get(url), undefined);
  assertEquals((await Array.fromAsync(cache.entries())).length, 0);
  assertEquals(await cache.handle(url, place), "AgAC");
});

Deno.test("prune --max-disk-mb removes entries until all files fit on disk", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  for (
    const [i, url] of ["https://new", "https://mid", "https://old"].entries()
  ) {
    const sidecar = { filename: `${i}.png` };
    // Two blocks of 4 KiB each, but only 100 bytes of entry.
    await writePair(dir, url, bytesOf(100), { ageMs: i * 60_000, sidecar });
  }
  const orphan = await writePair(dir, "https://half", bytesOf(100));
  await Deno.remove(orphan.json);
  const before = await snapshotOf(dir);
  const prune = (...args: string[]) => cli(["prune", "--dir", dir, ...args]);
  const limit = ["--max-disk-mb", `${6 * 4096 / MB}`];

  const dry = await prune(...limit, "--dry-run");
  assertMatch(
    dry.stdout,
    / {2}2\.png\n1 entry would go, 100 B; 2 entries left, 200 B \(20\.0 KiB on disk\)\n$/,
  );
  assertEquals(await snapshotOf(dir), before);

  const json = await prune(...limit, "--max-size-mb", "1", "--json");
  const { evicted, occupiedBytes, ...rest } = JSON.parse(json.stdout);
  assertEquals(evicted.map(({ filename }: { filename: string }) => filename), [
    "2.png",
  ]);
  assert(occupiedBytes <= 6 * 4096);
  const members = { maxBytes: MB, maxDiskBytes: 6 * 4096, dryRun: false };
  assertEquals(rest, { entries: 2, totalBytes: 200, ...members });
  const none = await prune("--max-disk-mb", "0", "--json");
  assertEquals(JSON.parse(none.stdout).entries, 0);
});

Deno.test("rm removes entries and lists URLs without an entry", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const urls = ["https://a", "https://b", "https://broken", "https://stays"];
  for (const url of urls) await writePair(dir, url, bytesOf(5));
  const broken = pathsOf(dir, "https://broken");
  await Deno.writeTextFile(broken.json, "{");
  const short = (url: string) => pathsOf(dir, url).key.slice(0, 12);
  const rm = (...args: string[]) => cli(["rm", "--dir", dir, ...args]);

  const byKey = await rm("--key", short("https://broken"));
  assertEquals([byKey.code, byKey.stdout], [1, ""]);
  assertMatch(byKey.stderr, /is not there: sidecar is not JSON/);
  const first = await rm("https://a", "https://broken", "https://none");
  assertEquals(first, {
    code: 1,
    stdout: `removed  ${short("https://a")}\nremoved  ${
      short("https://broken")
    }\n`,
    stderr: `media-cache: ${
      short("https://none")
    } is not there: nothing is stored under its key\n`,
  });

  const { key } = pathsOf(dir, "https://b");
  const gone = pathsOf(dir, "https://a").key;
  const json = await rm("https://b", "--key", key, "--key", gone, "--json");
  assertEquals([json.code, JSON.parse(json.stdout)], [1, {
    removed: [key],
    missing: [{ key: gone, reason: "nothing is stored under its key" }],
  }]);
  await using cache = await MediaCache.open({ cacheDir: dir, readOnly: true });
  const left = await Array.fromAsync(cache.entries());
  assertEquals(left.map(({ url }) => url), ["https://stays"]);
});
