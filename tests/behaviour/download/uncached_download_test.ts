import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { assertBytes, pattern, readSome } from "../../fixtures/bodies/bytes.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { smallCache } from "../../fixtures/cache/small_cache.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { namesIn } from "../../fixtures/directory/files.ts";

const MB = 2 ** 20;

for (const declared of [true, false]) {
  const how = declared ? "declared" : "unknown";
  Deno.test(`a body above maxEntryMb of ${how} length reaches its reader whole, uncached`, async () => {
    await using opened = await smallCache();
    const { cache, recorder } = opened;
    const body = pattern(5 * MB);
    const size = declared ? body.length : undefined;
    let calls = 0;
    const download = () => {
      calls++;
      return Promise.resolve({ data: new ReadySource(body).data, size });
    };

    for (let call = 1; call <= 2; call++) {
      const media = await cache.getOrDownload("a:", download);
      assertBytes(await media.bytes(), body);
      assertEquals(await media.stored, false);
      assertEquals(media.size, body.length);
      assertEquals(calls, call);
    }
    assertEquals(recorder.of("uncached").map(({ reason }) => reason), [
      "it is larger than maxEntryMb",
      "it is larger than maxEntryMb",
    ]);
    assertEquals(cache.stats().diskErrors, 0);
  });
}

Deno.test("callers that come during an uncached download start their own", async () => {
  await using opened = await smallCache();
  const tap = new Tap();
  const first = opened.cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({
          data: tap.readable,
          mimetype: "application/x-test",
          size: 2 * MB,
        }),
    );
  tap.write(pattern(MB));
  const media = await first;

  const other = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data: pattern(10) }));
  assertBytes(await other.bytes(), pattern(10));
  assertEquals(await other.stored, true);
  tap.write(pattern(MB));
  tap.end();

  assertEquals((await media.bytes()).length, 2 * MB);
  assertEquals(await media.stored, false);
  assertEquals((await opened.cache.get("a:"))?.size, 10);
  await opened.cache.delete("a:");
});

Deno.test("an uncached download ends when its last reader cancels", async () => {
  await using opened = await smallCache();
  const { data, cancelled } = new ReadySource(pattern(8 * MB));
  let aborted: AbortSignal | undefined;
  const media = await opened.cache.getOrDownload("a:", ({ signal }) => {
    aborted = signal;
    return Promise.resolve({ data, size: 8 * MB });
  });
  const reader = media.body.getReader();
  await readSome(reader, 2 * MB);
  // The source runs ahead until the window is full.
  for (let i = 0; i < 10; i++) await turn();

  await reader.cancel();

  assertEquals((await cancelled as Error).name, "AbortError");
  assertEquals(aborted?.aborted, true);
  assertEquals(await media.stored, false);
});

Deno.test("an uncached download ends when its unread Media is disposed", async () => {
  await using opened = await smallCache();
  const { data, cancelled } = new ReadySource(pattern(8 * MB));
  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: 8 * MB }));

  await media[Symbol.asyncDispose]();

  await cancelled;
  assertEquals(await media.stored, false);
});

Deno.test("a download without readers ends when it turns out that it cannot be stored", async () => {
  await using opened = await smallCache();
  const { data, cancelled } = new ReadySource(pattern(8 * MB));
  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data }));

  await media.body.cancel();

  await cancelled;
  assertEquals(await media.stored, false);
});

Deno.test("maxSizeMb 0 stores nothing and downloads every time", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    maxSizeMb: 0,
  });
  const download = () => Promise.resolve({ data: pattern(100_000) });

  for (let i = 0; i < 2; i++) {
    const media = await cache.getOrDownload("a:", download);
    assertBytes(await media.bytes(), pattern(100_000));
    assertEquals(await media.stored, false);
  }

  assertEquals(await namesIn(temp.path), []);
});

Deno.test("concurrent downloads that together exceed maxEntryMb continue uncached", async () => {
  await using opened = await smallCache();
  const { cache, recorder } = opened;
  const tap = new Tap();
  const first = cache.getOrDownload(
    "a:",
    () =>
      Promise.resolve({
        data: tap.readable,
        mimetype: "application/x-test",
        size: 700_000,
      }),
  );
  tap.write(pattern(350_000));
  const media = await first;
  const other = await cache
    .getOrDownload("b:", () => Promise.resolve({ data: pattern(400_000) }));
  assertBytes(await other.bytes(), pattern(400_000));
  assertEquals(await other.stored, false);
  tap.write(pattern(350_000));
  tap.end();
  assertEquals((await media.bytes()).length, 700_000);

  assertEquals(await media.stored, true);
  assertEquals(recorder.of("uncached").length, 1);
  await cache.delete("a:");
});
