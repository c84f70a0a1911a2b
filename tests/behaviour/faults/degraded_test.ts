import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { formatEvent, MediaCache } from "../../../mod.ts";
import { REFUSABLES } from "../../../src/core/text/refusable.ts";
import { recordConsole } from "../../fixtures/cache/console.ts";
import { CallFault } from "../../fixtures/faults/disk_faults.ts";
import { bytesOf, namesIn } from "../../fixtures/directory/files.ts";
import { Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const REFUSED = new Deno.errors.PermissionDenied(
  "Operation not permitted (os error 1): utime '/a/path'",
);

async function urlsOf(cache: MediaCache): Promise<string[]> {
  return await Array.fromAsync(cache.entries(), ({ url }) => url);
}

Deno.test("where utime is refused entries are stored and used in true order, with one event and no disk error", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  const options = { cacheDir: dir.path, onEvent: recorder.onEvent };
  {
    using _fault = new CallFault("utimeSync", REFUSED);
    await using cache = await MediaCache.open({
      ...options,
      maxMemoryItems: 0,
      maxSizeMb: 0.001,
    });
    assertEquals(cache.stats().degraded, []);
    for (const url of ["a", "b", "c"]) {
      const isStored = await cache.put(url, bytesOf(300), "image/png", "a.png");
      assertEquals(isStored, true);
    }
    for (const url of ["b", "a"]) await (await cache.get(url))?.bytes();
    const media = await cache.getOrDownload(
      "d",
      () => Promise.resolve({ data: bytesOf(300) }),
    );
    assertEquals(await media.bytes(), bytesOf(300));
    assertEquals(await media.stored, true);

    assertEquals(await urlsOf(cache), ["d", "a", "b"]);
    assertEquals(await cache.probe(), undefined);
    const { degraded, diskErrors, evictions } = cache.stats();
    assertEquals([degraded, diskErrors, evictions], [["utime"], 0, 1]);
  }
  // close() has tried to write the times of the uses.
  const [event, ...others] = recorder.of("degraded");
  assertEquals([event?.operation, event?.reason, others], [
    "utime",
    "PermissionDenied",
    [],
  ]);
  assertEquals(recorder.of("diskError"), []);

  await using again = await MediaCache.open(options);
  assertEquals(await urlsOf(again), ["d", "b", "a"]);
  assertEquals(again.stats().degraded, []);
});

Deno.test("times that could not be set are set as soon as the disk accepts them", async () => {
  await using dir = await tempDir();
  const cacheDir = join(dir.path, "cache");
  const options = { cacheDir };
  {
    await using cache = await MediaCache.open({ ...options, onEvent() {} });
    {
      using _fault = new CallFault("utimeSync", REFUSED);
      const { readable, writable } = new TransformStream<Uint8Array>();
      const writer = writable.getWriter();
      const slow = cache.put("slow", readable, "image/png", "a.png");
      await writer.write(bytesOf(3));
      while (await stagedBytesIn(cacheDir) < 3) await turn();
      await nextFileTime(join(dir.path, "file"));
      await cache.put("b", bytesOf(3), "image/png", "b.png");
      await writer.close();
      assertEquals(await slow, true);
    }
    assertEquals(await urlsOf(cache), ["slow", "b"]);
  }

  await using again = await MediaCache.open(options);
  assertEquals(await urlsOf(again), ["slow", "b"]);
});

/** The bytes of the staged files in a directory. */
async function stagedBytesIn(dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(dir)) {
    if (name.endsWith(".part")) {
      bytes += (await Deno.stat(join(dir, name))).size;
    }
  }
  return bytes;
}

/**
 * Waits until a written file gets another time: the kernel's clock ticks every
 * few milliseconds.
 */
async function nextFileTime(path: string): Promise<void> {
  const timeOf = async () => {
    await Deno.writeTextFile(path, "");
    return (await Deno.stat(path)).mtime?.getTime();
  };
  const before = await timeOf();
  while (await timeOf() === before);
}

Deno.test("without a listener, one line on the console reports a refused operation", async () => {
  await using dir = await tempDir();
  using recorded = recordConsole();
  using _fault = new CallFault("utimeSync", REFUSED);
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  for (const url of ["a", "b"]) {
    await cache.put(url, bytesOf(3), "image/png", "a.png");
  }

  assertEquals(recorded.lines, [[
    "Media cache: the file system refuses utime (PermissionDenied): a restart forgets which entries were used last",
  ]]);
});

Deno.test("a disk fault when a time is set is a disk error, and not a degradation", async () => {
  await using dir = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  await using cache = await MediaCache.open({ cacheDir: dir.path, onEvent });
  const error = Object.assign(new Error("Input/output error"), { code: "EIO" });
  using _fault = new CallFault("utimeSync", error);

  assertEquals(await cache.put("a", bytesOf(3), "image/png", "a.png"), false);

  const { degraded, diskErrors } = cache.stats();
  assertEquals([degraded, diskErrors], [[], 1]);
});

Deno.test("formatEvent() states the effect of each refused operation", () => {
  for (const operation of REFUSABLES) {
    const reason = "EPERM";
    const line = formatEvent({ type: "degraded", time: 0, operation, reason });
    assertMatch(line, RegExp(`refuses ${operation} \\(EPERM\\): \\w.{20}`));
  }
});
