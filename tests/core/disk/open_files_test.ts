import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { walk } from "@std/fs/walk";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { LentFolder } from "../../../src/core/disk/lent_folder.ts";
import {
  type FileHold,
  OpenFiles,
  type SharedFile,
} from "../../../src/core/disk/open_files.ts";
import { identityOf } from "../../../src/core/disk/file_identity.ts";
import {
  bytesOf,
  isThere,
  OLD_MS,
  pathsOf,
  setAge,
} from "../../fixtures/directory/files.ts";
import {
  openFiles,
  openFilesAtLast,
} from "../../fixtures/directory/open_files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A pool with one file; a `readOnly` pool makes no links. */
async function pool(
  dir: string,
  readOnly = false,
): Promise<{ files: OpenFiles; shared: SharedFile; path: string }> {
  const fs = new FileSystem();
  const path = join(dir, "a");
  await Deno.writeFile(path, bytesOf(9));
  await setAge(path, OLD_MS);
  const file = await fs.open(path);
  const { identity } = await file.facts();
  const lent = new LentFolder(fs, join(dir, "lent"), readOnly);
  const files = new OpenFiles(fs, lent, () => {});
  return { files, shared: files.adopt(path, identity, file), path };
}

/** How many links a pool has made. */
async function linkCount(dir: string): Promise<number> {
  const links = walk(join(dir, "lent"), { includeDirs: false });
  return (await Array.fromAsync(links)).length;
}

/** Parks a hold, and waits until its file is closed. */
async function park(hold: FileHold, dir: string): Promise<void> {
  hold.park();
  assertEquals(await openFilesAtLast(dir, 0), 0);
}

async function read(shared: SharedFile): Promise<Uint8Array> {
  const view = new Uint8Array(9);
  return view.subarray(0, await shared.readAt(view, 0));
}

Deno.test("find() gives all callers the same file for a name and identity, until none holds it", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const one = files.holdUnread(shared);
  const two = files.holdUnread(shared);

  assert(files.find(path, shared.identity) === shared);
  assertEquals(files.find(path, shared.identity + 1), undefined);
  assertEquals(files.find(`${path}x`, shared.identity), undefined);
  one.release();
  one.release();
  assertEquals(await read(shared), bytesOf(9));
  two.release();

  assertEquals(files.find(path, shared.identity), undefined);
  assertEquals(openFiles(dir.path).length, 0);
});

for (const readOnly of [false, true]) {
  const way = readOnly ? "by name if it has no link" : "by its link";
  Deno.test(`a parked hold has no handle, and reopens its file ${way}`, async () => {
    await using dir = await tempDir();
    const { files, shared } = await pool(dir.path, readOnly);
    const hold = files.holdUnread(shared);

    await park(hold, dir.path);
    await park(hold, dir.path);
    assertEquals(await isThere(join(dir.path, "lent")), !readOnly);
    assertEquals(await read(shared), bytesOf(9));
    hold.release();

    assertEquals(openFiles(dir.path).length, 0);
    await files.close();
    assertFalse(await isThere(join(dir.path, "lent")));
  });

  Deno.test(`rescue() keeps the bytes of a parked hold readable that is reopened ${way}, when the name goes to another file`, async () => {
    await using dir = await tempDir();
    const { files, shared, path } = await pool(dir.path, readOnly);
    const hold = files.holdUnread(shared);
    await park(hold, dir.path);

    await files.rescue(path);
    assertEquals(openFiles(dir.path).length, readOnly ? 1 : 0);
    await Deno.remove(path);
    await Deno.writeFile(path, bytesOf(9, 7));

    assertEquals(files.find(path, shared.identity), undefined);
    assertEquals(await read(shared), bytesOf(9));
    hold.release();
    assertEquals(openFiles(dir.path).length, 0);
    await files.close();
  });
}

Deno.test("a parked hold reads its own bytes when another program replaces the file", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const hold = files.holdUnread(shared);
  await park(hold, dir.path);

  await Deno.writeFile(`${path}2`, bytesOf(9, 7));
  await Deno.rename(`${path}2`, path);

  assertEquals(await read(shared), bytesOf(9));
  hold.release();
  await files.close();
});

for (const lost of [false, true]) {
  const why = lost ? "whose link was removed" : "without a link";
  Deno.test(`a parked hold ${why} never reads the bytes of another file under its name`, async () => {
    await using dir = await tempDir();
    const { files, shared, path } = await pool(dir.path, !lost);
    const hold = files.holdUnread(shared);
    await park(hold, dir.path);
    if (lost) await Deno.remove(join(dir.path, "lent"), { recursive: true });

    await Deno.writeFile(`${path}2`, bytesOf(9, 7));
    await Deno.rename(`${path}2`, path);

    await assertRejects(() => read(shared), Error, "replaced");
    hold.release();
    assertEquals(openFiles(dir.path).length, 0);
    await files.close();
  });
}

Deno.test("a parked hold whose link was removed reopens its file by name", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const hold = files.holdUnread(shared);
  await park(hold, dir.path);
  await Deno.remove(join(dir.path, "lent"), { recursive: true });

  assertEquals(await read(shared), bytesOf(9));
  await park(files.holdUnread(shared), dir.path);
  await files.rescue(path);
  await Deno.remove(join(dir.path, "lent"), { recursive: true });

  await assertRejects(() => read(shared), Error, "has gone");
  hold.release();
  await files.close();
});

Deno.test("a hold that was rescued while its file was open can be parked", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const hold = files.holdUnread(shared);

  await files.rescue(path);
  await Deno.remove(path);
  await park(hold, dir.path);

  assertEquals(await read(shared), bytesOf(9));
  await files.close();
});

Deno.test("a hold keeps its handle if the name of its file went before it was parked", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const hold = files.holdUnread(shared);
  await Deno.remove(path);

  hold.park();
  assertEquals(await read(shared), bytesOf(9));
  await files.close();

  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("the holds of a file share a link, which goes with the last of them", async () => {
  await using dir = await tempDir();
  const { files, shared } = await pool(dir.path);
  const holds = [files.holdUnread(shared), files.holdUnread(shared)];
  holds[0]!.park();
  await park(holds[1]!, dir.path);
  assertEquals(await linkCount(dir.path), 1);

  holds[0]!.release();
  shared.hold(true);
  assertEquals(await linkCount(dir.path), 1);
  holds[1]!.release();
  await files.close();

  assertFalse(await isThere(join(dir.path, "lent")));
  assertEquals(await read(shared), bytesOf(9));
  shared.release(true);
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("close() closes the handles of all files that nobody reads", async () => {
  await using dir = await tempDir();
  const { files, shared } = await pool(dir.path);
  files.holdUnread(shared);
  const reading = files.holdUnread(shared);
  shared.hold(true);
  reading.release();

  await files.close();
  assertEquals(await read(shared), bytesOf(9));
  shared.release(true);

  assertEquals(openFiles(dir.path).length, 0);
});

/** Above the bodies that a hit reads whole. */
const SIZE = 20_000;

async function filled(
  cacheDir: string,
  count: number,
): Promise<MediaCache> {
  const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
  for (let i = 0; i < count; i++) {
    await cache.put(`${i}`, bytesOf(SIZE, i), "image/png", "a.png");
  }
  return cache;
}

Deno.test("hundreds of unread Media have at most 256 handles, and all can be read", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 300);
  const media = [];
  for (let i = 0; i < 300; i++) media.push(await cache.get(`${i}`));
  assertEquals(await openFilesAtLast(dir.path, 256), 256);

  for (const [i, one] of media.entries()) {
    assertEquals(await one?.bytes(), bytesOf(SIZE, i));
  }

  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("hundreds of unread Media have at most 256 handles, even if one has a future time", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 400);
  const { dat } = pathsOf(dir.path, "0");
  await setAge(dat, -3_600_000);
  const media = [];
  for (let i = 0; i < 400; i++) media.push(await cache.get(`${i}`));

  assertEquals(await openFilesAtLast(dir.path, 256), 256);
  for (const one of media) await one?.body.cancel();
});

Deno.test("an unread Media keeps its file open where the disk has neither links nor times of birth", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a");
  await Deno.writeFile(path, bytesOf(9));
  await setAge(path, 60_000);
  const lent = new LentFolder(fs, join(dir.path, "lent"), true);
  const files = new OpenFiles(fs, lent, () => {});
  const [unborn, born] = [identityOf(9, undefined), identityOf(9, 0)];
  for (const identity of [unborn, born]) {
    const hold = files.holdUnread(
      files.adopt(path, identity, await fs.open(path)),
    );
    assertEquals(hold.mayPark, identity === born);
    hold.release();
  }
});

Deno.test("hundreds of unread Media can be read after their entries are deleted, replaced or cleared", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 300);
  const media = [];
  for (let i = 0; i < 300; i++) media.push(await cache.get(`${i}`));

  await cache.delete("0");
  await cache.put("1", bytesOf(5), "image/png", "a.png", { replace: true });
  await cache.clear();

  for (const [i, one] of media.entries()) {
    assertEquals(await one?.bytes(), bytesOf(SIZE, i));
  }
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("hundreds of concurrent lookups of an entry share its handle, and all stay readable", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 1);

  const media = await Promise.all(
    Array.from({ length: 400 }, () => cache.get("0")),
  );
  assertEquals(openFiles(dir.path).length, 1);
  await cache.delete("0");

  for (const one of media) assertEquals(await one?.bytes(), bytesOf(SIZE, 0));
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("hundreds of concurrent lookups of an entry of another cache share its handle too", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxMemoryItems: 0,
  });
  await using _other = await filled(dir.path, 1);

  const media = await Promise.all(
    Array.from({ length: 400 }, () => cache.get("0")),
  );
  assertEquals(openFiles(dir.path).length, 1);
  await cache.delete("0");

  for (const one of media) assertEquals(await one?.bytes(), bytesOf(SIZE, 0));
  assertEquals(openFiles(dir.path).length, 0);
});
