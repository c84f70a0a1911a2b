import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { namesIn, OLD_MS, setAge } from "../fixtures/directory/files.ts";
import { makeGif } from "../fixtures/gif/gif_writer.ts";
import { StoppedClock } from "../fixtures/time/stopped_clock.ts";
import { heard, stub, temporaryFolder } from "../fixtures/gif/stub.ts";

/** Minutes of work for ffmpeg. */
const LONG_GIF = makeGif({
  width: 2000,
  height: 2000,
  frames: Array.from(
    { length: 3000 },
    (_, i) => ({ delayCs: 2, left: i % 2000, width: 1, height: 1 }),
  ),
});

const PROGRAM = `
  import { MediaCache } from "${import.meta.resolve("../../mod.ts")}";
  const [cacheDir, ffmpeg, gif] = Deno.args;
  const data = await Deno.readFile(gif);
  const cache = await MediaCache.open({
    cacheDir,
    gifToMp4: { ffmpeg, timeoutMs: 1000, maxTotalPixels: 1e12 },
  });
  await cache.getOrDownload("gif", () => Promise.resolve({ data }));`;

Deno.test("an ffmpeg whose cache was killed ends by its own limit, and the next start cleans up after it", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const cacheDir = join(path, "cache");
  const gif = join(path, "long.gif");
  const main = join(path, "main.ts");
  await Deno.writeFile(gif, LONG_GIF);
  await Deno.writeTextFile(main, PROGRAM);
  await new Deno.Command("mkfifo", { args: [join(path, "go")] }).output();
  const ffmpeg = await stub(
    path,
    `PATH='${Deno.env.get("PATH")}'
    echo >"$here/said"
    read -r go <"$here/go"
    ffmpeg "$@"
    echo $? >"$here/said"`,
  );
  const config = fromFileUrl(import.meta.resolve("../../deno.json"));
  const cacheProcess = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--config",
      config,
      main,
      cacheDir,
      ffmpeg,
      gif,
    ],
  }).spawn();
  await heard(path);

  cacheProcess.kill("SIGKILL");
  assertEquals((await cacheProcess.status).signal, "SIGKILL");
  await Deno.writeTextFile(join(path, "go"), "\n");
  // The exit code of ffmpeg after a signal, here SIGXCPU.
  assertEquals(await heard(path), "255");

  const staged = await stagedIn(cacheDir);
  // The GIF, its second name, its description, and the video.
  assertEquals(staged.length, 4);
  {
    using _clock = new StoppedClock();
    for (const name of staged) await setAge(join(cacheDir, name), 0);
    await using cache = await MediaCache.open({ cacheDir, onEvent() {} });
    const { entries, orphanBytes } = cache.stats();
    assertEquals(entries, 0);
    assert(orphanBytes >= LONG_GIF.length);
  }
  assertEquals(await stagedIn(cacheDir), staged);
  for (const name of staged) await setAge(join(cacheDir, name), OLD_MS);
  await using cache = await MediaCache.open({ cacheDir, onEvent() {} });
  assertEquals([cache.stats().orphanBytes, await stagedIn(cacheDir)], [0, []]);
});

async function stagedIn(dir: string): Promise<string[]> {
  return (await namesIn(dir)).filter((name) => name.endsWith(".part"));
}
