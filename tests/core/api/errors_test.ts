import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import {
  CacheClosedError,
  DownloadTimeoutError,
  HttpStatusError,
  IncompleteBodyError,
  MediaCacheError,
  TooLargeError,
} from "../../../src/core/api/errors.ts";

Deno.test("MediaCacheError is the base class of every error of this package", async (t) => {
  const errors: [error: MediaCacheError, name: string, message: string][] = [
    [new MediaCacheError("Cannot say"), "MediaCacheError", "Cannot say"],
    [
      new HttpStatusError(404),
      "HttpStatusError",
      "Cannot download: status must be 200 or 203: received 404",
    ],
    [
      new IncompleteBodyError(5, 10),
      "IncompleteBodyError",
      "Cannot download: body must have the declared 10 bytes: received 5",
    ],
    [
      new TooLargeError(4, { received: 5 }),
      "TooLargeError",
      "Cannot download: body must be at most 4 bytes: received 5",
    ],
    [
      new TooLargeError(4, { declared: 6 }),
      "TooLargeError",
      "Cannot download: body must be at most 4 bytes: declared 6",
    ],
    [
      new TooLargeError(4),
      "TooLargeError",
      "Cannot download: body must be at most 4 bytes: declared more",
    ],
    [
      new DownloadTimeoutError(30_000, "idle"),
      "DownloadTimeoutError",
      "Cannot download: next byte must come within 30000 ms: it did not",
    ],
    [
      new DownloadTimeoutError(5_000, "total"),
      "DownloadTimeoutError",
      "Cannot download: whole body must come within 5000 ms: it did not",
    ],
    [
      new CacheClosedError(),
      "CacheClosedError",
      "Cannot use cache: cache must be open: it was closed",
    ],
  ];
  for (const [error, name, message] of errors) {
    await t.step(message, () => {
      assertInstanceOf(error, MediaCacheError);
      assertInstanceOf(error, Error);
      assertEquals(error.name, name);
      assertEquals(error.message, message);
    });
  }
});

Deno.test("the errors have properties with the facts that their messages state", () => {
  assertEquals(new HttpStatusError(206).status, 206);

  const incomplete = new IncompleteBodyError(5, 10);
  assertEquals([incomplete.received, incomplete.expected], [5, 10]);

  const large = new TooLargeError(4, { declared: 9, received: 5 });
  assertEquals([large.maxBytes, large.declared, large.received], [4, 9, 5]);

  const late = new DownloadTimeoutError(20, "idle");
  assertEquals([late.timeoutMs, late.kind], [20, "idle"]);
});

Deno.test("the errors keep a cause", () => {
  const cause = new Error("why");
  const errors = [
    new MediaCacheError("x", { cause }),
    new HttpStatusError(500, { cause }),
    new IncompleteBodyError(1, 2, { cause }),
    new TooLargeError(1, { received: 2, cause }),
    new DownloadTimeoutError(1, "total", { cause }),
    new CacheClosedError({ cause }),
  ];

  for (const error of errors) assertStrictEquals(error.cause, cause);
  assertEquals("cause" in new HttpStatusError(500), false);
  assertEquals("cause" in new TooLargeError(1), false);
});
