import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("asynchronous listeners that reject have no effect on calls", async () => {
  await using dir = await tempDir();
  const told: string[] = [];
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: async ({ type }) => {
      told.push(type);
      await Promise.reject(new Error("a listener's own"));
    },
  });

  cache.subscribe(() => Promise.reject(new Error("a subscriber's own")));

  const media = await cache.getOrDownload(
    "https://example.org/a",
    () => Promise.resolve({ data: new Uint8Array(9) }),
    {
      onProgress: async () => {
        await Promise.reject(new Error("a caller's own"));
      },
    },
  );

  assertEquals((await media.bytes()).length, 9);
  assertEquals(told, ["loaded", "miss", "stored"]);
});
