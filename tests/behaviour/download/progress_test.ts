import { assertEquals } from "@std/assert";
import { type Download, MediaCache } from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { Progress } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

Deno.test("getOrDownload() reports progress to the caller, even if the callback throws", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const told: unknown[] = [];
  const tap = new Tap();
  const download = () =>
    Promise.resolve({
      data: tap.readable,
      mimetype: "application/x-test",
      size: 30,
    });
  const onProgress = (progress: unknown) => {
    told.push(progress);
    throw new Error("from the callback");
  };

  const first = cache.getOrDownload("a:", download, { onProgress });
  const second = cache.getOrDownload("a:", download, { onProgress });
  tap.write(pattern(10));
  await using _first = await first;
  const media = await second;
  tap.write(pattern(20));
  tap.end();
  assertEquals((await media.bytes()).length, 30);

  assertEquals(told, [
    { received: 10, total: 30 },
    { received: 10, total: 30 },
    { received: 30, total: 30 },
    { received: 30, total: 30 },
  ]);
});

Deno.test("inFlight() states the progress of each download", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();
  const progress = new Progress();
  const { onProgress } = progress;
  const answer = Promise.withResolvers<Download>();

  const call = cache.getOrDownload(
    "https://example.org/a.ogg",
    () => answer.promise,
    { onProgress },
  );
  answer.resolve({
    data: tap.readable,
    mimetype: "application/x-test",
    size: 20,
  });
  tap.write(pattern(10));
  await progress.reached(10);
  const [info] = cache.inFlight();
  tap.write(pattern(10));
  tap.end();
  const media = await call;
  await media.bytes();

  assertEquals({ ...info, startedAt: 0 }, {
    key: media.key,
    url: "https://example.org/a.ogg",
    mimetype: "application/x-test",
    filename: "a.ogg",
    received: 10,
    total: 20,
    startedAt: 0,
    phase: "downloading",
  });
  await media.stored;
  assertEquals(cache.inFlight(), []);
});
