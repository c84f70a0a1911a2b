/** Secrets in each part of a URL, and the places where they appear. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { formatEvent, MediaCache, type MediaCacheEvent } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { statsRouter } from "../../../src/hono/stats_router.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { recordConsole } from "../../fixtures/cache/console.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const CANARY = "cAnArY7f3a";

/**
 * A secret anywhere but in the last segment of the path, which names the file.
 */
const URLS = [
  `https://api.example.org/file/bot1:${CANARY}/photos/a.png`,
  `https://cdn.example.org/a.png?token=${CANARY}&ex=1`,
  `https://user:${CANARY}@example.org/a.png`,
  `https://${CANARY}:x@example.org/a.png`,
  `https://example.org/a.png#${CANARY}`,
  `https://${CANARY}.example.org/a.png`,
];

/** All texts of an error, its causes included. */
function toldBy(error: unknown): string[] {
  const lines: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    lines.push(cause.name, cause.message, cause.stack ?? "", `${cause}`);
    lines.push(JSON.stringify(cause), Deno.inspect(cause));
  }
  return lines;
}

/** Every operation on a URL; gives the texts that reported it. */
async function befall(
  cache: MediaCache,
  dir: string,
  url: string,
): Promise<string[]> {
  const told: string[] = [];
  const attempt = async (download: () => unknown, signal?: AbortSignal) => {
    try {
      await using media = await cache.getOrDownload(
        url,
        () => Promise.resolve(download()) as Promise<Response>,
        { signal },
      );
      told.push(Deno.inspect(media.response().headers));
      await media.stored;
      await using again = await cache.get(url);
      await again?.bytes();
      await again?.bytes();
    } catch (error) {
      told.push(...toldBy(error));
    }
  };
  await attempt(() => new Response("", { status: 403 }));
  await attempt(() => ({ data: pattern(9), size: 8 }));
  await attempt(() => ({ data: new Tap().readable, size: 2 ** 40 }));
  await attempt(() => 5);
  await attempt(() => ({ data: gifOfDelays([10]).slice(0, -9) }));
  await cache.delete(url);
  // A failing disk: a file stands in the place of the folder.
  await Deno.rename(dir, `${dir}.away`);
  await Deno.writeTextFile(dir, "");
  await attempt(() => ({ data: pattern(9), mimetype: "image/png" }));
  assertEquals(await cache.put(url, pattern(9), "image/png", "a.png"), false);
  told.push(await cache.probe() ?? "");
  await Deno.remove(dir);
  await Deno.rename(`${dir}.away`, dir);
  await attempt(() => ({ data: pattern(9), mimetype: "image/png" }));
  await cache.put(url, pattern(900_000), "image/png", "a.png", {
    replace: true,
  });
  return told;
}

Deno.test("a secret in a URL is in no error, on no console, in no line of log, and in no number", async () => {
  await using dir = await tempDir();
  using printed = recordConsole();
  const events: MediaCacheEvent[] = [];
  // Without onEvent, so that the console is warned.
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 2,
    maxDownloadMb: 3,
    maxMemoryItems: 0,
    verifyOnRead: true,
  });
  cache.subscribe((event) => events.push(event));
  const told: string[] = [];

  for (const url of URLS) told.push(...await befall(cache, dir.path, url));
  for (const name of await namesIn(dir.path)) {
    if (name.endsWith(".dat")) await Deno.truncate(join(dir.path, name), 3);
  }
  for (const url of URLS) assertEquals(await cache.get(url), undefined);
  told.push(JSON.stringify(cache.stats()), await cache.probe() ?? "");
  told.push(JSON.stringify(await cache.verify()));
  await cache.close();
  for (const url of URLS) {
    told.push(...toldBy(await cache.get(url).catch((error) => error)));
  }

  const types = new Set(events.map(({ type }) => type));
  for (const type of ["hit", "miss", "stored", "failed", "kept"] as const) {
    assert(types.has(type), type);
  }
  for (const type of ["evicted", "dropped", "diskError", "deleted"] as const) {
    assert(types.has(type), type);
  }
  assert(printed.lines.length > 0 && told.length > URLS.length);
  const lines = [
    ...told,
    ...events.map(formatEvent),
    ...printed.lines.map((line) => Deno.inspect(line)),
  ];
  for (const line of lines) assert(!line.includes(CANARY), line);
});

Deno.test("a secret in a URL is in sidecars, and in no other file", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  const taps: Tap[] = [];
  const downloads = URLS.map((url) => {
    const tap = new Tap();
    taps.push(tap);
    tap.write(pattern(9));
    return cache.getOrDownload(
      `${url}2`,
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  });
  for (const url of URLS) {
    await cache.put(url, pattern(9), "image/png", "a.png");
  }
  const running = await Promise.all(downloads);

  let sidecars = 0;
  for await (const { name } of Deno.readDir(dir.path)) {
    const text = new TextDecoder("latin1")
      .decode(await Deno.readFile(join(dir.path, name)));
    assert(!name.includes(CANARY));
    assertEquals(text.includes(CANARY), name.endsWith(".json"), name);
    if (name.endsWith(".json")) sidecars++;
  }

  assertEquals(sidecars, URLS.length);
  for (const tap of taps) tap.end();
  for (const media of running) await media.bytes();
});

const TOKEN = "long-and-random";
const PATHS = [
  "/",
  "/stats",
  "/metrics",
  "/healthz",
  "/entries",
  "/dashboard/sections",
  "/nothing",
  ...URLS.flatMap((url) =>
    ["media", "view", "preview"].map((page) => `/${page}/${keyOf(url)}`)
  ),
];

Deno.test("a secret in a URL is on no page of the router except behind its token", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });
  const open = statsRouter(cache);
  const guarded = statsRouter(cache, { token: TOKEN });
  const text = async (
    router: typeof open,
    path: string,
    headers: Record<string, string> = {},
  ) => {
    const response = await router.request(path, { headers });
    return Deno.inspect(response.headers) + await response.text();
  };
  for (const url of URLS) {
    await cache.put(url, pattern(9), "image/png", "a.png");
    await using _media = await cache.get(url);
    const refused = () => Promise.reject(new Error(`cannot fetch ${url}`));
    await cache.getOrDownload(`${url}3`, refused).catch(() => {});
  }
  const tap = new Tap();
  const running = cache.getOrDownload(
    `${URLS[1]}2`,
    () =>
      Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
  );

  for (const path of PATHS) {
    for (const headers of [{}, { Accept: "application/openmetrics-text" }]) {
      for (const router of [open, guarded]) {
        const page = await text(router, path, headers);
        assert(!page.includes(CANARY), `${path}\n${page}`);
      }
    }
  }
  const Authorization = `Bearer ${TOKEN}`;
  for (const path of ["/metrics", "/stats", "/healthz"]) {
    const page = await text(guarded, path, { Authorization });
    assert(!page.includes(CANARY), path);
  }
  assert((await text(guarded, "/entries", { Authorization })).includes(CANARY));

  tap.end();
  await (await running).bytes();
});
