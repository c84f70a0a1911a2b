import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MediaCache, MediaCacheError } from "../../../mod.ts";
import { assertBytes, pattern, readAll } from "../../fixtures/bodies/bytes.ts";
import { openFiles } from "../../fixtures/directory/open_files.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

import { BODY, onEach, URL_A } from "../../fixtures/bodies/each_source.ts";

onEach("slice() streams a range beside the one read", async (media) => {
  const ranges = [[0, 0], [0, 1], [300_000, 700_000], [999_999, 2_000_000], [
    1_000_000,
    1_000_001,
  ], [5_000_000, Infinity]];
  const slices = ranges.map(([start, end]) =>
    readAll(media.slice(start!, end))
  );
  const tail = readAll(media.slice(999_000));

  for (const [i, [start, end]] of ranges.entries()) {
    assertBytes(await slices[i], BODY.slice(start, end));
  }
  assertBytes(await tail, BODY.slice(999_000));
  assertBytes(await media.bytes(), BODY);
  assertBytes(await readAll(media.slice(5, 10)), BODY.slice(5, 10));
});

onEach("slice() refuses what is no range", async (media) => {
  await using _ = media;
  const wrong = [[-1, 5], [1.5, 5], [NaN, 5], [5, 4], [0, 1.5], [0, NaN]];

  for (const [start, end] of wrong) {
    assertThrows(() => media.slice(start!, end), RangeError, "Cannot slice");
  }
});

Deno.test("slice() waits for bytes that are still downloading", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();

  const call = cache
    .getOrDownload(
      URL_A,
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(BODY.slice(0, 10));
  await using media = await call;
  const ranges = [[5, 20], [10, 30], [25, 30], [29, 99], [50, 60]] as const;
  const slices = ranges.map(([start, end]) => readAll(media.slice(start, end)));
  tap.write(BODY.slice(10, 20));
  tap.write(BODY.slice(20, 30));
  assertBytes(await slices[0], BODY.slice(5, 20));
  assertBytes(await slices[1], BODY.slice(10, 30));
  assertBytes(await slices[2], BODY.slice(25, 30));
  tap.end();

  assertBytes(await slices[3], BODY.slice(29, 30));
  assertEquals(await slices[4], new Uint8Array(0));
});

for (const change of ["deleted", "replaced"] as const) {
  Deno.test(`a waiting slice is read to its end after all other readers are done and the entry ${change}`, async () => {
    await using dir = await tempDir();
    const options = { cacheDir: dir.path, maxMemoryItems: 0 };
    await using cache = await MediaCache.open(options);
    const body = pattern(100_000);
    await cache.put("a", body, "image/png", "a.png");
    const media = await cache.get("a");
    const slice = media!.slice(1000);
    const cancelled = media!.slice(2000);
    await media!.bytes();

    await cache.delete("a");
    if (change === "replaced") {
      await cache.put("a", pattern(100_000, 7), "image/png", "a.png");
    }

    await cancelled.cancel();
    assertBytes(await new Response(slice).bytes(), body.slice(1000));
    assertEquals(openFiles(dir.path).length, 0);
  });
}

Deno.test("a slice begun after all other readers are done never has the bytes of another entry", async () => {
  await using dir = await tempDir();
  const options = { cacheDir: dir.path, maxMemoryItems: 0 };
  await using cache = await MediaCache.open(options);
  for (let i = 0; i < 50; i++) {
    await cache.put("a", pattern(20_000, 1), "image/png", "a.png");
    const media = await cache.get("a");
    await media!.bytes();
    assertBytes(
      await new Response(media!.slice(0)).bytes(),
      pattern(20_000, 1),
    );

    await cache.delete("a");
    await cache.put("a", pattern(20_000, 2), "image/png", "a.png");

    const slice = new Response(media!.slice(0)).bytes();
    await assertRejects(() => slice, MediaCacheError, "replaced");
    await cache.delete("a");
  }
});

Deno.test("a response that cannot be made leaves the Media unread", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put("a", pattern(1000), "image/png", "a.png");
  await using media = await cache.get("a");

  assertThrows(() => media!.response({ status: 204 }), TypeError);
  assertBytes(await media!.bytes(), pattern(1000));
});
