import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../mod.ts";
import { bytesOf } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { readOnlyMount, Tmpfs } from "../fixtures/directory/tmpfs.ts";

const URL = "https://example.org/a.png";
const PLACE = "telegram:1:photo";

/** Sends a media twice while the disk fails, and sets a handle when it works again. */
async function endure(
  cacheDir: string,
  fail: () => Promise<AsyncDisposable>,
): Promise<void> {
  await using cache = await MediaCache.open({ cacheDir, onEvent: () => {} });
  const send = () =>
    cache.sendOnce(URL, PLACE, () => Promise.resolve({ data: bytesOf(100) }), {
      again: (handle) => Promise.resolve(handle),
      first: async (media) => {
        await media.bytes();
        return { result: "first", handle: "h" };
      },
    });
  {
    await using _fault = await fail();
    assertEquals(await send(), "first");
    assertEquals(await send(), "h");
  }
  assertEquals(await send(), "h");
  await cache.setHandle(URL, "other", "h");
  await cache.close();

  await using next = await MediaCache.open({ cacheDir });
  assertEquals(await next.handle(URL, PLACE), "h");
}

Deno.test("on a full disk a media is uploaded once, and the handle is written when there is room", async () => {
  await using disk = await Tmpfs.mount("size=8m");
  await endure(join(disk.path, "cache"), () => disk.fill());
});

Deno.test("on a disk without room for names, too", async () => {
  await using disk = await Tmpfs.mount("size=16m,nr_inodes=40");
  await endure(join(disk.path, "cache"), () => disk.crowd());
});

Deno.test("on a mount that has become read-only a media is uploaded once, and the handle is written later", async () => {
  await using temp = await tempDir();
  const cacheDir = join(temp.path, "cache");
  await endure(cacheDir, () => readOnlyMount(cacheDir));
});
