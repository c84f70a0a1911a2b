import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { writePair } from "../fixtures/directory/files.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { openFiles } from "../fixtures/directory/open_files.ts";

const MB = 1_048_576;

/**
 * The time of RFC 9110's examples, Sun, 06 Nov 1994 08:49:37 GMT, in seconds.
 */
const EXAMPLE = 784_111_777;
const MEDIA = `/media/${keyOf("a:")}`;
const TRUSTED = { access: "trusted" } as const;

Deno.test("GET /media sends the bytes with their type, length and name", async () => {
  await using router = await mounted(TRUSTED);
  for (const size of [3, 300_000, 5 * MB]) {
    const body = pattern(size);
    await router.cache.put("a:", body, "image/png", "日本.png", {
      replace: true,
    });

    const response = await router.ask(MEDIA);

    const { headers } = response;
    assertEquals(response.status, 200);
    assertEquals(await response.bytes(), body);
    assertEquals(headers.get("Content-Type"), "image/png");
    assertEquals(headers.get("Content-Length"), `${size}`);
    assertEquals(headers.get("Accept-Ranges"), "bytes");
    assertEquals(
      headers.get("Content-Disposition"),
      "inline; filename=\"__.png\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.png",
    );
  }
  assertEquals(router.cache.stats().hits, 3);
});

Deno.test("GET /media shows only safe types in place, and no type can run a script", async () => {
  await using router = await mounted(TRUSTED);
  const types = [
    ["text/html", "page.html"],
    ["image/svg+xml", "drawing.svg"],
    ["application/xhtml+xml", "page.xhtml"],
    ["application/pdf", "paper.pdf"],
    ["text/javascript", "code.js"],
    ["image/gif_then_html", "x.gif"],
    ["video/mp4", "film.mp4"],
    ["audio/ogg", "voice.ogg"],
  ] as const;
  for (const [type, name] of types) {
    await router.cache.put("a:", pattern(10), type, name, { replace: true });
    const { headers, body } = await router.ask(MEDIA);
    await body?.cancel();
    const isSafe = /^(video|audio)/.test(type);

    const shown = isSafe ? type : "application/octet-stream";
    assertEquals(headers.get("Content-Type"), shown);
    const disposition = headers.get("Content-Disposition") ?? "";
    assert(disposition.startsWith(isSafe ? "inline" : "attachment"), type);
    assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
    assertEquals(
      headers.get("Content-Security-Policy"),
      "default-src 'none'; sandbox",
    );
    assertEquals(headers.get("Cross-Origin-Resource-Policy"), "same-origin");
  }
});

Deno.test("HEAD /media sends the same headers, opens no file and counts nothing", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(5 * MB), "video/mp4", "a.mp4");
  const whole = await router.ask(MEDIA);
  // A server may still be reading a file for a cancelled request.
  await whole.bytes();
  const before = router.cache.stats();

  const head = await router.ask(MEDIA, { method: "HEAD" });

  assertEquals(await head.text(), "");
  assertEquals(head.status, 200);
  for (
    const name of ["ETag", "Content-Type", "Content-Length", "Last-Modified"]
  ) {
    assertEquals(head.headers.get(name), whole.headers.get(name), name);
  }
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

Deno.test("GET /media sends single ranges, also of large bodies", async () => {
  await using router = await mounted(TRUSTED);
  const body = pattern(5 * MB);
  await router.cache.put("a:", body, "video/mp4", "a.mp4");
  const ranges: [string, number, number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=100-", 100, body.length],
    [`bytes=${4 * MB}-${4 * MB + 9}`, 4 * MB, 4 * MB + 10],
    ["bytes=-10", body.length - 10, body.length],
  ];
  for (const [Range, start, end] of ranges) {
    const response = await router.ask(MEDIA, { headers: { Range } });

    assertEquals(response.status, 206);
    assertEquals(
      response.headers.get("Content-Range"),
      `bytes ${start}-${end - 1}/${body.length}`,
    );
    assertEquals(response.headers.get("Content-Length"), `${end - start}`);
    assertEquals(await response.bytes(), body.subarray(start, end));
  }
  assertEquals(openFiles(router.dir), []);
});

Deno.test("GET /media answers several ranges with the whole body, and a range beyond the end with 416", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(5 * MB), "video/mp4", "a.mp4");

  const several = await router.ask(MEDIA, {
    headers: { Range: "bytes=0-1,5-6" },
  });
  assertEquals(several.status, 200);
  assertEquals((await several.bytes()).length, 5 * MB);

  const beyond = await router.ask(MEDIA, { headers: { Range: "bytes=9e9-" } });
  assertEquals(await statusOf(Promise.resolve(beyond)), 200, "no integer");
  const far = await router.ask(MEDIA, {
    headers: { Range: `bytes=${5 * MB}-` },
  });
  assertEquals(far.status, 416);
  assertEquals(far.headers.get("Content-Range"), `bytes */${5 * MB}`);
  await far.body?.cancel();
  assertEquals(openFiles(router.dir), []);
});

Deno.test("GET /media follows a range only for the version that If-Range names", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(100), "image/png", "a.png");
  const first = await router.ask(MEDIA);
  await first.body?.cancel();
  const status = (ifRange: string) =>
    statusOf(router.ask(MEDIA, {
      headers: { "Range": "bytes=0-9", "If-Range": ifRange },
    }));

  assertEquals(await status(first.headers.get("ETag")!), 206);
  assertEquals(await status(`W/${first.headers.get("ETag")}`), 200);
  assertEquals(await status('"other"'), 200);
  assertEquals(await status("*"), 200);
  assertEquals(await status("Thu, 01 Jan 1970 00:00:00 GMT"), 200);
  // Another version within the same second would have the same date.
  assertEquals(await status(first.headers.get("Last-Modified")!), 200);
});

Deno.test("GET /media follows a range for the exact date of an entry that is old enough", async () => {
  await using router = await mounted(TRUSTED);
  await writePair(router.dir, "a:", pattern(100), { sidecar: { ts: EXAMPLE } });
  const status = (ifRange: string) =>
    statusOf(router.ask(MEDIA, {
      headers: { "Range": "bytes=0-9", "If-Range": ifRange },
    }));

  assertEquals(await status("Sun, 06 Nov 1994 08:49:37 GMT"), 206);
  assertEquals(await status("Sun, 06 Nov 1994 08:49:38 GMT"), 200);
  assertEquals(await status("Sun, 06 Nov 1994 08:49:36 GMT"), 200);
  assertEquals(await status("foo 1"), 200);
});

Deno.test("ranges of an entry that is replaced between them are never mixed", async () => {
  await using router = await mounted(TRUSTED);
  const put = (seed: number) =>
    router.cache.put("a:", pattern(100, seed), "image/png", "a.png", {
      replace: true,
    });
  await put(1);
  const first = await router.ask(MEDIA, { headers: { Range: "bytes=0-49" } });
  assertEquals(await first.bytes(), pattern(100, 1).subarray(0, 50));
  await put(2);

  for (const name of ["ETag", "Last-Modified"]) {
    const rest = await router.ask(MEDIA, {
      headers: { Range: "bytes=50-", "If-Range": first.headers.get(name)! },
    });

    assertEquals(rest.status, 200, name);
    assertEquals(await rest.bytes(), pattern(100, 2));
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

Deno.test("an answer without the body states its version, and nothing of its content", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(100), "image/png", "a.png");
  const whole = await router.ask(MEDIA);
  await whole.bytes();
  const etag = whole.headers.get("ETag")!;
  const kept = [
    "cache-control",
    "content-security-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "last-modified",
    "x-content-type-options",
  ];
  const cases = [
    [304, { "If-None-Match": etag }, []],
    [412, { "If-Match": '"x"' }, ["content-length"]],
    [416, { Range: "bytes=100-" }, [
      "accept-ranges",
      "content-length",
      "content-range",
    ]],
  ] as const;
  for (const path of [MEDIA, `/preview/${keyOf("a:")}`]) {
    for (const [status, headers, more] of cases) {
      const response = await router.ask(path, { headers });

      assertEquals([response.status, await response.text()], [status, ""]);
      assertEquals([...response.headers.keys()], [...kept, ...more].sort());
      assertEquals(response.headers.get("ETag"), etag);
      assertMatch(response.headers.get("content-length") ?? "0", /^0$/);
    }
  }
});

Deno.test("GET /media follows only valid HTTP-dates", async () => {
  await using router = await mounted(TRUSTED);
  await writePair(router.dir, "a:", pattern(9), { sidecar: { ts: EXAMPLE } });
  const status = (name: string, value: string) =>
    statusOf(router.ask(MEDIA, { headers: { [name]: value } }));
  const same = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ];
  const before = [
    "Sun, 06 Nov 1994 08:49:36 GMT",
    "Sunday, 06-Nov-94 08:49:36 GMT",
    "Sun Nov  6 08:49:36 1994",
  ];
  const none = ["2030", "foo 1", "2030-01-01", `${same[0]}, ${same[0]}`];

  for (const date of same) {
    assertEquals(await status("If-Modified-Since", date), 304, date);
    assertEquals(await status("If-Unmodified-Since", date), 200, date);
  }
  for (const date of before) {
    assertEquals(await status("If-Modified-Since", date), 200, date);
    assertEquals(await status("If-Unmodified-Since", date), 412, date);
  }
  for (const date of [...none, "1970", "foo 0"]) {
    assertEquals(await status("If-Modified-Since", date), 200, date);
    assertEquals(await status("If-Unmodified-Since", date), 200, date);
  }
});

Deno.test("Last-Modified is never later than the Date of its answer", async () => {
  await using router = await mounted(TRUSTED);
  const now = Date.now() / 1000;
  for (const [index, ts] of [now + 3600, now * 10, 1e300].entries()) {
    await writePair(router.dir, `${index}:`, pattern(9), { sidecar: { ts } });
    const path = `/media/${keyOf(`${index}:`)}`;

    const { headers } = await router.ask(path, { method: "HEAD" });

    const [modified, date] = [
      headers.get("Last-Modified")!,
      headers.get("Date")!,
    ];
    assert(Date.parse(modified) <= Date.parse(date), `${modified} > ${date}`);
    const range = { Range: "bytes=0-1", "If-Range": modified };
    assertEquals(await statusOf(router.ask(path, { headers: range })), 200);
  }
  for (let i = 0; i < 50; i++) {
    await router.cache.put(`new${i}:`, pattern(9), "image/png", "a.png");
    const path = `/media/${keyOf(`new${i}:`)}`;

    const { headers } = await router.ask(path, { method: "HEAD" });

    const [modified, date] = [
      headers.get("Last-Modified")!,
      headers.get("Date")!,
    ];
    assert(Date.parse(modified) <= Date.parse(date), `${modified} > ${date}`);
  }
});

Deno.test("If-Match and If-None-Match match whole entity tags only", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(10), "image/png", "a.png");
  const head = await router.ask(MEDIA, { method: "HEAD" });
  const etag = head.headers.get("ETag")!;
  const status = (name: string, value: string) =>
    statusOf(router.ask(MEDIA, { headers: { [name]: value } }));
  const lists: [list: string, match: number, noneMatch: number][] = [
    [etag, 200, 304],
    [`"a,b" , ${etag}`, 200, 304],
    [`,${etag},`, 200, 304],
    ["*", 200, 304],
    [`W/${etag}`, 412, 304],
    [`w/${etag}`, 412, 200],
    [`x${etag}`, 412, 200],
    [`"x" ${etag}`, 412, 200],
    [etag.slice(1, -1), 412, 200],
    [`"*"`, 412, 200],
  ];
  for (const [list, match, noneMatch] of lists) {
    assertEquals(await status("If-Match", list), match, list);
    assertEquals(await status("If-None-Match", list), noneMatch, list);
  }
});

Deno.test("GET /media sends no body that the client has, and does not count the request", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(5 * MB), "video/mp4", "a.mp4");
  const first = await router.ask(MEDIA);
  await first.bytes();
  const etag = first.headers.get("ETag")!;
  assertMatch(etag, /^"[\w-]+"$/);
  const since = first.headers.get("Last-Modified")!;
  const { hits } = router.cache.stats();
  const status = (headers: Record<string, string>, method = "GET") =>
    statusOf(router.ask(MEDIA, { headers, method }));

  assertEquals(await status({ "If-None-Match": etag }), 304);
  assertEquals(await status({ "If-None-Match": etag }, "HEAD"), 304);
  assertEquals(await status({ "If-None-Match": `"x", W/${etag}` }), 304);
  assertEquals(await status({ "If-None-Match": "*" }), 304);
  assertEquals(await status({ "If-Modified-Since": since }), 304);
  assertEquals(await status({ "If-Match": '"x"' }), 412);
  const long = "Thu, 01 Jan 1970 00:00:00 GMT";
  assertEquals(await status({ "If-Unmodified-Since": long }), 412);
  assertEquals(router.cache.stats().hits, hits);
  assertEquals(openFiles(router.dir), []);

  assertEquals(await status({ "If-None-Match": '"x"' }), 200);
  assertEquals(await status({ "If-Modified-Since": long }), 200);
  assertEquals(await status({ "If-Modified-Since": "yesterday" }), 200);
  assertEquals(await status({ "If-Match": etag }), 200);
  assertEquals(await status({ "If-Unmodified-Since": since }), 200);
  const both = { "If-None-Match": '"x"', "If-Modified-Since": since };
  assertEquals(await status(both), 200);
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

Deno.test("an ETag is the digest if the sidecar has a digest", async () => {
  await using router = await mounted(TRUSTED);
  const sha256 = "0F".repeat(32);
  await writePair(router.dir, "a:", pattern(10), { sidecar: { sha256 } });
  await writePair(router.dir, "b:", pattern(10), {
    sidecar: { sha256: 'x"\r\nSet-Cookie: a', ts: 0 },
  });

  const { headers } = await router.ask(MEDIA, { method: "HEAD" });
  assertEquals(headers.get("ETag"), `"${sha256.toLowerCase()}"`);
  const odd = await router.ask(`/media/${keyOf("b:")}`);
  assertEquals((await odd.bytes()).length, 10);
  assertMatch(odd.headers.get("ETag") ?? "", /^"[0-9a-f]{16}-0"$/);
  assertEquals(odd.headers.get("Last-Modified"), null);
});

Deno.test("a client that leaves early leaves no file open", async () => {
  await using router = await mounted(TRUSTED);
  await router.cache.put("a:", pattern(8 * MB), "video/mp4", "a.mp4");
  for (const headers of [{}, { Range: "bytes=5-" }]) {
    const { body } = await router.ask(MEDIA, { headers });
    const reader = body!.getReader();
    await reader.read();
    await reader.cancel();
  }
  // The server notices at its next write; the whole body shows that it
  // continues.
  await (await router.ask(MEDIA)).bytes();

  while (openFiles(router.dir).length > 0) {
    await (await router.ask("/stats")).body?.cancel();
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
