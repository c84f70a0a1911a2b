/**
 * Names and types that a hostile sender states, in headers that the router
 * sends on a socket.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import {
  HOSTILE_NAMES,
  HOSTILE_TYPES,
} from "../fixtures/inputs/hostile_text.ts";
import { mounted } from "../fixtures/servers/mounted.ts";

const TRUSTED = { access: "trusted" } as const;

/** The lines of an answer before its body, as they arrived. */
async function headOf(url: string, method: string): Promise<string[]> {
  const { hostname, port, pathname } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const request =
    `${method} ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`;
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(request));
  writer.releaseLock();
  let text = "";
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    // One character a byte, so that bytes that are not UTF-8 show.
    text += String.fromCharCode(...buffer.subarray(0, count));
  }
  const end = text.indexOf("\r\n\r\n");
  assert(end > 0);
  return text.slice(0, end).split("\r\n");
}

const NAMES = new Set([
  "accept-ranges",
  "cache-control",
  "connection",
  "content-disposition",
  "content-length",
  "content-security-policy",
  "content-type",
  "cross-origin-resource-policy",
  "date",
  "etag",
  "last-modified",
  "vary",
  "x-content-type-options",
]);

Deno.test("no name and no type adds or breaks a line in an answer of the router", async () => {
  await using router = await mounted(TRUSTED);
  const cases = [
    ...HOSTILE_NAMES.map((name) => [name, "image/png"]),
    ...HOSTILE_NAMES.map((name) => [name, "text/html"]),
    ...HOSTILE_TYPES.map((type) => ["a.png", type]),
  ];
  for (const [index, [name = "", type = ""]] of cases.entries()) {
    const url = `https://example.org/${index}`;
    await router.cache.put(url, pattern(9), type, name);
    for (const method of ["GET", "HEAD"]) {
      const path = `${router.url}/media/${keyOf(url)}`;
      const [status, ...lines] = await headOf(path, method);

      assertEquals(status, "HTTP/1.1 200 OK");
      for (const line of lines) {
        const [, header = ""] = /^([a-z-]+): [ -~]+$/.exec(line) ?? [];
        assert(NAMES.has(header), JSON.stringify(line));
      }
      const disposition = lines.filter((line) =>
        line.startsWith("content-disposition: ")
      );
      assertEquals(disposition.length, 1);
      assertMatch(
        disposition[0] ?? "",
        /^content-disposition: (?:inline|attachment); filename="[ !#-[\]-~]+"(?:; filename\*=UTF-8''[\w!#$&+.^`|~%-]+)?$/,
      );
    }
  }
});

Deno.test("no name and no URL adds markup to a page, or a line to JSON", async () => {
  await using router = await mounted(TRUSTED);
  const evil = '"><script src=x></script><img src=x onerror=alert(1)>&amp;';
  const names = [...HOSTILE_NAMES, evil];
  for (const [index, name] of names.entries()) {
    const url = `https://example.org/${index}?${name}${evil}`;
    await router.cache.put(url, pattern(9), "image/png", name);
    const view = await router.ask(`/view/${keyOf(url)}`);
    assertEquals(view.status, 200);
    const page = await view.text();
    assert(!page.includes("<script src=x") && !page.includes("<img src=x"));
  }

  for (const path of ["", "/dashboard/sections"]) {
    const page = await (await router.ask(path)).text();
    assert(!page.includes("<script src=x") && !page.includes("<img src=x"));
  }
  const { entries } = await (await router.ask("/entries")).json();
  assertEquals(entries.length, names.length);
});
