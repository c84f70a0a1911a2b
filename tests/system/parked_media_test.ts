/** Unread Media, and lent files, where files are few, refused, or change identity when used. */
import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { LENT_NAME } from "../../src/core/disk/file_names.ts";
import { bytesOf, isThere } from "../fixtures/directory/files.ts";
import { faultEnv, type OperationName } from "./fault_injection.ts";
import { Overlay } from "../fixtures/directory/overlay.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { CommandedProcess } from "../fixtures/processes/commanded_process.ts";
import type { UnreadWorker } from "../fixtures/sharing/unread_worker.ts";

const WORKER = fromFileUrl(
  import.meta.resolve("../fixtures/sharing/unread_worker.ts"),
);

/** Bodies in the directory, stored by a process that has ended. */
async function store(cacheDir: string, count: number): Promise<void> {
  await using process = new CommandedProcess<UnreadWorker>(WORKER);
  await process.ask("open", { cacheDir }, count);
  await process.ask("close");
}

/** How many files a process has open. */
async function openCount(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

Deno.test("1,500 unread Media can be read after clear() where 1,024 files may be open", async () => {
  await using dir = await tempDir();
  const cacheDir = dir.path;
  await store(cacheDir, 1_500);
  await using process = new CommandedProcess<UnreadWorker>(WORKER);
  const args = [`--pid=${process.pid}`, "--nofile=1024:1024"];
  const { success } = await new Deno.Command("prlimit", { args }).output();
  assertEquals(success, true);
  await process.ask("open", { cacheDir }, 0);
  assertEquals(await process.ask("hold", 1_500), 1_500);

  await process.ask("clear");
  const open = await openCount(process.pid);
  assertEquals(open < 400, true, `${open} files are open`);

  assertEquals(await process.ask("read"), []);
  assertEquals(await process.ask("diskErrors"), 0);
  await process.ask("close");
  assertEquals(await isThere(join(cacheDir, LENT_NAME)), false);
});

for (const readOnly of [false, true]) {
  for (const isCleared of readOnly ? [false] : [false, true]) {
    const how = readOnly ? "a cache that is read-only" : "a cache";
    const then = isCleared ? ", and after clear()" : "";
    Deno.test(`300 unread Media of ${how} can be read on entries of the lower layer of an overlay${then}`, async () => {
      await using overlay = await Overlay.mount((lower) => store(lower, 300));
      await using process = new CommandedProcess<UnreadWorker>(WORKER);
      await process.ask("open", { cacheDir: overlay.path, readOnly }, 0);
      assertEquals(await process.ask("hold", 300), 300);

      // Uses are written, which copies each file to the upper layer.
      if (!readOnly) await process.ask("touch");
      if (isCleared) await process.ask("clear");

      assertEquals(await process.ask("read"), []);
      assertEquals(await process.ask("diskErrors"), 0);
      await process.ask("close");
      assertEquals(await isThere(join(overlay.path, LENT_NAME)), false);
    });
  }
}

const refusals: [OperationName, string][] = [["link", "link"], [
  "lock",
  "flock",
]];
for (const [operation, degraded] of refusals) {
  Deno.test(`300 unread Media can be read after clear() on a mount that refuses ${operation}`, async () => {
    await using dir = await tempDir();
    const cacheDir = dir.path;
    const fault = { action: "fail", code: "EOPNOTSUPP" } as const;
    const env = await faultEnv(cacheDir, { fault, operations: [operation] });
    await using process = new CommandedProcess<UnreadWorker>(WORKER, { env });
    await process.ask("open", { cacheDir }, 300);
    assertEquals(await process.ask("hold", 300), 300);
    assertEquals(await process.ask("degraded"), [degraded]);

    await process.ask("clear");

    assertEquals(await process.ask("read"), []);
    assertEquals(await process.ask("diskErrors"), 0);
    await process.ask("close");
    assertEquals(await isThere(join(cacheDir, LENT_NAME)), false);
  });
}

for (const [operation] of refusals) {
  Deno.test(`files are lent as copies, or not at all, on a mount that refuses ${operation}`, async () => {
    await using dir = await tempDir();
    const cacheDir = dir.path;
    const fault = { action: "fail", code: "EOPNOTSUPP" } as const;
    const env = await faultEnv(cacheDir, { fault, operations: [operation] });
    await using process = new CommandedProcess<UnreadWorker>(WORKER, { env });
    await process.ask("open", { cacheDir }, 3);
    await process.ask("hold", 3);

    if (operation === "link") {
      const paths = await process.ask("lend", 3);
      for (const [n, path] of paths.entries()) {
        assertEquals(await Deno.readFile(path), bytesOf(20_000, n));
        assertEquals((await Deno.stat(path)).nlink, 1);
      }
      assertEquals(paths.length, 3);
    } else {
      const asked = () => process.ask("lend", 3);
      await assertRejects(asked, Error, "the file system has no locks");
    }

    assertEquals(await process.ask("read"), []);
    assertEquals(await process.ask("diskErrors"), 0);
    await process.ask("close");
    assertEquals(await isThere(join(cacheDir, LENT_NAME)), false);
  });
}
