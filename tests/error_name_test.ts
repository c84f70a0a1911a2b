import { assertEquals } from "@std/assert";
import { formatEvent, HttpStatusError } from "../mod.ts";
import { errorName } from "../src/core/reporting/error_name.ts";

/** An error of any name, be it one that no error has. */
function named(name: unknown): Error {
  return Object.defineProperty(new Error("a message"), "name", { value: name });
}

Deno.test("errorName() tells names, and no text that poses as one", () => {
  assertEquals(errorName(new TypeError("a message")), "TypeError");
  assertEquals(errorName(new DOMException("", "AbortError")), "AbortError");
  assertEquals(errorName(named("ERR_HTTP2_SESSION")), "ERR_HTTP2_SESSION");
  const texts = [
    "",
    "cannot fetch https://example.org/bot1:SECRET",
    "Error\nMedia cache: all is well",
    "x".repeat(65),
    Symbol("x"),
    undefined,
    5,
    {},
  ];
  for (const text of texts) assertEquals(errorName(named(text)), "Error");
  for (const thrown of ["https://example.org/bot1:SECRET", null, 5]) {
    assertEquals(errorName(thrown), typeof thrown);
  }
});

Deno.test("formatEvent() gives a failure one line, whatever the error is called", () => {
  const error = named("Error\nhttps://example.org/bot1:SECRET");
  const base = { time: 0, url: "a:", key: "0".repeat(64), received: 5 };

  const line = formatEvent({ ...base, type: "failed", error });

  assertEquals(
    line,
    "Media cache: download of 000000000000 failed after 5 bytes: Error",
  );
});

Deno.test("formatEvent() says of an error of the cache's own what it says", () => {
  const error = new HttpStatusError(404);
  const base = { time: 0, url: "a:", key: "0".repeat(64), received: 0 };

  const line = formatEvent({ ...base, type: "failed", error });

  assertEquals(
    line,
    `Media cache: download of 000000000000 failed after 0 bytes: HttpStatusError: ${error.message}`,
  );
});
