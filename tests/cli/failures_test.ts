import { assertEquals } from "@std/assert";
import { reasonOf } from "../../src/cli/call/failures.ts";

Deno.test("reasonOf() removes URLs from messages", () => {
  const cases: [unknown, string][] = [
    [
      new TypeError(
        "error sending request for url (https://a/b)c?token=s): client error (Connect)",
      ),
      "error sending request for url (URL): client error (Connect)",
    ],
    [new Error("to https://a/b?token=s."), "to URL."],
    [new Error("wss://u:p@a and HTTP://b/"), "URL and URL"],
    ["a plain 'file:///etc' string", "a plain 'URL' string"],
    [new Error("12:30 // no URL"), "12:30 // no URL"],
  ];
  for (const [error, text] of cases) assertEquals(reasonOf(error), text);
});
