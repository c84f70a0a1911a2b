import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Media, MediaCache } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import {
  openFiles,
  openFilesAtLast,
} from "../../fixtures/directory/open_files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 6_100_000;
/** Above the bodies that a hit reads whole. */
const SMALL = 20_000;
const url = (n: number) => `https://example.org/${n}`;

/** A cache with no entry in memory. */
async function diskCache(options = {}) {
  const temp = await tempDir();
  const cacheDir = temp.path;
  const cache = await MediaCache.open({
    cacheDir,
    maxMemoryItems: 0,
    ...options,
  });
  return {
    cache,
    /** The number of open files in the directory. */
    openFiles: () => openFiles(cacheDir).length,
    /** The same when what is parked has given its file back. */
    openFilesAtLast: (expected: number) => openFilesAtLast(cacheDir, expected),
    async [Symbol.asyncDispose]() {
      await cache.close();
      assertEquals(this.openFiles(), 0);
      await temp[Symbol.asyncDispose]();
    },
  };
}

type DiskCache = Awaited<ReturnType<typeof diskCache>>;

async function fill({ cache }: DiskCache, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await cache.put(url(n), pattern(SMALL, n + 1), "image/png", "a.png");
  }
}

async function getAll({ cache }: DiskCache, count: number): Promise<Media[]> {
  const all: Media[] = [];
  for (let n = 0; n < count; n++) all.push((await cache.get(url(n)))!);
  return all;
}

async function assertReadable(all: Media[]): Promise<void> {
  for (const [n, media] of all.entries()) {
    assertBytes(await media.bytes(), pattern(SMALL, n + 1));
  }
}

Deno.test("at most 256 unread Media keep their files open", async () => {
  await using opened = await diskCache();
  await fill(opened, 400);

  const all = await getAll(opened, 400);
  assertEquals(await opened.openFilesAtLast(256), 256);

  await assertReadable(all);
  assertEquals(opened.openFiles(), 0);
});

Deno.test("at most 256 unread downloads keep their files open", async () => {
  await using opened = await diskCache();
  const all: Media[] = [];
  for (let n = 0; n < 400; n++) {
    const media = await opened.cache.getOrDownload(
      url(n),
      () => Promise.resolve({ data: pattern(SMALL, n + 1) }),
    );
    all.push(media);
    await media.stored;
  }
  assertEquals(await opened.openFilesAtLast(256), 256);

  await assertReadable(all);
  assertEquals(opened.openFiles(), 0);
});

const goings: [string, (opened: DiskCache) => Promise<unknown>][] = [
  ["deleted", async ({ cache }) => {
    for (let n = 0; n < 300; n++) assert(await cache.delete(url(n)));
  }],
  ["cleared", ({ cache }) => cache.clear()],
  ["evicted", async ({ cache }) => {
    assert(await cache.put("b:", pattern(SIZE, 999), "", ""));
    assertEquals(cache.stats().entries, 1);
  }],
  ["replaced", async ({ cache }) => {
    const replace = true;
    for (let n = 0; n < 300; n++) {
      assert(await cache.put(url(n), pattern(999, 77), "", "", { replace }));
    }
  }],
];
for (const [what, go] of goings) {
  Deno.test(`unread Media of entries that were ${what} are readable`, async () => {
    await using opened = await diskCache({ maxSizeMb: SIZE / 2 ** 20 });
    await fill(opened, 300);
    const all = await getAll(opened, 300);

    await go(opened);

    await assertReadable(all);
    assertEquals(opened.openFiles(), 0);
  });

  Deno.test(`a reader continues when its entry is ${what}`, async () => {
    await using opened = await diskCache({ maxSizeMb: 2 * SIZE / 2 ** 20 });
    const { cache } = opened;
    const body = pattern(SIZE);
    await cache.put("a:", body, "", "");
    const readers = [];
    for (let i = 0; i < 2; i++) {
      const reader = (await cache.get("a:"))!.body.getReader();
      readers.push({ reader, start: await readSome(reader, 1) });
    }

    if (what === "deleted") await cache.delete("a:");
    if (what === "cleared") await cache.clear();
    if (what === "replaced") {
      await cache.put("a:", pattern(SIZE, 2), "", "", { replace: true });
    }
    if (what === "evicted") {
      await cache.put("b:", pattern(2 * SIZE, 2), "", "");
      assertEquals(await cache.has("a:"), false);
    }

    for (const { reader, start } of readers) {
      const rest = await readRest(reader);
      assertBytes(await new Blob([start, rest]).bytes(), body);
    }
    assertEquals(opened.openFiles(), 0);
  });
}

Deno.test("close() closes the files of unread Media, and readers continue", async () => {
  const opened = await diskCache();
  const { cache } = opened;
  await cache.put("a:", pattern(SIZE), "", "");
  await fill(opened, 300);
  const unread = await getAll(opened, 300);
  const reader = (await cache.get("a:"))!.body.getReader();
  const start = await readSome(reader, 1);
  await cache.delete(url(0));

  await cache.close();
  assertEquals(opened.openFiles(), 1);
  for (const media of unread) {
    await assertRejects(() => media.bytes(), Error, "it was closed");
  }
  const rest = await readRest(reader);

  assertBytes(await new Blob([start, rest]).bytes(), pattern(SIZE));
  await opened[Symbol.asyncDispose]();
});

Deno.test("a body that may not be stored is readable until close()", async () => {
  const opened = await diskCache();
  const { cache } = opened;
  const all: Media[] = [];
  for (let n = 0; n < 2; n++) {
    const tap = new Tap();
    const call = cache
      .getOrDownload(
        url(n),
        () =>
          Promise.resolve({
            data: tap.readable,
            mimetype: "application/x-test",
          }),
      );
    tap.write(pattern(SMALL, n + 1));
    all.push(await call);
    await cache.delete(url(n));
    tap.end();
    assertEquals(await all[n]!.stored, false);
  }
  assertEquals(opened.openFiles(), 2);
  assertBytes(await all[0]!.bytes(), pattern(SMALL, 1));

  await cache.close();
  assertEquals(opened.openFiles(), 0);
  await assertRejects(() => all[1]!.bytes(), Error, "it was closed");
  await opened[Symbol.asyncDispose]();
});
