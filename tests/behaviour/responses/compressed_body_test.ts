import { assert, assertEquals, assertRejects } from "@std/assert";
import { TooLargeError } from "../../../mod.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const MB = 1_048_576;
const BOMB_MB = 50;

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

/** 50 Mb of zeros, in some 50 KB. */
async function bomb(): Promise<Uint8Array<ArrayBuffer>> {
  const zeros = new Uint8Array(MB);
  let left = BOMB_MB;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(zeros.slice());
      else controller.close();
    },
  });
  const zipped = source.pipeThrough(new CompressionStream("gzip"));
  return await new Response(zipped).bytes();
}

Deno.test("the limit for a compressed body counts its decoded bytes", async () => {
  const zipped = await bomb();
  assert(zipped.length < 100_000);
  await using origin = new Origin();
  const headers = { "Content-Encoding": "gzip", "Content-Type": "image/png" };
  const url = origin.bytes("/bomb.png", zipped, headers);
  await using opened = await emptyCache({ maxDownloadMb: 10 });

  const media = await opened.cache.getOrDownload(url, get);
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  assertEquals(error.maxBytes, 10 * MB);
  assert((error.received ?? 0) > 10 * MB && (error.received ?? 0) < 12 * MB);
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("a body that decodes to more than maxEntryMb is not stored, and one that fits is stored decoded", async () => {
  const zipped = await bomb();
  await using origin = new Origin();
  const headers = { "Content-Encoding": "gzip" };
  const url = origin.bytes("/bomb.bin", zipped, headers);
  for (const maxEntryMb of [BOMB_MB - 1, BOMB_MB]) {
    await using opened = await emptyCache({ maxEntryMb });

    const media = await opened.cache.getOrDownload(url, get);
    let received = 0;
    for await (const chunk of media.body) received += chunk.length;

    assertEquals(received, BOMB_MB * MB);
    assertEquals(await media.stored, maxEntryMb === BOMB_MB);
    const { totalBytes, memoryBytes } = opened.cache.stats();
    assertEquals(totalBytes, maxEntryMb === BOMB_MB ? BOMB_MB * MB : 0);
    assertEquals(memoryBytes, 0);
  }
});

Deno.test("a compressed body that is cut or damaged is an error, not an end", async () => {
  const zipped = await bomb();
  const damaged = zipped.slice();
  damaged[zipped.length >> 1] = (damaged[zipped.length >> 1] ?? 0) ^ 0xff;
  const bodies = {
    "/cut": zipped.slice(0, zipped.length >> 1),
    // The checksum and the length of the original bytes.
    "/no-trailer": zipped.slice(0, -8),
    "/damaged": damaged,
    "/text": new TextEncoder().encode("not compressed at all"),
  };
  await using origin = new Origin();
  await using opened = await emptyCache({ gifToMp4: false });
  for (const [path, body] of Object.entries(bodies)) {
    const url = origin.bytes(path, body, { "Content-Encoding": "gzip" });

    await assertRejects(async () => {
      const media = await opened.cache.getOrDownload(url, get);
      for await (const _ of media.body);
    }, path);
  }

  await opened.cache.close();
  await opened.assertEmpty();
});
