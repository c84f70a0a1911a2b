import { assertEquals } from "@std/assert";
import { ChunkWindow } from "../../../src/core/bodies/chunk_window.ts";
import { Random } from "../../fixtures/inputs/random.ts";

/** Bytes of a chunk that does not count as small. */
const UNIT = 2_000;

Deno.test("ChunkWindow finds a kept chunk by its offset in the body", () => {
  const window = new ChunkWindow();
  const body = Uint8Array.from({ length: 9 * UNIT }, (_, i) => i % 251);
  for (const size of [3, 5, 1]) {
    const start = window.end;
    window.push(body.slice(start, start + size * UNIT));
  }

  for (let position = 0; position < body.length; position++) {
    assertEquals(window.at(position)?.[0], body[position]);
  }
  assertEquals(window.at(4 * UNIT), body.slice(4 * UNIT, 8 * UNIT));
  assertEquals([window.at(-1), window.at(body.length)], [undefined, undefined]);
  assertEquals([window.start, window.bytes], [0, body.length]);
  assertEquals(window.end, body.length);
});

Deno.test("ChunkWindow drops whole chunks only", () => {
  const window = new ChunkWindow();
  for (const size of [3, 5, 1]) window.push(new Uint8Array(size * UNIT));
  const kept = () => [window.start / UNIT, window.bytes / UNIT];

  window.dropBefore(2 * UNIT);
  assertEquals(kept(), [0, 9]);
  window.dropBefore(7 * UNIT);
  assertEquals(kept(), [3, 6]);
  assertEquals(window.at(2 * UNIT), undefined);
  assertEquals(window.at(3 * UNIT)?.length, 5 * UNIT);
  window.dropBefore(Infinity);
  assertEquals(kept(), [9, 0]);
});

Deno.test("ChunkWindow keeps the bytes between its start and its end", () => {
  const random = new Random();
  const window = new ChunkWindow();
  const body: number[] = [];

  for (let step = 0; step < 2_000; step++) {
    const size = random.integer(1, 20);
    const chunk = new Uint8Array(size).map(() => random.integer(0, 255));
    window.push(chunk);
    body.push(...chunk);
    if (random.integer(0, 3) === 0) {
      const position = random.integer(window.start, window.end);
      window.dropBefore(position);
      assertEquals(window.start <= position, true, random.hint);
    }
    const position = random.integer(0, window.end);
    const found = window.at(position);
    const wanted = position < window.start ? undefined : body[position];
    assertEquals(found?.[0], wanted, random.hint);
    assertEquals(window.bytes, window.end - window.start, random.hint);
  }
});

Deno.test("ChunkWindow merges small chunks, and finds them by their offsets", () => {
  const window = new ChunkWindow();
  const body = Uint8Array.from({ length: 20_000 }, (_, i) => i % 251);
  for (let i = 0; i < body.length; i++) window.push(body.slice(i, i + 1));

  let position = 0;
  let pieces = 0;
  for (; position < body.length; pieces++) {
    const piece = window.at(position);
    assertEquals(piece, body.slice(position, position + (piece?.length ?? 0)));
    position += piece?.length ?? Infinity;
  }
  assertEquals([position, pieces], [body.length, 5]);
  window.dropBefore(5_000);
  assertEquals([window.start, window.bytes], [4_096, 20_000 - 4_096]);
});

Deno.test("ChunkWindow gives no bytes of a chunk that a caller has transferred", () => {
  for (const size of [2, 5_000]) {
    const window = new ChunkWindow();
    for (const fill of [1, 2]) window.push(new Uint8Array(size).fill(fill));
    const first = window.at(0);

    structuredClone(first, { transfer: [first!.buffer] });

    assertEquals(window.at(0), undefined);
    const second = size === 2 ? undefined : new Uint8Array(size).fill(2);
    assertEquals(window.at(size), second);
    window.push(Uint8Array.of(3));
    assertEquals(window.at(2 * size), Uint8Array.of(3));
    assertEquals(window.bytes, 2 * size + 1);
    window.dropBefore(Infinity);
    assertEquals([window.start, window.bytes], [2 * size + 1, 0]);
  }
});
