import { assertEquals, assertThrows } from "@std/assert";
import { IoMode } from "../../../src/core/disk/io_mode.ts";

Deno.test("run() is synchronous on a fast disk", () => {
  const io = new IoMode();

  assertEquals(io.run(() => "sync", () => Promise.resolve("async")), "sync");
  assertEquals(io.run(() => "sync", () => Promise.resolve("async")), "sync");
});

/** An {@linkcode IoMode}, and operations that take some milliseconds of a false clock. */
function tryMode(
  test: (io: {
    run(tookMs: number): unknown;
    fail(tookMs: number): void;
    wait(ms: number): void;
  }) => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    const { now } = performance;
    let time = 1_000;
    performance.now = () => time;
    try {
      const io = new IoMode();
      const later = () => Promise.resolve("async");
      await test({
        run: (tookMs) =>
          io.run(() => {
            time += tookMs;
            return "sync";
          }, later),
        fail: (tookMs) =>
          void assertThrows(() =>
            io.run(() => {
              time += tookMs;
              throw new Error("slow");
            }, later)
          ),
        wait: (ms) => void (time += ms),
      });
    } finally {
      performance.now = now;
    }
  };
}

Deno.test(
  "run() is asynchronous for a while after three slow operations, failed ones included",
  tryMode(async ({ run, fail, wait }) => {
    fail(11);
    assertEquals(run(0), "sync");
    fail(11);
    assertEquals(run(0), "sync");
    fail(11);
    assertEquals(await run(0), "async");
    wait(999);
    assertEquals(await run(0), "async");
    wait(1);
    assertEquals(run(0), "sync");
  }),
);

Deno.test(
  "run() finds a disk slow on which each put has a slow operation among fast ones",
  tryMode(async ({ run }) => {
    let puts = 0;
    let last: unknown;
    while (last !== "async" && puts < 10) {
      puts++;
      for (const tookMs of [0, 0, 0, 11, 0, 0, 0]) last = await run(tookMs);
    }
    assertEquals(puts, 3);
  }),
);

Deno.test(
  "run() does not find a disk slow that is slow once in many operations",
  tryMode(({ run }) => {
    for (let i = 0; i < 20; i++) {
      assertEquals(run(50), "sync");
      for (let fast = 0; fast < 40; fast++) assertEquals(run(1), "sync");
    }
  }),
);

Deno.test(
  "run() doubles the asynchronous time whenever the disk is still slow",
  tryMode(async ({ run, wait }) => {
    run(11);
    run(11);
    for (const forMs of [1_000, 2_000, 4_000]) {
      assertEquals(run(11), "sync");
      wait(forMs - 1);
      assertEquals(await run(0), "async");
      wait(1);
    }
    assertEquals(run(1), "sync");
    assertEquals(run(11), "sync");
    wait(999);
    assertEquals(await run(0), "async");
    wait(1);
    assertEquals(run(1), "sync");
  }),
);
