/** Read-only requests change nothing in a cache, in any state of its folder. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../mod.ts";
import { keyOf } from "../../src/core/text/key.ts";
import { statsRouter } from "../../src/hono/stats_router.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { namesIn, snapshotOf } from "../fixtures/directory/files.ts";
import { type Mounted, mounted } from "../fixtures/servers/mounted.ts";
import { Recorder } from "../fixtures/cache/recorder.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const TRUSTED = { access: "trusted" } as const;
const URLS = Array.from({ length: 10 }, (_, i) => `${i}:`);

/** Every URL that the dashboard loads, and every other read-only request. */
const PATHS = [
  "/",
  "/dashboard/sections",
  "/stats",
  "/metrics",
  "/healthz",
  "/entries",
  ...URLS.map((url) => `/view/${keyOf(url)}`),
  ...URLS.map((url) => `/preview/${keyOf(url)}`),
];

/** Runs an action on each file of the folder with this end of its name. */
async function eachFile(
  dir: string,
  end: string,
  act: (path: string) => unknown,
): Promise<void> {
  for (const name of await namesIn(dir)) {
    if (name.endsWith(end)) await act(join(dir, name));
  }
}

async function spoil(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.write(pattern(1, 99));
}

/** Makes each read of a body fail. */
function failReads(): Disposable {
  const { openSync } = Deno;
  const fail = () => {
    throw Object.assign(new Error("Input/output error"), { code: "EIO" });
  };
  Deno.openSync = (path, options) => {
    const file = openSync(path, options);
    const read = () => Promise.try(fail);
    if (!String(path).endsWith(".dat")) return file;
    return Object.assign(file, { readSync: fail, read });
  };
  return {
    [Symbol.dispose]() {
      Deno.openSync = openSync;
    },
  };
}

type Break = (dir: string) => unknown;

const FAULTS: [what: string, act: Break, options?: MediaCacheOptions][] = [
  ["is good", () => {}],
  ["has become a file", async (dir) => {
    await Deno.remove(dir, { recursive: true });
    await Deno.writeTextFile(dir, "a file in its place");
  }],
  ["is gone", (dir) => Deno.remove(dir, { recursive: true })],
  ["has become empty", (dir) => eachFile(dir, "", (path) => Deno.remove(path))],
  ["lacks its bodies", (dir) => eachFile(dir, ".dat", Deno.remove)],
  ["lacks its sidecars", (dir) => eachFile(dir, ".json", Deno.remove)],
  [
    "has bodies that are cut short",
    (dir) => eachFile(dir, ".dat", (path) => Deno.truncate(path, 3)),
  ],
  [
    "has sidecars that can't be read",
    (dir) => eachFile(dir, ".json", (path) => Deno.writeTextFile(path, "{")),
  ],
  [
    "has damaged bodies",
    (dir) => eachFile(dir, ".dat", spoil),
    { verifyOnRead: true },
  ],
  ["fails at each read of a body", failReads],
];

async function stored(options: MediaCacheOptions): Promise<Mounted> {
  const router = await mounted(TRUSTED, options);
  for (const [i, url] of URLS.entries()) {
    await router.cache.put(url, pattern(1000 + i), "image/png", `${i}.png`);
  }
  return router;
}

for (const [what, act, options] of FAULTS) {
  for (const maxMemoryItems of [0, 64]) {
    const where = maxMemoryItems === 0 ? "on disk" : "in RAM";
    Deno.test(`read-only requests in a folder that ${what} change no entries ${where}`, async () => {
      const recorder = new Recorder();
      const { onEvent } = recorder;
      await using router = await stored({
        maxMemoryItems,
        onEvent,
        ...options,
      });
      const { cache } = router;
      for (const url of maxMemoryItems === 0 ? [] : URLS) {
        await (await cache.get(url))?.bytes();
      }
      const listed = await Array.fromAsync(cache.entries());
      assertEquals(listed.length, URLS.length);
      const fault = await act(router.dir);
      const stats = cache.stats();
      const told = recorder.events.length;

      for (const path of PATHS) {
        // Alone: a server that also reads files would be disturbed.
        const looked = statsRouter(cache, TRUSTED).request(path);
        await Promise.resolve(looked)
          .then((response) => response.bytes())
          .catch((error) => assertEquals(error.code, "EIO"));
      }

      if (typeof fault === "object") (fault as Disposable)[Symbol.dispose]();
      assertEquals(recorder.events.slice(told), []);
      assertEquals(cache.stats(), stats);
      assertEquals(await Array.fromAsync(cache.entries()), listed);
    });
  }
}

Deno.test("read-only requests change nothing in a folder that was never opened, and cannot be", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "a file");
  await Deno.writeTextFile(cacheDir, "a file in its place");
  const recorder = new Recorder();
  await using cache = new MediaCache({ cacheDir, onEvent: recorder.onEvent });
  const before = cache.stats();

  for (const path of PATHS) {
    const response = await statsRouter(cache, TRUSTED).request(path);
    await response.body?.cancel();
  }

  assertEquals(recorder.events, []);
  assertEquals(cache.stats(), before);
});

Deno.test("a read-only request leaves a damaged body for the users of the cache", async () => {
  await using router = await stored({ verifyOnRead: true, maxMemoryItems: 0 });
  const { cache, dir } = router;
  await eachFile(dir, ".dat", spoil);
  const before = await snapshotOf(dir);

  const looked = await cache.getByKey(keyOf("0:"), { peek: true });

  assertEquals(looked, undefined);
  assertEquals(await snapshotOf(dir), before);
  assertEquals(await cache.get("0:"), undefined);
  assertEquals(cache.stats().entries, URLS.length - 1);
});

Deno.test("a read-only request sees at once that another process has changed an entry", async () => {
  await using router = await stored({});
  const { cache, dir } = router;
  await (await cache.get("0:"))?.bytes();
  assert(cache.stats().entriesInMemory > 0);
  await using other = await MediaCache.open({ cacheDir: dir });
  const key = keyOf("0:");

  await other.put("0:", pattern(1000, 7), "image/gif", "new.gif", {
    replace: true,
  });

  const media = await cache.getByKey(key, { peek: true });
  assertEquals(await media?.bytes(), pattern(1000, 7));
  assertEquals((await cache.infoByKey(key))?.filename, "new.gif");
  assert(await other.delete("0:"));
  assertEquals(await cache.getByKey(key, { peek: true }), undefined);
  assertEquals(await cache.infoByKey(key), undefined);
});
