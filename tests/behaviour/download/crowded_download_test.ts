import { assert, assertEquals } from "@std/assert";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const MB = 2 ** 20;
const PNG = { mimetype: "image/png", filename: "a.png" };

/** A cache with room for 1 Mb of running downloads, and for all that they store. */
async function crowdedCache(options: MediaCacheOptions = {}) {
  const dir = await tempDir();
  const recorder = new Recorder();
  let most = 0;
  const cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 8,
    maxEntryMb: 1,
    onEvent: (event) => {
      most = Math.max(most, cache?.stats().stagedBytes ?? 0);
      recorder.onEvent(event);
    },
    ...options,
  });
  return {
    cache,
    /** The URLs that went uncached, in order. */
    uncached: () => recorder.of("uncached").map(({ url }) => url),
    async [Symbol.asyncDispose]() {
      await cache.close({ abort: true });
      assertEquals(cache.stats().stagedBytes, 0);
      assert(most <= MB, `${most} staged bytes`);
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("beside a download of maxEntryMb that trickles, 20 calls of another URL cause one download, which is stored", async () => {
  await using origin = new Origin();
  await using opened = await crowdedCache();
  const { cache, uncached } = opened;
  const large = pattern(MB, 3);
  const body = pattern(100_000);
  const { url, tap } = origin.tap("/slow", { "Content-Length": `${MB}` });
  const other = origin.bytes("/other", body);
  const download = ({ url, signal }: { url: string; signal: AbortSignal }) =>
    fetch(url, { signal });
  tap.write(large.slice(0, 1000));
  const slow = await cache.getOrDownload(url, download);

  for (let call = 0; call < 20; call++) {
    const media = await cache.getOrDownload(other, download);
    assertBytes(await media.bytes(), body);
    assertEquals(media.source === "download" && await media.stored, call === 0);
  }

  assertEquals(origin.requests("/other"), 1);
  // What it lent has come back: it is stored, too.
  tap.write(large.slice(1000));
  tap.end();
  assertBytes(await slow.bytes(), large);
  assertEquals([await slow.stored, uncached()], [true, []]);
});

Deno.test("put() stores beside a download of maxEntryMb that trickles", async () => {
  await using opened = await crowdedCache();
  const { cache } = opened;
  const slow = await begin(cache, "slow:", { ...PNG, size: MB });
  slow.tap.write(pattern(1000));
  await using _media = await slow.call;

  for (
    const data of [pattern(100_000), new Blob([pattern(100_000)]).stream()]
  ) {
    const options = { replace: true };
    assert(await cache.put("a:", data, "image/png", "a.png", options));
  }
});

Deno.test("a GIF becomes an MP4 beside a download of maxEntryMb that trickles", async () => {
  await using opened = await crowdedCache();
  const { cache } = opened;
  const slow = await begin(cache, "slow:", { ...PNG, size: MB });
  slow.tap.write(pattern(1000));
  await using _media = await slow.call;

  const data = gifOfDelays([10, 20, 30]);
  await using media = await cache
    .getOrDownload("gif:", () => Promise.resolve({ data }));

  assertEquals(media.mimetype, "video/mp4");
  assertEquals(await media.stored, true);
});

Deno.test("of two downloads that do not both fit, the second is uncached from its start", async () => {
  await using opened = await crowdedCache();
  const { cache, uncached } = opened;
  const [one, two] = [pattern(700_000, 1), pattern(700_000, 2)];
  const first = await begin(cache, "1:", { ...PNG, size: one.length });
  const second = await begin(cache, "2:", { ...PNG, size: two.length });
  second.tap.write(two.slice(0, 1000));
  const other = await second.call;
  assertEquals(uncached(), ["2:"]);

  first.tap.write(one.slice(0, 600_000));
  const media = await first.call;
  first.tap.write(one.slice(600_000));
  first.tap.end();
  second.tap.write(two.slice(1000));
  second.tap.end();

  assertBytes(await media.bytes(), one);
  assertBytes(await other.bytes(), two);
  assertEquals([await media.stored, await other.stored], [true, false]);
  assertEquals(uncached(), ["2:"]);
});

Deno.test("a download goes uncached when it needs bytes that it has lent, and its reader gets all", async () => {
  await using opened = await crowdedCache();
  const { cache, uncached } = opened;
  const [large, small] = [pattern(MB, 1), pattern(100_000, 2)];
  const lender = await begin(cache, "lender:", { ...PNG, size: MB });
  lender.tap.write(large.slice(0, 1000));
  const media = await lender.call;
  const size = small.length;
  const borrower = await begin(cache, "borrower:", { ...PNG, size });
  borrower.tap.write(small.slice(0, 1000));
  const other = await borrower.call;
  assertEquals(uncached(), []);

  const reader = media.body.getReader();
  lender.tap.write(large.slice(1000, 950_000));
  const start = await readSome(reader, 900_000);
  lender.tap.write(large.slice(950_000));
  lender.tap.end();
  const rest = await readRest(reader);
  borrower.tap.write(small.slice(1000));
  borrower.tap.end();

  assertBytes(await new Blob([start, rest]).bytes(), large);
  assertBytes(await other.bytes(), small);
  assertEquals([await media.stored, await other.stored], [false, true]);
  assertEquals(uncached(), ["lender:"]);
});
