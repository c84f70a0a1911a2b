import { assertEquals, assertRejects } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { begin } from "../fixtures/cache/begun.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { turn } from "../fixtures/cache/recorder.ts";

const MEDIA = `/media/${keyOf("a:")}`;
const TRUSTED = { access: "trusted" } as const;

Deno.test("GET /media joins a running download and streams it", async () => {
  await using router = await mounted(TRUSTED);
  const facts = { mimetype: "video/mp4", filename: "a.mp4" };
  const { tap, call } = await begin(router.cache, "a:", facts);
  tap.write(pattern(1000));
  await using _first = await call;

  const response = await router.ask(MEDIA);
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  assertEquals(value, pattern(1000));
  assertEquals(response.headers.get("Content-Type"), "video/mp4");
  assertEquals(response.headers.get("ETag"), null);
  assertEquals(response.headers.get("Content-Length"), null);
  tap.end();

  assertEquals((await reader.read()).done, true);
  assertEquals(router.cache.stats().coalesced, 1);
});

Deno.test("GET /media sends a range of a running download as soon as its bytes have arrived", async () => {
  await using router = await mounted(TRUSTED);
  const facts = { mimetype: "video/mp4", size: 2000 };
  const { tap, call } = await begin(router.cache, "a:", facts);
  tap.write(pattern(1000));
  await using _first = await call;

  const response = await router.ask(MEDIA, {
    headers: { Range: "bytes=10-19" },
  });

  assertEquals(response.status, 206);
  assertEquals(response.headers.get("Content-Range"), "bytes 10-19/2000");
  assertEquals(await response.bytes(), pattern(1000).subarray(10, 20));
  tap.write(pattern(1000));
  tap.end();
});

Deno.test("HEAD /media states the certain facts of a running download, and does not join it", async () => {
  await using router = await mounted(TRUSTED);
  const film = { mimetype: "video/mp4", filename: "a.mp4", size: 7 };
  const { tap, call } = await begin(router.cache, "a:", film);
  tap.write(pattern(6));
  await using _media = await call;
  const { headers } = await router.ask(MEDIA, { method: "HEAD" });
  assertEquals(headers.get("Content-Type"), "video/mp4");
  assertEquals(headers.get("Content-Length"), "7");
  tap.write(pattern(1));
  tap.end();

  assertEquals(router.cache.stats().coalesced, 0);
});

Deno.test("HEAD /media states no type and no length of a body that may become a video, whatever its label", async () => {
  await using router = await mounted(TRUSTED);
  for (const mimetype of ["image/gif", "image/png", "video/mp4"]) {
    const url = `${mimetype}:`;
    const facts = { mimetype, filename: "b.gif", size: 9 };
    const { tap, call } = await begin(router.cache, url, facts);
    const head = async () => {
      const path = `/media/${keyOf(url)}`;
      const { status, headers } = await router.ask(path, { method: "HEAD" });
      assertEquals(status, 200);
      return ["Content-Type", "Content-Length", "Content-Disposition"]
        .map((name) => headers.get(name) ?? "0").join();
    };

    assertEquals(await head(), "0,0,0");
    tap.write(new TextEncoder().encode("GIF89a"));
    while (router.cache.inFlight()[0]?.received !== 6) await turn();
    assertEquals(await head(), "0,0,0");
    tap.write(pattern(3));
    tap.end();
    await (await call).bytes();
  }
  assertEquals(router.cache.stats().coalesced, 0);
});

Deno.test("a running download has no version for a condition or a range", async () => {
  await using router = await mounted(TRUSTED);
  const { tap, call } = await begin(router.cache, "a:", { size: 20 });
  tap.write(pattern(10));
  await using _first = await call;
  const date = "Fri, 31 Dec 9999 23:59:59 GMT";
  const cases: [number, Record<string, string>][] = [
    [412, { "If-Match": '"x"' }],
    [200, { "If-Match": "*" }],
    [304, { "If-None-Match": "*" }],
    [200, { "If-None-Match": '"x"' }],
    [200, { "If-Modified-Since": date }],
    [200, { "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" }],
  ];

  for (const [status, headers] of cases) {
    for (const method of ["GET", "HEAD"]) {
      const response = router.ask(MEDIA, { method, headers });
      assertEquals(await statusOf(response), status, JSON.stringify(headers));
    }
  }
  for (const ifRange of ['"x"', date]) {
    const headers = { Range: "bytes=0-1", "If-Range": ifRange };
    assertEquals(await statusOf(router.ask(MEDIA, { headers })), 200);
  }
  tap.end();
});

Deno.test("GET /media breaks off when the download does, and never ends as if complete", async () => {
  await using router = await mounted(TRUSTED);
  const { tap, call } = await begin(router.cache, "a:");
  tap.write(pattern(1000));
  await using _first = await call;

  const response = await router.ask(MEDIA);
  tap.fail(new Error("gone"));

  await assertRejects(() => response.bytes());
});

Deno.test("GET /media is 502 when a download fails before its type is known, and shows no URL", async () => {
  await using router = await mounted(TRUSTED);
  const { tap, call } = await begin(router.cache, "a:");
  const failing = assertRejects(() => call);
  const asking = router.ask(MEDIA);
  while (router.cache.stats().coalesced === 0) {
    await statusOf(router.ask("/stats"));
  }
  tap.fail(new Error("https://example.org/bot123:secret is gone"));

  const response = await asking;
  assertEquals(response.status, 502);
  assertEquals(await response.text(), "The download failed\n");
  await failing;
});

for (
  const [what, path] of [
    ["an address", MEDIA],
    ["a link of the dashboard", `/?to=${MEDIA.slice(1)}`],
  ] as const
) {
  Deno.test(`a client of ${what} that goes away while a download is silent leaves the download`, async () => {
    await using router = await mounted(TRUSTED, { whenAbandoned: "abort" });
    const first = new AbortController();
    const asked = Promise.withResolvers<AbortSignal>();
    const call = assertRejects(() =>
      router.cache.getOrDownload("a:", ({ signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      }, { signal: first.signal })
    );
    const download = await asked.promise;
    const ended = new Promise((resolve) => {
      download.addEventListener("abort", resolve, { once: true });
    });
    const client = new AbortController();
    const asking = assertRejects(() =>
      router.ask(path, { signal: client.signal })
    );
    while (router.cache.stats().coalesced === 0) {
      await statusOf(router.ask("/stats"));
    }
    first.abort();
    await call;
    assertEquals(router.cache.inFlight().length, 1);

    client.abort();
    await asking;

    await ended;
    // Ended because no reader is left, and not because of its silence.
    assertEquals(download.reason.name, "AbortError");
  });
}

Deno.test("DELETE /media detaches a running download", async () => {
  await using router = await mounted(TRUSTED);
  const { tap, call } = await begin(router.cache, "a:");
  tap.write(pattern(10));
  const media = await call;

  const deletion = router.ask(MEDIA, { method: "DELETE" });
  assertEquals(await statusOf(deletion), 204);
  const bytes = media.bytes();
  tap.end();

  assertEquals(await bytes, pattern(10));
  assertEquals(await media.stored, false);
});
