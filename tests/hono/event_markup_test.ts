import { assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import type { MediaCacheEvent } from "../../mod.ts";
import { HttpStatusError } from "../../mod.ts";
import { errorFacts } from "../../src/core/text/failure_reason.ts";
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
      type: "diskError",
      time: 1,
      operation: "store an entry",
      error: new TypeError("/secret/path"),
    },
    "Disk error",
    "could not store an entry: TypeError",
  ],
  [
    {
      type: "diskError",
      time: 1,
      operation: "store an entry",
      error: Object.assign(new Error("/secret/path"), { code: "ENOSPC" }),
    },
    "Disk error",
    "could not store an entry: ENOSPC",
  ],
  [
    {
      ...BODY,
      type: "revalidated",
      result: "notModified",
      reason: undefined,
      durationMs: 12,
    },
    "Checked",
    "not modified, after 12 ms",
  ],
  [
    {
      ...BODY,
      type: "revalidated",
      result: "failed",
      reason: "HTTP 404",
      durationMs: 12,
    },
    "Checked",
    "failed, the old bytes stay: HTTP 404, after 12 ms",
  ],
  [
    { ...BODY, type: "remoteHit", durationMs: 12 },
    "Remote hit",
    "10 B after 12 ms",
  ],
  [
    { type: "remoteDown", time: 1, reason: "HTTP 503" },
    "Remote down",
    "HTTP 503",
  ],
  [{ type: "remoteUp", time: 1, downMs: 5200 }, "Remote up", "after 5.2 s"],
  [
    { type: "degraded", time: 1, operation: "utime", reason: "EPERM" },
    "Degraded",
    "the file system refuses utime (EPERM): a restart forgets which entries were used last",
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

for (const [index, [event, label, detail]] of EVENTS.entries()) {
  Deno.test(`event ${index} of type ${event.type} is shown without secrets`, async () => {
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
  Deno.test(`the reason for ${event.type} is shown where names are shown`, async () => {
    const named = String(await eventMarkup({ event, count: 1 }, true));
    const nameless = String(await eventMarkup({ event, count: 1 }, false));

    assertStringIncludes(named, "/secret/why");
    assertStringIncludes(nameless, label);
    assertFalse(nameless.includes("secret"));
    assertEquals(nameless.includes("a.json"), false);
  });
}

/** Errors of failed downloads, and the text for each. */
const FAILURES: [error: unknown, reason: string][] = [
  [new HttpStatusError(404), "HTTP 404"],
  [
    new TypeError("secret", {
      cause: Object.assign(new Error("secret"), { code: "ECONNREFUSED" }),
    }),
    "ECONNREFUSED",
  ],
  [new RangeError("secret"), "RangeError"],
];

for (const [error, reason] of FAILURES) {
  Deno.test(`a failure is shown as ${reason}, with its URL only where names are shown`, async () => {
    const facts = { ...errorFacts(error), error, received: 2048 };
    const event = { ...BASE, type: "failed", ...facts } as const;

    const named = String(await eventMarkup({ event, count: 1 }, true));
    const nameless = String(await eventMarkup({ event, count: 1 }, false));

    for (const text of [named, nameless]) {
      assertStringIncludes(text, `${reason} after 2.0 KiB`);
    }
    assertStringIncludes(named, "secret.example <");
    assertStringIncludes(named, ">https://secret.example/token<");
    assertFalse(/secret|token|abcdef/.test(nameless));
  });
}
