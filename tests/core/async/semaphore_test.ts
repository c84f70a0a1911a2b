import { assertEquals, assertRejects } from "@std/assert";
import { Semaphore } from "../../../src/core/async/semaphore.ts";

Deno.test("Semaphore lets in as many callers as it has permits, in order", async () => {
  const semaphore = new Semaphore(2);
  const order: number[] = [];
  const turns = [0, 1, 2, 3].map(async (n) => {
    const release = await semaphore.acquire();
    order.push(n);
    return release;
  });

  (await turns[0]!)();
  await turns[2];
  assertEquals(order, [0, 1, 2]);
  (await turns[1]!)();
  await turns[3];
  assertEquals(order, [0, 1, 2, 3]);
});

Deno.test("Semaphore stops waiting when the signal is aborted, and skips that place", async () => {
  const semaphore = new Semaphore(1);
  const release = await semaphore.acquire();
  const controller = new AbortController();
  const gone = semaphore.acquire(controller.signal);
  const next = semaphore.acquire();

  controller.abort(new Error("enough"));
  await assertRejects(() => gone, Error, "enough");
  release();
  (await next)();
  (await semaphore.acquire())();
});

Deno.test("Semaphore rejects if the signal is aborted already", async () => {
  const semaphore = new Semaphore(1);

  await assertRejects(() => semaphore.acquire(AbortSignal.abort()));
  (await semaphore.acquire())();
});
