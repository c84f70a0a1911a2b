/**
 * Kinds of data that `put()` and a downloader may give, and the errors for
 * other kinds.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { assertBytes } from "../../fixtures/bodies/bytes.ts";
import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import type { Download, MediaCache } from "../../../mod.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";

/** Both ways to give data; each resolves to the stored bytes. */
const WAYS: Record<
  string,
  (cache: MediaCache, data: unknown) => Promise<unknown>
> = {
  put: (cache, data) =>
    cache.put("a:", data as Download["data"], "image/png", "a.png"),
  download: async (cache, data) => {
    const media = await cache.getOrDownload(
      "a:",
      () => Promise.resolve({ data: data as Download["data"] }),
    );
    await media.bytes();
    return await media.stored;
  },
};

/** The same bytes in shared memory. */
function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** A stream and a Blob of a library's own classes. */
function foreignStream(bytes: Uint8Array<ArrayBuffer>): unknown {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  writer.write(bytes).then(() => writer.close()).catch(() => {});
  return {
    locked: false,
    getReader: () => readable.getReader(),
    cancel: (reason: unknown) => readable.cancel(reason),
  };
}
function foreignBlob(bytes: Uint8Array<ArrayBuffer>): unknown {
  return {
    size: bytes.length,
    type: "",
    stream: () => new Blob([bytes]).stream(),
  };
}

const SMALL = bytesOf(1000);
const LARGE = bytesOf(5 * 2 ** 20); // above the cap for RAM, so that put() does not copy it first

const TAKEN: Record<string, [make: () => unknown, bytes: Uint8Array]> = {
  "a Node Buffer": [() => Buffer.from(SMALL), SMALL],
  "a File": [() => new File([SMALL], "a.png"), SMALL],
  "a view of shared memory": [() => shared(SMALL), SMALL],
  "a large view of shared memory": [() => shared(LARGE), LARGE],
  "a stream of views of shared memory": [
    () => ReadableStream.from([shared(SMALL)]),
    SMALL,
  ],
  "a stream of Node Buffers": [
    () => Readable.toWeb(Readable.from([Buffer.from(SMALL)])),
    SMALL,
  ],
  "a stream of another implementation": [() => foreignStream(SMALL), SMALL],
  "a Blob of another implementation": [() => foreignBlob(SMALL), SMALL],
};

const REFUSED: [kind: string, make: () => unknown][] = [
  ["string", () => "text"],
  ["number", () => 5],
  ["null", () => null],
  ["undefined", () => undefined],
  ["ArrayBuffer", () => new ArrayBuffer(4)],
  ["SharedArrayBuffer", () => new SharedArrayBuffer(4)],
  ["DataView", () => new DataView(new ArrayBuffer(4))],
  ["Uint16Array", () => new Uint16Array(2)],
  ["Uint8ClampedArray", () => new Uint8ClampedArray(4)],
  ["Array", () => [1, 2, 3]],
  ["Readable", () => Readable.from([Buffer.from("abcd")])],
  ["AsyncGenerator", () => (async function* () {})()],
  ["Object", () => ({ async *[Symbol.asyncIterator]() {} })],
  ["Response", () => new Response("abcd")],
  ["Promise", () => Promise.resolve(SMALL)],
];

for (const [way, give] of Object.entries(WAYS)) {
  Deno.test(`${way} accepts all kinds of bytes, a Blob or a stream`, async (t) => {
    for (const [kind, [make, bytes]] of Object.entries(TAKEN)) {
      await t.step(kind, async () => {
        await using opened = await emptyCache({ maxMemoryItems: 0 });

        assertEquals(await give(opened.cache, make()), true);

        await using media = await opened.cache.get("a:");
        assertBytes(await media?.bytes(), bytes);
        assertEquals(opened.cache.stats().diskErrors, 0);
      });
    }
  });

  Deno.test(`${way} refuses other data and names its kind`, async (t) => {
    for (const [kind, make] of REFUSED) {
      await t.step(kind, async () => {
        await using opened = await emptyCache();

        const error = await assertRejects(
          () => give(opened.cache, make()),
          TypeError,
        );

        assertEquals(
          error.message,
          `Cannot ${way}: data must be a Uint8Array, Blob or ReadableStream: received ${kind}`,
        );
        await opened.cache.close();
        await opened.assertEmpty();
      });
    }
  });

  Deno.test(`${way} refuses locked, read or detached data, and a stream of other chunks`, async () => {
    const locked = new Blob([SMALL]).stream();
    locked.getReader();
    const detached = new Uint8Array(SMALL);
    structuredClone(detached, { transfer: [detached.buffer] });
    const cases: [data: unknown, found: string][] = [
      [locked, "unread and unlocked: received a stream in use"],
      [detached, "received a detached Uint8Array"],
      [ReadableStream.from(["text"]), "received string"],
      [ReadableStream.from([new ArrayBuffer(3)]), "received ArrayBuffer"],
      [ReadableStream.from([new Uint16Array(3)]), "received Uint16Array"],
    ];
    for (const [data, found] of cases) {
      await using opened = await emptyCache();

      await assertRejects(() => give(opened.cache, data), TypeError, found);

      await opened.cache.close();
      await opened.assertEmpty();
    }
  });
}

Deno.test("readers of a download get no view of shared memory", async () => {
  await using opened = await emptyCache();
  const data = ReadableStream.from([shared(SMALL)]) as ReadableStream<
    Uint8Array
  >;

  const media = await opened.cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data }),
  );
  for await (const chunk of media.body) {
    assert(chunk.buffer instanceof ArrayBuffer);
  }

  assertEquals(await media.stored, true);
});
