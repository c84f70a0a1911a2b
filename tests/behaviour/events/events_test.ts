import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatEvent, MediaCache, type MediaCacheEvent } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { bytesOf, pathsOf, writePair } from "../../fixtures/directory/files.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const url = "https://api.telegram.org/file/bot123:SECRET/a.png";
const key = keyOf(url);
const SHORT = key.slice(0, 12);
const body = {
  time: 0,
  url,
  key,
  mimetype: "image/png",
  filename: "a.png",
  size: 3,
};

const LINES: [event: MediaCacheEvent, line: string][] = [
  [
    { type: "loaded", time: 0, entries: 2, totalBytes: 10, durationMs: 1 },
    "Media cache: loaded 2 entries from disk (0.0 MB)",
  ],
  [
    {
      type: "loaded",
      time: 0,
      entries: 3,
      totalBytes: 5_400_000,
      durationMs: 1,
    },
    "Media cache: loaded 3 entries from disk (5.1 MB)",
  ],
  [
    { ...body, type: "hit", source: "memory", durationMs: 1 },
    "Media cache HIT: a.png (image/png, 3 bytes)",
  ],
  [
    { ...body, type: "miss", durationMs: 1 },
    "Media cache MISS: downloading a.png (image/png, 3 bytes)",
  ],
  [
    { ...body, type: "miss", size: undefined, durationMs: 1 },
    "Media cache MISS: downloading a.png (image/png, unknown bytes)",
  ],
  [
    { ...body, type: "evicted", lastAccess: 0 },
    `Media cache: evicted a.png (${SHORT})`,
  ],
];

Deno.test("formatEvent() gives the lines of the Python original", () => {
  for (const [event, line] of LINES) assertEquals(formatEvent(event), line);
});

const EVENTS: MediaCacheEvent[] = [
  ...LINES.map(([event]) => event),
  { type: "remoteHit", ...body, durationMs: 1 },
  {
    type: "revalidated",
    ...body,
    result: "notModified",
    reason: undefined,
    durationMs: 1,
  },
  {
    type: "revalidated",
    ...body,
    result: "replaced",
    reason: undefined,
    durationMs: 1,
  },
  {
    type: "revalidated",
    ...body,
    result: "failed",
    reason: "why",
    durationMs: 1,
  },
  { type: "remoteDown", time: 0, reason: "why" },
  { type: "remoteUp", time: 0, downMs: 5_000.4 },
  {
    type: "miss",
    time: 0,
    url,
    key,
    mimetype: undefined,
    filename: undefined,
    size: undefined,
    durationMs: 1,
  },
  { type: "joined", time: 0, url, key, received: 5 },
  { ...body, type: "stored", source: "put", durationMs: 1 },
  { type: "deleted", time: 0, url, key, size: 3 },
  { type: "dropped", time: 0, url, key, reason: "why" },
  { ...body, type: "converted", sourceSize: 5, durationMs: 1 },
  { type: "kept", time: 0, url, key, reason: "why" },
  { type: "conversionUnavailable", time: 0, reason: "why" },
  { type: "skipped", time: 0, path: "/x/y.json", reason: "why" },
  { type: "uncached", time: 0, url, key, reason: "why" },
  {
    type: "failed",
    time: 0,
    url,
    key,
    error: new TypeError(`error sending request for ${url}`),
    name: "TypeError",
    code: "ECONNREFUSED",
    status: undefined,
    received: 5,
  },
  {
    type: "failed",
    time: 0,
    url,
    key,
    error: url,
    name: "string",
    code: undefined,
    status: undefined,
    received: 5,
  },
  { type: "diskError", time: 0, operation: "x", error: new Error("full") },
  { type: "diskError", time: 0, operation: "x", error: "odd" },
];

Deno.test("formatEvent() gives every event one line, without the URL and its secret", () => {
  for (const event of EVENTS) {
    const line = formatEvent(event);

    assertMatch(
      line,
      /^(Media cache|Skipping unreadable cache meta|Skipping cache file)/,
    );
    assert(!line.includes("SECRET"), line);
    assert(!line.includes("\n") && !line.includes("undefined"), line);
    if ("reason" in event && event.reason) assert(line.endsWith("why"), line);
  }
});

Deno.test("a cache sends an event for each operation", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "old", bytesOf(900), { ageMs: 9_000 });
  const recorder = new Recorder();
  const before = Date.now();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    maxSizeMb: 1_000 / 1_048_576,
    onEvent: recorder.onEvent,
  });

  await (await cache.get("old"))?.bytes();
  const media = await cache.getOrDownload(
    "new",
    () =>
      Promise.resolve({
        data: bytesOf(200),
        mimetype: "image/png",
        filename: "new.png",
        size: 200,
      }),
  );
  await media.bytes();
  await media.stored;
  await cache.put("put", bytesOf(300), "audio/ogg", "put.oga");
  await cache.delete("put");

  assertEquals(recorder.events.map(formatEvent), [
    "Media cache: loaded 1 entries from disk (0.0 MB)",
    "Media cache HIT: a.png (image/png, 900 bytes)",
    "Media cache MISS: downloading new.png (image/png, 200 bytes)",
    `Media cache: evicted a.png (${keyOf("old").slice(0, 12)})`,
    "Media cache: stored new.png (image/png, 200 bytes)",
    "Media cache: stored put.oga (audio/ogg, 300 bytes)",
    `Media cache: deleted ${keyOf("put").slice(0, 12)}`,
  ]);
  const [hit] = recorder.of("hit");
  assertEquals([hit?.url, hit?.key, hit?.source], [
    "old",
    pathsOf(dir.path, "old").key,
    "disk",
  ]);
  assertEquals(recorder.of("stored").map(({ source }) => source), [
    "download",
    "put",
  ]);
  for (const event of recorder.events) {
    assert(event.time >= before && event.time <= Date.now());
    if ("durationMs" in event) {
      assert(event.durationMs >= 0 && event.durationMs < 60_000);
    }
  }
});

Deno.test("subscribe() reports events from then on, until it is undone", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  const seen: string[] = [];
  const unsubscribe = cache.subscribe(({ type }) => seen.push(type));
  await cache.put("a", bytesOf(3), "image/png", "a.png");

  unsubscribe();
  unsubscribe();
  await cache.put("b", bytesOf(3), "image/png", "a.png");

  assertEquals(seen, ["stored"]);
});

Deno.test("a listener subscribed twice is called twice, and unsubscribed one at a time", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });
  let count = 0;
  const listener = () => count++;
  const unsubscribe = cache.subscribe(listener);
  cache.subscribe(listener);
  await cache.put("a", bytesOf(3), "image/png", "a.png");
  assertEquals(count, 2);

  unsubscribe();
  await cache.put("b", bytesOf(3), "image/png", "a.png");

  assertEquals(count, 3);
});

Deno.test("a listener that throws or unsubscribes others affects no other listener", async () => {
  await using dir = await tempDir();
  const seen: string[] = [];
  const throwing = () => {
    throw new Error("listener");
  };
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: throwing,
  });
  cache.subscribe(throwing);
  const unsubscribe = cache.subscribe(() => later());
  const later = cache.subscribe(({ type }) => seen.push(`later ${type}`));
  cache.subscribe(({ type }) => seen.push(type));

  assertEquals(await cache.put("a", bytesOf(3), "image/png", "a"), true);
  unsubscribe();
  assertEquals(await (await cache.get("a"))?.bytes(), bytesOf(3));

  assertEquals(seen.filter((type) => !type.startsWith("later")), [
    "stored",
    "hit",
  ]);
  assertEquals(cache.stats().diskErrors, 0);
});
