import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { isNotFound } from "../../../src/core/disk/disk_fault.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { identityOf } from "../../../src/core/disk/file_identity.ts";
import { bytesOf, isThere, namesIn } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A file system that finds its disk slow, and so works asynchronously. */
async function slowFileSystem(): Promise<FileSystem> {
  const fs = new FileSystem();
  const { now } = performance;
  let time = now.call(performance);
  performance.now = () => time += 11;
  try {
    for (let i = 0; i < 2; i++) {
      await fs.io.run(() => 0, () => Promise.resolve(1));
    }
  } finally {
    performance.now = now;
  }
  return fs;
}

Deno.test("remove() of a long file does not wait for the disk or find it slow", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "long");
  using file = await Deno.create(path);
  await file.truncate(8_388_609);
  const { removeSync } = Deno;
  Deno.removeSync = () => {
    throw new Error("The event loop would have to wait");
  };
  try {
    assertEquals(await fs.remove(path), true);
  } finally {
    Deno.removeSync = removeSync;
  }

  assertEquals(await isThere(path), false);
  assertEquals(fs.io.run(() => "sync", () => Promise.resolve("async")), "sync");
});

for (const kind of ["fast", "slow"] as const) {
  const fileSystem = async () =>
    kind === "fast" ? new FileSystem() : await slowFileSystem();

  Deno.test(`a ${kind} disk: create(), writeAt(), readAt() and facts() work at positions`, async () => {
    await using dir = await tempDir();
    const fs = await fileSystem();
    const path = join(dir.path, "a");
    const file = await fs.create(path);

    await file.writeAt(bytesOf(10), 0);
    await file.writeAt(Uint8Array.of(1, 2), 4);
    await file.writeAt(Uint8Array.of(3), 12);
    const view = new Uint8Array(20);
    const count = await file.readAt(view, 3);

    assertEquals([...view.subarray(0, count)], [
      94,
      1,
      2,
      ...bytesOf(10).subarray(6),
      0,
      0,
      3,
    ]);
    assertEquals(await file.readAt(view, 13), 0);
    const facts = await file.facts();
    const stat = await Deno.stat(path);
    assertEquals(facts, await fs.facts(path));
    assertEquals([facts.size, facts.mtimeMs, facts.identity], [
      13,
      stat.mtime?.getTime(),
      identityOf(stat.ino ?? 0, stat.birthtime?.getTime()),
    ]);
    assertEquals((stat.mode ?? 0) & 0o777, 0o600);
    file.close();
    file.close();
  });

  Deno.test(`a ${kind} disk: concurrent reads and writes do not mix their positions`, async () => {
    await using dir = await tempDir();
    const fs = await fileSystem();
    const bytes = bytesOf(5_000);
    const file = await fs.create(join(dir.path, "a"));

    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      await file.writeAt(bytes.subarray(i * 100, i * 100 + 100), i * 100);
    }));
    const reads = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const view = new Uint8Array(100);
      assertEquals(await file.readAt(view, i * 100), 100);
      return view;
    }));
    const closing = file.readAt(new Uint8Array(9), 0);
    file.close();

    assertEquals(await closing, 9);
    assertEquals(await new Blob(reads).bytes(), bytes);
  });

  Deno.test(`a ${kind} disk: open() opens regular files only, and does not wait for a FIFO`, async () => {
    await using dir = await tempDir();
    const fs = await fileSystem();
    const path = (name: string) => join(dir.path, name);
    await Deno.writeFile(path("file"), bytesOf(3));
    await Deno.mkdir(path("folder"));
    await Deno.symlink(path("file"), path("link"));
    await new Deno.Command("mkfifo", { args: [path("fifo")] }).output();

    (await fs.open(path("file"))).close();
    for (const name of ["folder", "link", "fifo", "missing"]) {
      const error = await assertRejects(async () => await fs.open(path(name)));
      assert(isNotFound(error), name);
      assertEquals(await fs.facts(path(name)), undefined, name);
    }
  });

  Deno.test(`a ${kind} disk: remove(), rename() and touch() work`, async () => {
    await using dir = await tempDir();
    const fs = await fileSystem();
    const path = join(dir.path, "a");
    await Deno.writeFile(path, bytesOf(3));
    await Deno.writeFile(`${path}2`, bytesOf(5));

    await fs.touch(path, 1_700_000_000_123);
    assertEquals((await fs.facts(path))?.mtimeMs, 1_700_000_000_123);
    await fs.rename(path, `${path}2`);
    assertEquals(await namesIn(dir.path), ["a2"]);
    assertEquals(await fs.remove(`${path}2`), true);
    assertEquals(await fs.remove(`${path}2`), false);
    assertEquals(await namesIn(dir.path), []);
  });

  Deno.test(`a ${kind} disk: create() refuses a name that is taken`, async () => {
    await using dir = await tempDir();
    const fs = await fileSystem();
    await Deno.writeTextFile(join(dir.path, "a"), "mine");

    await assertRejects(
      async () => await fs.create(join(dir.path, "a")),
      Deno.errors.AlreadyExists,
    );
    assertEquals(await Deno.readTextFile(join(dir.path, "a")), "mine");
  });
}

Deno.test("open() closes a file that took the name between the check and the opening", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a");
  await Deno.writeFile(path, bytesOf(3));
  await Deno.writeFile(join(dir.path, "secret"), bytesOf(5));
  const { openSync } = Deno;
  Deno.openSync = (...args) => {
    Deno.removeSync(path);
    Deno.symlinkSync(join(dir.path, "secret"), path);
    return openSync(...args);
  };
  try {
    await assertRejects(async () => await fs.open(path), Deno.errors.NotFound);
  } finally {
    Deno.openSync = openSync;
  }
});

Deno.test("readText() reads strict UTF-8 up to a maximum length", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a");

  await Deno.writeTextFile(path, "\ufeffgrün");
  const { text, state } = await fs.readText(path, 100);
  assertEquals(text, "\ufeffgrün");
  assertEquals(await fs.readText(path, 5), { text: undefined, state });
  await Deno.writeFile(path, Uint8Array.of(0xc3, 0x28));
  await assertRejects(() => fs.readText(path, 100), TypeError);
});

Deno.test("tryLock() is refused while another handle has the lock", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a");
  const holder = await fs.create(path);
  const other = await fs.open(path);

  assertEquals([holder.tryLock(), other.tryLock()], [true, false]);
  holder.close();
  assertEquals(other.tryLock(), true);
  other.close();
});

Deno.test("makeDirectory() makes the leaf with access for its owner alone, and may be called concurrently", async () => {
  await using dir = await tempDir();
  const fs = new FileSystem();
  const path = join(dir.path, "a", "b", "c");

  await Promise.all([0, 1, 2].map(() => fs.makeDirectory(path)));

  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  assertEquals(await isThere(path), true);
  await fs.syncDirectory(path);
});

Deno.test("missingPermission() finds none missing where all are granted", () => {
  assertEquals(new FileSystem().missingPermission("/", true), undefined);
});
