import { assertEquals, assertRejects } from "@std/assert";
import { TaskQueue } from "../../../src/core/async/task_queue.ts";

Deno.test("run() starts a task when the task before has ended", async () => {
  const queue = new TaskQueue();
  const gate = Promise.withResolvers<void>();
  const log: string[] = [];

  const first = queue.run(async () => {
    log.push("first begins");
    await gate.promise;
    log.push("first ends");
  });
  const second = queue.run(() => {
    log.push("second");
    return Promise.resolve(2);
  });
  gate.resolve();

  await first;
  assertEquals(await second, 2);
  assertEquals(log, ["first begins", "first ends", "second"]);
});

Deno.test("run() passes an error on, and the next task runs", async () => {
  const queue = new TaskQueue();

  const first = queue.run(() => Promise.reject(new Error("first")));
  const second = queue.run(() => Promise.resolve("second"));

  await assertRejects(() => first, Error, "first");
  assertEquals(await second, "second");
});

Deno.test("run() rejects if a task throws synchronously", async () => {
  const queue = new TaskQueue();

  await assertRejects(
    () =>
      queue.run(() => {
        throw new TypeError("at once");
      }),
    TypeError,
    "at once",
  );
  assertEquals(await queue.run(() => Promise.resolve(1)), 1);
});
