import { assert, assertEquals, assertMatch } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import type { MainOptions } from "../../src/cli/main.ts";
import {
  cli,
  FakeOutput,
  linesOf,
  type Run,
} from "../fixtures/processes/cli.ts";
import { bytesOf, namesIn, pathsOf } from "../fixtures/directory/files.ts";
import { gifOfDelays } from "../fixtures/gif/gif_writer.ts";
import { Origin, RawOrigin } from "../fixtures/servers/origin.ts";
import { Tap } from "../fixtures/bodies/tap.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

/** Linux's limit for a whole path (limits.h). */
const MAX_PATH_LENGTH = 4096;

const PNG = { "Content-Type": "image/png" };

/** The first digits of a URL's key. */
function short(url: string): string {
  return pathsOf("", url).key.slice(0, 12);
}

/** Runs `warm` with a list on standard input. */
function warm(
  dir: string,
  urls: string[],
  args: string[] = [],
  options: MainOptions = {},
): Promise<Run> {
  const stdin = { readable: new Blob([urls.join("\n")]).stream() };
  return cli(["warm", "-", "--dir", dir, ...args], { stdin, ...options });
}

Deno.test("warm keeps the folder within --max-disk-mb", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const urls = [...Array(9).keys()].map((i) =>
    origin.bytes(`/${i}.png`, bytesOf(100), PNG)
  );
  // A block of 4096 bytes for the list of changes, two for each of four entries.
  const limit = ["--max-disk-mb", `${9 * 4096 / 1_048_576}`];

  const { code } = await warm(temp.path, urls, limit);

  assertEquals(code, 0);
  assertEquals((await namesIn(temp.path)).length, 4 * 2);
});

Deno.test("warm downloads a list, and the second time only missing entries", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const dir = `${temp.path}/made/for/it`;
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const b = origin.bytes("/b.png", bytesOf(2000), PNG);
  const late = origin.url("/late.png?token=secret");
  const list = `${temp.path}/urls.txt`;
  await Deno.writeTextFile(list, `# a list\n${a}\n\n${late}\n${b}\n${a}\n`);
  const run = () =>
    cli(["warm", list, "--dir", dir, "--concurrency", "1", "--keep-gifs"]);

  const first = await run();
  assertEquals(linesOf(first.stdout).slice(0, -1), [
    `stored   ${short(a)}       100 B  a.png`,
    `stored   ${short(b)}     2.0 KiB  b.png`,
  ]);
  assertMatch(
    linesOf(first.stdout).at(-1)!,
    /^2 stored \(2\.1 KiB\), 0 already there, 1 failed, in \d+\.\d s$/,
  );
  assertEquals([first.code, first.stderr], [
    1,
    `media-cache: line 4 (${short(late)}): HTTP 404\n`,
  ]);

  origin.bytes("/late.png", bytesOf(3), PNG);
  const second = await run();
  assertEquals([second.code, second.stderr], [0, ""]);
  assertEquals(linesOf(second.stdout).slice(0, -1), [
    `present  ${short(a)}       100 B  a.png`,
    `stored   ${short(late)}         3 B  late.png`,
    `present  ${short(b)}     2.0 KiB  b.png`,
  ]);
  assertEquals(
    ["/a.png", "/b.png", "/late.png"].map((path) => origin.requests(path)),
    [1, 1, 2],
  );
});

Deno.test("warm accepts lists and URLs together, and states the place of each", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a,1.png", bytesOf(100), PNG);
  const b = origin.bytes("/b.png", bytesOf(2000), PNG);
  const gone = origin.url("/gone");
  const lost = origin.url("/lost");
  const late = origin.url("/late");
  const list = `${temp.path}/urls.txt`;
  // As PowerShell writes it.
  const text = `\uFEFF# mine\r\n${a}  # the first\r\n${lost} ${b}#b\r\n`;
  const units = Uint16Array.from(text, (letter) => letter.charCodeAt(0));
  await Deno.writeFile(list, new Uint8Array(units.buffer));
  const run = (...args: string[]) =>
    cli(["warm", list, gone, "-", "--dir", `${temp.path}/cache`, ...args], {
      stdin: { readable: new Blob([`\n${late}\r${a}`]).stream() },
    });

  const { code, stdout, stderr } = await run("--concurrency=1");
  assertEquals(code, 1);
  assertMatch(
    stdout,
    /^2 stored \(2\.1 KiB\), 0 already there, 3 failed, in /m,
  );
  assertEquals(linesOf(stderr), [
    `media-cache: ${list}, line 3 (${short(lost)}): HTTP 404`,
    `media-cache: argument 2 (${short(gone)}): HTTP 404`,
    `media-cache: standard input, line 2 (${short(late)}): HTTP 404`,
  ]);

  const records = linesOf((await run("--json", "--concurrency=1")).stdout)
    .map((line) => JSON.parse(line))
    .map(({ result, list, line, operand }) => [result, list, line, operand]);
  assertEquals(records.slice(0, -1), [
    ["present", list, 2, undefined],
    ["failed", list, 3, undefined],
    ["present", list, 3, undefined],
    ["failed", undefined, undefined, 2],
    ["failed", "-", 2, undefined],
  ]);
});

Deno.test("warm --json prints a line for each URL and a last line for all", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const gone = origin.url("/gone");
  const record = async (...args: string[]) => {
    const run = await warm(temp.path, [a, gone], [
      "--json",
      "--concurrency=1",
      ...args,
    ]);
    assertEquals([run.code, run.stderr], [1, ""]);
    return linesOf(run.stdout).map((line) => JSON.parse(line));
  };
  const facts = { mimetype: "image/png", filename: "a.png", size: 100 };
  const keyA = pathsOf("", a).key;
  const keyGone = pathsOf("", gone).key;
  const failed = {
    result: "failed",
    line: 2,
    key: keyGone,
    reason: "HTTP 404",
  };
  assertEquals(await record(), [
    { result: "stored", line: 1, key: keyA, ...facts },
    failed,
    { result: "done", urls: 2, stored: 1, present: 0, failed: 1, bytes: 100 },
  ]);
  assertEquals(await record("--urls"), [
    { result: "present", line: 1, key: keyA, ...facts, url: a },
    { ...failed, url: gone },
    { result: "done", urls: 2, stored: 0, present: 1, failed: 1, bytes: 0 },
  ]);
});

Deno.test("warm states why a URL is not stored, and shows URLs only on request", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const empty = origin.bytes("/empty.png", bytesOf(0), PNG);
  const large = origin.bytes("/large.png", bytesOf(3000), PNG);
  await using broken = new RawOrigin(
    "HTTP/1.1 200 OK\nContent-Length: 200\nConnection: close\n\n",
    bytesOf(100),
  );
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const urls = [
    empty,
    large,
    broken.url,
    "ftp://a/secret",
    "https://[secret",
    "secret",
    `http://127.0.0.1:${listener.addr.port}/secret`,
  ];
  const args = ["--max-size-mb", "0.001", "--concurrency", "1"];
  const { code, stdout, stderr } = await warm(temp.path, urls, args);
  assertEquals([code, stderr.includes("secret")], [1, false]);
  assertMatch(stdout, /^0 stored \(0 B\), 0 already there, 7 failed, in /);
  const reasons = linesOf(stderr).map((line) => line.replace(/^.*?\): /, ""));
  assertEquals(reasons.toSpliced(2, 1), [
    "not stored: it is empty",
    "not stored: it is larger than maxEntryMb",
    "not an http or https URL",
    "not an http or https URL",
    "not an http or https URL",
    "fetch failed: ECONNREFUSED",
  ]);
  assertEquals(/http:/.test(reasons[2]!), false);
  assertEquals(await namesIn(temp.path), []);

  const shown = await warm(temp.path, urls, ["--urls"]);
  assertMatch(shown.stderr, /line 4 \(ftp:\/\/a\/secret\): not an http/);
});

Deno.test("warm evicts only within a given limit", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const urls = ["/a.png", "/b.png", "/c.png"].map((path) =>
    origin.bytes(path, bytesOf(600 * 1024), PNG)
  );
  assertEquals((await warm(temp.path, urls.slice(0, 2))).code, 0);
  assertEquals((await namesIn(temp.path)).length, 4);
  const limited = await warm(temp.path, urls.slice(2), ["--max-size-mb", "1"]);
  assertEquals(limited.code, 0);
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    readOnly: true,
  });
  const left = await Array.fromAsync(cache.entries());
  assertEquals(left.map(({ filename }) => filename), ["c.png"]);
});

Deno.test("warm turns GIFs into MP4 unless told otherwise", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const gif = gifOfDelays([10, 10]);
  const url = origin.bytes("/cat.gif", gif, { "Content-Type": "image/gif" });
  for (const [args, name] of [[[], "cat.mp4"], [["--keep-gifs"], "cat.gif"]]) {
    const { stdout } = await warm(`${temp.path}/${name}`, [url], [...args!]);
    assertMatch(stdout, new RegExp(`^stored .* ${name}\n`));
  }
});

Deno.test("warm downloads nothing into a folder that cannot store", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const url = origin.bytes("/a.png", bytesOf(100), PNG);
  // So deep that no user has room for the name of a file.
  let dir = temp.path;
  while (dir.length < MAX_PATH_LENGTH - 80) {
    const length = Math.min(200, MAX_PATH_LENGTH - 60 - dir.length);
    dir += `/${"d".repeat(length)}`;
  }
  await Deno.mkdir(dir, { recursive: true });

  const { code, stderr } = await warm(dir, [url]);

  assertEquals(code, 1);
  assertMatch(stderr, /^media-cache: can't store in .*: ENAMETOOLONG$/m);
  assertEquals(origin.requests("/a.png"), 0);
});

Deno.test("warm of an empty list does nothing", async () => {
  await using temp = await tempDir();
  const { code, stdout } = await warm(temp.path, ["# nothing"]);
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^0 stored \(0 B\), 0 already there, 0 failed, in 0\.0 s/,
  );
});

Deno.test("warm leaves only whole entries after an interruption", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const tap = new Tap();
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const slow = origin.on("/slow.png", () => {
    tap.write(bytesOf(500));
    onAsked();
    return new Response(tap.readable, { headers: PNG });
  });
  const controller = new AbortController();
  const stdout = new FakeOutput();
  const stderr = new FakeOutput();
  const options = { stdout, stderr, signal: controller.signal };
  const slower = origin.tap("/slower.png", PNG);
  const never = origin.url("/never.png");
  const args = ["--concurrency", "2"];
  const running = warm(temp.path, [slow, a, slower.url, never], args, options);
  await stdout.seen(/^stored .* a\.png$/m);
  await asked;
  controller.abort();
  const { code } = await running;

  assertEquals([code, stderr.text], [130, ""]);
  assertMatch(
    stdout.text,
    /\n1 stored \(100 B\), .* 0 failed, 3 not done, interrupted after /,
  );
  const { key } = pathsOf("", a);
  assertEquals(await namesIn(temp.path), [`${key}.dat`, `${key}.json`]);
  assertEquals(origin.requests("/never.png"), 0);

  const again = await warm(temp.path, [never], ["--json"], {
    signal: AbortSignal.abort(),
  });
  assertEquals([again.code, JSON.parse(again.stdout)], [130, {
    result: "interrupted",
    urls: 1,
    stored: 0,
    present: 0,
    failed: 0,
    bytes: 0,
  }]);
});

Deno.test("warm stops quietly when the reader of its lines has gone", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const { url } = origin.tap("/slow.png", PNG);
  const stdout = new FakeOutput();
  stdout.write = () => Promise.reject(new Deno.errors.BrokenPipe());
  const urls = [a, url, ...["/b", "/c"].map((path) => origin.url(path))];
  const run = await warm(temp.path, urls, ["--concurrency=2"], { stdout });
  assertEquals([run.code, run.stderr], [141, ""]);
  assertEquals((await namesIn(temp.path)).length, 2);
});

Deno.test("warm shows a bar for each download and a bar for all on a terminal", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const known = origin.tap("/known.png", { ...PNG, "Content-Length": "4096" });
  const unknown = origin.tap("/unknown.png", PNG);
  const gone = origin.url("/gone");
  const stdout = new FakeOutput(true);
  const stderr = new FakeOutput(true);
  const urls = [gone, a, known.url, unknown.url];
  const running = warm(temp.path, urls, [], { stdout, stderr, color: true });
  await stderr.seen(/ 50% {2}2 of 4 +100 B stored, 1 failed/);
  known.tap.write(bytesOf(1024));
  unknown.tap.write(bytesOf(2048));
  await stderr.seen(/\[=+ +\] {2}25% {2}1\.0 KiB of 4\.0 KiB +known\.png/);
  await stderr.seen(/\[ +\] {4}- {2}2\.0 KiB +unknown/);
  known.tap.write(bytesOf(3072));
  known.tap.end();
  unknown.tap.end();
  assertEquals((await running).code, 1);

  assertMatch(
    stderr.text,
    /\p{Cc}\[31mmedia-cache: line 1 \(.*HTTP 404\p{Cc}\[39m/u,
  );
  // The cursor is visible, lines wrap again, and no bar is left below.
  assertMatch(stderr.text, /\p{Cc}\[\?25h[^]*\p{Cc}\[\?7h[^]*\p{Cc}\[0J$/u);
  assertEquals(linesOf(stdout.text).length, 1);
  assertMatch(
    stdout.text,
    /^\p{Cc}\[1m3 stored \(6\.1 KiB\), .* 1 failed, in /u,
  );
});

Deno.test("warm draws no bar when told not to, or without a terminal", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const a = origin.bytes("/a.png", bytesOf(100), PNG);
  const print = async (isTerminal: boolean, ...args: string[]) => {
    const stderr = new FakeOutput(isTerminal);
    const { stdout } = await warm(temp.path, [a], args, { stderr });
    assert(linesOf(stdout).length === 2, stdout);
    return stderr.text;
  };
  assertEquals(await print(false), "");
  assertEquals(await print(true, "--no-progress"), "");
  assertMatch(await print(true), / 0 of 1 /);
});
