import { assert, assertEquals, assertRejects } from "@std/assert";
import { WINDOW_BYTES } from "../../../src/core/bodies/chunk_window.ts";
import type { Tee } from "../../../src/core/bodies/tee.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";

import { begin, WatchedTee } from "../../fixtures/bodies/tees.ts";

Deno.test("an uncached Tee takes only what its window holds, or a single larger chunk", async () => {
  const tee = new WatchedTee();
  const slow = begin(tee);
  const fast = begin(tee);
  await tee.push(pattern(2 * WINDOW_BYTES));
  assertEquals((await fast.read())?.length, 2 * WINDOW_BYTES);

  let taken = false;
  const pushing = tee.push(pattern(10)).then(() => taken = true);
  const next = fast.read();
  await Promise.resolve();
  assert(!taken);
  assertEquals((await slow.read())?.length, 2 * WINDOW_BYTES);
  await pushing;

  assertEquals(await next, pattern(10));
  tee.fail(new Error("enough"));
});

for (
  const [what, wake] of [
    ["its slow reader leaves", (_, reader) => reader.close()],
    ["it fails", (tee) => tee.fail(new Error("enough"))],
  ] as [string, (tee: Tee, reader: { close(): void }) => void][]
) {
  Deno.test(`an uncached Tee stops waiting for room when ${what}`, async () => {
    const tee = new WatchedTee();
    const fast = begin(tee);
    const slow = begin(tee);
    await tee.push(pattern(WINDOW_BYTES));
    await fast.read();

    const pushing = tee.push(pattern(10));
    wake(tee, slow);
    await pushing;

    tee.fail(new Error("enough"));
  });
}

Deno.test("a body cannot be read when the window has moved past its start", async () => {
  const tee = new WatchedTee();
  const late = tee.body();
  const reader = begin(tee);
  for (let i = 0; i < 3; i++) {
    await tee.push(pattern(WINDOW_BYTES));
    await reader.read();
  }

  await assertRejects(
    async () => await late.reader(0, Infinity).read(),
    Error,
    "not read in time",
  );
  tee.fail(new Error("enough"));
});
