import { assert, assertEquals, assertRejects } from "@std/assert";
import { MediaCacheError } from "../../../mod.ts";
import {
  assertBytes,
  pattern,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { smallCache } from "../../fixtures/cache/small_cache.ts";

const MB = 2 ** 20;

Deno.test("a single chunk larger than the window passes through", async () => {
  await using opened = await smallCache();
  const body = pattern(5 * MB);
  const data = ReadableStream.from([body.slice(0, 3 * MB), body.slice(3 * MB)]);

  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));

  assertBytes(await media.bytes(), body);
});

Deno.test("an uncached download is at most 1 Mb ahead of its slowest reader", async () => {
  await using opened = await smallCache();
  const body = pattern(8 * MB);
  const source = new ReadySource(body);
  const { data } = source;
  const download = () => Promise.resolve({ data, size: body.length });

  const [slow, fast] = await Promise.all([
    opened.cache.getOrDownload("a:", download),
    opened.cache.getOrDownload("a:", download),
  ]);
  const slowReader = slow.body.getReader();
  const fastReader = fast.body.getReader();
  let slowly = await readSome(slowReader, 65_536);
  let fastly = await readSome(fastReader, MB + 65_536);
  // One chunk waits for its place in the window, and another is being read.
  assert(source.pulled <= slowly.length + MB + 2 * 65_536, `${source.pulled}`);
  const next = readSome(fastReader, MB);
  const more = await readSome(slowReader, MB);
  slowly = await new Blob([slowly, more]).bytes();
  fastly = await new Blob([fastly, await next]).bytes();
  assert(source.pulled <= slowly.length + MB + 2 * 65_536, `${source.pulled}`);

  const rest = [slowReader, fastReader].map(readRest);
  const [slowRest, fastRest] = await Promise.all(rest);
  assertBytes(await new Blob([slowly, slowRest!]).bytes(), body);
  assertBytes(await new Blob([fastly, fastRest!]).bytes(), body);
});

Deno.test("an unread Media rejects when the window has moved past its start", async () => {
  await using opened = await smallCache();
  const body = pattern(4 * MB);
  const { data } = new ReadySource(body);
  const download = () => Promise.resolve({ data, size: body.length });

  const [late, first] = await Promise.all([
    opened.cache.getOrDownload("a:", download),
    opened.cache.getOrDownload("a:", download),
  ]);
  assertBytes(await first.bytes(), body);

  await assertRejects(() => late.bytes(), MediaCacheError, "not read in time");
  assertEquals(await late.stored, false);
});

Deno.test("an uncached download waits for the first reader", async () => {
  await using opened = await smallCache();
  const body = pattern(4 * MB);
  const source = new ReadySource(body);
  const { data } = source;
  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));

  // Other work of the event loop gets many turns meanwhile.
  for (let i = 0; i < 50; i++) await turn();
  assert(source.pulled <= MB + 2 * 65_536, `${source.pulled}`);

  assertBytes(await media.bytes(), body);
});

Deno.test("a range far ahead of the window is read when the window reaches it", async () => {
  await using opened = await smallCache();
  const body = pattern(6 * MB);
  const { data } = new ReadySource(body);
  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));

  const range = await new Response(media.slice(4 * MB, 4 * MB + 10)).bytes();
  assertBytes(range, body.slice(4 * MB, 4 * MB + 10));

  await media[Symbol.asyncDispose]();
  assertEquals(await media.stored, false);
});

Deno.test("slow readers read the staged bytes of a download that became uncached", async () => {
  await using opened = await smallCache({ maxSizeMb: 4 });
  const body = pattern(8 * MB);
  const { data } = new ReadySource(body);
  const download = () => Promise.resolve({ data });

  const [late, first] = await Promise.all([
    opened.cache.getOrDownload("a:", download),
    opened.cache.getOrDownload("a:", download),
  ]);
  const reader = late.body.getReader();
  const start = await readSome(reader, 1);
  const [bytes, rest] = await Promise.all([first.bytes(), readRest(reader)]);

  assertBytes(bytes, body);
  assertBytes(await new Blob([start, rest]).bytes(), body);
});

Deno.test("the windows of any number of uncached downloads share maxMemoryMb", async () => {
  const count = 300;
  const chunkBytes = 4_096;
  await using opened = await smallCache({
    maxEntryMb: 0.01,
    maxMemoryMb: 2,
    maxConcurrentDownloads: count,
  });
  let pulled = 0;
  let read = 0;
  let most = 0;
  const source = () => {
    let left = MB / 4;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(chunkBytes));
        pulled += chunkBytes;
        most = Math.max(most, pulled - read);
        left -= chunkBytes;
        if (left === 0) controller.close();
      },
    }, { highWaterMark: 0 });
  };
  const readers = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const media = await opened.cache.getOrDownload(
        `a:${n}`,
        () => Promise.resolve({ data: source(), size: MB / 4 }),
      );
      return media.body.getReader();
    }),
  );

  // Each takes some bytes, and stalls; then all read on.
  for (const wanted of [3 * chunkBytes, MB / 4]) {
    await Promise.all(readers.map(async (reader) => {
      for (let size = 0; size < wanted;) {
        const { value } = await reader.read();
        if (value === undefined) break;
        size += value.length;
        read += value.length;
      }
    }));
    for (let n = 0; n < 20; n++) await turn();
  }

  assertEquals(read, count * MB / 4);
  // Beside the shared memory each has a chunk in its window and one that waits for room.
  assert(most <= 2 * MB + count * 3 * chunkBytes, `${most}`);
});

Deno.test("windows that are read to their end make room for others", async () => {
  await using opened = await smallCache({ maxMemoryMb: 1 });
  const body = pattern(4 * MB);
  for (let n = 0; n < 20; n++) {
    const { data } = new ReadySource(body);
    const media = await opened.cache
      .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));
    if (n % 2 === 0) assertBytes(await media.bytes(), body);
    else await media.body.cancel();
  }
  const source = new ReadySource(body);
  const { data } = source;

  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));
  while (source.pulled < MB) await turn();

  assertBytes(await media.bytes(), body);
});

Deno.test("maxMemoryMb 0 leaves each uncached download a chunk", async () => {
  await using opened = await smallCache({ maxMemoryMb: 0 });
  const body = pattern(4 * MB);
  const { data } = new ReadySource(body);

  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: body.length }));

  assertBytes(await media.bytes(), body);
});
