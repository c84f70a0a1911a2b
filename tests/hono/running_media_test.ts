import { assertEquals, assertRejects } from "@std/assert";
import { keyOf } from "../../src/core/text/key.ts";
import { begin } from "../fixtures/cache/begun.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { RUNNING_CASES } from "../fixtures/servers/media_cases.ts";
import { mounted, statusOf } from "../fixtures/servers/mounted.ts";
import { turn } from "../fixtures/cache/recorder.ts";

const MEDIA = `/media/${keyOf("a:")}`;
const TRUSTED = { access: "trusted" } as const;

for (const [what, test] of RUNNING_CASES) {
  Deno.test(`GET /media ${what}`, async () => {
    await using router = await mounted(TRUSTED);
    await test(router);
  });
}

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
