/**
 * A program in an empty folder imports the package from JSR, as a bot would,
 * with no more permission than its cache folder; a server mounts the router,
 * and the command line tool runs from there. Another program links a clone.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { relative } from "node:path";
import { fromFileUrl, join } from "@std/path";
import config from "../../deno.json" with { type: "json" };
import {
  publishOurs,
  reachRegistry,
  runDeno,
} from "../fixtures/package/published_package.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const root = new URL("../../", import.meta.url);

const sticker = "https://example.com/sticker.webp";

const PROGRAM = `
import { MediaCache } from "jsr:${config.name}";

const [cacheDir] = Deno.args;
const sticker = "${sticker}";
const voice = "https://example.com/voice.ogg";
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);
const downloader = () =>
  Promise.resolve({
    data: bytes("a voice note"),
    mimetype: "audio/ogg",
    filename: "voice.ogg",
  });

const first = await MediaCache.open({ cacheDir });
console.log(await first.put(sticker, bytes("a sticker"), "image/webp", "sticker.webp"));
const downloaded = await first.getOrDownload(voice, downloader);
console.log(downloaded.source, text(await downloaded.bytes()));
console.log(await downloaded.stored);
await first.close();

const second = await MediaCache.open({ cacheDir });
for (const url of [sticker, voice]) {
  const media = await second.get(url);
  console.log(media?.filename, media?.mimetype, text(await media?.bytes()));
}
await second.close();
`;

const SERVER = `
import { MediaCache } from "jsr:${config.name}";
import { statsRouter } from "jsr:${config.name}/hono";
import { Hono } from "npm:hono@^4";

const [cacheDir] = Deno.args;
await using cache = await MediaCache.open({ cacheDir });
const app = new Hono();
app.route("/cache", statsRouter(cache, { access: "trusted" }));
const { media_cache: stats } = await (await app.request("/cache/stats")).json();
console.log(stats.entries);
for await (const { key } of cache.entries()) {
  console.log(await (await app.request("/cache/media/" + key)).text());
}
console.log((await (await app.request("/cache")).text()).includes("sticker.webp"));
`;

const LINKING = `
import { MediaCache } from "${config.name}";
import { main } from "${config.name}/cli";
import { guard } from "${config.name}/guard";
import { statsRouter } from "${config.name}/hono";
import { platforms } from "${config.name}/platforms";

const [cacheDir = ""] = Deno.args;
const canonicalUrl = platforms();
using _guarded: typeof fetch & Disposable = guard({ exempt: ["localhost:8081"] });
await using cache = await MediaCache.open({ cacheDir, canonicalUrl });
const response = await statsRouter(cache).request("/stats");
console.log(response.status, await main(["stats", "--json", "--dir", cacheDir]));
`;

/** All options that make the type check stricter. */
const STRICTEST = {
  lib: ["dom", "dom.iterable", "dom.asynciterable", "esnext", "deno.ns"],
  allowUnreachableCode: false,
  allowUnusedLabels: false,
  erasableSyntaxOnly: true,
  exactOptionalPropertyTypes: true,
  isolatedDeclarations: true,
  noFallthroughCasesInSwitch: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  verbatimModuleSyntax: true,
};

/** The output of a run that prints nothing. */
const OK = { success: true, stdout: "", stderr: "" };

Deno.test("a program that has only the package and a folder caches", async () => {
  const temp = await Deno.makeTempDir();
  try {
    const registry = join(temp, "registry");
    await publishOurs(registry);
    const program = join(temp, "empty");
    await Deno.mkdir(program);
    await Deno.writeTextFile(join(program, "main.ts"), PROGRAM);
    const env = await reachRegistry(registry, program);

    const denoDir = join(temp, "deno");
    await borrowNpm(denoDir);
    const options = { cwd: program, env: { ...env, DENO_DIR: denoDir } };

    const cacheDir = join(temp, "cache");
    const read = `--allow-read=${cacheDir}`;
    const run = ["run", "--quiet", "--no-prompt", read];
    const { success, stdout, stderr } = await runDeno(
      [...run, "--check", `--allow-write=${cacheDir}`, "main.ts", cacheDir],
      options,
    );

    assertEquals({ success, stderr }, { success: true, stderr: "" });
    assertEquals(stdout.trim().split("\n"), [
      "true",
      "download a voice note",
      "true",
      "sticker.webp image/webp a sticker",
      "voice.ogg audio/ogg a voice note",
    ]);

    const cli = (args: string[]) =>
      runDeno([...run, `jsr:${config.name}/cli`, ...args], options);
    const list = await cli(["ls", "--dir", cacheDir, "--json"]);
    assertEquals({ ...list, stdout: "" }, OK);
    assertEquals(
      JSON.parse(list.stdout).map((each: { filename: string }) =>
        each.filename
      ),
      ["voice.ogg", "sticker.webp"],
    );
    const bytes = await cli(["get", sticker, "--dir", cacheDir]);
    assertEquals(bytes, { ...OK, stdout: "a sticker" });
    const path = join(program, "server.ts");
    await Deno.writeTextFile(path, SERVER);
    const server = await runDeno(
      [...run, "--check", `--allow-write=${cacheDir}`, "server.ts", cacheDir],
      options,
    );
    const shown = "2\na voice note\na sticker\ntrue\n";
    assertEquals(server, { ...OK, stdout: shown });

    const version = await cli(["--version"]);
    assertEquals(version, { ...OK, stdout: `${config.version}\n` });
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
});

Deno.test("a strict program that links a clone type-checks and runs", async () => {
  await using temp = await tempDir();
  // Relative paths count from the real path of the folder.
  const cwd = await Deno.realPath(temp.path);
  await Deno.writeTextFile(join(cwd, "main.ts"), LINKING);
  await Deno.writeTextFile(
    join(cwd, "deno.json"),
    JSON.stringify({
      links: [relative(cwd, fromFileUrl(root)).replaceAll("\\", "/")],
      lock: false,
      compilerOptions: STRICTEST,
    }),
  );
  const cacheDir = join(cwd, "cache");
  const flags = ["--quiet", "--no-prompt", `--allow-read=${cacheDir}`];

  const result = await runDeno(
    [
      "run",
      ...flags,
      "--check",
      `--allow-write=${cacheDir}`,
      "main.ts",
      cacheDir,
    ],
    { cwd },
  );

  assertEquals({ ...result, stdout: "" }, OK);
  assertMatch(result.stdout, /"entries": 0,[^]*^200 0$/m);
});

/** Copies the npm packages that this project has fetched to a new DENO_DIR. */
async function borrowNpm(denoDir: string): Promise<void> {
  const { stdout } = await runDeno(["info", "--json"], {
    cwd: fromFileUrl(new URL("../../", import.meta.url)),
  });
  await Deno.mkdir(denoDir);
  await Deno.symlink(JSON.parse(stdout).npmCache, join(denoDir, "npm"));
}
