import { assertEquals, assertRejects } from "@std/assert";
import { Waiters } from "../../../src/core/async/waiters.ts";

const never = () => {
  throw new Error("nobody has left");
};

Deno.test("Waiters gives each caller a resource of its own", async () => {
  const waiters = new Waiters<number>();
  const waits = [1, 2, 3].map(() => waiters.wait(undefined, never));
  assertEquals(waiters.count, 3);

  let made = 0;
  waiters.resolve(() => ++made);

  assertEquals(await Promise.all(waits), [1, 2, 3]);
  assertEquals(waiters.count, 0);
});

Deno.test("Waiters makes nothing for callers that have stopped waiting", async () => {
  const waiters = new Waiters<number>();
  const controller = new AbortController();
  let left = 0;
  const leaving = waiters.wait(controller.signal, () => left++);
  const staying = waiters.wait(undefined, never);

  controller.abort(new Error("enough"));
  await assertRejects(() => leaving, Error, "enough");
  assertEquals([left, waiters.count], [1, 1]);
  let made = 0;
  waiters.resolve(() => ++made);

  assertEquals([await staying, made], [1, 1]);
});

Deno.test("Waiters tells every caller of a failure", async () => {
  const waiters = new Waiters<number>();
  const waits = [1, 2].map(() => waiters.wait(undefined, never));

  waiters.reject(new Error("broken"));

  for (const wait of waits) await assertRejects(() => wait, Error, "broken");
  assertEquals(waiters.count, 0);
});

Deno.test("Waiters lets no caller in if its signal is aborted", async () => {
  const waiters = new Waiters<number>();
  let left = 0;

  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => waiters.wait(signal, () => left++),
    Error,
    "enough",
  );

  assertEquals([left, waiters.count], [1, 0]);
});

Deno.test("a signal that is aborted after the wait changes nothing", async () => {
  const waiters = new Waiters<number>();
  const controller = new AbortController();
  const wait = waiters.wait(controller.signal, never);

  waiters.resolve(() => 1);
  controller.abort();

  assertEquals(await wait, 1);
});
