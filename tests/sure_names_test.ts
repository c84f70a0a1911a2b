import { assertEquals, assertRejects } from "@std/assert";
import { SureNames } from "../src/core/disk/directory_sync.ts";

/** Names whose syncs are counted, and fail when the test says so. */
function counted() {
  const state = {
    syncs: 0,
    fails: false,
    names: new SureNames(() => {
      if (state.fails) return Promise.reject(new Error("the disk failed"));
      state.syncs++;
      return Promise.resolve();
    }),
  };
  return state;
}

Deno.test("settle() syncs once for what was done before, then only after a change of that key", async () => {
  const state = counted();
  const { names } = state;

  await names.settle("a");
  assertEquals(state.syncs, 1);
  await names.settle("a");
  assertEquals(state.syncs, 1);
  names.changed("a");
  await names.settle("b");
  assertEquals(state.syncs, 1);
  await names.settle("a");
  await names.settle("a");
  assertEquals(state.syncs, 2);
});

Deno.test("a sync that failed made nothing sure", async () => {
  const state = counted();
  const { names } = state;
  await names.sync();
  names.changed("a");
  state.fails = true;
  await assertRejects(() => names.settle("a"), Error, "the disk failed");

  state.fails = false;
  await names.settle("a");

  assertEquals(state.syncs, 2);
});

Deno.test("where nothing needs to be sure, nothing is synced", async () => {
  const names = new SureNames(undefined);

  names.changed("a");
  await names.settle("a");
  await names.sync();
});
