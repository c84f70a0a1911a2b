/** The command line tool on a terminal. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CLI, cliProcess, linesOf } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import {
  Terminal,
  type TerminalOptions,
} from "../fixtures/processes/terminal.ts";

const PNG = { "Content-Type": "image/png" };

function tool(args: string[], options: TerminalOptions = {}): Terminal {
  const run = ["run", "--quiet", "--no-prompt", "--allow-all", CLI];
  return new Terminal([Deno.execPath(), ...run, ...args], options);
}

for (const columns of [40, 80, 120]) {
  Deno.test(`warm draws bars that fit ${columns} columns`, async () => {
    await using origin = new Origin();
    await using temp = await tempDir();
    const list = `${temp.path}/urls.txt`;
    const whole = origin.bytes("/whole.png", bytesOf(2000), PNG);
    const slow = ["slow", "slower"].map((name) =>
      origin.tap(`/${name}.png`, { ...PNG, "Content-Length": "100000" })
    );
    const urls = [whole, ...slow.map(({ url }) => url), origin.url("/gone")];
    await Deno.writeTextFile(list, urls.join("\n"));

    const dir = `${temp.path}/cache`;
    const terminal = tool(["warm", list, "--dir", dir], { columns });
    await terminal.seen(/ 50% {2}2 of 4 /);
    for (const { tap } of slow) tap.write(bytesOf(50_000));
    await terminal.seen(/ 50% {2}48\.8 KiB of 97\.7 KiB +slow\.png/);
    await terminal.seen(/ 50% {2}48\.8 KiB of 97\.7 KiB +slower\.png/);
    for (const { tap } of slow) {
      tap.write(bytesOf(50_000));
      tap.end();
    }
    assertEquals(await terminal.end(), 1);

    const bars = [...terminal.text.matchAll(/\[(=* *)\]/g)];
    const widths = new Set(bars.map(([, bar]) => bar!.length));
    assertEquals([...widths], [columns < 70 ? 10 : 24]);
    // No bar is left, the cursor is back, and only a summary follows.
    assertMatch(terminal.text, /\p{Cc}\[\?25h\p{Cc}\[\?7h[^]*\p{Cc}\[0J[^]*$/u);
    const last = terminal.text.slice(terminal.text.lastIndexOf("\x1b[0J"));
    assertMatch(
      last,
      /3 stored \(197\.3 KiB\), 0 already there, 1 failed, in /,
    );
    assertEquals(linesOf(last).length, 1);
  });
}

Deno.test("remote sync draws a bar for each upload and for all, and removes them at the end", async () => {
  await using engine = new S3Engine();
  await using temp = await tempDir();
  const { accessKeyId, secretAccessKey } = engine.credentials;
  const env = {
    MEDIA_CACHE_S3_ENDPOINT: engine.endpoint,
    MEDIA_CACHE_S3_BUCKET: engine.bucket,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  for (const name of ["one.png", "two.png"]) {
    const sidecar = { filename: name };
    await writePair(temp.path, `a:${name}`, bytesOf(2048), { sidecar });
  }
  engine.hangs = ({ method }) => method === "PUT";

  const terminal = tool(["remote", "sync", "--dir", temp.path], { env });
  await terminal.seen(/ 0% {2}0 of 2 +0 B pushed/);
  await terminal.seen(/of 2\.0 KiB +one\.png/);
  await terminal.seen(/of 2\.0 KiB +two\.png/);
  engine.hangs = () => false;
  engine.resume();

  assertEquals(await terminal.end(), 0);
  const last = terminal.text.slice(terminal.text.lastIndexOf("\x1b[0J"));
  assertMatch(last, /2 entries pushed \(4\.0 KiB\), 0 already there, in /);
  assertEquals(linesOf(last).length, 1);
});

Deno.test("Ctrl-C in the middle of warm leaves only whole entries", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const dir = `${temp.path}/cache`;
  const list = `${temp.path}/urls.txt`;
  const whole = ["a", "b"].map((name) =>
    origin.bytes(`/${name}.png`, bytesOf(2000), PNG)
  );
  const slow = origin.tap("/slow.png", { ...PNG, "Content-Length": "100000" });
  await Deno.writeTextFile(list, [...whole, slow.url].join("\n"));

  const terminal = tool(["warm", list, "--dir", dir]);
  slow.tap.write(bytesOf(50_000));
  await terminal.seen(/ 66% {2}2 of 3 /);
  await terminal.seen(/ 50% {2}48\.8 KiB of 97\.7 KiB +slow\.png/);
  const { key } = pathsOf(dir, slow.url);
  const names = await namesIn(dir);
  assert(names.some((name) => name.startsWith(key) && name.endsWith(".part")));
  await terminal.type("\x03");
  assertEquals(await terminal.end(), 130);

  assertMatch(
    terminal.text,
    /\p{Cc}\[\?25h[^]*2 stored .*, 1 not done, interrupted after [\d.]+ s/u,
  );
  const files = whole.flatMap((url) => {
    const { key } = pathsOf(dir, url);
    return [`${key}.dat`, `${key}.json`];
  });
  assertEquals(await namesIn(dir), files.sort());
  const read = `--allow-read=${dir}`;
  const verified = await cliProcess([read], ["verify", "--dir", dir]);
  assertEquals([verified.code, verified.stderr], [0, ""]);

  origin.bytes("/slow.png", bytesOf(100_000), PNG);
  const again = await cliProcess(["-A"], ["warm", list, "--dir", dir]);
  assertMatch(
    again.stdout,
    /\n1 stored \(97\.7 KiB\), 2 already there, 0 failed/,
  );
  assertEquals([again.code, again.stderr], [0, ""]);
  assertEquals(
    ["/a.png", "/b.png", "/slow.png"].map((path) => origin.requests(path)),
    [1, 1, 2],
  );
});

Deno.test("lists are in color on a terminal, except with NO_COLOR", async () => {
  await using temp = await tempDir();
  await writePair(temp.path, "https://a", bytesOf(1));
  const show = async (env: Record<string, string>) => {
    const terminal = tool(["ls", "--dir", temp.path], { env });
    assertEquals(await terminal.end(), 0);
    return terminal.text;
  };
  assertMatch(await show({}), /^\p{Cc}\[1mKEY .*\p{Cc}\[22m\r\n/u);
  assertMatch(await show({ NO_COLOR: "1" }), /^KEY .* NAME\r\n/);
});

Deno.test("get sends no bytes to a terminal", async () => {
  await using temp = await tempDir();
  await writePair(temp.path, "https://a", new TextEncoder().encode("\x1b[2J"));
  const terminal = tool(["get", "https://a", "--dir", temp.path]);
  assertEquals(await terminal.end(), 2);
  assertMatch(terminal.text, /bytes don't go to a terminal/);
  assertEquals(terminal.text.includes("\x1b[2J"), false);
});
