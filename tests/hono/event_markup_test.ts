import { assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import type { MediaCacheEvent } from "../../mod.ts";
import { HttpStatusError } from "../../mod.ts";
import { eventMarkup } from "../../src/hono/sections/event_markup.ts";

const BASE = {
  time: 1_700_000_000_000,
  url: "https://secret.example/token",
  key: "abcdef012345".padEnd(64, "0"),
};
const BODY = { ...BASE, mimetype: "image/png", filename: "cat.png", size: 10 };

const EVENTS: [MediaCacheEvent, string, string][] = [
  [
    { type: "loaded", time: 1, entries: 3, totalBytes: 5, durationMs: 2500 },
    "Loaded",
    "3 entries, 5 B, in 2.5 s",
  ],
  [{ ...BODY, type: "hit", source: "disk", durationMs: 1 }, "Hit", "from disk"],
  [{ ...BODY, type: "miss", durationMs: 1 }, "Miss", "10 B"],
  [{ ...BASE, type: "joined", received: 7 }, "Joined", "at 7 B"],
  [
    { ...BODY, type: "stored", source: "put", durationMs: 0.1 },
    "Stored",
    "after less than 1 ms",
  ],
  [{ ...BODY, type: "evicted", lastAccess: 1 }, "Evicted", "10 B"],
  [{ ...BASE, type: "deleted", size: 10 }, "Deleted", "10 B"],
  [
    { ...BODY, type: "converted", sourceSize: 90, durationMs: 12 },
    "Converted",
    "90 B to 10 B in 12 ms",
  ],
  [
    {
      ...BASE,
      type: "failed",
      error: new HttpStatusError(404),
      received: 0,
    },
    "Failed",
    "HTTP status 404 after 0 B",
  ],
  [
    {
      type: "diskError",
      time: 1,
      operation: "store an entry",
      error: new TypeError("/secret/path"),
    },
    "Disk error",
    "could not store an entry: TypeError",
  ],
];

const REASONS: [MediaCacheEvent, string][] = [
  [{ ...BASE, type: "dropped", reason: "/secret/why" }, "Dropped"],
  [{ ...BASE, type: "kept", reason: "/secret/why" }, "Kept a GIF"],
  [{ ...BASE, type: "uncached", reason: "/secret/why" }, "Not stored"],
  [
    { type: "conversionUnavailable", time: 1, reason: "/secret/why" },
    "GIFs stay",
  ],
  [
    { type: "skipped", time: 1, path: "/secret/a.json", reason: "/secret/why" },
    "Skipped",
  ],
];

for (const [event, label, detail] of EVENTS) {
  Deno.test(`an event of type ${event.type} is told without secrets`, async () => {
    const named = String(await eventMarkup({ event, count: 1 }, true));
    const nameless = String(await eventMarkup({ event, count: 3 }, false));

    assertStringIncludes(named, `>${label}<`);
    assertStringIncludes(nameless, `>${label} × 3<`);
    for (const text of [named, nameless]) {
      assertStringIncludes(text.replaceAll(/\s+/g, " "), detail);
      assertFalse(text.includes("secret"));
    }
    for (const name of ["cat.png", "abcdef"]) {
      assertFalse(nameless.includes(name));
    }
  });
}

for (const [event, label] of REASONS) {
  Deno.test(`why something was ${event.type} is told where names are`, async () => {
    const named = String(await eventMarkup({ event, count: 1 }, true));
    const nameless = String(await eventMarkup({ event, count: 1 }, false));

    assertStringIncludes(named, "/secret/why");
    assertStringIncludes(nameless, label);
    assertFalse(nameless.includes("secret"));
    assertEquals(nameless.includes("a.json"), false);
  });
}
