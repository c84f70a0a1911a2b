import { assertEquals, assertMatch } from "@std/assert";
import { MediaCache } from "../../../mod.ts";
import {
  EventHub,
  type UnstampedEvent,
} from "../../../src/core/reporting/event_hub.ts";
import { recordConsole } from "../../fixtures/cache/console.ts";
import { bytesOf, writePair } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const FAULT: UnstampedEvent = {
  type: "diskError",
  operation: "write a put",
  error: new Error("No space left on device"),
};
const SKIPPED: UnstampedEvent = {
  type: "skipped",
  path: "/x.json",
  reason: "why",
};

Deno.test("EventHub warns once per kind if it has no listener", () => {
  using printed = recordConsole();
  const hub = new EventHub(undefined);

  for (const event of [FAULT, SKIPPED, FAULT, SKIPPED]) hub.emit(event);
  hub.emit({ type: "conversionUnavailable", reason: "no ffmpeg" });
  hub.emit({ type: "joined", url: "a", key: "b", received: 1 });

  assertEquals(printed.lines, [
    ["Media cache: could not write a put: No space left on device"],
    ["Skipping unreadable cache meta /x.json: why"],
    ["Media cache: GIFs stay GIFs: no ffmpeg"],
  ]);
});

Deno.test("EventHub still warns after a later subscription", () => {
  using printed = recordConsole();
  const hub = new EventHub(undefined);
  hub.subscribe(() => {});

  hub.emit(FAULT);

  assertEquals(printed.lines.length, 1);
});

Deno.test("EventHub prints nothing if it was given a listener, even a throwing one", () => {
  using printed = recordConsole();
  const hub = new EventHub(() => {
    throw new Error("listener");
  });

  hub.emit(FAULT);

  assertEquals(printed.lines, []);
});

Deno.test("EventHub knows whether there is a listener", () => {
  const hub = new EventHub(undefined);
  assertEquals(hub.listening, false);
  const unsubscribe = hub.subscribe(() => {});
  assertEquals(hub.listening, true);
  unsubscribe();
  assertEquals(hub.listening, false);
  assertEquals(new EventHub(() => {}).listening, true);
});

Deno.test("a cache with onEvent prints nothing at all", async () => {
  await using dir = await tempDir();
  await writePair(dir.path, "a", bytesOf(3), { sidecar: { size: 4 } });
  using printed = recordConsole();
  await using cache = await MediaCache.open({
    cacheDir: dir.path,
    onEvent: () => {},
  });

  await cache.get("a");

  assertEquals(printed.lines, []);
});

Deno.test("a cache without onEvent warns of the first broken pair, and of no other", async () => {
  await using dir = await tempDir();
  for (const url of ["a", "b"]) {
    await writePair(dir.path, url, bytesOf(3), { sidecar: { size: 4 } });
  }
  using printed = recordConsole();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  await cache.get("a");
  await cache.put("c", bytesOf(3), "image/png", "c.png");

  assertEquals(printed.lines.length, 1);
  assertMatch(String(printed.lines[0]?.[0]), /4 bytes: found 3$/);
});
