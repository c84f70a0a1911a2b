/**
 * The Python original opens directories of this cache, and this cache opens
 * directories of the original. Without `python3`, a stand-in writes and removes
 * the same files in the same order.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  type Download,
  MediaCache,
  MediaCacheError,
  type MediaCacheEvent,
} from "@media-cache/media-cache";
import { pattern, readRest } from "../../fixtures/bodies/bytes.ts";
import { makeGif } from "../../fixtures/gif/gif_writer.ts";
import {
  type OriginalEntry,
  python,
  standIn,
} from "../../fixtures/python/original.ts";
import { hasPython, pythonOriginal } from "../../fixtures/python/python.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

if (!hasPython) {
  const message = "no python3: interop with the original itself is not tested";
  // CI has Python: there its absence is a fault.
  if (Deno.env.has("CI")) throw new Error(message);
  // deno-lint-ignore no-console
  console.error(message);
}
const originals = hasPython ? [standIn, python] : [standIn];

/** An entry as either side shows it. */
interface Shown {
  url: string;
  mimetype: string;
  filename: string;
  size: number;
  sha256: string;
}

const LARGE = "https://example.org/large.bin";

/** Entries that the original may have written, oldest first. */
const ENTRIES: OriginalEntry[] = [
  {
    url: "https://example.org/no-time",
    mimetype: "image/jpeg",
    filename: "old.jpg",
    size: 17,
    data: bytes(17),
  },
  {
    url: "https://example.org/no-type",
    filename: "kept.bin",
    size: 7,
    ts: 1700000000,
    data: bytes(7),
  },
  {
    url: "https://example.org/no-name",
    mimetype: "image/webp",
    size: 300_000,
    ts: 1700000001.5,
    data: bytes(300_000),
  },
  {
    url: "https://example.org/no-size",
    mimetype: "audio/ogg",
    filename: "voice.oga",
    ts: 1700000002.25,
    data: bytes(11),
  },
  {
    url: "https://example.org/size-0",
    mimetype: "video/mp4",
    filename: "clip.mp4",
    size: 0,
    ts: 1700000003.125,
    data: bytes(5_000_000),
  },
  {
    url: "https://пример.example/котик?q=ü&é\u007f\n",
    mimetype: "image/png",
    filename: "фото '1' 猫 \u{1f408} e\u0301.png",
    size: 1,
    ts: 1700000004.123456,
    data: bytes(1),
  },
  {
    url: "mxc://example.org/\u{1f408}",
    mimetype: "text/plain; charset=utf-8",
    filename: "note.txt",
    size: 13,
    ts: 1700000005.999,
    data: bytes(13),
  },
];

for (const original of originals) {
  Deno.test(`the cache opens a directory that ${original.name} wrote`, async () => {
    await using dir = await tempDir();
    await original.write(dir.path, ENTRIES);

    const events: MediaCacheEvent[] = [];
    const onEvent = (event: MediaCacheEvent) => events.push(event);
    await using cache = await MediaCache.open({ cacheDir: dir.path, onEvent });

    const expected = ENTRIES.map(async (entry) => ({
      url: entry.url,
      mimetype: entry.mimetype ?? "application/octet-stream",
      filename: entry.filename ?? "attachment",
      size: entry.data.length,
      sha256: await sha256(entry.data),
    }));
    assertEquals(await show(cache), await Promise.all(expected));
    const kinds = new Set(events.map(({ type }) => type));
    assertEquals(kinds, new Set(["loaded", "hit"]));
  });

  for (const isOld of [true, false]) {
    const age = isOld ? "an old" : "a new";
    Deno.test(`${age} entry that ${original.name} rewrites or deletes is not served from memory any more`, async () => {
      await using dir = await tempDir();
      const url = "https://example.org/a";
      const write = (size: number) =>
        original.write(dir.path, [{ url, size, data: bytes(size) }]);
      await write(700);
      await using cache = await MediaCache.open({ cacheDir: dir.path });
      await (await cache.get(url))?.bytes();
      using clock = new ShiftedClock();
      // So long after it was written its stamp is that of no other sidecar.
      if (isOld) clock.aheadMs = 3_000;
      await (await cache.get(url))?.bytes();
      const look = async () => {
        clock.aheadMs += 20;
        const media = await cache.get(url);
        return media && [media.source, (await media.bytes()).length];
      };
      assertEquals(await look(), ["memory", 700]);

      await write(701);
      assertEquals(await look(), ["disk", 701]);
      assertEquals(await look(), ["memory", 701]);

      await original.evictAll(dir.path);
      assertEquals(await look(), undefined);
    });
  }

  Deno.test(`a body that ${original.name} evicts during a read is read to its end, then a miss`, async () => {
    await using dir = await tempDir();
    await using cache = await openWithoutMemory(dir.path);
    const data = bytes(3_000_000);
    await cache.put(LARGE, data, "image/png", "large.png");
    const [begun, unread] = [await cache.get(LARGE), await cache.get(LARGE)];
    const reader = begun!.body.getReader();
    const start = (await reader.read()).value!;

    await original.evictAll(dir.path);

    const rest = await readRest(reader);
    assertEquals(await new Blob([start, rest]).bytes(), data);
    assertEquals(await unread!.bytes(), data);
    assertEquals(await cache.has(LARGE), false);
    assertEquals(await cache.get(LARGE), undefined);
    const download = () => Promise.resolve({ data: bytes(5) });
    const media = await cache.getOrDownload(LARGE, download);
    assertEquals(media.source, "download");
    assertEquals(await media.bytes(), bytes(5));
    assertEquals(await media.stored, true);
  });

  for (
    const [change, size] of [["shorter", 1000], ["longer", 4_000_000]] as const
  ) {
    Deno.test(`a body that ${original.name} rewrites ${change} during a read is an error, then the new body`, async () => {
      await using dir = await tempDir();
      await using cache = await openWithoutMemory(dir.path);
      await cache.put(LARGE, bytes(3_000_000), "image/png", "large.png");
      const [begun, unread] = [await cache.get(LARGE), await cache.get(LARGE)];
      const reader = begun!.body.getReader();
      await reader.read();

      const filename = "new.bin";
      const entry = { url: LARGE, filename, size, ts: 1, data: bytes(size) };
      await original.write(dir.path, [entry]);

      await assertRejects(() => readRest(reader), MediaCacheError);
      await assertRejects(() => unread!.bytes(), MediaCacheError);
      const media = await cache.get(LARGE);
      assertEquals(media?.filename, filename);
      assertEquals(await media?.bytes(), entry.data);
    });
  }
}

for (const [change, length] of [["short of", 20], ["beyond", 40]] as const) {
  Deno.test(`a body of the original that is ${change} its size is a miss`, async () => {
    await using dir = await tempDir();
    const entry = { url: LARGE, size: 30, ts: 1, data: bytes(length) };
    await standIn.write(dir.path, [entry]);

    await using cache = await openWithoutMemory(dir.path);

    assertEquals(await cache.get(LARGE), undefined);
    assertEquals(await cache.has(LARGE), false);
  });
}

if (hasPython) {
  Deno.test("the stand-in for Python writes the same bytes as Python", async () => {
    await using dir = await tempDir();
    const [ours, pythons] = [join(dir.path, "ours"), join(dir.path, "pythons")];

    await standIn.write(ours, ENTRIES);
    await python.write(pythons, ENTRIES);

    const names = listNames(pythons);
    assertEquals(names.length, 2 * ENTRIES.length);
    assertEquals(listNames(ours), names);
    for (const name of names) {
      const path = join(pythons, name);
      assertEquals(
        await Deno.readFile(join(ours, name)),
        await Deno.readFile(path),
      );
    }
  });

  Deno.test("Python opens a directory of the cache and finds its entries in their order", async () => {
    await using dir = await tempDir();
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    // Stored in another order than the directory's, and by both kinds of calls.
    for (
      const { url, mimetype = "image/png", ...entry } of ENTRIES.toReversed()
    ) {
      const { filename = "a name.png", data } = entry;
      const stored = data.length % 2
        ? await cache.put(url, data, mimetype, filename)
        : await download(cache, url, { data, mimetype, filename });
      assert(stored);
    }
    const frame = { delayCs: 10 };
    const gif = makeGif({ width: 8, height: 8, frames: [frame, frame] });
    assert(await download(cache, "https://example.org/a.gif", { data: gif }));
    const expected = await show(cache);

    assertEquals(expected.at(-1)?.mimetype, "video/mp4");
    // Python sees neither later reads nor downloads that are still running.
    await cache.getOrDownload(ENTRIES[0]!.url, () => Promise.reject());
    const { readable, writable } = new TransformStream<
      Uint8Array,
      Uint8Array
    >();
    const writer = writable.getWriter();
    const running = cache.getOrDownload(
      LARGE,
      () => Promise.resolve({ data: readable }),
    );
    await writer.write(bytes(100_000));
    const media = await running;
    const names = listNames(dir.path);

    assertEquals(
      JSON.parse(await pythonOriginal(["scan", dir.path])),
      expected,
    );

    assertEquals(listNames(dir.path), names);
    await writer.close();
    assertEquals(await media.bytes(), bytes(100_000));
    assertEquals(await media.stored, true);
  });
}

/** All entries of a cache, the least recently used first. */
async function show(cache: MediaCache): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const { url } of (await Array.fromAsync(cache.entries())).reverse()) {
    const media = await cache.get(url);
    if (media === undefined) throw new Error(`Cannot show ${url}: not found`);
    const { mimetype, filename, size } = media;
    const digest = await sha256(await media.bytes());
    shown.push({ url, mimetype, filename, size: size ?? -1, sha256: digest });
  }
  return shown;
}

async function download(cache: MediaCache, url: string, body: Download) {
  await using media = await cache.getOrDownload(
    url,
    () => Promise.resolve(body),
  );
  return await media.stored;
}

function openWithoutMemory(cacheDir: string): Promise<MediaCache> {
  return MediaCache.open({ cacheDir, maxMemoryItems: 0, onEvent() {} });
}

function listNames(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => !name.endsWith(".description.part"))
    .sort();
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** Bytes that differ from those of any other length. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  return pattern(length, length);
}
