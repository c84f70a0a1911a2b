/** Handles of several processes on one directory, some of which are killed. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { CommandedProcess } from "../../fixtures/processes/commanded_process.ts";
import type { SendWorker } from "../../fixtures/sharing/send_worker.ts";

const WORKER = fromFileUrl(
  import.meta.resolve("../../fixtures/sharing/send_worker.ts"),
);
const URL = "https://example.org/a.png";
const PLACE = "telegram:123:photo";

/** Starts a process with a cache. */
async function start(cacheDir: string): Promise<CommandedProcess<SendWorker>> {
  const process = new CommandedProcess<SendWorker>(WORKER);
  await process.ask("open", { cacheDir });
  return process;
}

Deno.test("what one process uploads, another sends by the handle, until a third deletes it", async () => {
  await using dir = await tempDir();
  await using a = await start(dir.path);
  await using b = await start(dir.path);

  assertEquals(await a.ask("send", URL, PLACE, "of a"), "first");
  assertEquals(await b.ask("send", URL, PLACE, "of b"), "of a");
  await b.ask("set", URL, PLACE, "set by b");
  assertEquals(await a.ask("send", URL, PLACE, "of a"), "set by b");

  {
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    assertEquals(await cache.delete(URL), true);
  }
  assertEquals(await a.ask("get", URL, PLACE), null);
  assertEquals(await b.ask("send", URL, PLACE, "of b"), "first");
  assertEquals(await a.ask("send", URL, PLACE, "of a"), "of b");
});

Deno.test("a process that is killed between upload and note costs one upload", async () => {
  await using dir = await tempDir();
  {
    await using killed = await start(dir.path);
    assertEquals(await killed.ask("hang", URL, PLACE), "uploaded");
  }
  await using next = await start(dir.path);

  assertEquals(await next.ask("send", URL, PLACE, "h"), "first");
  assertEquals(await next.ask("send", URL, PLACE, "h"), "h");
});

Deno.test("a process that is killed while it writes notes leaves the old one or the new one", async () => {
  await using dir = await tempDir();
  for (let i = 0; i < 5; i++) {
    {
      await using killed = await start(dir.path);
      await killed.ask("set", URL, PLACE, "kept");
      await killed.ask("flood", URL);
    }
    await using cache = await MediaCache.open({ cacheDir: dir.path });
    assertEquals(await cache.handle(URL, PLACE), "kept");
    assertEquals(typeof await cache.handle(URL, "flood"), "string");
    const notes = (await namesIn(dir.path))
      .filter((name) => !name.endsWith(".part"));
    assertEquals(notes.length, 1);
  }
});
