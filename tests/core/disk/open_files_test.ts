import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import {
  OpenFiles,
  type SharedFile,
} from "../../../src/core/disk/open_files.ts";
import { identityOf } from "../../../src/core/disk/file_identity.ts";
import { bytesOf, pathsOf, setAge } from "../../fixtures/directory/files.ts";
import { openFiles } from "../../fixtures/directory/open_files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A pool with one file. */
async function pool(
  dir: string,
): Promise<{ files: OpenFiles; shared: SharedFile; path: string }> {
  const fs = new FileSystem();
  const path = join(dir, "a");
  await Deno.writeFile(path, bytesOf(9));
  const file = await fs.open(path);
  const { inode } = await file.facts();
  const files = new OpenFiles(fs, () => {});
  return { files, shared: files.adopt(path, inode, file), path };
}

async function read(shared: SharedFile): Promise<Uint8Array> {
  const view = new Uint8Array(9);
  return view.subarray(0, await shared.readAt(view, 0));
}

Deno.test("find() gives all callers the same file for a name and inode, until none holds it", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const one = files.claim(shared);
  const two = files.claim(shared);

  assert(files.find(path, shared.inode) === shared);
  assertEquals(files.find(path, shared.inode + 1), undefined);
  assertEquals(files.find(`${path}x`, shared.inode), undefined);
  one.release();
  one.release();
  assertEquals(await read(shared), bytesOf(9));
  two.release();

  assertEquals(files.find(path, shared.inode), undefined);
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("a parked claim has no handle, and reopens its file by name", async () => {
  await using dir = await tempDir();
  const { files, shared } = await pool(dir.path);
  const claim = files.claim(shared);

  claim.park();
  claim.park();
  assertEquals(openFiles(dir.path).length, 0);
  assertEquals(await read(shared), bytesOf(9));
  claim.release();

  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("rescue() keeps the bytes of a parked claim readable when the name goes to another file", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const claim = files.claim(shared);
  claim.park();

  await files.rescue(path);
  await Deno.remove(path);
  await Deno.writeFile(path, bytesOf(9, 7));

  assertEquals(files.find(path, shared.inode), undefined);
  assertEquals(await read(shared), bytesOf(9));
  claim.release();
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("a parked claim never reads the bytes of another file under its name", async () => {
  await using dir = await tempDir();
  const { files, shared, path } = await pool(dir.path);
  const claim = files.claim(shared);
  claim.park();

  await Deno.writeFile(`${path}2`, bytesOf(9, 7));
  await Deno.rename(`${path}2`, path);

  await assertRejects(() => read(shared), Error, "replaced");
  claim.release();
  assertEquals(openFiles(dir.path).length, 0);
});

Deno.test("closeUnread() closes the handles of all files that nobody reads", async () => {
  await using dir = await tempDir();
  const { files, shared } = await pool(dir.path);
  files.claim(shared);
  const reading = files.claim(shared);
  shared.hold(true);
  reading.release();

  files.closeUnread();
  assertEquals(await read(shared), bytesOf(9));
  shared.release(true);

  assertEquals(openFiles(dir.path).length, 0);
});

async function filled(
  cacheDir: string,
  count: number,
): Promise<MediaCache> {
  const cache = await MediaCache.open({ cacheDir, maxMemoryItems: 0 });
  for (let i = 0; i < count; i++) {
    await cache.put(`${i}`, bytesOf(9, i), "image/png", "a.png");
  }
  return cache;
}

Deno.test("hundreds of unread Media have at most 256 handles, and all can be read", async () => {
  await using dir = await tempDir();
  await using cache = await filled(dir.path, 300);
  const media = [];
  for (let i = 0; i < 300; i++) media.push(await cache.get(`${i}`));
  assertEquals(openFiles(dir.path).length, 256);

  for (const [i, one] of media.entries()) {
    assertEquals(await one?.bytes(), bytesOf(9, i));
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

  assertEquals(openFiles(dir.path).length, 256);
  for (const one of media) await one?.body.cancel();
});

Deno.test("an unread Media keeps its file open where the disk has no time of birth", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a");
  await Deno.writeFile(path, bytesOf(9));
  await setAge(path, 60_000);
  const files = new OpenFiles(fs, () => {});
  const [unborn, born] = [identityOf(9, undefined), identityOf(9, 0)];
  for (const inode of [unborn, born]) {
    const claim = files.claim(files.adopt(path, inode, await fs.open(path)));
    assertEquals(claim.mayPark, inode === born);
    claim.release();
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
    assertEquals(await one?.bytes(), bytesOf(9, i));
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

  for (const one of media) assertEquals(await one?.bytes(), bytesOf(9, 0));
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

  for (const one of media) assertEquals(await one?.bytes(), bytesOf(9, 0));
  assertEquals(openFiles(dir.path).length, 0);
});
