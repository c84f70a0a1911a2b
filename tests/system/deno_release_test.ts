/** A bot that imports the package, on other releases of Deno from npm. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import config from "../../deno.json" with { type: "json" };
import { LEAST_DENO } from "../../src/core/disk/deno_release.ts";
import {
  publishOurs,
  reachRegistry,
  runDeno,
} from "../fixtures/package/published_package.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

/**
 * The first release that works, the last of its line, and a release that is too
 * old.
 */
const FIRST = "2.7.1";
const LAST = "2.7.14";
const TOO_OLD = "2.6.8";

const DENOW = fromFileUrl(new URL("../../denow", import.meta.url));

const BOT = `
import { MediaCache } from "jsr:${config.name}";

const [cacheDir] = Deno.args;
let requests = 0;
await using server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => {
    requests++;
    return new Response("a voice note", { headers: { "Content-Type": "audio/ogg" } });
  },
);
const url = "http://127.0.0.1:" + server.addr.port + "/voice.ogg";
const download = ({ url, signal }: { url: string; signal: AbortSignal }) => fetch(url, { signal });

for (const source of ["download", "disk"]) {
  await using cache = await MediaCache.open({ cacheDir });
  const media = await cache.getOrDownload(url, download);
  console.log(media.source === source, media.filename, media.mimetype);
  console.log(new TextDecoder().decode(await media.bytes()), await media.stored);
  const isPut = await cache.put(source, new Uint8Array(9), "image/png", "a.png");
  const put = await cache.get(source);
  console.log(isPut, (await put?.bytes())?.length, cache.stats().diskErrors);
}
console.log(requests);
`;

/** Runs the bot on a release of Deno. */
async function runOn(version: string) {
  await using temp = await tempDir();
  const registry = join(temp.path, "registry");
  await publishOurs(registry);
  const program = join(temp.path, "bot");
  await Deno.mkdir(program);
  await Deno.writeTextFile(join(program, "main.ts"), BOT);
  const cacheDir = join(temp.path, "cache");
  const env = {
    ...await reachRegistry(registry, program),
    DENO_DIR: join(temp.path, "deno"),
    DENOW_DENO: version,
  };
  const options = { cwd: program, env };
  const { stdout } = await runDeno(["--version"], options, DENOW);
  const flags = [
    "--quiet",
    "--no-prompt",
    "--allow-net=127.0.0.1",
    `--allow-read=${cacheDir}`,
    `--allow-write=${cacheDir}`,
  ];
  const args = ["run", ...flags, "main.ts", cacheDir];
  const ran = await runDeno(args, options, DENOW);
  return { ...ran, version: stdout.split(" ")[1] };
}

for (const version of [FIRST, LAST]) {
  Deno.test(`a bot on Deno ${version} opens, downloads, stores and finds entries again`, async () => {
    const ran = await runOn(version);

    const lines = [
      "true voice.ogg audio/ogg",
      "a voice note true",
      "true 9 0",
    ];
    const stdout = `${[...lines, ...lines, "1"].join("\n")}\n`;
    assertEquals(ran, { success: true, stdout, stderr: "", version });
  });
}

Deno.test(`a bot on Deno ${TOO_OLD} gets an error that names the release needed`, async () => {
  const { success, stdout, stderr, version } = await runOn(TOO_OLD);

  assertEquals([success, stdout, version], [false, "", TOO_OLD]);
  const [line = ""] = stderr.split("\n");
  assertEquals(
    line.replace(/^.*?(?=MediaCacheError)/, ""),
    `MediaCacheError: Cannot open cache: Deno must be ${LEAST_DENO} or later: this is ${TOO_OLD}`,
  );
});
