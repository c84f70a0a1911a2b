import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "@media-cache/media-cache";
import { bytesOf, namesIn } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("a .part file that is deleted during put({ replace: true }) costs the new bytes, not the entry", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
    onEvent: () => {},
  });
  assert(await cache.put("a", bytesOf(9), "image/png", "a.png"));
  const pipe = new TransformStream<Uint8Array, Uint8Array>();
  const writer = pipe.writable.getWriter();
  const replace = true;
  const put = cache.put("a", pipe.readable, "image/png", "b.png", { replace });
  await writer.write(bytesOf(5));
  const parts = (await namesIn(dir.path))
    .filter((name) => name.endsWith(".part"));
  assertEquals(parts.length, 1);

  for (const name of parts) await Deno.remove(join(dir.path, name));
  await writer.close();

  assertEquals(await put, false);
  await using media = await cache.get("a");
  assertEquals([media?.filename, await media?.bytes()], ["a.png", bytesOf(9)]);
  assertEquals(cache.stats().entries, 1);
});
