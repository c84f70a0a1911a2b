import { assertEquals, assertRejects } from "@std/assert";
import { IncompleteBodyError, MediaCacheError } from "../../../mod.ts";
import {
  type ChunkSource,
  chunkSource,
} from "../../../src/core/bodies/chunk_source.ts";
import { digestOf } from "../../../src/core/bodies/digest.ts";
import { CheckedObject } from "../../../src/core/remote/checked_object.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { inChunks, never } from "../../fixtures/remote/stand_in_tier.ts";

const BYTES = pattern(1_000);
const ENTRY = { size: BYTES.length, sha256: digestOf(BYTES) };

/** A checked object, and what it has told. */
function checked(chunks: ChunkSource, idleTimeoutMs = 10_000, isDown = false) {
  const told: string[] = [];
  const limits = {
    idleTimeoutMs,
    downTimeoutMs: 20,
    isDown: () => isDown,
  };
  const object = new CheckedObject(ENTRY, chunks, limits, {
    onBytes: () => {},
    onFault: (fault) => told.push(fault),
    onContinued: () => told.push("continued"),
  });
  return { object, told };
}

/** A source that breaks after some bytes. */
function broken(end: number, chunkBytes = 64): ChunkSource {
  const source = chunkSource(inChunks(BYTES.slice(0, end), chunkBytes), false);
  return {
    next: async () => {
      const chunk = await source.next();
      if (chunk === undefined) throw new TypeError("reset");
      return chunk;
    },
    cancel: (reason) => source.cancel(reason),
  };
}

const streamed = (bytes: Uint8Array<ArrayBuffer>, chunkBytes = 100) =>
  chunkSource(inChunks(bytes, chunkBytes), false);

Deno.test("the bytes of an object pass, however they are cut", async () => {
  for (const chunkBytes of [1, 7, 100, 999, 1_000, 5_000]) {
    const { object, told } = checked(streamed(BYTES, chunkBytes));

    assertEquals(await object.whole(), BYTES);
    assertEquals(told, []);
    assertEquals(await object.next(), undefined);
  }
});

Deno.test("the last chunk of wrong bytes does not pass", async () => {
  const wrong = BYTES.slice();
  wrong[5] = (wrong[5] ?? 0) ^ 1;
  const { object, told } = checked(streamed(wrong));
  for (let i = 0; i < 9; i++) await object.next();

  await assertRejects(() => object.next(), MediaCacheError);

  assertEquals(told, ["wrong"]);
});

Deno.test("more bytes than declared are wrong", async () => {
  for (const chunkBytes of [100, 1_000, 1_001]) {
    const { object, told } = checked(streamed(pattern(1_001), chunkBytes));

    await assertRejects(() => object.whole(), MediaCacheError);

    assertEquals(told, ["wrong"]);
  }
});

Deno.test("an object is completed by another source, wherever it breaks and however both are cut", async () => {
  for (const end of [0, 1, 63, 64, 500, 999]) {
    for (const chunkBytes of [1, 64, 77, 1_000]) {
      const { object, told } = checked(broken(end));
      object.reopen = () => Promise.resolve(streamed(BYTES, chunkBytes));

      assertEquals(await object.whole(), BYTES);

      assertEquals(told, ["cut", "continued"]);
    }
  }
});

Deno.test("an object that breaks behind its last byte is whole", async () => {
  const { object, told } = checked(broken(1_000));

  assertEquals(await object.whole(), BYTES);
  assertEquals(told, []);
});

Deno.test("an object is not completed by a source of other, fewer or more bytes", async () => {
  const first = BYTES.slice();
  first[0] = (first[0] ?? 0) ^ 1;
  const last = BYTES.slice();
  last[999] = (last[999] ?? 0) ^ 1;
  for (
    const other of [
      first,
      last,
      BYTES.slice(0, 300),
      BYTES.slice(0, 999),
      pattern(1_001),
    ]
  ) {
    const { object, told } = checked(broken(512));
    object.reopen = () => Promise.resolve(streamed(other));

    await assertRejects(() => object.whole(), MediaCacheError);

    assertEquals(told, ["cut"]);
  }
});

Deno.test("an object that nobody completes ends in the error of its stream, or is incomplete", async () => {
  const reset = checked(broken(512)).object;
  const short = checked(streamed(BYTES.slice(0, 512))).object;

  await assertRejects(() => reset.whole(), TypeError, "reset");
  await assertRejects(() => short.whole(), IncompleteBodyError);
});

for (
  const [title, idleTimeoutMs, isDown] of [
    ["for too long", 90, false],
    ["while the tier is down", 600_000, true],
  ] as const
) {
  Deno.test(`an object without a byte ${title} has stalled`, async () => {
    const source = streamed(BYTES.slice(0, 500));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stalling: ChunkSource = {
      next: async () => await source.next() ?? await promise,
      cancel: () => Promise.resolve(resolve(undefined)),
    };
    const { object, told } = checked(stalling, idleTimeoutMs, isDown);
    object.reopen = () => Promise.resolve(streamed(BYTES));

    assertEquals(await object.whole(), BYTES);

    assertEquals(told, ["stalled", "continued"]);
  });
}

Deno.test("a cancelled object ends, and asks no other source", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const { object, told } = checked({
    next: () => promise,
    cancel: () => Promise.resolve(resolve(undefined)),
  });
  object.reopen = never;

  const next = object.next();
  await object.cancel(new Error("left"));

  assertEquals(await next, undefined);
  assertEquals(await object.next(), undefined);
  assertEquals(told, []);
});
