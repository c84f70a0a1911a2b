import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./fixtures/program.ts";

Deno.test("nobody but the owner may read a file of ours, or list the folder, under any umask", async () => {
  const modes = await runProgram(`
    Deno.umask(0);
    const { promise: more, resolve: goOn } = Promise.withResolvers();
    const cache = await MediaCache.open({ cacheDir, onEvent() {} });
    await cache.put("a", new Uint8Array(9), "image/png", "a.png");
    const media = await cache.getOrDownload("b", async () => ({
      data: new ReadableStream({
        async start(controller) {
          controller.enqueue(new Uint8Array(9));
          await more;
          controller.close();
        },
      }),
    }));
    const modes = [["the folder", Deno.statSync(cacheDir).mode & 0o777]];
    for (const { name } of Deno.readDirSync(cacheDir)) {
      modes.push([name, Deno.statSync(cacheDir + "/" + name).mode & 0o777]);
    }
    goOn();
    await media.bytes();
    await cache.close();
    console.log(JSON.stringify(modes));
  `);

  const [[folder, ...files] = []] = modes as [string, number][][];
  assertEquals(folder?.[1], 0o700);
  for (const kind of [".dat", ".json", ".part"]) {
    assert(files.some(([name]) => name.endsWith(kind)), kind);
  }
  for (const [name, mode] of files) assertEquals(mode, 0o600, name);
});
