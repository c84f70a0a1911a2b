import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { KeyChanges } from "../../../src/core/catalog/key_changes.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL = "https://example.org/a";

const KEY = keyOf(URL);

Deno.test("look() waits for the end of a change of that key", async () => {
  const changes = new KeyChanges();
  const end = changes.begin(KEY);
  assert(changes.isChanging(KEY));
  const log: string[] = [];

  const waiting = changes.look(KEY, () => Promise.resolve(log.push("after")));
  await changes.look(keyOf("b"), () => Promise.resolve(log.push("other")));
  log.push("end");
  end();
  await waiting;

  assertEquals(log, ["other", "end", "after"]);
  assert(!changes.isChanging(KEY));
});

Deno.test("look() looks again if it found nothing and a change has begun meanwhile", async () => {
  for (const [found, looks] of [[true, 1], [false, 2]] as const) {
    const changes = new KeyChanges();
    const current: boolean[] = [];

    const result = await changes.look(KEY, (isCurrent) => {
      if (current.length === 0) changes.begin(KEY)();
      current.push(isCurrent());
      return Promise.resolve(found);
    });

    assertEquals(result, found);
    assertEquals(current, [false, true].slice(0, looks));
  }
});

Deno.test("look() under changes without end gives up", async () => {
  const changes = new KeyChanges();
  let looks = 0;

  const found = await changes.look(KEY, () => {
    looks++;
    changes.begin(KEY)();
    return Promise.resolve(undefined);
  });

  assertEquals([found, looks], [undefined, 3]);
});

Deno.test("look() is not current, but is not repeated, once its entry has come or gone", async () => {
  const changes = new KeyChanges();
  let looks = 0;

  await changes.look(KEY, (isCurrent) => {
    looks++;
    assert(isCurrent());
    changes.note(keyOf("b"));
    assert(isCurrent());
    changes.note(KEY);
    assert(!isCurrent());
    return Promise.resolve(undefined);
  });

  assertEquals(looks, 1);
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
