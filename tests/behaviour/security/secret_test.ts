import { assert, assertEquals } from "@std/assert";
import {
  formatEvent,
  MediaCache,
  type MediaCacheEvent,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { WriteFault } from "../../fixtures/faults/disk_faults.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** Part of every URL here, and of no message. */
const TOKEN = "bot123:SECRET";
const URL_A = `https://api.example.org/file/${TOKEN}/photos/a.jpg?sig=${TOKEN}`;

type Scene = (cache: MediaCache) => Promise<unknown>;

/** A download, read to its end. */
function scene(
  download: (signal: AbortSignal) => unknown,
  options: MediaCacheOptions = {},
): [Scene, MediaCacheOptions] {
  return [async (cache) => {
    const media = await cache.getOrDownload(
      URL_A,
      ({ signal }) => Promise.resolve(download(signal)) as Promise<Response>,
    );
    await media.bytes();
    await media.stored;
  }, options];
}

const silence = () => ({ data: new Tap().readable });
const large = () => ({ data: ReadableStream.from([pattern(2 ** 21)]) });
const scenes: Record<string, [Scene, MediaCacheOptions]> = {
  "a status": scene(() => new Response("", { status: 404 })),
  "a redirect": scene(() => Response.redirect(URL_A)),
  "a string": scene(() => URL_A),
  "a data that is a string": scene(() => ({ data: URL_A })),
  "a size that is a string": scene(() => ({ data: pattern(1), size: URL_A })),
  "a mimetype that is a URL": scene(() => ({
    data: pattern(1),
    mimetype: new URL(URL_A),
  })),
  "a locked body": scene(() => {
    const { data } = silence();
    data.getReader();
    return { data };
  }),
  "chunks of text": scene(() => ({ data: ReadableStream.from([URL_A]) })),
  "a short body": scene(() => ({ data: pattern(1), size: 2 })),
  "a long body": scene(() => ({ data: pattern(3), size: 2 })),
  "a body above maxDownloadMb": scene(large, { maxDownloadMb: 1 }),
  "a body declared too large": scene(() => ({ ...silence(), size: 2 ** 40 })),
  "silence": scene(silence, { idleTimeoutMs: 1 }),
  "a download above timeoutMs": scene(silence, { timeoutMs: 1 }),
  "an uncached body": scene(large, { maxSizeMb: 1 }),
  "a GIF": scene(() => ({ data: gifOfDelays([10, 20]) })),
  "a broken GIF": scene(() => ({ data: gifOfDelays([10]).slice(0, -20) })),
  "a full disk": [async (cache) => {
    using _fault = new WriteFault(0);
    await scene(() => ({ data: pattern(1) }))[0](cache);
  }, {}],
  "a download, a hit, a put and a deletion": [async (cache) => {
    const download = () => Promise.resolve({ data: pattern(700_000) });
    const calls = [1, 2].map(() => cache.getOrDownload(URL_A, download));
    for (const call of calls) await (await call).bytes();
    await using media = await cache.get(URL_A);
    await media?.stored;
    await cache.put(`${URL_A}&b`, pattern(700_000), "image/png", "b.png");
    await cache.delete(`${URL_A}&b`);
  }, { maxSizeMb: 1 }],
  "a Media that is read twice": [async (cache) => {
    await cache.put(URL_A, pattern(1), "", "");
    const media = await cache.get(URL_A);
    await media?.bytes();
    await media?.bytes();
  }, {}],
  "a disposed Media": [async (cache) => {
    await cache.put(URL_A, pattern(1), "", "");
    const media = await cache.get(URL_A);
    await media?.[Symbol.asyncDispose]();
    await media?.bytes();
  }, {}],
  "a closed cache": [async (cache) => {
    await cache.close();
    await cache.get(URL_A);
  }, {}],
  "an abort at close()": [async (cache) => {
    const call = scene(silence)[0](cache);
    const failed = call.catch((error) => error);
    await cache.close({ abort: true });
    throw await failed;
  }, {}],
  "an entry without its body": [async (cache) => {
    await cache.put(URL_A, pattern(1), "", "");
    for await (const { key } of cache.entries()) {
      await Deno.remove(`${cacheDirs.get(cache)}/${key}.dat`);
    }
    await cache.get(URL_A);
  }, { maxMemoryItems: 0 }],
};
const cacheDirs = new WeakMap<MediaCache, string>();

for (const [what, [play, options]] of Object.entries(scenes)) {
  Deno.test(`no message and no line of log holds a URL: ${what}`, async () => {
    await using temp = await tempDir();
    const events: MediaCacheEvent[] = [];
    const onEvent = (event: MediaCacheEvent) => events.push(event);
    const cacheDir = temp.path;
    await using cache = await MediaCache.open({
      cacheDir,
      onEvent,
      ...options,
    });
    cacheDirs.set(cache, cacheDir);

    const error = await play(cache).then(() => undefined, (error) => error);
    await cache.close();

    const lines = events.map(formatEvent);
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      lines.push(`${cause.message}\n${cause.stack}`);
    }
    assert(lines.length > 1);
    for (const line of lines) {
      assert(!line.includes("SECRET"), line);
      assert(!line.includes("example.org"), line);
    }
  });
}

Deno.test("a failed download is logged without the message of its error, which may hold the URL", async () => {
  await using temp = await tempDir();
  const events: MediaCacheEvent[] = [];
  const onEvent = (event: MediaCacheEvent) => events.push(event);
  await using cache = await MediaCache.open({ cacheDir: temp.path, onEvent });
  const refused = ({ url }: { url: string }) =>
    Promise.reject(new Error(`Cannot connect to ${url}`));

  const error = await cache.getOrDownload(URL_A, refused)
    .catch((error) => error);

  assert(error.message.includes("SECRET"));
  assertEquals(events.some(({ type }) => type === "failed"), true);
  for (const line of events.map(formatEvent)) assert(!line.includes("SECRET"));
});
