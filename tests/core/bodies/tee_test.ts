import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type { DiskFile } from "../../../src/core/disk/disk_file.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { turn } from "../../fixtures/cache/recorder.ts";

import { begin, stagedTee, WatchedTee } from "../../fixtures/bodies/tees.ts";

Deno.test("Tee writes each chunk to the file before readers see it", async () => {
  await using staged = await stagedTee();
  const { tee, path } = staged;
  const reader = begin(tee);

  const reading = reader.read();
  await tee.push(pattern(10));
  assertEquals(await Deno.readFile(path), pattern(10));
  assertEquals(await reading, pattern(10));
  tee.complete();

  assertEquals(await reader.read(), undefined);
});

Deno.test("Tee waits for a slow disk before readers see a chunk", async () => {
  const written = Promise.withResolvers<void>();
  const slow = { writeAt: () => written.promise, close() {} };
  const tee = new WatchedTee(10, slow as unknown as DiskFile);
  const reader = begin(tee);
  let seen = false;

  const reading = Promise.resolve(reader.read()).then(() => seen = true);
  const pushing = tee.push(pattern(10));
  for (let i = 0; i < 3; i++) await turn();
  assertEquals([seen, tee.received], [false, 0]);
  written.resolve();
  await Promise.all([reading, pushing]);

  assertEquals(tee.received, 10);
  tee.fail(new Error("over"));
});

Deno.test("Tee gives the same chunk object to every reader at the end of the body", async () => {
  await using staged = await stagedTee();
  const { tee } = staged;
  const readers = [1, 2, 3].map(() => begin(tee));
  const reads = readers.map((reader) => reader.read());
  const chunk = pattern(10);

  await tee.push(chunk);

  for (const read of reads) assertStrictEquals(await read, chunk);
  for (const reader of readers) reader.close();
});

Deno.test("Tee gives the same chunk object also to readers that lag a little", async () => {
  await using staged = await stagedTee();
  const { tee } = staged;
  const body = pattern(2_000_000);
  const quick = begin(tee);
  const slow = begin(tee);
  const chunks = [];
  for (let at = 0; at < body.length; at += 200_000) {
    const chunk = body.slice(at, at + 200_000);
    chunks.push(chunk);
    await tee.push(chunk);
    await quick.read();
    if (at >= 400_000) {
      assertStrictEquals(await slow.read(), chunks.at(-3));
    }
  }
  for (const reader of [quick, slow]) reader.close();
});

Deno.test("Tee reads the file for readers that lag far behind", async () => {
  await using staged = await stagedTee(30);
  const { tee } = staged;
  const body = pattern(30);
  for (let at = 0; at < 30; at += 10) await tee.push(body.slice(at, at + 10));

  const reader = begin(tee, 5, 28);
  assertEquals(await reader.read(), body.slice(5, 28));
  assertEquals(await reader.read(), undefined);
  tee.complete();
  const late = begin(tee);
  assertEquals(await late.read(), body);
  assertEquals(await late.read(), undefined);

  assertEquals(tee.told, [23, "abandoned", 30]);
});

Deno.test("Tee keeps the file for its owner when every reader is done", async () => {
  await using staged = await stagedTee();
  const { tee } = staged;
  const reader = begin(tee);
  await tee.push(pattern(10));
  tee.complete();
  await reader.read();
  reader.close();

  const late = tee.body();
  assert(tee.needsFile);
  const lateReader = late.reader(0, Infinity);
  late.release();
  assertEquals(await lateReader.read(), pattern(10));
  lateReader.close();
});

Deno.test("Tee is abandoned when the last body is released and the last reader gone", async () => {
  await using staged = await stagedTee();
  const { tee } = staged;
  const bodies = [tee.body(), tee.body()];
  const reader = bodies[0]!.reader(0, Infinity);
  for (const body of bodies) {
    body.release();
    body.release();
  }
  assert(!tee.idle);
  assertEquals(tee.told, []);

  reader.close();
  reader.close();

  assert(tee.idle);
  assertEquals(tee.told, ["abandoned"]);
});

Deno.test("Tee passes a failure to present and to later readers", async () => {
  await using staged = await stagedTee();
  const { tee } = staged;
  const error = new Error("broken");
  const reader = begin(tee);
  await tee.push(pattern(10));
  await reader.read();
  const pending = reader.read();

  tee.fail(error);
  tee.fail(new Error("later"));
  tee.complete();

  assertStrictEquals(await assertRejects(async () => await pending), error);
  const late = begin(tee, 0, 5);
  assertStrictEquals(
    await assertRejects(async () => await late.read()),
    error,
  );
});

Deno.test("Tee knows its size at the latest when it is complete", async () => {
  await using unknown = await stagedTee();
  await using declared = await stagedTee(10);
  for (const { tee } of [unknown, declared]) await tee.push(pattern(10));
  const bodies = [unknown.tee.body(), declared.tee.body()];

  assertEquals(bodies.map(({ size }) => size), [undefined, 10]);
  unknown.tee.complete();
  assertEquals(bodies.map(({ size }) => size), [10, 10]);
  for (const body of bodies) body.release();
});
