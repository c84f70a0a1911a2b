/** The commands that change nothing: stats, ls, explain, get. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { cli, FakeOutput, linesOf } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  snapshotOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const MINUTE = 60_000;

/** Three entries; `old` is the least recently used. */
async function folder() {
  const temp = await tempDir();
  const dir = temp.path;
  const ts = 1_767_225_600;
  const small = await writePair(dir, "https://a/small?token=s", bytesOf(10), {
    sidecar: { filename: "b.png", ts },
    ageMs: MINUTE,
  });
  const large = await writePair(dir, "https://a/large", bytesOf(3000), {
    sidecar: { filename: "a10.mp4", mimetype: "video/mp4", ts: ts + 2 },
    ageMs: 2 * MINUTE,
  });
  const old = await writePair(dir, "https://a/old", bytesOf(20), {
    sidecar: { filename: "a9.png", ts: ts + 1 },
    ageMs: 3 * MINUTE,
  });
  return {
    dir,
    small,
    large,
    old,
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

Deno.test("stats prints the contents of a folder, as text and as JSON", async () => {
  await using all = await folder();
  const orphan = `${"1".repeat(64)}.dat`;
  await Deno.writeFile(`${all.dir}/${orphan}`, bytesOf(7));
  const before = await snapshotOf(all.dir);

  const { code, stdout, stderr } = await cli(["stats", "--dir", all.dir]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(linesOf(stdout), [
    `Folder          ${all.dir}`,
    "Entries         3",
    "Size            3.0 KiB",
    "On disk         28.0 KiB",
    "Last use        1m ago",
    "Longest unused  3m ago",
    "Leftovers       1, 7 B",
    "",
    "ENTRIES     SIZE  TYPE",
    "      1  2.9 KiB  video/mp4",
    "      2     30 B  image/png",
  ]);

  const json = await cli(["stats", "--dir", all.dir, "--json"]);
  const { newestAccess, oldestAccess, ...rest } = JSON.parse(json.stdout);
  assert(Math.abs(newestAccess - oldestAccess - 2 * MINUTE) < 1000);
  assertEquals(rest, {
    entries: 3,
    totalBytes: 3030,
    // Three pairs and the leftover.
    occupiedBytes: 7 * 4096,
    leftovers: 1,
    leftoverBytes: 7,
    types: [
      { mimetype: "video/mp4", entries: 1, bytes: 3000 },
      { mimetype: "image/png", entries: 2, bytes: 30 },
    ],
  });
  assertEquals(await snapshotOf(all.dir), before);
});

Deno.test("stats of an empty folder states that it is empty", async () => {
  await using temp = await tempDir();
  const { stdout } = await cli(["stats", "--dir", temp.path]);
  assertEquals(linesOf(stdout).slice(1), [
    "Entries  0",
    "Size     0 B",
    "On disk  0 B",
  ]);
  const json = await cli(["stats", "--dir", temp.path, "--json"]);
  assertEquals(JSON.parse(json.stdout), {
    entries: 0,
    totalBytes: 0,
    occupiedBytes: 0,
    leftovers: 0,
    leftoverBytes: 0,
    newestAccess: null,
    oldestAccess: null,
    types: [],
  });
});

Deno.test("ls lists entries without URLs, the most recent first", async () => {
  await using all = await folder();
  const { code, stdout, stderr } = await cli(["ls", "--dir", all.dir]);
  const key = (entry: { key: string }) => entry.key.slice(0, 12);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(linesOf(stdout), [
    "KEY              SIZE  LAST USE  TYPE       NAME",
    `${key(all.small)}     10 B  1m ago    image/png  b.png`,
    `${key(all.large)}  2.9 KiB  2m ago    video/mp4  a10.mp4`,
    `${key(all.old)}     20 B  3m ago    image/png  a9.png`,
  ]);
});

Deno.test("ls sorts, filters and limits", async (t) => {
  await using all = await folder();
  const cases: [string[], string[]][] = [
    [["--sort", "access"], ["b.png", "a10.mp4", "a9.png"]],
    [["--sort", "size"], ["a10.mp4", "a9.png", "b.png"]],
    [["--sort", "stored"], ["a10.mp4", "a9.png", "b.png"]],
    [["--sort", "name"], ["a9.png", "a10.mp4", "b.png"]],
    [["--sort", "name", "--reverse"], ["b.png", "a10.mp4", "a9.png"]],
    [["--sort", "size", "--limit", "1"], ["a10.mp4"]],
    [["--filter", "TOKEN"], ["b.png"]],
    [["--filter", "a9"], ["a9.png"]],
    [["--type", "Image/"], ["b.png", "a9.png"]],
    [["--type", "video/mp4", "--filter", "x"], []],
  ];
  for (const [args, names] of cases) {
    await t.step(args.join(" "), async () => {
      const run = await cli(["ls", "--dir", all.dir, "--json", ...args]);
      const found: { filename: string }[] = JSON.parse(run.stdout);
      assertEquals(found.map(({ filename }) => filename), names);
    });
  }
});

Deno.test("ls shows URLs on request", async () => {
  await using all = await folder();
  const args = ["ls", "--dir", all.dir, "--filter", "token"];
  const plain = await cli(args);
  assertEquals(plain.stdout.includes("https:"), false);
  const { stdout } = await cli([...args, "--urls"]);
  assertMatch(stdout, / NAME +URL\n.* b\.png +https:\/\/a\/small\?token=s\n$/);

  const lastAccess = (await Deno.stat(all.small.dat)).mtime!.getTime();
  const entry = {
    key: all.small.key,
    mimetype: "image/png",
    filename: "b.png",
    size: 10,
    storedAt: 1_767_225_600_000,
    lastAccess,
  };
  const json = await cli([...args, "--json"]);
  assertEquals(JSON.parse(json.stdout), [entry]);
  const withUrl = await cli([...args, "--json", "--urls"]);
  const url = "https://a/small?token=s";
  assertEquals(JSON.parse(withUrl.stdout), [{ ...entry, url }]);
});

Deno.test("ls shows hostile URLs as text", async () => {
  await using temp = await tempDir();
  const url = "https://a/\x1b]0;evil\x07\u202E";
  await writePair(temp.path, url, bytesOf(1));
  const { stdout } = await cli(["ls", "--dir", temp.path, "--urls"]);
  assert(stdout.endsWith("https://a/\\u{1b}]0;evil\\u{7}\\u{202e}\n"));
  const json = await cli(["ls", "--dir", temp.path, "--urls", "--json"]);
  assertEquals(JSON.parse(json.stdout)[0].url, url);
  assertEquals(/[[\p{Cc}\p{Cf}]--\n]/v.test(json.stdout), false);
});

Deno.test("explain states why a GIF is still a GIF, even if the reason was not stored", async () => {
  await using temp = await tempDir();
  const gif = { mimetype: "image/gif", filename: "a.gif" };
  for (
    const [url, conversion, wanted] of [
      [
        "a",
        "it has too many frames",
        /^Not converted {2}it has too many frames$/m,
      ],
      [
        "b",
        undefined,
        /^Not converted {2}put as it is, or there was no ffmpeg, /m,
      ],
    ] as const
  ) {
    const sidecar = { ...gif, conversion };
    await writePair(temp.path, url, bytesOf(10), { sidecar });

    const { stdout } = await cli(["explain", url, "--dir", temp.path]);

    assertMatch(stdout, wanted);
  }
});

Deno.test("explain states the facts of an entry", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const url = "https://a/cat.gif?token=s";
  const { key } = await writePair(dir, url, bytesOf(2048), {
    sidecar: {
      filename: "cat.mp4",
      mimetype: "video/mp4",
      sha256: "5".repeat(64),
      sourceMimetype: "image/gif",
      sourceSize: 4096,
      resumed: 1,
      retried: 2,
    },
    ageMs: MINUTE,
  });
  const before = await snapshotOf(dir);

  const { code, stdout } = await cli(["explain", url, "--dir", dir]);
  assertEquals(code, 0);
  assertMatch(
    stdout,
    new RegExp(
      `^Key        ${key}
Stored     yes
Name       cat.mp4
Type       video/mp4
Stored at  ....-..-.. ..:..:.. \\(1m ago\\)
Last use   ....-..-.. ..:..:.. \\(1m ago\\)
Size       2.0 KiB \\(2,048 bytes\\)
Converted  from image/gif of 4.0 KiB \\(4,096 bytes\\)
SHA-256    5{64}
Resumed    once
Retried    2 times
$`,
    ),
  );
  const byKey = await cli(["explain", "--key", key.slice(0, 8), "--dir", dir]);
  assertEquals(byKey.stdout, stdout);
  const withUrl = await cli(["explain", url, "--dir", dir, "--urls"]);
  assertMatch(withUrl.stdout, /^URL {8}https:\/\/a\/cat\.gif\?token=s$/m);

  const json = await cli(["explain", url, "--dir", dir, "--json"]);
  const { storedAt, lastAccess, ...rest } = JSON.parse(json.stdout);
  assert(Date.now() - storedAt >= MINUTE && Date.now() - lastAccess >= MINUTE);
  assertEquals(rest, {
    key,
    stored: true,
    reason: null,
    mimetype: "video/mp4",
    filename: "cat.mp4",
    size: 2048,
    sha256: "5".repeat(64),
    sourceMimetype: "image/gif",
    sourceSize: 4096,
    conversion: null,
    etag: null,
    lastModified: null,
    validatedAt: null,
    resumed: 1,
    retried: 2,
    places: [],
    staged: [],
  });
  const jsonWithUrl = await cli([
    "explain",
    url,
    "--dir",
    dir,
    "--json",
    "--urls",
  ]);
  assertEquals(JSON.parse(jsonWithUrl.stdout).url, url);
  assertEquals(await snapshotOf(dir), before);
});

for (const isNoted of [true, false]) {
  const what = isNoted ? "the note of this entry" : "the sidecar";
  Deno.test(`explain shows the validators of ${what}, and when the origin confirmed the bytes`, async () => {
    await using temp = await tempDir();
    const dir = temp.path;
    const url = "https://a/checked.png";
    const ts = 1_767_225_600;
    const lastModified = "Sun, 06 Nov 1994 08:49:37 GMT";
    const { key } = await writePair(dir, url, bytesOf(3), {
      sidecar: { ts, etag: '"sidecar"', lastModified },
      ageMs: MINUTE,
    });
    const noted = { ts: isNoted ? ts : ts - 1, etag: '"note"' };
    const validatedAt = Date.now() - MINUTE;
    await Deno.writeTextFile(
      `${dir}/${key}.note`,
      JSON.stringify({ handles: {}, validatedAt, validators: noted }),
    );

    const { code, stdout } = await cli(["explain", url, "--dir", dir]);
    const json = await cli(["explain", url, "--dir", dir, "--json"]);

    const shown = isNoted
      ? 'Entity tag    "note"\n'
      : `Entity tag    "sidecar"\nModified at   ${lastModified}\n`;
    assertEquals(code, 0);
    assertMatch(
      stdout,
      new RegExp(`${shown}Confirmed at  \\S+ \\S+ \\(1m ago\\)\n$`),
    );
    const record = JSON.parse(json.stdout);
    assertEquals(
      [record.etag, record.lastModified, record.validatedAt],
      isNoted
        ? ['"note"', null, validatedAt]
        : ['"sidecar"', lastModified, validatedAt],
    );
  });
}

Deno.test("explain shows the places that have a handle, and no handle, with or without an entry", async () => {
  await using temp = await tempDir();
  const dir = temp.path;
  const url = "https://a/sent.png";
  const { key } = pathsOf(dir, url);
  const handles = { "telegram:1:photo": "canary", "matrix:2": "canary" };
  await Deno.writeTextFile(`${dir}/${key}.note`, JSON.stringify({ handles }));

  const { code, stdout } = await cli(["explain", url, "--dir", dir]);
  assertEquals(code, 1);
  assertMatch(
    stdout,
    /^Uploaded to +matrix:2\nUploaded to +telegram:1:photo$/m,
  );
  const json = await cli(["explain", url, "--dir", dir, "--json"]);
  const { stored, places } = JSON.parse(json.stdout);
  assertEquals([stored, places], [false, ["matrix:2", "telegram:1:photo"]]);
  assert(!`${stdout}${json.stdout}`.includes("canary"));
});

Deno.test("explain shows no use in the future", async () => {
  await using temp = await tempDir();
  const url = "https://a/cat.gif";
  await writePair(temp.path, url, bytesOf(3), { ageMs: -60 * MINUTE });

  const run = await cli(["explain", url, "--dir", temp.path, "--json"]);

  assert(JSON.parse(run.stdout).lastAccess <= Date.now());
});

Deno.test("explain states why a URL is not stored", async (t) => {
  const url = "https://a/cat.gif";
  const cases: [string, (dir: string) => Promise<unknown>, RegExp][] = [
    ["nothing", () => Promise.resolve(), /nothing is stored under its key/],
    [
      "no sidecar",
      (dir) => Deno.writeFile(pathsOf(dir, url).dat, bytesOf(5)),
      /its sidecar is missing\nSize +5 B/,
    ],
    [
      "no body",
      (dir) => Deno.writeTextFile(pathsOf(dir, url).json, "{}"),
      /its .dat is missing/,
    ],
    [
      "another URL",
      (dir) =>
        writePair(dir, url, bytesOf(5), { sidecar: { url: "https://b" } }),
      /url does not hash to the name of the file/,
    ],
    [
      "another length",
      (dir) => writePair(dir, url, bytesOf(5), { sidecar: { size: 6 } }),
      /its .dat must have 6 bytes: found 5/,
    ],
    [
      "a folder in its place",
      async (dir) => {
        await writePair(dir, url, bytesOf(5));
        await Deno.remove(pathsOf(dir, url).dat);
        await Deno.mkdir(pathsOf(dir, url).dat);
      },
      /its .dat is missing|not a regular file/,
    ],
  ];
  for (const [name, arrange, reason] of cases) {
    await t.step(name, async () => {
      await using temp = await tempDir();
      await arrange(temp.path);
      const run = await cli(["explain", url, "--dir", temp.path]);
      assertMatch(run.stdout, reason);
      assertEquals([run.code, run.stderr], [1, ""]);
      const json = await cli(["explain", url, "--json", "--dir", temp.path]);
      const { stored, reason: told } = JSON.parse(json.stdout);
      assertEquals(stored, false);
      assertMatch(`${told}\nSize 5 B`, reason);
    });
  }
});

Deno.test("explain shows a file that is being written, and why a GIF stays a GIF", async () => {
  await using temp = await tempDir();
  const url = "https://a/cat.gif";
  const { key } = await writePair(temp.path, url, bytesOf(5), {
    sidecar: { conversion: "it is broken", ts: 0 },
  });
  const part = (name: string) => `${temp.path}/${key}.${name}.part`;
  await Deno.writeFile(part("a1"), bytesOf(3));
  using writing = await Deno.open(part("b2"), { write: true, create: true });
  await writing.lock(true);

  const { code, stdout } = await cli(["explain", url, "--dir", temp.path]);
  assertEquals(code, 0);
  assertMatch(stdout, /^Not converted +it is broken$/m);
  assertEquals(stdout.includes("Stored at"), false);
  assertMatch(stdout, /^Staged .*\.a1\.part, 3 B, left by a program/m);
  assertMatch(stdout, /^Staged .*\.b2\.part, 0 B, is being written$/m);
  const json = await cli(["explain", url, "--json", "--dir", temp.path]);
  const { staged, conversion } = JSON.parse(json.stdout);
  staged.sort((a: { size: number }, b: { size: number }) => a.size - b.size);
  assertEquals([conversion, staged], ["it is broken", [
    { name: `${key}.b2.part`, size: 0, locked: true },
    { name: `${key}.a1.part`, size: 3, locked: false },
  ]]);
});

Deno.test("--key needs exactly one key with the given start", async () => {
  await using temp = await tempDir();
  for (const end of ["a", "b"]) {
    await Deno.writeFile(
      `${temp.path}/${"0".repeat(63)}${end}.dat`,
      bytesOf(1),
    );
  }
  const explain = (key: string) =>
    cli(["explain", "--key", key, "--dir", temp.path]);
  const several = await explain("0000");
  assertEquals([several.code, several.stdout], [1, ""]);
  assertMatch(several.stderr, /2 keys begin with 0000: give more digits/);
  assertMatch((await explain("1111")).stderr, /no key begins with 1111/);
  const whole = await explain(`${"0".repeat(63)}a`);
  assertMatch(whole.stdout, /its sidecar is missing/);
});

Deno.test("get writes the bytes unchanged, and changes no order of uses", async () => {
  await using temp = await tempDir();
  const dir = `${temp.path}/cache`;
  await Deno.mkdir(dir);
  const url = "https://a/b";
  const bytes = bytesOf(200_000);
  const { key } = await writePair(dir, url, bytes, { ageMs: MINUTE });
  const before = await snapshotOf(dir);

  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const stdout = new FakeOutput();
  stdout.write = (chunk) => {
    chunks.push(chunk.slice(0, 1000));
    return Promise.resolve(chunks.at(-1)!.length);
  };
  const run = await cli(["get", url, "--dir", dir], { stdout });
  assertEquals([run.code, run.stderr], [0, ""]);
  assertEquals(await new Blob(chunks).bytes(), bytes);

  const file = `${temp.path}/out`;
  const prefix = key.slice(0, 12);
  const toFile = ["get", "--key", prefix, "--dir", dir, "--output", file];
  const second = await cli(toFile);
  assertEquals(second, { code: 0, stdout: "", stderr: "" });
  assertEquals(await Deno.readFile(file), bytes);
  const elsewhere = await cli([...toFile.slice(0, -1), `${temp.path}/no/out`]);
  assertEquals(elsewhere.code, 1);
  assertMatch(elsewhere.stderr, /can't write .*\/no\/out/);
  if (Deno.build.os === "linux") {
    const full = await cli([...toFile.slice(0, -1), "/dev/full"]);
    assertEquals(full.code, 1);
    assertMatch(full.stderr, /can't write \/dev\/full/);
  }
  assertEquals(await snapshotOf(dir), before);
});

Deno.test("get --output writes no file in the cache's folder, even through links", async () => {
  await using temp = await tempDir();
  const dir = `${temp.path}/cache`;
  await Deno.mkdir(`${dir}/sub`, { recursive: true });
  const { key } = await writePair(dir, "https://a", bytesOf(5));
  const other = await writePair(dir, "https://b", bytesOf(7));
  await Deno.symlink(dir, `${temp.path}/link`);
  await Deno.symlink(`${dir}/${other.key}.dat`, `${temp.path}/body`);
  const before = await snapshotOf(dir);

  for (
    const file of [
      `${dir}/${key}.dat`,
      `${dir}/new`,
      `${dir}/sub/new`,
      `${temp.path}/link/${key}.json`,
      `${temp.path}/body`,
    ]
  ) {
    const args = ["get", "https://a", "--dir", dir, "--output", file];
    const run = await cli(args);
    assertEquals(run.code, 1);
    assertMatch(run.stderr, /can't write .*: it must lie outside of /);
  }
  assertEquals(await snapshotOf(dir), before);
});

Deno.test("get --output replaces a file whole, or leaves it unchanged", async () => {
  await using temp = await tempDir();
  const dir = `${temp.path}/cache`;
  const out = `${temp.path}/out`;
  await Deno.mkdir(dir);
  await Deno.mkdir(out);
  const { key } = await writePair(dir, "https://a", bytesOf(5));
  const file = `${out}/file`;
  await Deno.writeTextFile(file, "as it was", { mode: 0o600 });
  const hardLink = `${out}/same`;
  await Deno.link(file, hardLink);
  const get = (...more: string[]) =>
    cli(["get", "--key", key, "--dir", dir, "--output", file, ...more]);

  assertEquals((await get()).code, 0);
  assertEquals(await Deno.readFile(file), bytesOf(5));
  assertEquals(await Deno.readTextFile(hardLink), "as it was");
  assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  assertEquals(await namesIn(out), ["file", "same"]);

  await Deno.remove(`${dir}/${key}.dat`);
  assertEquals((await get()).code, 1);
  assertEquals(await Deno.readFile(file), bytesOf(5));
  assertEquals(await namesIn(out), ["file", "same"]);
});

Deno.test("get writes no bytes to a terminal unless asked", async () => {
  await using temp = await tempDir();
  await writePair(temp.path, "https://a", new TextEncoder().encode("hello"));
  const get = async (...args: string[]) => {
    const stdout = new FakeOutput(true);
    const run = await cli(["get", "https://a", "--dir", temp.path, ...args], {
      stdout,
    });
    return { ...run, stdout: stdout.text };
  };
  const refused = await get();
  assertEquals([refused.code, refused.stdout], [2, ""]);
  assertMatch(refused.stderr, /bytes don't go to a terminal/);
  assertEquals((await get("--output", "-")).stdout, "hello");
});

Deno.test("get of a missing entry states the reason, without the URL", async () => {
  await using temp = await tempDir();
  const url = "https://a/secret";
  const { key } = await writePair(temp.path, url, bytesOf(5), {
    sidecar: { size: 6 },
  });
  const run = await cli(["get", url, "--dir", temp.path]);
  assertEquals(run, {
    code: 1,
    stdout: "",
    stderr: `media-cache: ${
      key.slice(0, 12)
    } is not there: its .dat must have 6 bytes: found 5\n`,
  });
});
