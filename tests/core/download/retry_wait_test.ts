import { assertEquals } from "@std/assert";
import { HttpStatusError, IncompleteBodyError } from "../../../mod.ts";
import {
  isPassing,
  retryWaitMs,
} from "../../../src/core/download/retry_wait.ts";

const ALMOST_ONE = 1 - 2 ** -53;

function coded(code: string): Error {
  return Object.assign(new Error("no luck"), { code });
}

Deno.test("isPassing() takes the statuses of passing failures, cut bodies, and codes of connections", () => {
  const passing = [408, 429, 502, 503, 504];
  for (const status of [400, 401, 403, 404, 410, 416, 500, 501, ...passing]) {
    const isWanted = passing.includes(status);
    assertEquals(isPassing(new HttpStatusError(status)), isWanted, `${status}`);
    assertEquals(isPassing(Object.assign(new Error(), { status })), isWanted);
  }
  const others: [unknown, boolean][] = [
    [new TypeError("error sending request"), true],
    [new TypeError("Cannot fetch from example.org: connection refused"), true],
    [coded("ENOTFOUND"), true],
    [new Error("no luck", { cause: coded("UND_ERR_SOCKET") }), true],
    [coded("ERR_TLS_CERT_INVALID"), false],
    [coded("ENOENT"), false],
    [Object.assign(coded("ECONNRESET"), { status: 404 }), false],
    [new TypeError("Fetch failed: Requests to port 25 are blocked"), false],
    [new TypeError("Url scheme 'ftp' not supported"), false],
    [new TypeError("Invalid URL: 'http://['"), false],
    [new Deno.errors.NotCapable("Requires net access"), false],
    [new IncompleteBodyError(5, 10), true],
    [new IncompleteBodyError(11, 10), false],
    // A downloader whose result is of a wrong kind gives the same again.
    [new TypeError("Cannot download: size must be an integer"), false],
    [new TypeError("Cannot read body: chunks must be Uint8Array"), false],
    [new Error("no luck"), false],
    [new DOMException("aborted", "AbortError"), false],
    [undefined, false],
    ["TypeError", false],
  ];
  for (const [error, isWanted] of others) {
    assertEquals(isPassing(error), isWanted, String(error));
  }
});

Deno.test("retryWaitMs() waits longer after each failure, at random, from 300 to 3,000 ms", () => {
  const waits = (random: number) =>
    [0, 1, 2, 3, 4, 50, 5000].map((retried) =>
      Math.round(retryWaitMs(undefined, retried, Infinity, random) ?? NaN)
    );

  assertEquals(waits(0), [300, 300, 300, 300, 300, 300, 300]);
  assertEquals(
    waits(ALMOST_ONE),
    [600, 1200, 2400, 3000, 3000, 3000, 3000],
  );
});

Deno.test("retryWaitMs() waits as long as the server asks, up to 10 s, and no longer than there is time", () => {
  const asked = (retryAfterMs: number | undefined, leftMs = Infinity) =>
    retryWaitMs(new HttpStatusError(503, { retryAfterMs }), 0, leftMs, 0);

  assertEquals(asked(undefined), 300);
  assertEquals(asked(0), 300);
  assertEquals(asked(2_000), 2_000);
  assertEquals(asked(10_000), 10_000);
  assertEquals(asked(10_001), undefined);
  assertEquals(asked(2_000, 2_001), 2_000);
  assertEquals(asked(2_000, 2_000), undefined);
  assertEquals(asked(undefined, 300), undefined);
  assertEquals(asked(undefined, 0), undefined);
});
