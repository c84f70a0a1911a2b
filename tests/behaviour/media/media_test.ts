import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { CacheClosedError, type Media, MediaCache } from "../../../mod.ts";
import {
  pattern,
  readAll,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

import { BODY, onEach, URL_A } from "../../fixtures/bodies/each_source.ts";

const AGAIN = "already read, call get() again";

onEach("a Media tells what it is", async (media) => {
  await using _ = media;
  const { key, url, mimetype, filename, size } = media;

  assertEquals({ key, url, mimetype, filename, size }, {
    key: "077c887d094368c955d80cb3562e2e0284d1355693196dfdd87e42854ac81349",
    url: URL_A,
    mimetype: "image/png",
    filename: "a.png",
    size: 1_000_000,
  });
});

onEach(
  "bytes() gives an array that is the caller's own",
  async (media, cache) => {
    const bytes = await media.bytes();
    assertEquals(bytes, BODY);
    bytes.fill(0);

    const again = await cache.get(URL_A);
    assertEquals(await again?.bytes(), BODY);
  },
);

onEach(
  "a stream's bytes may be overwritten when all is stored",
  async (media, cache) => {
    await media.stored;
    for await (const chunk of media.body) chunk.fill(0);

    const again = await cache.get(URL_A);
    assertEquals(await again?.bytes(), BODY);
  },
);

onEach("blob() gives a File with name and type", async (media) => {
  const file = await media.blob();

  assert(file instanceof File);
  assertEquals([file.name, file.type], ["a.png", "image/png"]);
  assertEquals(await file.bytes(), BODY);
});

onEach("response() has the headers of the body", async (media) => {
  const response = media.response();

  assertEquals(response.status, 200);
  assertEquals([...response.headers], [
    ["content-disposition", 'inline; filename="a.png"'],
    ["content-length", "1000000"],
    ["content-type", "image/png"],
    ["x-content-type-options", "nosniff"],
  ]);
  assertEquals(await response.bytes(), BODY);
});

onEach("response() lets the caller's headers win", async (media) => {
  const response = media.response({
    status: 203,
    headers: { "content-type": "image/x-icon", "cache-control": "no-store" },
  });

  assertEquals(response.status, 203);
  assertEquals(response.headers.get("content-type"), "image/x-icon");
  assertEquals(response.headers.get("cache-control"), "no-store");
  await response.body?.cancel();
});

const reads: [string, (media: Media) => Promise<unknown>][] = [
  ["body", (media) => readAll(media.body)],
  ["bytes()", (media) => media.bytes()],
  ["blob()", (media) => media.blob()],
  ["response()", async (media) => await media.response().bytes()],
];
for (const [first, read] of reads) {
  onEach(`${first} is the one read of a Media`, async (media) => {
    await read(media);

    for (const [, again] of reads) {
      const error = await assertRejects(() => again(media), TypeError);
      assert(error.message.endsWith(AGAIN), error.message);
    }
  });
}

onEach("body is one stream until it is read", async (media) => {
  const { body } = media;
  assertStrictEquals(media.body, body);

  const reader = body.getReader();
  await assertRejects(() => media.bytes(), TypeError, AGAIN);
  assertThrows(() => media.response(), TypeError, AGAIN);
  assertEquals(await readRest(reader), BODY);
  await assertRejects(() => readAll(media.body), TypeError, AGAIN);
});

onEach("body stays the same stream while it is read", async (media) => {
  const { body } = media;
  const reader = body.getReader();
  await reader.read();

  assertStrictEquals(media.body, body);
  assert(media.body.locked);
  reader.releaseLock();
  await assertRejects(() => media.bytes(), TypeError, AGAIN);
  await media.body.cancel();

  await assertRejects(() => readAll(media.body), TypeError, AGAIN);
});

onEach(
  "bytes() reads a body that was asked for but not begun",
  async (media) => {
    const { body } = media;

    assertEquals(await media.bytes(), BODY);
    assert(body.locked);
  },
);

onEach("a cancelled body is a read one", async (media) => {
  await media.body.cancel();

  await assertRejects(() => media.bytes(), TypeError, AGAIN);
  assertEquals(await media.stored, true);
});

onEach(
  "a disposed Media can't be read, and neither can its streams",
  async (media) => {
    const reader = media.body.getReader();
    await readSome(reader, 1);
    const slice = media.slice(0);
    await media[Symbol.asyncDispose]();
    await media[Symbol.asyncDispose]();

    for (const read of [() => reader.read(), () => readAll(slice)]) {
      await assertRejects(
        read,
        TypeError,
        "Cannot read media: it was disposed",
      );
    }
    assertEquals(await media.stored, true);
  },
);

Deno.test("a hit's body is a byte stream that fills the reader's own buffer", async () => {
  await using temp = await tempDir();
  for (const maxMemoryItems of [0, 1]) {
    await using cache = await MediaCache.open({
      cacheDir: temp.path,
      maxMemoryItems,
    });
    await cache.put(URL_A, BODY, "image/png", "a.png");
    const media = await cache.get(URL_A);
    const reader = media!.body.getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(300_000);
    const sizes: number[] = [];
    const copy = new Uint8Array(BODY.length);
    let position = 0;
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      copy.set(value, position);
      position += value.length;
      sizes.push(value.length);
      buffer = value.buffer;
    }

    assertEquals(copy, BODY);
    assertEquals(sizes, [300_000, 300_000, 300_000, 100_000]);
  }
});

Deno.test("size is undefined only while a download of unknown length runs", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const tap = new Tap();

  const call = cache
    .getOrDownload(
      URL_A,
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  tap.write(pattern(10));
  const media = await call;
  assertEquals(media.size, undefined);
  const response = media.response();
  assertEquals(response.headers.get("content-length"), null);
  tap.end();
  await response.bytes();

  assertEquals(media.size, 10);
});

Deno.test("response() of a small hit in RAM gives bytes that may be changed, and counts them", async () => {
  const small = pattern(10_000);
  await using temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  await cache.put(URL_A, small, "image/png", "a.png");
  const late = await cache.get(URL_A);
  for (let i = 1; i <= 2; i++) {
    const media = await cache.get(URL_A);
    const response = media?.response();
    assertThrows(() => media?.response(), TypeError, AGAIN);
    const bytes = await response?.bytes();
    assertEquals(bytes, small);
    bytes?.fill(0);
    assertEquals(cache.stats().bytesServed, i * small.length);
  }
  for await (const chunk of (await cache.get(URL_A))?.response().body ?? []) {
    chunk.fill(0);
  }
  assertEquals(await (await cache.get(URL_A))?.bytes(), small);
  await cache.close();

  const closed = late?.response();
  await assertRejects(async () => await closed?.bytes(), CacheClosedError);
});
