/** `--platforms`: a pasted link names the entry that a bot has stored. */
import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { platforms } from "../../src/platforms/platforms.ts";
import { cli } from "../fixtures/processes/cli.ts";
import { bytesOf, namesIn, pathsOf } from "../fixtures/directory/files.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const FILE = "https://cdn.discordapp.com/attachments/10/20/cat.png";
const SIGNED = `${FILE}?ex=65d903de&is=65c68ede&hm=2481f30dd6&`;
const PASTED = `${FILE}?ex=66d903de&is=66c68ede&hm=9981f30dd6&`;

/** A folder with an attachment, stored by a bot with the rules. */
async function stored(): Promise<{ dir: string } & AsyncDisposable> {
  const temp = await tempDir();
  const options = { cacheDir: temp.path, canonicalUrl: platforms() };
  await using cache = await MediaCache.open(options);
  assert(await cache.put(SIGNED, bytesOf(10), "image/png", "cat.png"));
  return {
    dir: temp.path,
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

Deno.test("explain, get and rm find a pasted link with --platforms, and not without", async () => {
  await using all = await stored();
  const { key } = pathsOf(all.dir, FILE);
  await using target = await tempDir();
  const file = `${target.path}/cat.png`;
  const at = ["--dir", all.dir];
  const run = (command: string, ...args: string[]) =>
    cli([command, PASTED, ...at, ...args]);

  assertEquals((await run("explain")).code, 1);
  assertEquals((await run("get", "--output", file)).code, 1);
  assertEquals((await run("rm")).code, 1);

  const json = ["--json", "--urls", "--platforms"];
  const explained = await run("explain", ...json);
  const { stored: isStored, url, key: told } = JSON.parse(explained.stdout);
  assertEquals([explained.code, isStored, url, told], [0, true, FILE, key]);
  const got = await run("get", "--output", file, "--platforms");
  assertEquals([got.code, got.stderr], [0, ""]);
  assertEquals(await Deno.readFile(file), bytesOf(10));
  const removed = await run("rm", "--json", "--platforms");
  assertEquals(JSON.parse(removed.stdout), { removed: [key], missing: [] });
  assertEquals(await namesIn(all.dir), []);
});

Deno.test("rm with --platforms takes several links to one entry for one", async () => {
  await using all = await stored();

  const { code, stderr } = await cli([
    ...["rm", PASTED, SIGNED, FILE, "--dir", all.dir, "--platforms"],
  ]);

  assertEquals([code, stderr], [0, ""]);
});

Deno.test("warm with --platforms stores a URL without its secret, and downloads it with it", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const asked: string[] = [];
  const path = "/file/bot1:AAFsecret/photos/file_0.jpg";
  const given = origin.on(path, ({ url }) => {
    asked.push(new URL(url).pathname);
    return new Response(bytesOf(10), {
      headers: { "Content-Type": "image/jpeg" },
    });
  });
  const { host } = new URL(given);
  const canonical = `http://${host}/file/bot1/photos/file_0.jpg`;
  const warm = () =>
    cli(["warm", given, "--dir", temp.path, "--platforms", "--json"]);

  const first = JSON.parse((await warm()).stdout.split("\n")[0] ?? "");
  const second = JSON.parse((await warm()).stdout.split("\n")[0] ?? "");

  const { key } = pathsOf(temp.path, canonical);
  assertEquals([first.result, first.key], ["stored", key]);
  assertEquals([second.result, second.key], ["present", key]);
  assertEquals(asked, [path]);
  assertEquals(await namesIn(temp.path), [`${key}.dat`, `${key}.json`]);
  const sidecar = await Deno.readTextFile(`${temp.path}/${key}.json`);
  assertEquals(JSON.parse(sidecar).url, canonical);
  assertEquals(sidecar.includes("secret"), false);
});

Deno.test("warm with --platforms tells why a URL was not stored", async () => {
  await using origin = new Origin();
  await using temp = await tempDir();
  const given = origin.on(
    "/file/bot1:AAFsecret/photos/file_0.jpg",
    () => new Response("", { status: 404 }),
  );

  const { code, stderr } = await cli([
    ...["warm", given, "--dir", temp.path, "--platforms"],
  ]);

  assertEquals(code, 1);
  assert(stderr.includes("HTTP 404"), stderr);
  assertEquals(stderr.includes("secret"), false);
});
