import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import {
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { resolveOptions } from "../../../src/core/api/options.ts";
import { bytesOf, isThere } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const MB = 1_048_576;

Deno.test("resolveOptions() fills in the documented defaults", () => {
  const { gifToMp4, ...rest } = resolveOptions({});

  assertEquals(rest, {
    dir: "media_cache",
    maxBytes: 500 * MB,
    maxDiskBytes: Infinity,
    maxMemoryItems: 64,
    maxMemoryBytes: 64 * MB,
    maxMemoryItemBytes: 4 * MB,
    maxEntryBytes: 500 * MB,
    maxDownloadBytes: 2048 * MB,
    idleTimeoutMs: 30_000,
    timeoutMs: Infinity,
    maxConcurrentDownloads: 64,
    sniff: true,
    accept: undefined,
    maxAgeMs: undefined,
    staleWhileRevalidateMs: 0,
    canonicalUrl: undefined,
    retries: 0,
    failureTtlMs: 0,
    whenAbandoned: "finish",
    durable: false,
    verifyOnRead: false,
    readOnly: false,
    remote: undefined,
    onEvent: undefined,
  });
  assert(gifToMp4);
  assertEquals(resolveOptions({ gifToMp4: false }).gifToMp4, undefined);
});

Deno.test("resolveOptions() treats undefined as not given, for every option", () => {
  const names = [
    "cacheDir",
    "maxSizeMb",
    "maxDiskMb",
    "maxDiskMb",
    "maxMemoryItems",
    "maxMemoryMb",
    "maxMemoryItemMb",
    "maxEntryMb",
    "maxDownloadMb",
    "idleTimeoutMs",
    "timeoutMs",
    "maxConcurrentDownloads",
    "gifToMp4",
    "canonicalUrl",
    "retries",
    "failureTtlMs",
    "whenAbandoned",
    "durable",
    "verifyOnRead",
    "readOnly",
    "onEvent",
  ];
  const options = Object.fromEntries(names.map((name) => [name, undefined]));

  assertEquals(resolveOptions(options), resolveOptions({}));
});

Deno.test("resolveOptions() takes fractions of a Mb, zero, and Infinity", () => {
  const options = resolveOptions({
    maxSizeMb: 1.5,
    maxMemoryMb: 0,
    maxMemoryItemMb: 0.0000014,
    maxMemoryItems: 0,
    maxEntryMb: 0.25,
    maxDownloadMb: Infinity,
    timeoutMs: 0.5,
    idleTimeoutMs: Infinity,
    maxConcurrentDownloads: Infinity,
  });

  assertEquals(options.maxBytes, 1.5 * MB);
  assertEquals([options.maxMemoryBytes, options.maxMemoryItems], [0, 0]);
  assertEquals(options.maxMemoryItemBytes, 1);
  assertEquals(options.maxEntryBytes, 0.25 * MB);
  assertEquals(options.maxDownloadBytes, Infinity);
  assertEquals([options.timeoutMs, options.idleTimeoutMs], [0.5, Infinity]);
  assertEquals(options.maxConcurrentDownloads, Infinity);
  assertEquals(resolveOptions({ maxSizeMb: Infinity }).maxBytes, Infinity);
});

Deno.test("resolveOptions() caps the size of an entry at the size of the cache", () => {
  const { maxEntryBytes } = resolveOptions({ maxSizeMb: 1, maxEntryMb: 2 });

  assertEquals(maxEntryBytes, MB);
  assertEquals(resolveOptions({ maxSizeMb: 7 }).maxEntryBytes, 7 * MB);
  assertEquals(resolveOptions({ maxDiskMb: 7 }).maxEntryBytes, 7 * MB);
  const { maxEntryBytes: small, maxDiskBytes } = resolveOptions({
    maxDiskMb: 0.5,
    maxEntryMb: 2,
  });
  assertEquals([small, maxDiskBytes], [0.5 * MB, 0.5 * MB]);
});

Deno.test("resolveOptions() does not change the caller's object", () => {
  const options: MediaCacheOptions = Object.freeze({ maxSizeMb: 1 });

  resolveOptions(options);

  assertEquals(options, { maxSizeMb: 1 });
});

const NUMBERS = [
  "maxSizeMb",
  "maxMemoryItems",
  "maxMemoryMb",
  "maxMemoryItemMb",
  "maxEntryMb",
  "maxDownloadMb",
  "idleTimeoutMs",
  "timeoutMs",
  "maxConcurrentDownloads",
];

const WRONG: [name: string, values: unknown[], type: ErrorConstructor][] = [
  ...NUMBERS.flatMap((name): typeof WRONG => [
    [name, ["5", null, true, {}, [], 5n, Symbol("x")], TypeError],
    [name, [-1, NaN, -Infinity], RangeError],
  ]),
  ["maxMemoryItems", [1.5], RangeError],
  ["maxConcurrentDownloads", [0, 1.5], RangeError],
  ["idleTimeoutMs", [0], RangeError],
  ["timeoutMs", [0], RangeError],
  ["cacheDir", [5, null, {}, ["a"], new URL("https://a/")], TypeError],
  [
    "cacheDir",
    ["", "a\0b", "file://host/dir", new URL("file://host/dir"), "file:///%00"],
    RangeError,
  ],
  ["gifToMp4", [5, "yes", null], TypeError],
  ["gifToMp4.ffmpeg", [{ ffmpeg: 5 }], TypeError],
  ["gifToMp4.timeoutMs", [{ timeoutMs: -1 }], RangeError],
  ["canonicalUrl", ["x", null, {}], TypeError],
  ["retries", ["1", null, true], TypeError],
  ["retries", [-1, 0.5, NaN], RangeError],
  ["failureTtlMs", ["1", null, {}], TypeError],
  ["failureTtlMs", [-1, NaN], RangeError],
  ["whenAbandoned", [5, null, {}], TypeError],
  ["whenAbandoned", ["stop", ""], RangeError],
  ["durable", [1, "true", null], TypeError],
  ["verifyOnRead", [1, "true", null], TypeError],
  ["readOnly", [0, "false", null], TypeError],
  ["onEvent", ["x", null, {}], TypeError],
];

Deno.test("an option of a wrong type or value throws an error that names both", async (t) => {
  for (const [name, values, type] of WRONG) {
    await t.step(`${name}: ${type.name}`, () => {
      for (const value of values) {
        const [option = ""] = name.split(".");
        const options = { [option]: value } as MediaCacheOptions;
        const error = assertThrows(() => new MediaCache(options), type);

        assert(error.constructor === type, `${name}: ${error.name}`);
        assert(error.message.includes(`${name} must be`), error.message);
        const shown = name.includes(".")
          ? Object.values(value as object)[0]
          : value instanceof URL
          ? value.protocol
          : value;
        assert(
          error.message.includes(`received ${String(shown)}`) ||
            error.message.includes(`received ${JSON.stringify(shown)}`),
          error.message,
        );
      }
    });
  }
});

Deno.test("an unknown option throws a TypeError that names it", () => {
  const wrong = [
    { maxSizeMB: 5 },
    { gifToMp4: { maxframes: 3 } },
  ] as unknown as MediaCacheOptions[];
  for (const options of wrong) {
    const [name] = Object.keys(options.gifToMp4 ?? options);

    assertThrows(() => new MediaCache(options), TypeError, `"${name}"`);
  }
});

Deno.test("options that are not an object throw a TypeError", () => {
  for (const options of [null, 5, "media_cache"]) {
    assertThrows(
      // @ts-expect-error like a caller without types
      () => new MediaCache(options),
      TypeError,
      "options must be an object",
    );
  }
});

Deno.test("open() rejects if an option is wrong", async () => {
  await assertRejects(
    () => MediaCache.open({ maxSizeMb: -1 }),
    RangeError,
    "maxSizeMb",
  );
});

Deno.test("the constructor does not touch the disk", async () => {
  await using dir = await tempDir();
  const cacheDir = join(dir.path, "cache");

  await using _cache = new MediaCache({ cacheDir });

  assertEquals(await isThere(cacheDir), false);
});

Deno.test("cacheDir may be a path, a file: URL or its text, and missing parents are made", async () => {
  await using dir = await tempDir();
  for (
    const [i, toOption] of [
      (path: string) => path,
      (path: string) => toFileUrl(path),
      (path: string) => toFileUrl(path).href,
      (path: string) => `${path}/`,
    ].entries()
  ) {
    const path = join(dir.path, `${i} ü%20`, "deep", "er");
    await using cache = await MediaCache.open({ cacheDir: toOption(path) });

    await cache.put("a", bytesOf(3), "image/png", "a.png");

    const { isDirectory, mode } = await Deno.stat(path);
    assertEquals([isDirectory, (mode ?? 0) & 0o777], [true, 0o700]);
    assertEquals(await cache.has("a"), true);
  }
});

Deno.test("an existing cacheDir keeps its mode", async () => {
  await using dir = await tempDir();
  await Deno.chmod(dir.path, 0o750);

  await using _cache = await MediaCache.open({ cacheDir: dir.path });

  assertEquals(((await Deno.stat(dir.path)).mode ?? 0) & 0o777, 0o750);
});

Deno.test("cacheDir may be a symbolic link to a directory", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(join(dir.path, "real"));
  await Deno.symlink(join(dir.path, "real"), join(dir.path, "link"));
  await using cache = await MediaCache.open({
    cacheDir: join(dir.path, "link"),
  });

  assertEquals(await cache.put("a", bytesOf(3), "image/png", "a"), true);
});

Deno.test("open() rejects if cacheDir is a file or lies below one, and the error names it", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "file");
  await Deno.writeTextFile(file, "mine");

  for (const cacheDir of [file, join(file, "below")]) {
    const error = await assertRejects(
      () => MediaCache.open({ cacheDir }),
      MediaCacheError,
      cacheDir,
    );
    assert(error.cause instanceof Error);
  }
  assertEquals(await Deno.readTextFile(file), "mine");
});
