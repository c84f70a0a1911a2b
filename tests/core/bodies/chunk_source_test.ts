import { assertEquals } from "@std/assert";
import { chunkSource } from "../../../src/core/bodies/chunk_source.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";

/** A byte stream that puts at most `most` bytes into each buffer, whose length it notes. */
function byteStream(body: Uint8Array, most: number) {
  const buffers: number[] = [];
  let position = 0;
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view;
      if (!request || !view) throw new Error("no buffer");
      buffers.push(view.byteLength);
      const count = Math.min(most, view.byteLength, body.length - position);
      new Uint8Array(view.buffer, view.byteOffset).set(
        body.subarray(position, position + count),
      );
      position += count;
      if (count === 0) controller.close();
      request.respond(count);
    },
  });
  return { stream, buffers };
}

async function read(stream: ReadableStream<Uint8Array>, size?: number) {
  const source = chunkSource(stream, false, size);
  const chunks: Uint8Array[] = [];
  for (
    let chunk = await source.next();
    chunk !== undefined;
    chunk = await source.next()
  ) chunks.push(chunk);
  return await new Blob(chunks as Uint8Array<ArrayBuffer>[]).bytes();
}

Deno.test("chunkSource() reads a fast byte stream into buffers of 64 KiB, and none beyond its size", async () => {
  const body = pattern(200_000);
  const { stream, buffers } = byteStream(body, Infinity);

  assertEquals(await read(stream, body.length), body);
  const left = body.length - 3 * 65_536;
  assertEquals(buffers, [65_536, 65_536, 65_536, left, 1]);
});

Deno.test("chunkSource() reads a trickling byte stream into small buffers", async () => {
  const body = pattern(3000);
  const { stream, buffers } = byteStream(body, 1000);

  assertEquals(await read(stream), body);
  assertEquals(buffers, [65_536, 16_384, 16_384, 16_384]);
});

Deno.test("chunkSource() takes the chunks of a byte stream that fills no buffer", async () => {
  const chunks = [pattern(70_000), pattern(10)];
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) return controller.enqueue(chunk);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });

  const body = await new Blob(chunks).bytes();
  assertEquals(await read(stream), body);
});
