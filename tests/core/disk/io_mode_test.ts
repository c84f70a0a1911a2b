import { assertEquals, assertThrows } from "@std/assert";
import { IoMode } from "../../../src/core/disk/io_mode.ts";

Deno.test("run() is synchronous on a fast disk", () => {
  const io = new IoMode();

  assertEquals(io.run(() => "sync", () => Promise.resolve("async")), "sync");
  assertEquals(io.run(() => "sync", () => Promise.resolve("async")), "sync");
});

Deno.test("run() is asynchronous for a while after two slow operations, failed ones included", async () => {
  const { now } = performance;
  let time = 1_000;
  performance.now = () => time;
  try {
    const io = new IoMode();
    const fail = () =>
      assertThrows(() =>
        io.run(() => {
          time += 11;
          throw new Error("slow");
        }, () => Promise.resolve())
      );
    const run = () => io.run(() => "sync", () => Promise.resolve("async"));

    fail();
    assertEquals(run(), "sync");
    fail();
    assertEquals(await run(), "async");
    time += 999;
    assertEquals(await run(), "async");
    time += 1;
    assertEquals(run(), "sync");
  } finally {
    performance.now = now;
  }
});

Deno.test("run() does not find a disk slow that was slow once in a second", () => {
  const { now } = performance;
  let time = 1_000;
  performance.now = () => time;
  try {
    const io = new IoMode();
    for (let i = 0; i < 5; i++) {
      const result = io.run(() => {
        time += 11;
        return "sync";
      }, () => Promise.resolve("async"));
      assertEquals(result, "sync");
      time += 1_001;
    }
  } finally {
    performance.now = now;
  }
});

Deno.test("run() doubles the asynchronous time whenever the disk is still slow", async () => {
  const { now } = performance;
  let time = 1_000;
  performance.now = () => time;
  try {
    const io = new IoMode();
    const run = (tookMs: number) =>
      io.run(() => {
        time += tookMs;
        return "sync";
      }, () => Promise.resolve("async"));

    run(11);
    for (const forMs of [1_000, 2_000, 4_000]) {
      assertEquals(run(11), "sync");
      time += forMs - 1;
      assertEquals(await run(0), "async");
      time += 1;
    }
    assertEquals(run(1), "sync");
    time += 1_001;
    assertEquals(run(11), "sync");
    assertEquals(run(1), "sync");
  } finally {
    performance.now = now;
  }
});
