import { assertEquals, assertThrows } from "@std/assert";
import { MediaCache } from "../mod.ts";
import { readAll } from "./fixtures/bytes.ts";
import { Tap } from "./fixtures/tap.ts";
import { tempDir } from "./fixtures/temp_dir.ts";

import { BODY, onEach, URL_A } from "./fixtures/each_source.ts";

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
    assertEquals(await slices[i], BODY.slice(start, end));
  }
  assertEquals(await tail, BODY.slice(999_000));
  assertEquals(await media.bytes(), BODY);
  assertEquals(await readAll(media.slice(5, 10)), BODY.slice(5, 10));
});

onEach("slice() refuses what is no range", async (media) => {
  await using _ = media;
  const wrong = [[-1, 5], [1.5, 5], [NaN, 5], [5, 4], [0, 1.5], [0, NaN]];

  for (const [start, end] of wrong) {
    assertThrows(() => media.slice(start!, end), RangeError, "Cannot slice");
  }
});

Deno.test("slice() waits for bytes that are still to come", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();

  const call = cache
    .getOrDownload(URL_A, () => Promise.resolve({ data: tap.readable }));
  tap.write(BODY.slice(0, 10));
  await using media = await call;
  const ranges = [[5, 20], [10, 30], [25, 30], [29, 99], [50, 60]] as const;
  const slices = ranges.map(([start, end]) => readAll(media.slice(start, end)));
  tap.write(BODY.slice(10, 20));
  tap.write(BODY.slice(20, 30));
  assertEquals(await slices[0], BODY.slice(5, 20));
  assertEquals(await slices[1], BODY.slice(10, 30));
  assertEquals(await slices[2], BODY.slice(25, 30));
  tap.end();

  assertEquals(await slices[3], BODY.slice(29, 30));
  assertEquals(await slices[4], new Uint8Array(0));
});
