/** README.md: short, its first lines run in a bot, its options are those of the code. */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { BotApi } from "../fixtures/servers/bot_api.ts";

const MAX_WORDS = 2200;

const root = fromFileUrl(new URL("../../", import.meta.url));
const readme = await Deno.readTextFile(join(root, "README.md"));

Deno.test(`README.md has at most ${MAX_WORDS} words`, () => {
  assertLessOrEqual(readme.split(/\s+/).length, MAX_WORDS);
});

Deno.test("the first lines of README.md send a photo in a grammY bot, with the flags below them", async () => {
  const [, lines] = readme.match(/^```ts ignore\n([^]*?)^```/m) ?? [];
  const [, flags] = readme.match(/^deno run (.*) bot\.ts$/m) ?? [];
  assert(lines && flags);
  const imports = lines.match(/^import .*$/gm) ?? [];
  const body = lines.replace(/^import .*$/gm, "");
  await using dir = await tempDir();
  await using api = new BotApi();
  const photo = {
    kind: "photo",
    path: "photos/file_0.jpg",
    bytes: pattern(90_000),
  };
  const file = join(dir.path, "bot.ts");
  await Deno.writeTextFile(
    file,
    `import { Bot } from "grammy";
    ${imports.join("\n")}
    const apiRoot = "http://${api.host}";
    const url = \`\${apiRoot}/file/bot${api.token}/${photo.path}\`;
    const bot = new Bot("${api.token}", { client: { apiRoot } });
    bot.on("message:photo", async (ctx) => { ${body} });
    await bot.start();`,
  );

  const bot = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt"],
      ...["--config", join(root, "deno.json"), ...flags.split(" "), file],
    ],
    cwd: dir.path,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let hasEnded = false;
  const ended = bot.output().then(({ stderr }) => {
    hasEnded = true;
    throw new Error(`The bot ended: ${new TextDecoder().decode(stderr)}`);
  });
  try {
    const reply = await Promise.race([api.send(photo), ended]);
    assertEquals([reply.method, reply.filename], ["sendPhoto", "file_0.jpg"]);
    assertEquals(reply.bytes, photo.bytes);
  } finally {
    ended.catch(() => {});
    if (!hasEnded) bot.kill("SIGKILL");
    await bot.status;
  }
});

/** The options that a file of the API declares, with their defaults. */
async function optionsOf(
  file: string,
): Promise<[name: string, value: string | undefined][]> {
  const source = await Deno.readTextFile(join(root, "src/core/api", file));
  const members = source.matchAll(
    /((?:^ {3}\*.*\n)+) {3}\*\/\n {2}(\w+)\?:|\/\*\*.*\*\/\n {2}(\w+)\?:/gm,
  );
  return [...members].map(([, doc = "", name, short = ""]) => {
    const [, value] = doc.match(/@default \{(.*)\}/) ?? [];
    return [name ?? short, value];
  });
}

Deno.test("README.md lists the options of the code, and their defaults", async () => {
  const [, section = ""] = readme.split(/^## Options$/m);
  const rows = section.split(/^## /m)[0]!
    .matchAll(/^\| `(\w+)` +\| (.*?) +\|/gm);
  const told = [...rows].map(([, name = "", value = ""]) => ({ name, value }));

  const options = await optionsOf("options.ts");
  const others = await optionsOf("failure_options.ts");
  const otherNames = others.map(([name]) => name);
  const names = told.map(({ name }) => name);
  assertEquals(names.filter((name) => otherNames.includes(name)), otherNames);
  assertEquals(
    names.filter((name) => !otherNames.includes(name)),
    options.map(([name]) => name),
  );
  const defaults = new Map([...options, ...others]);
  for (const { name, value } of told) {
    const wanted = defaults.get(name);
    const text = value.replace(/[`,]/g, "");
    if (wanted !== undefined) assertEquals(text, wanted, name);
  }
});
