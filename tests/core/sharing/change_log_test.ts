import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  ChangeLog,
  LockTimeoutError,
} from "../../../src/core/sharing/change_log.ts";
import { CHANGES_NAME } from "../../../src/core/disk/file_names.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { hold } from "../../fixtures/time/hold.ts";

/** Logs of one directory, one for each simulated process. */
async function logs(count: number) {
  const dir = await tempDir();
  const path = join(dir.path, CHANGES_NAME);
  const spare = () => join(dir.path, "spare");
  const logs = Array.from(
    { length: count },
    () => new ChangeLog(new FileSystem(), path, spare, false),
  );
  return {
    path,
    logs,
    async [Symbol.asyncDispose]() {
      for (const log of logs) log.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function announce(log: ChangeLog, ...keys: string[]): Promise<void> {
  await log.lock(true);
  await log.changes();
  for (const key of keys) await log.announce(key);
  log.unlock();
}

async function news(log: ChangeLog): Promise<string[] | "unknown"> {
  await log.lock(true);
  const found = await log.changes();
  log.unlock();
  return found === "unknown" ? found : [...found];
}

const [A, B, C] = ["a", "b", "c"].map(keyOf) as [string, string, string];

Deno.test("a process learns of a change of another process, once", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  assertEquals([await news(one), await news(two)], [[], []]);

  await announce(one, A, B);

  assertEquals(await news(two), [A, B]);
  assertEquals(await news(two), []);
  assertEquals(await news(one), []);
});

Deno.test("changes announced before the first look are not reported", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  await announce(one, A);

  assertEquals(await news(two), []);
  await announce(one, B);
  assertEquals(await news(two), [B]);
});

Deno.test("a process that looks before the log exists gets every change of the first log", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  assertEquals(await two.lock(false), false);

  await announce(one, A);

  assertEquals(await news(two), [A]);
});

Deno.test("one process at a time holds the lock", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];

  assertEquals(await one.lock(true), true);
  assertEquals(await two.tryLock(), "busy");
  const waiting = two.lock(true);
  one.unlock();
  assertEquals(await waiting, true);
  assertEquals(await one.tryLock(), "busy");
});

Deno.test("time in which the event loop is held is no wait for the lock", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  await one.lock(true);
  const waiting = two.lock(true, 1000);
  const result = Promise.allSettled([waiting]);

  hold(1500);
  await turn();
  one.unlock();

  assertEquals(await result, [{ status: "fulfilled", value: true }]);
});

Deno.test("a deleted log starts anew, and its earlier changes are unknown", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  await announce(one, A);
  await news(two);

  await Deno.remove(opened.path);
  await announce(one, B);

  assertEquals(await news(two), "unknown");
  await announce(one, C);
  assertEquals(await news(two), [C]);
});

Deno.test("a long log is truncated, and a process only a little behind misses nothing", async () => {
  await using opened = await logs(3);
  const [one, two, late] = opened.logs as [ChangeLog, ChangeLog, ChangeLog];
  await announce(one, A);
  await news(two);
  await news(late);
  const many = Array.from({ length: 33_000 }, () => B);
  await announce(one, ...many.slice(0, 32_000));
  await news(two);
  const before = (await Deno.stat(opened.path)).size;
  await announce(one, ...many.slice(32_000), C);

  const { size } = await Deno.stat(opened.path);
  assertEquals(size < before / 2, true, `${before} became ${size}`);
  assertEquals(await news(two), [B, C]);
  assertEquals(await news(late), "unknown");
});

Deno.test("a record cut short by a kill is overwritten", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  await announce(one, A);
  await news(two);
  await Deno.writeTextFile(opened.path, B.slice(0, 10), { append: true });

  await announce(one, C);

  assertEquals(await news(two), [C]);
});

Deno.test("an invalid record makes the changes unknown", async () => {
  await using opened = await logs(2);
  const [one, two] = opened.logs as [ChangeLog, ChangeLog];
  await announce(one, A);
  await news(two);
  await Deno.writeTextFile(opened.path, "?".repeat(65), { append: true });

  assertEquals(await news(two), "unknown");
  assertEquals(await news(two), []);
});

for (const bit of [0, 100, 200, 400]) {
  Deno.test(`a header with bit ${bit} flipped makes the log invalid`, async () => {
    await using opened = await logs(2);
    const [one, two] = opened.logs as [ChangeLog, ChangeLog];
    await announce(one, A, B);
    one.close();
    const before = await Deno.readFile(opened.path);
    const bytes = before.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    await Deno.writeFile(opened.path, bytes);

    assertEquals(await news(two), []);
    assertEquals(await news(one), "unknown");
    assertNotEquals(await Deno.readFile(opened.path), before);
    await announce(two, C);
    assertEquals(await news(one), [C]);
  });
}

Deno.test("a process that may not write does not change the log while it waits for it", async () => {
  await using opened = await logs(1);
  const [holder] = opened.logs as [ChangeLog];
  await holder.lock(true);
  const before = await Deno.stat(opened.path);
  const fs = new FileSystem();
  const reader = new ChangeLog(fs, opened.path, () => "", true);

  await assertRejects(
    async () => await reader.lock(false, 20),
    LockTimeoutError,
  );

  reader.close();
  assertEquals((await Deno.stat(opened.path)).mtime, before.mtime);
});
