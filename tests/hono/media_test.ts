import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { writePair } from "../fixtures/directory/files.ts";
import { STORED_CASES } from "../fixtures/servers/media_cases.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { openFiles } from "../fixtures/directory/open_files.ts";

const MB = 1_048_576;

/**
 * The time of RFC 9110's examples, Sun, 06 Nov 1994 08:49:37 GMT, in seconds.
 */
const EXAMPLE = 784_111_777;
const MEDIA = `/media/${keyOf("a:")}`;
const TRUSTED = { access: "trusted" } as const;

for (const [what, test] of STORED_CASES) {
  Deno.test(`GET /media ${what}`, async () => {
    await using router = await mounted(TRUSTED);
    await test(router);
  });
}

Deno.test("GET /media does not count a request that needs no body", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(5 * MB), "video/mp4", "a.mp4");
  const whole = await router.ask(MEDIA);
  await whole.bytes();
  const etag = whole.headers.get("ETag")!;
  const { hits } = router.cache.stats();

  for (const method of ["GET", "HEAD"]) {
    for (const name of ["If-None-Match", "If-Match"]) {
      const value = name === "If-Match" ? '"x"' : etag;
      const headers = { [name]: value };
      const status = await statusOf(router.ask(MEDIA, { method, headers }));
      assertEquals(status, name === "If-Match" ? 412 : 304);
    }
  }

  assertEquals(router.cache.stats().hits, hits);
  assertEquals(openFiles(router.dir), []);
});

Deno.test("HEAD /media opens no file and counts nothing", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(5 * MB), "video/mp4", "a.mp4");
  const whole = await router.ask(MEDIA);
  // A server may still be reading a file for a cancelled request.
  await whole.bytes();
  const before = router.cache.stats();

  const head = await router.ask(MEDIA, { method: "HEAD" });

  assertEquals(await head.text(), "");
  assertEquals(head.status, 200);
  assertEquals(router.cache.stats(), before);
  assertEquals(openFiles(router.dir), []);
  const unknown = router.ask(`/media/${keyOf("b:")}`, { method: "HEAD" });
  assertEquals(await statusOf(unknown), 404);
});

Deno.test("GET /media of a missing entry is 404", async () => {
  await using router = await mounted(TRUSTED);

  for (const key of [keyOf("b:"), "x", "..%2f..%2fetc%2fpasswd", "%00"]) {
    assertEquals(await statusOf(router.ask(`/media/${key}`)), 404, key);
  }
});

Deno.test("a condition is checked against the version that is sent, even if an entry changes meanwhile", async () => {
  await using router = await mounted(TRUSTED);
  const { cache } = router;
  const put = (seed: number) =>
    cache.put("a:", pattern(100, seed), "image/png", "a.png", {
      replace: true,
    });
  await put(1);
  const head = await router.ask(MEDIA, { method: "HEAD" });
  const look = cache.infoByKey.bind(cache);
  cache.infoByKey = async (key) => {
    const info = await look(key);
    await put(2);
    return info;
  };

  const headers = { "If-Match": head.headers.get("ETag")! };
  const response = await router.ask(MEDIA, { headers });

  assertEquals([response.status, await response.text()], [412, ""]);
  assertEquals(openFiles(router.dir), []);
});

Deno.test("an ETag differs between versions, with and without a digest, and survives a restart", async () => {
  for (const size of [10, 100_000]) {
    await using router = await mounted(TRUSTED);
    const etag = async (from = router) =>
      (await from.ask(MEDIA, { method: "HEAD" })).headers.get("ETag");
    await router.cache.put("a:", pattern(size), "image/png", "a.png");
    const first = await etag();
    await router.cache.put("a:", pattern(size, 2), "image/png", "a.png", {
      replace: true,
    });
    const second = await etag();
    assertNotEquals(second, first);
    await router.cache.close();

    await using again = await mounted(TRUSTED, { cacheDir: router.dir });
    assertEquals(await etag(again), second);
  }
});

Deno.test("DELETE /media removes an entry once", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(10), "image/png", "a.png");
  const remove = () => statusOf(router.ask(MEDIA, { method: "DELETE" }));

  assertEquals([await remove(), await remove()], [204, 404]);
  assertEquals(router.cache.stats().entries, 0);
});

Deno.test("DELETE /media follows the conditions of a request, and never answers 304", async () => {
  await using router = await mounted(TRUSTED);
  await writePair(router.dir, "a:", pattern(9), { sidecar: { ts: EXAMPLE } });
  const head = await router.ask(MEDIA, { method: "HEAD" });
  const etag = head.headers.get("ETag") ?? "";
  const remove = (headers: Record<string, string>) =>
    statusOf(router.ask(MEDIA, { method: "DELETE", headers }));
  const before = "Sun, 06 Nov 1994 08:49:36 GMT";

  assertEquals(await remove({ "If-Match": '"x"' }), 412);
  assertEquals(await remove({ "If-Match": `W/${etag}` }), 412);
  assertEquals(await remove({ "If-Unmodified-Since": before }), 412);
  assertEquals(await remove({ "If-None-Match": etag }), 412);
  assertEquals(await remove({ "If-None-Match": "*" }), 412);
  assert(await router.cache.has("a:"));
  assertEquals(
    await remove({ "If-Match": etag, "If-Modified-Since": before }),
    204,
  );
  assert(!await router.cache.has("a:"));
  assertEquals(await remove({ "If-Match": etag }), 404);
});

Deno.test("GET /preview shows safe types, and changes nothing", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(10), "image/png", "a.png");
  await router.cache.put("b:", pattern(10), "text/html", "b.html");
  const before = router.cache.stats();

  const shown = await router.ask(`/preview/${keyOf("a:")}`);
  assertEquals(await shown.bytes(), pattern(10));
  assertMatch(shown.headers.get("Cache-Control") ?? "", /max-age=\d+/);
  for (const url of ["b:", "c:"]) {
    assertEquals(await statusOf(router.ask(`/preview/${keyOf(url)}`)), 404);
  }

  assertEquals(router.cache.stats(), before);
});
