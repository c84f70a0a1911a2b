/** The tool in a process of its own, with no more permissions than it needs. */
import { assertEquals, assertMatch } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { CLI, cliProcess } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  namesIn,
  pathsOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { gifOfDelays } from "../fixtures/gif/gif_writer.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { Tap } from "../fixtures/bodies/tap.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const URLS = ["https://a", "https://b", "https://c"] as const;

/** A folder with three entries, and another beside it. */
async function folder() {
  const temp = await tempDir();
  const dir = `${temp.path}/cache`;
  await Deno.mkdir(dir);
  for (const url of URLS) await writePair(dir, url, bytesOf(1000));
  return {
    beside: temp.path,
    dir,
    read: `--allow-read=${dir}`,
    write: `--allow-write=${dir}`,
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

Deno.test("each command runs with the permissions that its help names", async (t) => {
  await using all = await folder();
  const { beside, dir, read, write } = all;
  const out = `${beside}/out`;
  const cases: [string[], string[]][] = [
    [[], ["--help"]],
    [[], ["ls", "--help"]],
    [[], ["--version"]],
    [[read], ["stats", "--json"]],
    [[read], ["ls", "--sort", "name"]],
    [[read], ["explain", "https://a"]],
    [[read], ["get", "https://a"]],
    [
      [`--allow-read=${dir},${beside}`, `--allow-write=${beside}`],
      ["get", "https://a", "--output", out],
    ],
    [[read], ["verify"]],
    [[read], ["prune", "--max-size-mb", "0", "--dry-run"]],
    [[read], ["rekey", "--dry-run"]],
    [[read, write], ["rekey"]],
    [[read, write], ["verify", "--fix"]],
    [[read, write], ["rm", "https://a"]],
    [[read, write], ["prune", "--max-size-mb", "0"]],
  ];
  for (const [permissions, args] of cases) {
    await t.step(args.join(" "), async () => {
      const where = args[0]?.startsWith("-") ? [] : ["--dir", dir];
      const options = { cwd: beside };
      const run = await cliProcess(permissions, [...args, ...where], options);
      assertEquals([run.code, run.stderr], [0, ""]);
    });
  }
  assertEquals(await namesIn(dir), []);
});

Deno.test("warm runs with the permissions that its help names", async () => {
  await using all = await folder();
  await using origin = new Origin();
  const list = `${all.beside}/urls.txt`;
  const url = origin.bytes("/cat.gif", gifOfDelays([10, 10]));
  await Deno.writeTextFile(list, url);
  const net = `--allow-net=${new URL(url).host}`;
  const read = `--allow-read=${all.dir},${list}`;
  const args = ["warm", list, "--dir", all.dir];

  const offline = await cliProcess([read, all.write], args);
  assertEquals(offline.code, 1);
  assertMatch(offline.stderr, new RegExp(`missing ${net}\n$`));
  const kept = await cliProcess([read, all.write, net], args);
  assertMatch(kept.stdout, /^stored .*cat\.gif\n1 stored/);
  assertMatch(kept.stderr, /^media-cache: GIFs stay GIFs: .*--allow-run.*\n$/);
  assertEquals(kept.code, 0);

  await cliProcess([all.read, all.write], ["rm", url, "--dir", all.dir]);
  const permissions = [read, all.write, net, "--allow-run=ffmpeg"];
  const video = await cliProcess(permissions, args);
  assertMatch(video.stdout, /^stored .*cat\.mp4\n1 stored/);
  assertEquals([video.code, video.stderr], [0, ""]);
});

Deno.test("a missing permission is reported without a prompt", async () => {
  await using all = await folder();
  const { dir, read } = all;
  const run = await cliProcess([], ["ls", "--dir", dir]);
  assertEquals(run, {
    code: 1,
    stdout: "",
    stderr: `media-cache: can't open ${dir}: missing --allow-read=${dir}\n`,
  });
  const rm = await cliProcess([read], ["rm", URLS[0], "--dir", dir]);
  assertEquals(rm.code, 1);
  assertMatch(rm.stderr, /missing --allow-write=/);
  const file = `${all.beside}/list`;
  const warm = await cliProcess([read], ["warm", file, "--dir", dir]);
  assertEquals(warm.code, 1);
  assertMatch(warm.stderr, /can't read .*list: .*read access/);
});

Deno.test("the default folder is media_cache, below the working directory", async () => {
  await using temp = await tempDir();
  const cwd = temp.path;
  await Deno.mkdir(`${cwd}/media_cache`);
  await writePair(`${cwd}/media_cache`, URLS[0], bytesOf(7));
  const run = await cliProcess(["--allow-read=media_cache"], ["ls"], { cwd });
  assertEquals([run.code, run.stderr], [0, ""]);
  assertMatch(run.stdout, / 7 B .* a\.png\n$/);
});

Deno.test("output to a pipe is plain, whatever the environment says", async () => {
  await using all = await folder();
  const args = ["ls", "--dir", all.dir];
  const plain = await cliProcess([all.read], args, { env: { NO_COLOR: "1" } });
  const forced = await cliProcess([all.read], args, {
    env: { FORCE_COLOR: "1", NO_COLOR: "" },
  });
  assertEquals(plain.stdout.includes("\x1b"), false);
  // The entries are a little older now.
  const ageless = (text: string) => text.replace(/(just now|\d+s ago) */g, "");
  assertEquals(ageless(forced.stdout), ageless(plain.stdout));
  assertEquals([forced.code, forced.stderr], [plain.code, plain.stderr]);
});

Deno.test("a closed pipe ends the tool quietly", async () => {
  await using all = await folder();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-q", all.read, CLI, "ls", "--dir", all.dir],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  assertEquals(await new Response(child.stderr).text(), "");
  assertEquals((await child.status).code, 141);
});

Deno.test("SIGTERM leaves only whole entries, and warm exits with 143", async () => {
  await using temp = await tempDir();
  await using origin = new Origin();
  const tap = new Tap();
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const whole = origin.bytes("/whole.png", bytesOf(100));
  const slow = origin.on("/slow.png", () => {
    tap.write(bytesOf(50_000));
    onAsked();
    return new Response(tap.readable);
  });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", CLI, "warm", "-", "--dir", temp.path, "--json"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${whole}\n${slow}\n`));
  await writer.close();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const first = await lines.read();
  await asked;
  child.kill("SIGTERM");
  let rest = "";
  for (let next = await lines.read(); !next.done; next = await lines.read()) {
    rest += next.value;
  }

  assertEquals((await child.status).code, 143);
  assertEquals(
    [first.value ?? "", rest].map((line) => JSON.parse(line).result),
    ["stored", "interrupted"],
  );
  const { key } = pathsOf("", whole);
  assertEquals(await namesIn(temp.path), [`${key}.dat`, `${key}.json`]);
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  assertEquals((await cache.verify()).problems, []);
});
