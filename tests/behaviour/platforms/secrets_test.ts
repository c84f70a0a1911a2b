/** Secrets of URLs that the rules accept: they are nowhere, at any time. */
import { assert, assertEquals } from "@std/assert";
import { walk } from "@std/fs/walk";
import { join } from "@std/path";
import {
  formatEvent,
  type Media,
  MediaCache,
  type MediaCacheEvent,
} from "../../../mod.ts";
import { statsRouter } from "../../../src/hono/stats_router.ts";
import { platforms } from "../../../src/platforms/platforms.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { recordConsole } from "../../fixtures/cache/console.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { isThere } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";

const CANARY = "AAHcAnArY7f3aTcvCH1vGWJxfSeofSAs0K5";

/** A URL with a secret in each form that a rule knows. */
const URLS = [
  `https://api.telegram.org/file/bot110201543:${CANARY}/photos/file_0.jpg`,
  `https://api.telegram.org/file/bot110201543%3A${CANARY}/photos/file_1.jpg`,
  `http://localhost:8081/file/bot1:${CANARY}//var/lib/telegram-bot-api/1:${CANARY}/photos/file_0.jpg`,
  `https://user:${CANARY}@bots.example/tg/file/bot1:${CANARY}/photos/file_0.jpg`,
  `https://cdn.discordapp.com/attachments/10/20/cat.png?ex=1&is=2&hm=${CANARY}&`,
  `https://matrix.example.org/_matrix/media/v3/download/a.org/AbC?access_token=${CANARY}`,
  `https://files.slack.com/files-pri/T1-F1/image.png?t=xoxe-${CANARY}`,
  `https://cats.s3.amazonaws.com/a.png?X-Amz-Signature=${CANARY}`,
  `https://cdn.example.org/a.png?Expires=1&Signature=${CANARY}&Key-Pair-Id=${CANARY}`,
];

/** Everything that an object tells, also where it is inspected. */
function toldBy(value: unknown): string {
  const options = { depth: 20, strAbbreviateSize: Infinity, getters: true };
  const causes: string[] = [];
  for (let cause = value; cause instanceof Error; cause = cause.cause) {
    causes.push(`${cause} ${cause.stack} ${cause.message}`);
  }
  return [Deno.inspect(value, options), JSON.stringify(value), ...causes]
    .join("\n");
}

/** Asserts that no name and no byte in a folder holds the canary. */
async function assertNowhereIn(dir: string): Promise<number> {
  let files = 0;
  for await (const { path, isFile } of walk(dir)) {
    assert(!path.includes(CANARY), path);
    if (!isFile) continue;
    files++;
    // A staged file may have got its name meanwhile.
    const bytes = await Deno.readFile(path).catch(() => new Uint8Array());
    const text = new TextDecoder("latin1").decode(bytes);
    assert(!text.includes(CANARY), `${path}\n${text}`);
  }
  return files;
}

for (const url of URLS) {
  const name = url.replaceAll(CANARY, "…");
  Deno.test(`a secret is nowhere, neither while a download runs nor after it: ${name}`, async () => {
    await using dir = await tempDir();
    const cacheDir = join(dir.path, "cache");
    using printed = recordConsole();
    const events: MediaCacheEvent[] = [];
    const options = { cacheDir, canonicalUrl: platforms(), maxDownloadMb: 3 };
    const told: string[] = [];
    await using cache = await MediaCache.open(options);
    await using other = await MediaCache.open(options);
    const router = statsRouter(cache, { access: "trusted" });
    for (const each of [cache, other]) {
      each.subscribe((event) => events.push(event));
    }
    const tellAll = async () => {
      told.push(toldBy(cache.stats()), toldBy(cache.inFlight()));
      told.push(toldBy(await Array.fromAsync(cache.entries())));
      for (const page of ["/", "/entries", "/stats", "/metrics"]) {
        const response = await router.request(page);
        told.push(toldBy(response.headers), await response.text());
      }
    };
    const tellMedia = (media: Media) =>
      told.push(
        toldBy(media),
        ...[media.url, media.key, media.filename, media.mimetype],
        toldBy(media.response().headers),
      );

    // While it runs, here and followed by another cache.
    const tap = new Tap();
    const running = cache.getOrDownload(
      url,
      () => Promise.resolve({ data: tap.readable, mimetype: "image/png" }),
    );
    tap.write(pattern(300_000));
    const followed = other.getOrDownload(url, () => {
      throw new Error("not called");
    });
    const both = [await running, await followed];
    assert(await assertNowhereIn(cacheDir) > 0);
    await tellAll();
    tap.write(pattern(300_000));
    tap.end();
    for (const media of both) {
      tellMedia(media);
      assertEquals(await media.stored, true);
    }
    await assertNowhereIn(cacheDir);
    await using hit = await cache.get(url);
    assert(hit);
    tellMedia(hit);
    await tellAll();

    // Each kind of failure; what a downloader throws is the caller's own.
    const failures: (() => unknown)[] = [
      () => new Response("", { status: 403 }),
      () => ({ data: pattern(9), size: 8 }),
      () => ({ data: new Tap().readable, size: 2 ** 40 }),
      () => ({ data: gifOfDelays([10]).slice(0, -9) }),
      () => 5,
      () => url,
    ];
    for (const fail of failures) {
      await cache.delete(url);
      const error = await cache
        .getOrDownload(url, () => Promise.resolve(fail() as Response))
        .then((media) => media.bytes()).catch((error) => error);
      told.push(toldBy(error));
      await assertNowhereIn(cacheDir);
    }
    await cache.delete(url);
    const own = new Error(`cannot fetch ${url}`, { cause: url });
    const error = await cache.getOrDownload(url, () => Promise.reject(own))
      .catch((error) => error);
    assert(error === own);

    // A failing disk: a file stands in the place of the folder.
    await Deno.rename(cacheDir, `${cacheDir}.away`);
    await Deno.writeTextFile(cacheDir, "");
    told.push(toldBy(await cache.put(url, pattern(9), "image/png", "a.png")));
    await Deno.remove(cacheDir);
    await Deno.rename(`${cacheDir}.away`, cacheDir);

    // Replaced, damaged, verified, evicted, closed.
    await cache.put(url, pattern(300_000), "image/png", "a.png");
    await using lent = await cache.get(url);
    await cache.put(url, pattern(200_000), "image/png", "a.png", {
      replace: true,
    });
    await assertNowhereIn(cacheDir);
    await lent?.bytes();
    for await (const { name } of Deno.readDir(cacheDir)) {
      if (name.endsWith(".dat")) await Deno.truncate(join(cacheDir, name), 3);
    }
    told.push(toldBy(await cache.verify({ fix: true })));
    await cache.get(url);
    await tellAll();
    told.push(toldBy(await cache.probe()));
    await cache.close();
    await other.close();
    told.push(toldBy(await cache.get(url).catch((error) => error)));

    assert(await isThere(join(cacheDir, CHANGES_NAME)));
    await assertNowhereIn(dir.path);
    const types = new Set(events.map(({ type }) => type));
    for (
      const type of ["miss", "stored", "hit", "failed", "deleted"] as const
    ) assert(types.has(type), type);
    for (const event of events) told.push(toldBy(event), formatEvent(event));
    for (const text of [...told, toldBy(printed.lines)]) {
      assert(!text.includes(CANARY), text);
    }
  });
}

Deno.test("the error of a failed event is there for whoever asks for it", async () => {
  await using dir = await tempDir();
  const errors: unknown[] = [];
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: (event) => {
      if (event.type === "failed") errors.push(event.error, event.name);
    },
  });
  const own = new RangeError("mine");

  await cache.getOrDownload("a", () => Promise.reject(own)).catch(() => {});

  assertEquals(errors, [own, "RangeError"]);
});
