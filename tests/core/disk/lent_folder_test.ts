import { assert, assertEquals, assertFalse } from "@std/assert";
import { join } from "@std/path";
import type { DiskFile } from "../../../src/core/disk/disk_file.ts";
import { FileSystem } from "../../../src/core/disk/file_system.ts";
import { LentFolder } from "../../../src/core/disk/lent_folder.ts";
import { bytesOf, isThere } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A folder with a file to be lent, and the folder to lend it in. */
async function setUp() {
  const dir = await tempDir();
  const path = join(dir.path, "body");
  await Deno.writeFile(path, bytesOf(9));
  const fs = new FileSystem();
  const file = await fs.open(path);
  const folder = join(dir.path, "lent");
  return {
    ...{ dir: dir.path, path, fs, file, folder },
    lent: new LentFolder(fs, folder, false),
    async [Symbol.asyncDispose]() {
      file.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function linkOf(
  lent: LentFolder,
  file: DiskFile,
  path: string,
): Promise<string> {
  const loan = await lent.lend(file, path);
  assert(typeof loan === "object", String(loan));
  return loan.link;
}

/** The folders of lenders, and the names in each. */
async function lenders(folder: string): Promise<string[][]> {
  const lenders = await Array.fromAsync(Deno.readDir(folder));
  return await Promise.all(lenders.map(async ({ name }) => {
    const files = await Array.fromAsync(Deno.readDir(join(folder, name)));
    return files.map(({ name }) => name).sort();
  }));
}

Deno.test("a link outlives the name that it was made of, and close() leaves nothing", async () => {
  await using test = await setUp();
  const { lent, file, path, folder } = test;
  const link = await linkOf(lent, file, path);
  const other = await linkOf(lent, file, path);
  await Deno.remove(path);
  assertEquals(await Deno.readFile(link), bytesOf(9));
  assertEquals(await Deno.readFile(other), bytesOf(9));

  await lent.close();

  assertFalse(await isThere(folder));
  assertEquals(await lent.lend(file, path), "refused");
  assertFalse(lent.mayLend);
});

Deno.test("the folder of a lender is for its owner alone, whatever the umask", async () => {
  const umask = Deno.umask(0o277);
  try {
    await using test = await setUp();
    const { lent, file, path, folder } = test;
    const link = await linkOf(lent, file, path);
    for (const made of [folder, join(link, "..")]) {
      assertEquals((await Deno.stat(made)).mode! & 0o777, 0o700);
    }
    await lent.close();
  } finally {
    Deno.umask(umask);
  }
});

Deno.test("a name that is another file's by now is not linked", async () => {
  await using test = await setUp();
  const { lent, file, path, folder } = test;
  await Deno.writeFile(`${path}2`, bytesOf(9, 7));
  await Deno.rename(`${path}2`, path);
  assertEquals(await lent.lend(file, path), "renamed");
  await Deno.remove(path);
  assertEquals(await lent.lend(file, path), "renamed");

  assertFalse(await isThere(folder));
  assert(lent.mayLend);
  await lent.close();
});

Deno.test("takeBack() removes a link, after what must end before", async () => {
  await using test = await setUp();
  const { lent, file, path, folder } = test;
  const link = await linkOf(lent, file, path);
  const { promise, resolve } = Promise.withResolvers<void>();
  lent.takeBack(link, promise);
  const other = await linkOf(lent, file, path);
  assert(await isThere(link));
  lent.takeBack(other);
  resolve();
  await lent.close();
  assertFalse(await isThere(folder));
});

Deno.test("sweep() removes what was lent by those whose lock is free, and nothing else", async () => {
  await using test = await setUp();
  const { dir, fs, lent, file, path, folder } = test;
  const link = await linkOf(lent, file, path);
  const ended = join(folder, crypto.randomUUID());
  await Deno.mkdir(ended);
  await Deno.link(path, join(ended, "0"));
  await Deno.link(path, join(ended, "a name.png"));
  const foreign = [
    join(folder, "mine"),
    join(folder, crypto.randomUUID()),
    join(dir, "outside"),
    join(folder, "notes", "b"),
  ];
  await Deno.mkdir(join(folder, "notes"));
  await Deno.mkdir(foreign[2]!);
  await Deno.writeTextFile(foreign[0]!, "a");
  await Deno.symlink(foreign[2]!, foreign[1]!);
  await Deno.writeTextFile(join(foreign[2]!, "0"), "a");
  await Deno.writeTextFile(foreign[3]!, "b");

  await lent.sweep();
  const other = new LentFolder(fs, folder, false);
  await other.sweep();

  assertFalse(await isThere(ended));
  for (const each of foreign) assert(await isThere(each), each);
  assertEquals(await Deno.readTextFile(join(foreign[2]!, "0")), "a");
  assertEquals(await Deno.readFile(link), bytesOf(9));
  await lent.close();
  assert(await isThere(foreign[0]!));
});

Deno.test("sweep() keeps what is no file in the folder of a lender that has ended", async () => {
  await using test = await setUp();
  const { lent, folder, path } = test;
  const ended = join(folder, crypto.randomUUID());
  await Deno.mkdir(join(ended, "folder"), { recursive: true });
  await Deno.symlink(path, join(ended, "link"));
  await Deno.writeTextFile(join(ended, "0"), "a");

  await lent.sweep();

  assertEquals(await lenders(folder), [["folder", "link"]]);
  assertEquals(await Deno.readFile(path), bytesOf(9));
});

Deno.test("a folder that somebody removes is made anew", async () => {
  await using test = await setUp();
  const { lent, file, path, folder } = test;
  const lost = await linkOf(lent, file, path);
  await Deno.remove(folder, { recursive: true });

  const links = await Promise.all(
    [1, 2, 3].map(() => linkOf(lent, file, path)),
  );

  lent.takeBack(lost);
  for (const link of links) {
    assertEquals(await Deno.readFile(link), bytesOf(9));
  }
  assertEquals((await lenders(folder)).length, 1);
  await lent.close();
  assertFalse(await isThere(folder));
});

const obstacles: [string, (folder: string, dir: string) => Promise<void>][] = [
  ["a file", (folder) => Deno.writeTextFile(folder, "mine")],
  ["a link to a folder", async (folder, dir) => {
    await Deno.mkdir(join(dir, "outside"));
    await Deno.symlink(join(dir, "outside"), folder);
  }],
  [
    "a link that leads nowhere",
    (folder, dir) => Deno.symlink(join(dir, "nowhere"), folder),
  ],
];
for (const [what, put] of obstacles) {
  for (const when of ["before", "after"]) {
    Deno.test(`nothing is lent where ${what} has the name of the folder ${when} the first link`, async () => {
      await using test = await setUp();
      const { dir, lent, file, path, folder } = test;
      if (when === "after") {
        await linkOf(lent, file, path);
        await Deno.remove(folder, { recursive: true });
      }
      await put(folder, dir);

      assertEquals(await lent.lend(file, path), "refused");
      assertFalse(lent.mayLend);
      await lent.sweep();
      assert(await isThere(folder));
      const outside = join(dir, "outside");
      if (await isThere(outside)) assertEquals(await lenders(outside), []);

      // Each sweep lets it try again.
      await Deno.remove(folder);
      assert(lent.mayLend);
      const link = await linkOf(lent, file, path);
      assertEquals(await Deno.readFile(link), bytesOf(9));
      await lent.close();
    });
  }
}

Deno.test("a cache that is read-only lends nothing", async () => {
  await using test = await setUp();
  const { fs, file, path, folder } = test;
  const lent = new LentFolder(fs, folder, true);
  assertFalse(lent.mayLend);
  assertEquals(await lent.lend(file, path), "refused");
  assertFalse(await isThere(folder));
  await lent.close();
});
