import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MOD = new URL("../../../mod.ts", import.meta.url).href;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

Deno.test("a process ends without a close of its cache, and loses no stored entry", async () => {
  await using dir = await tempDir();
  const cacheDir = join(dir.path, "cache");
  const path = join(dir.path, "bot.ts");
  await Deno.mkdir(cacheDir);
  await writePair(cacheDir, "old", bytesOf(5));
  const { json } = await writePair(cacheDir, "orphan", bytesOf(5));
  await Deno.remove(json);
  await Deno.writeTextFile(
    path,
    `import { MediaCache } from ${JSON.stringify(MOD)};
     const cacheDir = ${JSON.stringify(cacheDir)};
     const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0, onEvent() {} });
     await cache.put("put", new Uint8Array(3), "image/png", "a.png");
     const unread = await cache.get("old");
     const begun = (await cache.get("old")).body.getReader();
     const media = await cache.getOrDownload("new", async () => ({ data: new Uint8Array(4) }));
     console.log((await media.bytes()).length, await media.stored);`,
  );

  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", `--config=${CONFIG}`, "-A", path],
    env: { NO_COLOR: "1" },
  }).output();

  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "4 true\n"]);
  await using cache = await MediaCache.open({ cacheDir, onEvent() {} });
  const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
  assertEquals(urls.sort(), ["new", "old", "put"]);
});
