import { assertEquals, assertRejects } from "@std/assert";
import { DirectorySync } from "../../../src/core/disk/directory_sync.ts";

/** Counts the syncs of names; a sync fails when the test says so. */
function counted() {
  const state = {
    syncs: 0,
    fails: false,
    names: new DirectorySync(() => {
      if (state.fails) return Promise.reject(new Error("the disk failed"));
      state.syncs++;
      return Promise.resolve();
    }),
  };
  return state;
}

Deno.test("settle() syncs once for earlier changes, then only after a change of that key", async () => {
  const state = counted();
  const { names } = state;

  await names.flush("a");
  assertEquals(state.syncs, 1);
  await names.flush("a");
  assertEquals(state.syncs, 1);
  names.dirty("a");
  await names.flush("b");
  assertEquals(state.syncs, 1);
  await names.flush("a");
  await names.flush("a");
  assertEquals(state.syncs, 2);
});

Deno.test("a sync that failed does not count as done", async () => {
  const state = counted();
  const { names } = state;
  await names.sync();
  names.dirty("a");
  state.fails = true;
  await assertRejects(() => names.flush("a"), Error, "the disk failed");

  state.fails = false;
  await names.flush("a");

  assertEquals(state.syncs, 2);
});

Deno.test("without durability nothing is synced", async () => {
  const names = new DirectorySync(undefined);

  names.dirty("a");
  await names.flush("a");
  await names.sync();
});
