import { assert, assertEquals } from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { join } from "@std/path";
import { crypto } from "@std/crypto/crypto";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  OLD_MS,
  setAge,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

const silent = { onEvent: () => {} };

Deno.test("verify() finds no problem in a good directory, and changes nothing", async () => {
  await using dir = await tempDir();
  const bytes = bytesOf(600_000);
  const digest = await sha256(bytes);
  await writePair(dir.path, "a", bytes, { sidecar: { sha256: digest } });
  await writePair(dir.path, "b", bytes, {
    sidecar: { sha256: digest.toUpperCase() },
  });
  await writePair(dir.path, "c", bytesOf(5));
  await Deno.writeTextFile(join(dir.path, "README.md"), "mine");
  const before = await snapshotOf(dir.path);
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  for (const fix of [false, true]) {
    assertEquals(await cache.verify({ fix }), {
      entries: 3,
      bytes: 1_200_005,
      digests: 2,
      problems: [],
      fixed: 0,
    });
  }
  assertEquals(await snapshotOf(dir.path), before);
  assertEquals(cache.stats().hits, 0);
});

Deno.test("verify() of an empty cache reports nothing", async () => {
  await using dir = await tempDir();
  await using cache = new MediaCache({ cacheDir: join(dir.path, "new") });

  const report = await cache.verify();

  assertEquals(report, {
    entries: 0,
    bytes: 0,
    digests: 0,
    problems: [],
    fixed: 0,
  });
});

/** One good pair, and one pair of each kind of damage, all of the given age. */
async function wrongDirectory(
  dir: string,
  ageMs = OLD_MS,
): Promise<
  Record<"digest" | "length" | "noBody" | "noSidecar" | "staged", string[]>
> {
  await writePair(dir, "good", bytesOf(3));
  const digest = await writePair(dir, "digest", bytesOf(5), {
    sidecar: { sha256: await sha256(bytesOf(6)) },
    ageMs,
  });
  const length = await writePair(dir, "length", bytesOf(5), {
    sidecar: { size: 7 },
    ageMs,
  });
  const noBody = await writePair(dir, "noBody", bytesOf(5), { ageMs });
  await Deno.remove(noBody.dat);
  const noSidecar = await writePair(dir, "noSidecar", bytesOf(5), { ageMs });
  await Deno.remove(noSidecar.json);
  const staged = `${"0".repeat(64)}.abc1.part`;
  await Deno.writeFile(join(dir, staged), bytesOf(9));
  await setAge(join(dir, staged), ageMs);
  const pair = (key: string) => [`${key}.json`, `${key}.dat`];
  return {
    digest: pair(digest.key),
    length: pair(length.key),
    noBody: pair(noBody.key),
    noSidecar: [`${noSidecar.key}.dat`],
    staged: [staged],
  };
}

Deno.test("verify() names every damaged file, and changes none", async () => {
  await using dir = await tempDir();
  const wrong = await wrongDirectory(dir.path);
  // A writing cache would remove the old leftovers when it opens.
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    readOnly: true,
    ...silent,
  });
  const before = await snapshotOf(dir.path);

  const report = await cache.verify();

  assertEquals([report.entries, report.bytes, report.fixed], [1, 3, 0]);
  assertEquals(
    report.problems.map(({ names }) => names.join()).sort(),
    Object.values(wrong).map((names) => names.join()).sort(),
  );
  for (const { reason, bytes, young } of report.problems) {
    assert(reason !== "" && bytes > 0 && !young);
  }
  assertEquals(await snapshotOf(dir.path), before);
});

Deno.test("verify() with fix removes the damaged files, and no others", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...silent });
  await wrongDirectory(dir.path);
  await Deno.writeTextFile(join(dir.path, "x.dat"), "mine");

  const report = await cache.verify({ fix: true });

  assertEquals([report.problems.length, report.fixed], [5, 5]);
  const names = await namesIn(dir.path);
  assertEquals(names.length, 3);
  assert(names.includes("x.dat"));
  assertEquals(cache.stats().orphanBytes, 0);
  assertEquals((await cache.verify()).problems, []);
});

Deno.test("verify() with fix leaves and reports files that another process may be completing", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...silent });
  const { digest, ...young } = await wrongDirectory(dir.path, 0);

  const report = await cache.verify({ fix: true });

  assertEquals([report.problems.length, report.fixed], [5, 1]);
  const kept = report.problems.filter((problem) => problem.young);
  assertEquals(
    kept.map(({ names }) => names.join()).sort(),
    Object.values(young).map((names) => names.join()).sort(),
  );
  const left = new Set(await namesIn(dir.path));
  // A wrong digest is proof at any age; other damage is not.
  assertEquals(digest.some((name) => left.has(name)), false);
  const [body] = young.noSidecar;
  const [staged] = young.staged;
  assertEquals([left.has(body ?? ""), left.has(staged ?? "")], [true, true]);
});

Deno.test("verify() with fix drops entries that broke while the cache was open", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...silent });
  await cache.put("a", bytesOf(5), "image/png", "a.png");
  await cache.put("b", bytesOf(5), "image/png", "b.png");
  const [first] = await Array.fromAsync(cache.entries());
  const dat = join(dir.path, `${first?.key}.dat`);
  await Deno.truncate(dat, 2);
  await setAge(dat, OLD_MS);
  await setAge(dat.replace(/dat$/, "json"), OLD_MS);

  const report = await cache.verify({ fix: true });

  assertEquals([report.entries, report.fixed], [1, 1]);
  const { entries, totalBytes, entriesInMemory } = cache.stats();
  assertEquals([entries, totalBytes, entriesInMemory], [1, 5, 1]);
});

Deno.test("verify() leaves a running download alone, also with fix", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const body = new TransformStream<
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>
  >();
  const writer = body.writable.getWriter();
  const opening = cache.getOrDownload(
    "a",
    () => Promise.resolve({ data: body.readable, mimetype: "image/png" }),
  );
  await writer.write(bytesOf(9));
  await using media = await opening;

  const report = await cache.verify({ fix: true });
  await writer.close();

  assertEquals(report.problems, []);
  assertBytes(await media.bytes(), bytesOf(9));
  assertEquals(await media.stored, true);
});

Deno.test("verify() with fix reports a file that it cannot remove, and continues", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...silent });
  const inTheWay = join(dir.path, `${"1".repeat(64)}.dat`);
  await Deno.mkdir(join(inTheWay, "full"), { recursive: true });
  const broken = await writePair(dir.path, "a", bytesOf(5), {
    sidecar: { size: 7 },
    ageMs: OLD_MS,
  });
  const before = cache.stats().diskErrors;

  const report = await cache.verify({ fix: true });

  assertEquals([report.problems.length, report.fixed], [2, 1]);
  assertEquals(cache.stats().diskErrors, before + 1);
  assertEquals([await isThere(inTheWay), await isThere(broken.dat)], [
    true,
    false,
  ]);
});

Deno.test("verify() reports no problem for entries that another cache is storing", async () => {
  await using dir = await tempDir();
  await using one = await MediaCache.open({ cacheDir: dir.path });
  await using two = await MediaCache.open({ cacheDir: dir.path });
  const state = { isOver: false };
  const storing = async (url: string) => {
    while (!state.isOver) {
      await one.put(url, bytesOf(9), "image/png", "a.png", { replace: true });
      await turn();
    }
  };
  const all = Promise.all(["a", "b", "c", "d"].map(storing));

  const problems = [];
  for (let i = 0; i < 60; i++) {
    const report = await two.verify({ fix: i % 2 === 1 });
    problems.push(...report.problems.filter(({ young }) => !young));
    await turn();
  }
  state.isOver = true;
  await all;

  assertEquals(problems, []);
});
