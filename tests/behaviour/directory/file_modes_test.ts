import { assert, assertEquals } from "@std/assert";
import { runProgram } from "../../fixtures/processes/program.ts";

/**
 * Stores, downloads and converts under a umask; prints the modes of every file
 * meanwhile.
 */
const PROGRAM = `
  const mode = (path) => Deno.statSync(path).mode & 0o777;
  Deno.umask(UMASK);
  const dir = cacheDir + "/above/own";
  const { promise: more, resolve: goOn } = Promise.withResolvers();
  const cache = await MediaCache.open({ cacheDir: dir, onEvent() {} });
  await cache.put("a", new Uint8Array(9), "image/png", "a.png");
  const media = await cache.getOrDownload("b", async () => ({
    mimetype: "image/png",
    data: new ReadableStream({
      async start(controller) {
        controller.enqueue(new Uint8Array(9));
        await more;
        controller.close();
      },
    }),
  }));
  const parents = [cacheDir, cacheDir + "/above"].map(mode);
  const modes = [["the folder", mode(dir)]];
  for (const { name } of Deno.readDirSync(dir)) {
    modes.push([name, mode(dir + "/" + name)]);
  }
  goOn();
  await media.bytes();
  const isStored = await media.stored;
  const { degraded } = cache.stats();
  await cache.close();
  console.log(JSON.stringify({ modes, parents, isStored, degraded }));
`;

for (const umask of [0o000, 0o022, 0o177, 0o277, 0o777]) {
  const name = `0${umask.toString(8).padStart(3, "0")}`;
  Deno.test(`under a umask of ${name} the owner alone has access to the files of the cache`, async () => {
    const [seen] = await runProgram(PROGRAM.replace("UMASK", String(umask)));

    const { modes, parents, isStored, degraded } = seen as {
      modes: [string, number][];
      parents: number[];
      isStored: boolean;
      degraded: string[];
    };
    const [folder, ...files] = modes;
    assertEquals(folder?.[1], 0o700);
    for (const kind of [".dat", ".json", ".part", ".changes"]) {
      assert(files.some(([name]) => name.endsWith(kind)), kind);
    }
    for (const [name, mode] of files) assertEquals(mode, 0o600, name);
    // The umask applies to parents, but the owner may use them.
    const parent = 0o777 & ~umask | 0o700;
    assertEquals(parents, [parent, parent]);
    assertEquals([isStored, degraded], [true, []]);
  });
}
