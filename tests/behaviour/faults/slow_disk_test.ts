import { assertEquals } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import {
  assertBytes,
  pattern,
  readAll,
  readRest,
  readSome,
} from "../../fixtures/bodies/bytes.ts";
import { SlowDisk } from "../../fixtures/faults/disk_faults.ts";
import { ReadySource } from "../../fixtures/bodies/ready_source.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { namesIn } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const BODY = pattern(6 * 2 ** 20);
const download = () => Promise.resolve({ data: new ReadySource(BODY).data });

const gate = () => Promise.withResolvers<void>();

/** A cache that does all I/O asynchronously. */
async function slowCache(options = {}) {
  const temp = await tempDir();
  const slow = new SlowDisk();
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    maxMemoryItems: 0,
    ...options,
  });
  await cache.put("first:", pattern(1), "", "");
  return {
    cache,
    cacheDir: temp.path,
    async [Symbol.asyncDispose]() {
      await cache.close();
      slow[Symbol.dispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("on a slow disk readers at any distance from each other get the same bytes", async () => {
  await using opened = await slowCache();
  const { cache } = opened;

  const calls = Array.from(
    { length: 8 },
    () => cache.getOrDownload("a:", download),
  );
  const [late, ...others] = await Promise.all(calls);
  const reader = late!.body.getReader();
  const start = await readSome(reader, 1);
  const slice = readAll(others[0]!.slice(1_000_001, 5_000_001));
  const bodies = others.map((media) => media.bytes());

  for (const body of bodies) assertBytes(await body, BODY);
  assertBytes(await slice, BODY.slice(1_000_001, 5_000_001));
  assertEquals(await late!.stored, true);
  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), BODY);
  const hits = await Promise.all(
    Array.from({ length: 8 }, async () => (await cache.get("a:"))!.bytes()),
  );
  for (const hit of hits) assertBytes(hit, BODY);
});

Deno.test("on a slow disk readers share a file, each at its own position", async () => {
  await using opened = await slowCache();
  const { cache } = opened;
  await cache.put("a:", BODY, "", "");

  const ranges = Array.from({ length: 20 }, (_, n) => n * 300_001);
  const media = (await cache.get("a:"))!;
  const slices = ranges.map((start) =>
    readAll(media.slice(start, start + 700_000))
  );

  for (const [n, start] of ranges.entries()) {
    assertBytes(await slices[n], BODY.slice(start, start + 700_000));
  }
  await media[Symbol.asyncDispose]();
});

Deno.test("on a slow disk readers continue when their entry is deleted, and unread Media can be read", async () => {
  await using opened = await slowCache();
  const { cache } = opened;
  await cache.put("a:", BODY, "", "");
  const reader = (await cache.get("a:"))!.body.getReader();
  const unread = (await cache.get("a:"))!;

  const pending = reader.read();
  const deleting = cache.delete("a:");
  const start = (await pending).value!;
  assertEquals(await deleting, true);

  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), BODY);
  assertBytes(await unread.bytes(), BODY);
});

Deno.test("on a slow disk a reader may cancel during a read", async () => {
  await using opened = await slowCache();
  const { cache } = opened;
  await cache.put("a:", BODY, "", "");

  for (let n = 0; n < 20; n++) {
    const media = (await cache.get("a:"))!;
    const reader = media.body.getReader();
    const pending = reader.read();
    await (n % 2 === 0 ? reader.cancel() : media[Symbol.asyncDispose]());
    await pending.catch(() => {});
    reader.releaseLock();
  }

  assertBytes(await (await cache.get("a:"))!.bytes(), BODY);
});

Deno.test("close() on a slow disk waits for running writes", async () => {
  await using opened = await slowCache();
  const { cache } = opened;

  const media = await cache.getOrDownload("a:", download);
  const reader = media.body.getReader();
  const start = await readSome(reader, 1);
  await cache.close();

  const rest = await readRest(reader);
  assertBytes(await new Blob([start, rest]).bytes(), BODY);
  assertEquals(await media.stored, true);
});

Deno.test("on a slow disk a lookup does not add an entry that is being deleted", async () => {
  await using opened = await slowCache();
  const { cache } = opened;
  await cache.delete("first:");

  for (let n = 0; n < 50; n++) {
    await cache.put("a:", pattern(1000), "", "");
    const lookups = Array.from({ length: n % 10 }, async () => {
      const media = await cache.get("a:");
      assertEquals((await media?.bytes())?.length ?? 1000, 1000);
    });
    const deleting = cache.delete("a:");
    for (let i = 0; i < 10; i++) {
      lookups.push(cache.get("a:").then((media) => media?.body.cancel()));
      await turn();
    }
    await Promise.all([deleting, ...lookups]);
    const { entries, totalBytes } = cache.stats();
    assertEquals([entries, totalBytes], [0, 0]);
  }
});

Deno.test("on a slow disk the budget holds although entries are used during an eviction", async () => {
  await using opened = await slowCache({ maxSizeMb: 5_000 / 2 ** 20 });
  const { cache } = opened;
  const replace = true;

  for (let n = 0; n < 30; n++) {
    for (const url of ["a:", "b:", "c:", "d:", "e:"]) {
      await cache.put(url, pattern(1000), "", "", { replace });
    }
    const putting = cache.put("a:", pattern(3000), "", "", { replace });
    for (let uses = 0; uses < 5; uses++) {
      for (const url of ["b:", "c:", "d:", "e:"]) {
        await (await cache.get(url))?.body.cancel();
      }
    }
    assertEquals(await putting, true);
    const { totalBytes } = cache.stats();
    assertEquals([totalBytes <= 5_000, await cache.has("a:")], [true, true]);
  }
});

Deno.test("on a slow disk a download deleted while its description is written leaves no file open", async () => {
  await using opened = await slowCache();
  const { cache } = opened;
  const { open } = Deno;
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  Object.assign(Deno, {
    open: async (path: string, options: Deno.OpenOptions) => {
      if (path.endsWith(".description.part")) {
        asked.resolve();
        await gate.promise;
      }
      return await open(path, options);
    },
  });
  try {
    const { tap, call } = await begin(cache, "a:");
    tap.write(pattern(10));
    await using media = await call;
    await asked.promise;

    await cache.delete("a:");
    tap.end();
    assertBytes(await media.bytes(), pattern(10));
    gate.resolve();

    assertEquals(await media.stored, false);
  } finally {
    Object.assign(Deno, { open });
  }
});

Deno.test("on a slow disk a download that is aborted keeps its file locked until the name is gone", async () => {
  await using opened = await slowCache({ whenAbandoned: "abort" });
  const { cache } = opened;
  const { remove } = Deno;
  const asked = Promise.withResolvers<string>();
  const gate = Promise.withResolvers<void>();
  Object.assign(Deno, {
    remove: async (path: string, options?: Deno.RemoveOptions) => {
      if (path.endsWith(".part")) {
        asked.resolve(path);
        await gate.promise;
      }
      return await remove(path, options);
    },
  });
  try {
    const { tap, call } = await begin(cache, "a:");
    tap.write(pattern(10));
    const media = await call;
    await media.body.cancel();
    const path = await asked.promise;
    for (let turns = 0; turns < 10; turns++) await turn();
    using file = await Deno.open(path, { write: true });

    assertEquals(file.tryLockSync(true), false);

    gate.resolve();
    assertEquals(await media.stored, false);
  } finally {
    Object.assign(Deno, { remove });
  }
});

Deno.test("on a slow disk verify() takes no lock from a download that is deleted while it makes its file", async () => {
  await using opened = await slowCache();
  const { cache, cacheDir } = opened;
  const { open, lstat } = Deno;
  const [opening, made, looked] = [gate(), gate(), gate()];
  const [mayOpen, mayLock, mayEnd] = [gate(), gate(), gate()];
  let looks = 0;
  Object.assign(Deno, {
    open: async (path: string, options?: Deno.OpenOptions) => {
      const isClaim = options?.createNew && path.endsWith(".download.part");
      if (!isClaim) return await open(path, options);
      opening.resolve();
      await mayOpen.promise;
      const file = await open(path, options);
      made.resolve();
      await mayLock.promise;
      return file;
    },
    lstat: async (path: string) => {
      // verify() looks at the name to open the file, and again after it has tried the lock.
      if (path.endsWith(".download.part") && ++looks === 2) {
        looked.resolve();
        await mayEnd.promise;
      }
      return await lstat(path);
    },
  });
  try {
    const [asked, joined] = [gate(), gate()];
    cache.subscribe(({ type }) => type === "joined" && joined.resolve());
    const call = cache.getOrDownload("a:", () => {
      asked.resolve();
      return Promise.resolve({ data: pattern(10) });
    });
    await opening.promise;
    await cache.delete("a:");
    mayOpen.resolve();
    await made.promise;
    const verifying = cache.verify({ fix: true });
    await looked.promise;

    mayLock.resolve();
    // Without its lock the download would follow verify(), as if that were a download.
    await Promise.race([asked.promise, joined.promise]);
    mayEnd.resolve();

    await verifying;
    assertEquals(await (await call).bytes(), pattern(10));
    await cache.close();
    const names = await namesIn(cacheDir);
    assertEquals(names.filter((name) => name.endsWith(".part")), []);
  } finally {
    Object.assign(Deno, { open, lstat });
  }
});
