import { assertEquals } from "@std/assert";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import {
  BodyDigest,
  digestOf,
  digestOfFile,
} from "../../../src/core/bodies/digest.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { digest, pattern } from "../../fixtures/bodies/bytes.ts";
import { bytesOf, pathsOf, streamOf } from "../../fixtures/directory/files.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL_A = "https://example.org/a.png";
const KB = 1024;
const MB = 1_048_576;

/** The digest in the sidecar of a URL. */
async function noted(dir: string, url = URL_A): Promise<string | undefined> {
  return JSON.parse(await Deno.readTextFile(pathsOf(dir, url).json)).sha256;
}

/**
 * Lets `act` store in a new cache; gives the digest that the sidecar then
 * holds.
 */
async function notedAfter(
  act: (cache: MediaCache) => Promise<unknown>,
  options: MediaCacheOptions = {},
): Promise<string | undefined> {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path, ...options });
  await act(cache);
  return await noted(dir.path);
}

Deno.test("BodyDigest hashes every chunk, and stops hashing above its limit", () => {
  const bytes = bytesOf(10);
  const digestOfChunks = (maxBytes: number, size?: number) => {
    const digest = new BodyDigest(maxBytes, size);
    digest.update(bytes.subarray(0, 4));
    digest.update(bytes.subarray(4));
    return digest.member();
  };

  const sha256 = digestOf(bytes);
  assertEquals(digestOfChunks(10), { sha256 });
  assertEquals(digestOfChunks(Infinity, 10), { sha256 });
  assertEquals(digestOfChunks(9), {});
  assertEquals(digestOfChunks(3), {});
  assertEquals(digestOfChunks(10, 11), {});
});

Deno.test("BodyDigest tells the same digest when it is asked again", () => {
  const bytes = bytesOf(10);
  const digest = new BodyDigest(10);
  for (const byte of bytes) digest.update(Uint8Array.of(byte));
  const sha256 = digestOf(bytes);
  assertEquals([digest.member(), digest.member()], [{ sha256 }, { sha256 }]);
});

Deno.test("digestOfFile() hashes a file in several reads, even if each read is short", async () => {
  const bytes = pattern(700_000);
  const file = {
    readAt(view: Uint8Array, position: number) {
      const count = Math.min(view.length, 100_000, bytes.length - position);
      view.set(bytes.subarray(position, position + count));
      return count;
    },
  };

  assertEquals(await digestOfFile(file, bytes.length), digestOf(bytes));
  assertEquals(
    await digestOfFile(file, 100),
    await digest(new Blob([bytes.slice(0, 100)]).stream()),
  );
  // The file was cut short: the digest is that of the bytes left.
  assertEquals(await digestOfFile(file, 700_001), digestOf(bytes));
});

Deno.test("put() stores the digest of a body of up to 64 KiB, for every kind of data", async () => {
  const small = pattern(64 * KB);
  const large = pattern(64 * KB + 1);
  for (
    const make of [
      (bytes: Uint8Array<ArrayBuffer>) => bytes,
      (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]),
      (bytes: Uint8Array<ArrayBuffer>) =>
        streamOf(bytes.subarray(0, 9), bytes.subarray(9)).stream,
    ]
  ) {
    const put = (bytes: Uint8Array<ArrayBuffer>) => (cache: MediaCache) =>
      cache.put(URL_A, make(bytes), "image/png", "a.png");

    assertEquals(await notedAfter(put(small)), digestOf(small));
    assertEquals(await notedAfter(put(large)), undefined);
    assertEquals(
      await notedAfter(put(large), { verifyOnRead: true }),
      digestOf(large),
    );
  }
});

Deno.test("put() with replace stores the digest of the new bytes", async () => {
  const before = await notedAfter(async (cache) => {
    await cache.put(URL_A, bytesOf(9), "image/png", "a.png");
    await cache.put(URL_A, bytesOf(7), "image/png", "a.png", { replace: true });
  });

  assertEquals(before, digestOf(bytesOf(7)));
});

Deno.test("a download stores the digest of a body of up to 4 Mb, its length declared or not", async () => {
  const small = pattern(4 * MB);
  const large = pattern(4 * MB + 1);
  const download =
    (bytes: Uint8Array<ArrayBuffer>, size?: number) =>
    async (cache: MediaCache) => {
      const data = new Blob([bytes]).stream();
      const answer = size === undefined ? { data } : { data, size };
      const get = () => Promise.resolve(answer);
      await using media = await cache.getOrDownload(URL_A, get);
      await media.stored;
    };

  for (const told of [true, false]) {
    const of = (bytes: Uint8Array<ArrayBuffer>) =>
      download(bytes, told ? bytes.length : undefined);
    assertEquals(await notedAfter(of(small)), digestOf(small));
    assertEquals(await notedAfter(of(large)), undefined);
    assertEquals(
      await notedAfter(of(large), { verifyOnRead: true }),
      digestOf(large),
    );
  }
});

Deno.test("a converted GIF stores the digest of its video, a kept GIF stores its own", async () => {
  const gif = gifOfDelays([10, 20]);
  for (const gifToMp4 of [true, false]) {
    await using dir = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: dir.path, gifToMp4 });
    const get = () => Promise.resolve({ data: gif, mimetype: "image/gif" });
    await using media = await cache.getOrDownload(URL_A, get);
    await media.stored;

    assertEquals(media.mimetype, gifToMp4 ? "video/mp4" : "image/gif");
    assertEquals(await noted(dir.path), digestOf(await media.bytes()));
  }
});

Deno.test("an entry has its digest without another look at the directory", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  await cache.put(URL_A, bytesOf(5), "image/png", "a.png");

  const info = await cache.infoByKey(keyOf(URL_A));

  assertEquals(info?.sha256, digestOf(bytesOf(5)));
  assertEquals((await cache.verify()).digests, 1);
});
