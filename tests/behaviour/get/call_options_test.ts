/** Options of a call that can't be used are told before any work begins. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MediaCache, type MediaCacheListener } from "../../../mod.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

/** A value that TypeScript would not let pass. */
function wrong<T>(value: unknown): T {
  return value as T;
}

Deno.test("a signal or a listener of a wrong type rejects, and nothing is downloaded", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  let downloads = 0;
  const download = () => {
    downloads++;
    return Promise.resolve({ data: new Uint8Array(1) });
  };
  const key = "0".repeat(64);

  for (const signal of [null, {}, "stop", 5]) {
    const options = { signal: wrong<AbortSignal>(signal) };
    for (
      const call of [
        () => cache.getOrDownload("a:", download, options),
        () => cache.joinByKey(key, options),
      ]
    ) {
      await assertRejects(
        call,
        TypeError,
        "Cannot get or download: signal must be an AbortSignal or undefined: received",
      );
    }
  }
  await assertRejects(
    () => cache.getOrDownload("a:", download, { onProgress: wrong("no") }),
    TypeError,
    "Cannot get or download: onProgress must be a function: received",
  );

  assertEquals([downloads, cache.stats().misses], [0, 0]);
});

Deno.test("an unknown option of a call rejects, is named, and nothing is done", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const key = "0".repeat(64);
  const bytes = new Uint8Array(1);
  let calls = 0;
  const download = () => {
    calls++;
    return Promise.resolve({ data: bytes });
  };
  const steps = {
    again: () => Promise.resolve(calls++),
    first: () => Promise.resolve({ result: calls++ }),
  };
  await cache.put("stored:", bytes, "a/b", "c");
  await cache.setHandle("sent:", "place", "handle");
  const media = (await cache.get("stored:"))!;
  const unknown = wrong<never>({ timeoutMS: 5 });

  const failures = await Promise.allSettled([
    cache.getOrDownload("a:", download, unknown),
    cache.getOrDownload("stored:", download, unknown),
    cache.joinByKey(key, unknown),
    cache.getByKey(key, unknown),
    cache.put("a:", bytes, "a/b", "c", unknown),
    cache.sendOnce("sent:", "place", download, steps, unknown),
    cache.verify(unknown),
    cache.close(unknown),
    media.file(unknown),
  ]);

  const known = 'must be one that is known: received "timeoutMS"';
  assertEquals(
    failures.map((each) => each.status === "rejected" && String(each.reason)),
    [
      "get or download",
      "get or download",
      "get or download",
      "get by key",
      "put",
      "get or download",
      "verify",
      "close",
      "lend media",
    ].map((task) => `TypeError: Cannot ${task}: each option ${known}`),
  );
  assertEquals([calls, await cache.has("a:")], [0, false]);
  await media[Symbol.asyncDispose]();
});

Deno.test("options of a wrong type reject", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const bytes = new Uint8Array(1);
  const key = "0".repeat(64);

  for (
    const [call, message] of [
      [
        () => cache.put("a:", bytes, "a/b", "c", { replace: wrong("yes") }),
        'Cannot put: replace must be a boolean: received "yes"',
      ],
      [
        () => cache.put("a:", bytes, "a/b", "c", wrong(null)),
        "Cannot put: options must be an object: received null",
      ],
      [
        () => cache.getByKey(key, { peek: wrong(1) }),
        "Cannot get by key: peek must be a boolean: received 1",
      ],
      [
        () => cache.verify({ fix: wrong(0) }),
        "Cannot verify: fix must be a boolean: received 0",
      ],
    ] as const
  ) await assertRejects(call, TypeError, message);

  assertEquals(await cache.has("a:"), false);
});

Deno.test("close() with options that can't be used rejects, and leaves the cache open", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });

  for (const timeoutMs of [NaN, -1]) {
    await assertRejects(
      () => cache.close({ timeoutMs }),
      RangeError,
      `Cannot close: timeoutMs must be a number of at least 0: received ${timeoutMs}`,
    );
  }
  for (const options of [{ timeoutMs: "5" }, { abort: 1 }]) {
    await assertRejects(() => cache.close(wrong(options)), TypeError);
  }

  assertEquals(await cache.put("a:", new Uint8Array(1), "a/b", "c"), true);
  await cache.close({ timeoutMs: 0 });
});

Deno.test("subscribe() takes functions alone", () => {
  const cache = new MediaCache();
  for (const listener of [undefined, null, {}]) {
    assertThrows(
      () => cache.subscribe(wrong<MediaCacheListener>(listener)),
      TypeError,
      "Cannot subscribe: listener must be a function: received",
    );
  }
});
