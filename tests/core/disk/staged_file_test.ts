import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { StagedFile } from "../../../src/core/disk/staged_file.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A staged file on a disk that answers when the test says so. */
async function slowFile(dir: string) {
  const fs = new FileSystem();
  const path = join(dir, "staged");
  const file = await fs.create(path);
  const remove = async (path: string) => {
    await turn();
    await fs.remove(path);
  };
  let names = 0;
  const rename = async (from: string) => {
    const to = join(dir, `spare${++names}`);
    await turn();
    await fs.rename(from, to);
    await turn();
    return to;
  };
  const staged = new StagedFile(path, file, remove);
  return { staged, rename: () => staged.rename(rename) };
}

Deno.test("discard() leaves nothing of a file that was renamed more than once", async () => {
  await using dir = await tempDir();
  const { staged, rename } = await slowFile(dir.path);

  const renames = [rename(), rename()];
  await staged.close();
  await Promise.all(renames);

  assertEquals(await namesIn(dir.path), []);
});

Deno.test("discard() leaves nothing of a file that is being renamed", async () => {
  await using dir = await tempDir();
  const { staged, rename } = await slowFile(dir.path);

  const closed = staged.close();
  await rename();
  await closed;

  assertEquals(await namesIn(dir.path), []);
});

Deno.test("complete() waits for a running rename, and prevents another", async () => {
  await using dir = await tempDir();
  const { staged, rename } = await slowFile(dir.path);

  const first = rename();
  await staged.complete(() => true, false);
  await rename();

  assertEquals(await namesIn(dir.path), ["spare1"]);
  assertEquals(staged.path, join(dir.path, "spare1"));
  await first;
  await staged.close();
});

Deno.test("discard() ends for all callers when the names are gone", async () => {
  await using dir = await tempDir();
  const { staged } = await slowFile(dir.path);

  const first = staged.discard();
  await staged.discard();

  assertEquals(await namesIn(dir.path), []);
  await first;
  await staged.close();
});
