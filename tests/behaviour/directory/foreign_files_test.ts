import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache } from "../../../mod.ts";
import {
  bytesOf,
  isThere,
  OLD_MS,
  setAge,
  snapshotOf,
  writePair,
} from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const KEY = "0123456789abcdef".repeat(4);

Deno.test("foreign files are never touched, whatever their age", async () => {
  await using dir = await tempDir();
  const names = [`${KEY}`, `${KEY}.part`, "x.json", "y.dat", ".hidden", "ü"];
  for (const name of names) {
    await Deno.writeTextFile(join(dir.path, name), "{}");
    await setAge(join(dir.path, name), OLD_MS);
  }
  await Deno.mkdir(join(dir.path, "folder.json"));
  const before = await snapshotOf(dir.path);
  const recorder = new Recorder();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: recorder.onEvent,
  });

  assertEquals((await cache.verify({ fix: true })).problems, []);
  await cache.clear();

  assertEquals(await snapshotOf(dir.path), before);
  assertEquals(recorder.of("skipped"), []);
  assertEquals(cache.stats().orphanBytes, 0);
});

Deno.test("links, folders and FIFOs under names of the cache are no entries, and block no call", async () => {
  await using dir = await tempDir();
  const secret = join(dir.path, "secret");
  await Deno.writeFile(secret, bytesOf(5));
  const link = await writePair(dir.path, "link", bytesOf(5));
  await Deno.remove(link.dat);
  await Deno.symlink(secret, link.dat);
  const folder = await writePair(dir.path, "folder", bytesOf(5));
  await Deno.remove(folder.dat);
  await Deno.mkdir(folder.dat);
  const fifo = await writePair(dir.path, "fifo", bytesOf(5));
  const other = await writePair(dir.path, "other", bytesOf(5));
  for (const path of [fifo.dat, other.json]) {
    await Deno.remove(path);
    await new Deno.Command("mkfifo", { args: [path] }).output();
  }
  const linked = await writePair(dir.path, "linked", bytesOf(5));
  await Deno.rename(linked.json, join(dir.path, "elsewhere"));
  await Deno.symlink(join(dir.path, "elsewhere"), linked.json);
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  for (const url of ["link", "folder", "fifo", "other", "linked"]) {
    assertEquals(await cache.has(url), false, url);
    assertEquals(await cache.get(url), undefined, url);
  }
  assertEquals(cache.stats().entries, 0);
  assertEquals(await Deno.readFile(secret), bytesOf(5));
  assertEquals(await isThere(join(dir.path, "elsewhere")), true);
});

Deno.test("a link to a file elsewhere is neither body nor sidecar, and its target stays unchanged", async () => {
  await using dir = await tempDir();
  await using elsewhere = await tempDir();
  const body = join(elsewhere.path, "body");
  await Deno.writeFile(body, bytesOf(5));
  const first = await writePair(dir.path, "first", bytesOf(5));
  const second = await writePair(dir.path, "second", bytesOf(5));
  const sidecar = join(elsewhere.path, "sidecar");
  await Deno.copyFile(second.json, sidecar);
  for (const [path, target] of [[first.dat, body], [second.json, sidecar]]) {
    await Deno.remove(path ?? "");
    await Deno.symlink(target ?? "", path ?? "");
  }
  const before = await snapshotOf(elsewhere.path);
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  for (const url of ["first", "second"]) {
    assertEquals(await cache.has(url), false, url);
    assertEquals(await cache.get(url), undefined, url);
    // A put replaces the link itself.
    await cache.put(url, bytesOf(7), "image/png", "a.png");
    await using media = await cache.get(url);
    assertEquals(await media?.bytes(), bytesOf(7));
  }
  await cache.clear();

  assertEquals(await snapshotOf(elsewhere.path), before);
  assertEquals(await Deno.readFile(body), bytesOf(5));
});

Deno.test("sockets under names of the cache are no entries, and block no call", async () => {
  await using dir = await tempDir();
  const first = await writePair(dir.path, "first", bytesOf(5));
  const second = await writePair(dir.path, "second", bytesOf(5));
  const listeners: Deno.UnixListener[] = [];
  for (const path of [first.dat, second.json]) {
    await Deno.remove(path);
    // The address of a socket cannot be as long as the names of the cache.
    const short = join(dir.path, "s");
    listeners.push(Deno.listen({ transport: "unix", path: short }));
    await Deno.rename(short, path);
  }
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  for (const url of ["first", "second"]) {
    assertEquals(await cache.has(url), false, url);
    assertEquals(await cache.get(url), undefined, url);
  }
  assertEquals(cache.stats().entries, 0);
  for (const listener of listeners) listener.close();
});

Deno.test("a body of another length than its sidecar states is a miss, an empty body included", async () => {
  await using dir = await tempDir();
  const lengths = [0, 1, 4, 6, 5_000_000];
  for (const length of lengths) {
    await writePair(dir.path, `${length}`, bytesOf(length), {
      sidecar: { size: 5 },
    });
  }
  const options = { cacheDir: dir.path, onEvent: () => {} };
  await using fresh = new MediaCache(options);
  await using cache = await MediaCache.open(options);

  for (const length of lengths) {
    for (const one of [fresh, cache]) {
      assertEquals(await one.has(`${length}`), false);
      assertEquals(await one.get(`${length}`), undefined);
    }
  }
  assertEquals(cache.stats().entries, 0);
});
