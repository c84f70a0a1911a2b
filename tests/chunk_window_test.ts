import { assertEquals } from "@std/assert";
import { ChunkWindow } from "../src/chunk_window.ts";
import { Random } from "./fixtures/random.ts";

Deno.test("ChunkWindow finds what it keeps by its place in the body", () => {
  const window = new ChunkWindow();
  for (const size of [3, 5, 1]) {
    const start = window.end;
    window.push(new Uint8Array(size).map((_, i) => start + i));
  }

  for (let position = 0; position < 9; position++) {
    assertEquals(window.at(position)?.[0], position);
  }
  assertEquals(window.at(4), new Uint8Array([4, 5, 6, 7]));
  assertEquals([window.at(-1), window.at(9)], [undefined, undefined]);
  assertEquals([window.start, window.end, window.bytes], [0, 9, 9]);
});

Deno.test("ChunkWindow forgets whole chunks only", () => {
  const window = new ChunkWindow();
  for (const size of [3, 5, 1]) window.push(new Uint8Array(size));

  window.dropBefore(2);
  assertEquals([window.start, window.bytes], [0, 9]);
  window.dropBefore(7);
  assertEquals([window.start, window.bytes], [3, 6]);
  assertEquals([window.at(2), window.at(3)?.length], [undefined, 5]);
  window.dropBefore(Infinity);
  assertEquals([window.start, window.end, window.bytes], [9, 9, 0]);
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
