import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { PairStore } from "../../../src/core/disk/pair_store.ts";
import type { StagedFile } from "../../../src/core/disk/staged_file.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { stampOf } from "../../../src/core/disk/file_identity.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { classify } from "../../../src/core/disk/file_names.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  writePair,
} from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const URL_A = "https://example.org/a.png";
const KEY = keyOf(URL_A);

function storeIn(dir: string, durable = false): PairStore {
  const options = { dir, durable, readOnly: false };
  return new PairStore(new FileSystem(), options);
}

function sidecar(size: number) {
  return { url: URL_A, mimetype: "image/png", filename: "a.png", size, ts: 5 };
}

async function stage(store: PairStore, bytes: Uint8Array): Promise<StagedFile> {
  const staged = await store.stage(KEY);
  await staged.file.writeAt(bytes, 0);
  return staged;
}

/**
 * Makes the n-th call of these functions fail, counted over all of them and
 * their asynchronous forms.
 */
function failAt(n: number): { calls: string[] } & Disposable {
  const names = [
    "renameSync",
    "removeSync",
    "utimeSync",
    "openSync",
    "lstatSync",
  ] as const;
  const originals: Record<string, unknown> = {};
  const calls: string[] = [];
  const failing = (name: string, original: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]) => {
      calls.push(name);
      if (calls.length === n) throw new Deno.errors.PermissionDenied("no");
      return original(...args);
    };
  };
  for (const name of names) {
    // A busy machine makes any disk slow.
    const late = lateForm(name);
    originals[name] = Deno[name];
    originals[late] = Deno[late];
    const call = failing(name, Deno[name] as () => unknown);
    const lateCall = failing(name, Deno[late] as () => unknown);
    Object.assign(Deno, {
      [name]: call,
      [late]: (...args: unknown[]) => Promise.try(lateCall, ...args),
    });
  }
  return {
    calls,
    [Symbol.dispose]: () => void Object.assign(Deno, originals),
  };
}

function lateForm(name: `${string}Sync`) {
  type Late = "rename" | "remove" | "utime" | "open" | "lstat";
  return name.replace("Sync", "") as Late;
}

Deno.test("stage() makes a locked file under a name that cleaners recognize", async () => {
  await using dir = await tempDir();
  const store = storeIn(dir.path);

  const one = await store.stage(KEY);
  const two = await store.stage(KEY);

  const names = await namesIn(dir.path);
  assertEquals(names.map((name) => classify(name)), [
    { kind: "staged", key: KEY },
    { kind: "staged", key: KEY },
  ]);
  for (const { path, file } of [one, two]) {
    using other = await Deno.open(path);
    assertEquals(await other.tryLock(true), false);
    file.close();
    await store.discard(path);
    await store.discard(path);
  }
  assertEquals(await namesIn(dir.path), []);
});

/** Completes a staged body of `size` bytes and commits it. */
async function commit(store: PairStore, staged: StagedFile, size: number) {
  const pair = await store.complete(KEY, staged, sidecar(size), size);
  await store.commit(KEY, pair);
}

Deno.test("commit() makes a pair of a staged body, and find() opens it", async () => {
  for (const durable of [false, true]) {
    await using dir = await tempDir();
    const store = storeIn(dir.path, durable);
    const staged = await stage(store, bytesOf(9));

    const pair = await store.complete(
      KEY,
      staged,
      sidecar(9),
      1_700_000_000_123,
    );
    await store.commit(KEY, pair);
    const { body: { state: body }, json: { state: sidecarState } } = pair;

    assertEquals([body.size, body.mtimeMs], [9, 1_700_000_000_123]);
    assertEquals(await namesIn(dir.path), [`${KEY}.dat`, `${KEY}.json`]);
    const found = await store.find(KEY);
    assert(found && "file" in found);
    const stamp = stampOf(sidecarState);
    const writtenMs = sidecarState.mtimeMs;
    assertEquals(found.sidecar, { ...sidecar(9), stamp, writtenMs });
    assertEquals(await store.sidecarStamp(KEY), stamp);
    const { size, mtimeMs, identity } = found.facts;
    assertEquals({ size, mtimeMs, identity }, {
      size: body.size,
      mtimeMs: body.mtimeMs,
      identity: body.identity,
    });
    found.file.close();
    staged.file.close();
  }
});

Deno.test("commit() removes the old sidecar before the new body arrives, and adds the new sidecar last", async () => {
  await using dir = await tempDir();
  const store = storeIn(dir.path);
  const old = await stage(store, bytesOf(5));
  await commit(store, old, 5);
  const staged = await stage(store, bytesOf(9));
  const seen: string[][] = [];
  const { renameSync, removeSync, rename, remove } = Deno;
  const look = () => {
    const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
    const size = Deno.statSync(join(dir.path, `${KEY}.dat`)).size;
    seen.push([
      `${size}`,
      ...names.filter((name) => name.endsWith(".json")).map(() => "json"),
    ]);
  };
  Deno.removeSync = (path) => {
    look();
    removeSync(path);
    look();
  };
  Deno.renameSync = (from, to) => {
    renameSync(from, to);
    look();
  };
  // A busy machine makes any disk slow.
  Deno.remove = (path) => Promise.try(() => Deno.removeSync(path));
  Deno.rename = (from, to) => Promise.try(() => Deno.renameSync(from, to));
  try {
    await commit(store, staged, 9);
  } finally {
    Object.assign(Deno, { renameSync, removeSync, rename, remove });
  }

  assertEquals(seen, [["5", "json"], ["5"], ["9"], ["9", "json"]]);
  old.file.close();
  staged.file.close();
});

Deno.test("a commit that fails at any call leaves the old pair, the new pair or a miss, and no staged sidecar", async () => {
  let failures = 0;
  for (let n = 1; n < 20; n++) {
    await using dir = await tempDir();
    const store = storeIn(dir.path);
    const old = await stage(store, bytesOf(5));
    await commit(store, old, 5);
    const staged = await stage(store, bytesOf(9));

    {
      using failing = failAt(n);
      await commit(store, staged, 9).catch(() => failures++);
      if (failing.calls.length < n) n = 99;
    }
    await store.discard(staged.path);

    const names = await namesIn(dir.path);
    assertEquals(names.filter((name) => name.endsWith(".part")), []);
    const found = await store.find(KEY);
    if (found && "file" in found) {
      const view = new Uint8Array(20);
      const count = await found.file.readAt(view, 0);
      const { size } = found.sidecar;
      assertEquals(view.subarray(0, count), bytesOf(size));
      found.file.close();
    } else assertEquals(found, undefined);
    old.file.close();
    staged.file.close();
  }
  assert(failures >= 5);
});

Deno.test("find() and readSidecar() tell missing entries from damaged entries", async () => {
  await using dir = await tempDir();
  const store = storeIn(dir.path);

  assertEquals(await store.find(KEY), undefined);
  assertEquals(await store.readSidecar(KEY), undefined);
  const { dat, json } = await writePair(dir.path, URL_A, bytesOf(5));
  await Deno.truncate(dat, 4);
  assertEquals(await store.find(KEY), {
    reason: "its .dat must have 5 bytes: found 4",
  });
  await Deno.remove(dat);
  assertEquals(await store.find(KEY), { reason: "its .dat is missing" });
  await Deno.writeTextFile(json, "{");
  await Deno.writeFile(dat, bytesOf(5));
  assertEquals(await store.find(KEY), { reason: "sidecar is not JSON" });
  assertEquals(await store.readSidecar(KEY), { reason: "sidecar is not JSON" });
});

Deno.test("remove() deletes both files, and returns whether there was a body", async () => {
  await using dir = await tempDir();
  const store = storeIn(dir.path);
  const { dat } = await writePair(dir.path, URL_A, bytesOf(5));

  assertEquals(await store.remove(KEY), true);
  assertEquals(await store.remove(KEY), false);
  await writePair(dir.path, URL_A, bytesOf(5));
  await Deno.remove(dat);
  assertEquals(await store.remove(KEY), false);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("touch() sets the mtime of the body, and returns false when it is gone", async () => {
  await using dir = await tempDir();
  const store = storeIn(dir.path);
  const { dat } = await writePair(dir.path, URL_A, bytesOf(5));

  assertEquals(await store.touch(KEY, 1_700_000_000_123), true);
  assertEquals((await Deno.stat(dat)).mtime?.getTime(), 1_700_000_000_123);
  await Deno.remove(dat);
  assertEquals(await store.touch(KEY, 5), false);
});

Deno.test("prepare() makes the directory once, and is ready then", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "cache");
  const store = storeIn(path);
  assertEquals([store.ready, await isThere(path)], [false, false]);

  await Promise.all([store.prepare(), store.prepare()]);

  assertEquals([store.ready, await isThere(path)], [true, true]);
  await Deno.writeTextFile(join(dir.path, "file"), "");
  await assertRejects(
    () => storeIn(join(dir.path, "file")).prepare(),
    Error,
    "--allow-write=",
  );
});
