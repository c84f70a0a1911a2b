/**
 * The .part files of processes that have ended: removed 5 seconds after their last
 * write, at the start and while the cache is open.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MediaCache, type MediaCacheOptions } from "../../../mod.ts";
import { IoMode } from "../../../src/core/disk/io_mode.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import {
  bytesOf,
  isThere,
  namesIn,
  setAge,
} from "../../fixtures/directory/files.ts";
import { holdTimers } from "../../fixtures/time/held_timers.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { ShiftedClock } from "../../fixtures/time/shifted_clock.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const SIZE = 70_000;

/** Each kind of .part file. */
const ENDINGS = ["download", "description", "12ab0"];

/** Leaves .part files that no process has locked. */
async function leave(dir: string, ageMs: number): Promise<string[]> {
  const paths = ENDINGS.map((it) => join(dir, `${keyOf("dead")}.${it}.part`));
  for (const path of paths) {
    await Deno.writeFile(path, bytesOf(SIZE));
    await setAge(path, ageMs);
  }
  return paths;
}

/** The clocks of the day and of the process, which a test sets forward. */
class Clocks extends ShiftedClock {
  readonly #elapsed = performance.now;

  constructor() {
    super();
    performance.now = () => this.#elapsed.call(performance) + this.aheadMs;
  }

  override [Symbol.dispose](): void {
    performance.now = this.#elapsed;
    super[Symbol.dispose]();
  }
}

function open(
  cacheDir: string,
  options: MediaCacheOptions = {},
): Promise<MediaCache> {
  return MediaCache.open({ cacheDir, onEvent: () => {}, ...options });
}

Deno.test("the .part files of a process that was just killed are told as leftovers, and go 5 s after their last write", async () => {
  await using dir = await tempDir();
  using clocks = new Clocks();
  using timers = holdTimers();
  const paths = await leave(dir.path, 0);
  const recorder = new Recorder();
  await using cache = await open(dir.path, { onEvent: recorder.onEvent });
  const { orphanBytes, occupiedBytes } = cache.stats();
  assertEquals(orphanBytes, 3 * SIZE);
  assert(occupiedBytes >= orphanBytes);
  assertEquals(recorder.of("skipped").length, 3);
  assertEquals((await cache.verify({ fix: true })).fixed, 0);
  assertEquals(await cache.get("dead"), undefined);
  const sweep = timers.waiting.at(-1);
  assert(sweep !== undefined && sweep.unreferenced && sweep.waitMs <= 5_000);

  clocks.aheadMs = 5_000;
  await sweep.callback();

  assertEquals(await namesIn(dir.path), []);
  assertEquals(cache.stats().orphanBytes, 0);
  for (const path of paths) assertEquals(await isThere(path), false);
  assertEquals(await cache.put("dead", bytesOf(7), "image/png", "a"), true);
});

Deno.test(".part files that are older than 5 s go at the start, and with verify()", async () => {
  await using dir = await tempDir();
  await leave(dir.path, 6_000);
  {
    await using cache = await open(dir.path);
    assertEquals(cache.stats().orphanBytes, 0);
    assertEquals(await namesIn(dir.path), []);
    await leave(dir.path, 6_000);
    const { problems, fixed } = await cache.verify({ fix: true });
    assertEquals([problems.length, fixed], [3, 3]);
    assertEquals(problems.map(({ young }) => young), [false, false, false]);
  }
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("a read-only cache tells .part files as leftovers, and leaves them", async () => {
  await using dir = await tempDir();
  const paths = await leave(dir.path, 6_000);
  await using cache = await open(dir.path, { readOnly: true });

  assertEquals(cache.stats().orphanBytes, 3 * SIZE);
  for (const path of paths) assertEquals(await isThere(path), true);
});

Deno.test("where the file system has no locks, .part files stay for 10 minutes", async () => {
  await using dir = await tempDir();
  const paths = await leave(dir.path, 9 * 60_000);
  using _locks = new NoLocks();
  {
    await using cache = await open(dir.path);
    assertEquals(cache.stats().degraded, ["flock"]);
    assertEquals(cache.stats().orphanBytes, 3 * SIZE);
    assertEquals((await cache.verify({ fix: true })).fixed, 0);
  }
  for (const path of paths) await setAge(path, 11 * 60_000);

  await using cache = await open(dir.path);

  assertEquals(cache.stats().orphanBytes, 0);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("a .part file that can't be opened for a moment is not taken for a leftover whose lock is free", async () => {
  await using dir = await tempDir();
  const paths = await leave(dir.path, 6_000);
  {
    using _fault = new NoOpenOf(/\.part$/);
    await using cache = await open(dir.path);
    assertEquals(cache.stats().orphanBytes, 3 * SIZE);
  }
  for (const path of paths) assertEquals(await isThere(path), true);
});

Deno.test("the .part file of a process that dies while the cache is open is found within a minute", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, `${keyOf("a")}.download.part`);
  await Deno.writeFile(path, bytesOf(SIZE));
  await setAge(path, 6_000);
  const holder = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const file = await Deno.open(${JSON.stringify(path)});
       await file.lock(true);
       console.log("held");
       for await (const _ of Deno.stdin.readable);`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  using clocks = new Clocks();
  using timers = holdTimers();
  await using cache = await open(dir.path);
  const lookAfter = async (ms: number) => {
    const sweep = timers.waiting.at(-1);
    assert(sweep !== undefined && sweep.waitMs <= 60_000);
    clocks.aheadMs += ms;
    await sweep.callback();
  };
  await lookAfter(60_000);
  assertEquals(cache.stats().orphanBytes, 0);

  holder.kill("SIGKILL");
  await holder.status;
  await reader.cancel();
  await holder.stdin.close().catch(() => {});
  // Written 3 seconds before the next look.
  await setAge(path, 3_000 - 60_000);
  await lookAfter(60_000);
  assertEquals(cache.stats().orphanBytes, SIZE);
  await lookAfter(5_000);

  assertEquals(cache.stats().orphanBytes, 0);
  assertEquals(await namesIn(dir.path), []);
});

Deno.test("a put that waits for long is stored, although a cleaner has removed its .part files meanwhile", async () => {
  await using dir = await tempDir();
  using clocks = new Clocks();
  using _fast = new FastDisk();
  const { remove } = Deno;
  const { promise: mayGo, resolve: letGo } = Promise.withResolvers<void>();
  try {
    await using cache = await MediaCache.open({
      cacheDir: dir.path,
      onEvent() {},
    });
    // A long file is removed asynchronously, and holds up the put behind it.
    await cache.put("long", new Uint8Array(9_000_000), "image/png", "a.png");
    Deno.remove = (path) => mayGo.then(() => remove(path));
    const deleted = cache.delete("long");
    const stored = cache.put("a", bytesOf(100), "image/png", "a.png");
    const staged = () =>
      [...Deno.readDirSync(dir.path)].map(({ name }) => join(dir.path, name))
        .filter((path) => path.endsWith(".part"));
    while (staged().length < 2) await turn();
    await turn();
    clocks.aheadMs = 6_000;
    for (const path of staged()) Deno.removeSync(path);
    letGo();

    assertEquals([await deleted, await stored], [true, true]);
    await using media = await cache.get("a");
    assertEquals(await media?.bytes(), bytesOf(100));
    assertEquals([staged(), cache.stats().diskErrors], [[], 0]);
  } finally {
    Deno.remove = remove;
  }
});

/** A disk that counts as fast, however busy the machine is. */
class FastDisk implements Disposable {
  readonly #run = IoMode.prototype.run;

  constructor() {
    IoMode.prototype.run = (direct, _deferred, ...args) => direct(...args);
  }

  [Symbol.dispose](): void {
    IoMode.prototype.run = this.#run;
  }
}

/** A file system that refuses locks. */
class NoLocks implements Disposable {
  readonly #real = Deno.FsFile.prototype.tryLockSync;

  constructor() {
    Deno.FsFile.prototype.tryLockSync = () => {
      const code = "ENOTSUP";
      throw Object.assign(new Error("Operation not supported"), { code });
    };
  }

  [Symbol.dispose](): void {
    Deno.FsFile.prototype.tryLockSync = this.#real;
  }
}

/** Files that can't be opened: the process has too many open. */
class NoOpenOf implements Disposable {
  readonly #real = { openSync: Deno.openSync, open: Deno.open };

  constructor(name: RegExp) {
    const fail = (path: string | URL, options?: Deno.OpenOptions) => {
      if (!options?.createNew && name.test(String(path))) {
        throw new Error("Too many open files (os error 24)");
      }
    };
    const { openSync, open } = this.#real;
    Object.assign(Deno, {
      openSync: (...args: Parameters<typeof openSync>) => {
        fail(...args);
        return openSync(...args);
      },
      open: async (...args: Parameters<typeof open>) => {
        fail(...args);
        return await open(...args);
      },
    });
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, this.#real);
  }
}
