/** The rules of the platforms in a cache: one download, one entry, several caches. */
import { assert, assertEquals } from "@std/assert";
import { type Downloader, MediaCache } from "../../../mod.ts";
import {
  discord,
  matrix,
  platforms,
  signedStores,
  tenor,
} from "../../../src/platforms/platforms.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { namesIn, pathsOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const FILE = "https://cdn.discordapp.com/attachments/10/20/cat.png";
const [FIRST, SECOND, THIRD] = [1, 2, 3].map((n) =>
  `${FILE}?ex=65d903d${n}&is=65c68ed${n}&hm=2481f30dd67f503f5${n}&`
) as [string, string, string];
const BODY = pattern(30_000);

/** Answers with the body, and notes the URLs that it was given. */
function counted(): { asked: string[]; download: Downloader } {
  const asked: string[] = [];
  return {
    asked,
    download: ({ url }) => {
      asked.push(url);
      const headers = { "Content-Type": "image/png" };
      return Promise.resolve(new Response(BODY, { headers }));
    },
  };
}

Deno.test("two links to an attachment are one download, and the downloader gets the caller's own", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: platforms(),
    onEvent: recorder.onEvent,
  });
  const { asked, download } = counted();

  const first = await cache.getOrDownload(FIRST, download);
  assertBytes(await first.bytes(), BODY);
  assertEquals([first.url, first.filename], [FILE, "cat.png"]);
  const second = await cache.getOrDownload(SECOND, download);
  assertBytes(await second.bytes(), BODY);

  assertEquals(asked, [FIRST]);
  assertEquals(await cache.has(FILE), true);
  assertEquals(await cache.has(new URL(THIRD)), true);
  const [hit] = recorder.of("hit");
  assertEquals([hit?.url, hit?.key], [FILE, pathsOf(dir.path, FILE).key]);
  assertEquals(await cache.delete(THIRD), true);
  assertEquals(await cache.has(FIRST), false);
});

Deno.test("two links to an attachment that is being downloaded are one download", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: platforms(discord),
  });
  const tap = new Tap();
  const asked: string[] = [];
  const download: Downloader = ({ url }) => {
    asked.push(url);
    return Promise.resolve({ data: tap.readable, mimetype: "image/png" });
  };

  const calls = [FIRST, SECOND, THIRD]
    .map((url) => cache.getOrDownload(url, download));
  tap.write(BODY);
  const media = await Promise.all(calls);
  tap.end();

  for (const each of media) assertBytes(await each.bytes(), BODY);
  assertEquals(asked, [FIRST]);
  const { misses, coalesced, entries } = cache.stats();
  assertEquals({ misses, coalesced, entries }, {
    misses: 3,
    coalesced: 2,
    entries: 1,
  });
});

Deno.test("renditions, accounts and hosts that only look alike are entries of their own", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    canonicalUrl: platforms(),
  });
  const urls = [
    FIRST,
    `https://media.discordapp.net/attachments/10/20/cat.png?ex=1&is=2&hm=3`,
    `https://media.discordapp.net/attachments/10/20/cat.png?ex=1&is=2&hm=3&width=9`,
    `https://cdn.discordapp.com.evil.example/attachments/10/20/cat.png?ex=1`,
    `https://cdn.discordapp.com@evil.example/attachments/10/20/cat.png?ex=1`,
    "https://api.telegram.org/file/bot1:AAF/photos/file_0.jpg",
    "https://api.telegram.org/file/bot2:AAF/photos/file_0.jpg",
    "https://c.tenor.com/kiw3AxGnfSgAAAAC/smile.gif",
    "https://c.tenor.com/kiw3AxGnfSgAAAPo/smile.mp4",
  ];

  for (const [i, url] of urls.entries()) {
    assert(await cache.put(url, pattern(i + 1), "image/png", "a.png"));
  }

  for (const [i, url] of urls.entries()) {
    await using media = await cache.get(url);
    assertEquals(await media?.bytes(), pattern(i + 1), url);
  }
  assertEquals(cache.stats().entries, urls.length);
});

Deno.test("caches with other rules share a folder: each finds what has the name that it looks for", async () => {
  await using dir = await tempDir();
  const open = (canonicalUrl?: (url: string) => string) =>
    MediaCache.open({
      cacheDir: dir.path,
      ...(canonicalUrl && { canonicalUrl }),
    });
  await using all = await open(platforms());
  await using some = await open(platforms(discord, tenor));
  await using others = await open(
    platforms(signedStores, matrix(["https://hs.example"])),
  );
  await using none = await open();
  const { asked, download } = counted();

  for (const cache of [all, some, others, none]) {
    await using media = await cache.getOrDownload(FIRST, download);
    assertBytes(await media.bytes(), BODY);
    assertEquals(await media.stored, true);
  }

  // The caches without the rule have an entry of the URL as given.
  assertEquals(asked, [FIRST, FIRST]);
  assertEquals(
    await namesIn(dir.path),
    [FILE, FIRST].flatMap((url) => {
      const { key } = pathsOf(dir.path, url);
      return [`${key}.dat`, `${key}.json`];
    }).sort(),
  );
  for (const cache of [all, some, others, none]) {
    assertEquals(await cache.has(FILE), true);
    const urls = await Array.fromAsync(cache.entries(), ({ url }) => url);
    assertEquals(urls.sort(), [FILE, FIRST]);
    assertEquals((await cache.verify()).problems, []);
  }
  assertEquals(await some.has(SECOND), true);
  assertEquals(await none.has(SECOND), false);
  assertEquals(await none.delete(FILE), true);
  assertEquals([await all.has(THIRD), await some.has(THIRD)], [false, false]);
  assertEquals(await others.has(FIRST), true);
});
