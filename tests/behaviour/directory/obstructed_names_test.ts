/** Foreign objects under the names of the cache's files block no call. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { bytesOf, isThere } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A call that takes longer than this hangs. */
const HANGING_MS = 20_000;

const URL = "https://example.org/a";
const BYTES = bytesOf(5000);
const SECRET = bytesOf(7);

const NAMES = [
  CHANGES_NAME,
  `${keyOf(URL)}.download.part`,
  `${keyOf(URL)}.description.part`,
];

const OBSTACLES: Record<string, (path: string, outside: string) => unknown> = {
  "a folder": (path) => Deno.mkdir(path),
  "a folder that is not empty": (path) =>
    Deno.mkdir(join(path, "inside"), { recursive: true }),
  "a link to a file outside": (path, outside) => Deno.symlink(outside, path),
  "a link to nothing": (path, outside) => Deno.symlink(`${outside}.not`, path),
  "a FIFO": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
};

/** Rejects if a task does not end. */
async function inTime<T>(what: string, task: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const error = new Error(`${what} hangs`);
  const timer = setTimeout(() => reject(error), HANGING_MS);
  try {
    return await Promise.race([task, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A body in two chunks, so that other processes get a description of it. */
function download() {
  const chunks = [BYTES.slice(0, 2000), BYTES.slice(2000)];
  return Promise.resolve({ data: ReadableStream.from(chunks) });
}

async function use(cache: MediaCache): Promise<void> {
  const put = cache.put("b", BYTES, "image/png", "b.png");
  assertEquals(await inTime("put()", put), true);
  for (let times = 0; times < 2; times++) {
    const call = cache.getOrDownload(URL, download);
    await using media = await inTime("getOrDownload()", call);
    assertEquals(await inTime("bytes()", media.bytes()), BYTES);
    assertEquals(await inTime("stored", media.stored), true);
    await using hit = await inTime("get()", cache.get(URL));
    assertEquals(await hit?.bytes(), BYTES);
    assertEquals(await inTime("delete()", cache.delete(URL)), true);
    assertEquals(await cache.has(URL), false);
  }
  assertEquals(await inTime("delete()", cache.delete("b")), true);
}

for (const name of NAMES) {
  for (const [obstacle, make] of Object.entries(OBSTACLES)) {
    for (const speed of ["fast", "slow"]) {
      const shown = name.replace(/^[0-9a-f]{64}/, "{key}");
      Deno.test(`${obstacle} named ${shown} blocks no call on a ${speed} disk, and no other file changes`, async () => {
        await using dir = await tempDir();
        await using elsewhere = await tempDir();
        const outside = join(elsewhere.path, "outside");
        await Deno.writeFile(outside, SECRET);
        await Deno.utime(outside, 1e9, 1e9);
        await make(join(dir.path, name), outside);
        using _disk = speed === "slow" ? new SlowDisk() : undefined;
        const recorder = new Recorder();
        {
          await using cache = await inTime(
            "open()",
            MediaCache.open({
              cacheDir: dir.path,
              onEvent: recorder.onEvent,
            }),
          );
          await use(cache);
        }

        assertEquals(await Deno.readFile(outside), SECRET);
        assertEquals((await Deno.stat(outside)).mtime, new Date(1e12));
        assertEquals(await isThere(`${outside}.not`), false);
        if (name === CHANGES_NAME) {
          const told = recorder.of("diskError");
          assertEquals(told.map(({ operation }) => operation), [
            "lock the directory",
          ]);
          assertEquals(await isThere(join(dir.path, name)), true);
        }
      });
    }
  }
}

Deno.test("the directory has a lock as soon as the lock's name is free", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, CHANGES_NAME);
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });
  await Deno.mkdir(path);
  await use(cache);
  await Deno.remove(path);
  await use(cache);

  assertEquals((await Deno.lstat(path)).isFile, true);
  assertEquals(recorder.of("diskError").length, 1);
});
