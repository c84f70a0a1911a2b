import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../src/cli/commands.ts";
import { Call } from "../../src/cli/call/call.ts";
import { main } from "../../src/cli/main.ts";
import { Output } from "../../src/cli/output/output.ts";
import { cli, FakeOutput, linesOf } from "../fixtures/processes/cli.ts";
import { writePair } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

Deno.test("main() without a command prints the help to standard error", async () => {
  const { code, stdout, stderr } = await cli([]);
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^Usage: media-cache COMMAND/m);
});

Deno.test("main() shows the help of the tool and of each command in 80 columns", async () => {
  const general = await cli(["--help"]);
  assertEquals([general.code, general.stderr], [0, ""]);
  assertEquals(await cli(["help"]), general);
  assertEquals(await cli(["-h"]), general);
  for (const { name, options, permissions, json } of COMMANDS) {
    assertMatch(general.stdout, new RegExp(`^  ${name} `, "m"));
    const help = await cli([name, "--dir", "x", "--help"]);
    assertEquals([help.code, help.stderr], [0, ""]);
    assertEquals(await cli(["help", name]), help);
    assertEquals(await cli(["--help", name]), help);
    for (const option of Object.keys(options)) {
      assert(help.stdout.includes(`  --${option} `), `${name} --${option}`);
    }
    for (const line of permissions) assert(help.stdout.includes(line));
    assertEquals("json" in options, json !== undefined, name);
    for (const line of linesOf(help.stdout)) assert(line.length <= 80, line);
  }
  for (const line of linesOf(general.stdout)) assert(line.length <= 80, line);
  assertEquals((await cli(["help", "lss"])).code, 2);
});

Deno.test("main() prints the version of the package", async () => {
  for (const flag of ["--version", "-V"]) {
    const { code, stdout } = await cli([flag]);
    assertEquals([code, stdout], [0, `${config.version}\n`]);
  }
});

Deno.test("main() names the mistake in a wrong command line and exits with 2", async (t) => {
  const cases: [string[], RegExp][] = [
    [["lss"], /unknown command lss: must be one of stats, ls/],
    [["--dir", "x", "ls"], /the command comes first/],
    [["ls", "--nope"], /Unknown option '--nope' \(see ls --help\)\n$/],
    [["ls", "--limit"], /'--limit <value>' argument missing/],
    [["ls", "--limit", "-1"], /--limit must be a whole number of at least 1/],
    [["ls", "--limit=0"], /--limit must be a whole number of at least 1/],
    [["ls", "--limit", "1.5"], /--limit must be a whole number/],
    [["ls", "--sort", "age"], /--sort must be one of access, size/],
    [["ls", "--json=1"], /'--json' does not take an argument/],
    [["ls", "x"], /unexpected argument x/],
    [["stats", "x"], /unexpected argument x/],
    [["stats", "--dir="], /--dir must name a folder/],
    [["stats", "--dir", "file://host/x"], /--dir must name a folder of this/],
    [["stats", "--dir", "file:///%00"], /--dir must name a folder of this/],
    [["stats", "--dir", "file:///%ff"], /--dir must name a folder of this/],
    [["verify", "x"], /unexpected argument x/],
    [["get"], /a URL or --key is missing/],
    [["get", "a", "--key", "b"], /one URL or --key is enough/],
    [["get", "a", "--output="], /--output must name a file/],
    [["get", "--key", "xyz"], /--key must be 4 to 64 hexadecimal digits/],
    [["explain"], /a URL or --key is missing/],
    [["rm"], /a URL or --key is missing/],
    [["prune"], /--max-size-mb is missing, or --max-disk-mb/],
    [["prune", "--max-disk-mb", "-1"], /--max-disk-mb must be a number of/],
    [["prune", "--max-size-mb", "ten"], /--max-size-mb must be a number/],
    [["prune", "--max-size-mb", "1e3"], /--max-size-mb must be a number/],
    [
      ["prune", "--max-size-mb", "-1"],
      /--max-size-mb must be a number of at least 0: received -1/,
    ],
    [["prune", "--max-size-mb", "--dry-run"], /--max-size-mb' argument/],
    [["ls", "--", "--limit", "-1"], /unexpected argument --limit/],
    [["warm"], /a list of URLs is missing/],
    [["warm", "-", "-"], /- may be named once/],
    [["warm", "a", "--concurrency", "0"], /--concurrency must be a whole/],
    [["warm", ""], /the list of URLs needs a name/],
  ];
  await using temp = await tempDir();
  for (const [args, message] of cases) {
    await t.step(args.join(" "), async () => {
      const where = args.some((arg) => arg.startsWith("--dir"))
        ? []
        : ["--dir", temp.path];
      const [first = "", ...rest] = args;
      const { code, stdout, stderr } = await cli([first, ...where, ...rest]);
      assertMatch(stderr, message);
      assertEquals([code, stdout, linesOf(stderr).length], [2, "", 1]);
    });
  }
});

Deno.test("main() never makes the folder that a command reads", async () => {
  await using temp = await tempDir();
  const dir = `${temp.path}/none`;
  const calls = [
    ["stats"],
    ["ls"],
    ["get", "https://a"],
    ["explain", "https://a"],
    ["verify"],
    ["verify", "--fix"],
    ["prune", "--max-size-mb", "1"],
    ["rm", "https://a"],
  ];
  for (const args of calls) {
    const result = await cli([...args, "--dir", dir]);
    const stderr = `media-cache: there is no folder ${dir}\n`;
    assertEquals(result, { code: 1, stdout: "", stderr });
  }
  assertEquals([...Deno.readDirSync(temp.path)], []);

  await Deno.writeTextFile(dir, "a file");
  const { code, stderr } = await cli(["ls", "--dir", dir]);
  assertEquals([code, stderr], [1, `media-cache: ${dir} is not a folder\n`]);
  const { stderr: notFound } = await cli(["ls", "--dir", `${dir}/below`]);
  assertMatch(notFound, /can't open .*Not a directory/);
});

Deno.test("main() accepts a file: URL as the folder", async () => {
  await using temp = await tempDir();
  const { code } = await cli(["ls", "--dir", `file://${temp.path}`]);
  assertEquals(code, 0);
});

Deno.test("main() uses colors only on terminals, and never with NO_COLOR", async () => {
  await using temp = await tempDir();
  await writePair(temp.path, "https://a", new Uint8Array(1));
  const args = ["ls", "--dir", temp.path];
  const print = async (isTerminal: boolean, color: boolean) => {
    const stdout = new FakeOutput(isTerminal);
    await cli(args, { stdout, color });
    return stdout.text;
  };
  const plain = await print(false, true);
  assertEquals(plain.includes("\x1b"), false);
  assertEquals(await print(true, false), plain);
  assertMatch(await print(true, true), /^\p{Cc}\[1mKEY .*\p{Cc}\[22m\n/u);
});

Deno.test("main() ends quietly when the reader of its output has gone", async () => {
  await using temp = await tempDir();
  const stderr = new FakeOutput();
  const stdout = new FakeOutput();
  stdout.write = () => Promise.reject(new Deno.errors.BrokenPipe());
  for (const args of [["ls", "--dir", temp.path], ["--help"]]) {
    assertEquals(await main(args, { stdout, stderr, color: false }), 141);
  }
  assertEquals(stderr.text, "");
});

Deno.test("main() continues when the reader of its errors has gone", async () => {
  const stderr = new FakeOutput();
  stderr.writeSync = () => {
    throw new Deno.errors.BrokenPipe();
  };
  assertEquals((await cli(["nope"], { stderr })).code, 2);
});

Deno.test("main() reports a disk that takes no output", async () => {
  await using temp = await tempDir();
  const stdout = new FakeOutput();
  stdout.write = () => Promise.reject(new Error("No space left on device"));
  const result = await cli(["stats", "--dir", temp.path], { stdout });
  assertEquals(result.code, 1);
  assertEquals(result.stderr, "media-cache: No space left on device\n");
});

Deno.test("Call rethrows errors that the user has not caused", () => {
  const output = new Output(new FakeOutput(), new FakeOutput(), false);
  const stdin = { readable: new ReadableStream<Uint8Array>() };
  const call = new Call({ dir: { value: "DIR", help: "" } }, ["--", "--x"], {
    output,
    stdin,
    signal: undefined,
  });
  assertEquals(call.operands, ["--x"]);
  assertEquals(call.dir, "media_cache");
  assertEquals([call.texts("dir"), call.flag("dir")], [[], false]);
});
