import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { Commits } from "../../../src/core/catalog/commits.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL = "https://example.org/a";

Deno.test("Commits.ended() waits for the commit of that URL, also for one that fails", async () => {
  const commits = new Commits();
  const gate = Promise.withResolvers<void>();
  const commit = commits.run(URL, () => gate.promise).catch(() => "failed");

  assert(commits.has(URL));
  assert(!commits.has("https://example.org/b"));
  await commits.ended("https://example.org/b");
  const ended = commits.ended(URL);
  gate.reject(new Error("the disk"));

  await ended;
  assertEquals(await commit, "failed");
  assert(!commits.has(URL));
});

Deno.test("an entry can be read at every moment of its replacement", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
  });
  await cache.put(URL, bytesOf(10), "image/png", "a.png");

  for (let size = 11; size < 111; size++) {
    const bytes = bytesOf(size);
    const put = cache.put(URL, bytes, "image/png", "a.png", { replace: true });
    // Each round looks at a later moment of the replacement.
    for (let step = 0; step < size - 11; step++) await Promise.resolve();
    const [isThere, media] = await Promise.all([
      cache.has(URL),
      cache.getOrDownload(URL, () => {
        throw new Error("it was downloaded");
      }),
    ]);
    await media.bytes();

    assert(isThere);
    assert(await put);
    assertEquals((await cache.get(URL))?.size, size);
  }
});
