/** The downloads that count as failed, and the events about them. */
import { assertEquals, assertRejects } from "@std/assert";
import type { Downloader } from "../../../mod.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";

const get: Downloader = ({ url, signal }) => fetch(url, { signal });

/** A URL without a server. */
function refusing(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return `http://127.0.0.1:${listener.addr.port}/bot1:SECRET`;
}

const FAILURES: [what: string, downloader: Downloader, facts: unknown[]][] = [
  ["a status", () => Promise.resolve(new Response("", { status: 404 })), [
    "HttpStatusError",
    undefined,
    404,
  ]],
  ["a connection that is refused", () => fetch(refusing()), [
    "TypeError",
    "ECONNREFUSED",
    undefined,
  ]],
  [
    "a downloader's error",
    () => Promise.reject(Object.assign(new RangeError(), { code: "E_MINE" })),
    ["RangeError", "E_MINE", undefined],
  ],
  [
    "a downloader's own abort",
    () => Promise.reject(new DOMException("", "AbortError")),
    ["AbortError", undefined, undefined],
  ],
  [
    "a body of a wrong length",
    () => Promise.resolve({ data: new Blob(["abc"]).stream(), size: 9 }),
    ["IncompleteBodyError", undefined, undefined],
  ],
  [
    "a body that is too large",
    () => Promise.resolve({ data: new Uint8Array(2_000_000) }),
    ["TooLargeError", undefined, undefined],
  ],
  [
    "silence",
    () => new Promise(() => {}),
    ["DownloadTimeoutError", undefined, undefined],
  ],
];

for (const [what, downloader, facts] of FAILURES) {
  Deno.test(`a download that fails with ${what} counts once, for any number of callers`, async () => {
    await using it = await emptyCache({ idleTimeoutMs: 100, maxDownloadMb: 1 });
    const call = () =>
      it.cache.getOrDownload("https://a/bot1:SECRET", downloader)
        .then((media) => media.bytes());

    const results = await Promise.allSettled([call(), call(), call()]);

    assertEquals(results.map(({ status }) => status), [
      "rejected",
      "rejected",
      "rejected",
    ]);
    assertEquals(it.cache.stats().failures, 1);
    assertEquals(
      it.recorder.of("failed").map(({ name, code, status }) => [
        name,
        code,
        status,
      ]),
      [facts],
    );
    await call().catch(() => {});
    assertEquals(it.cache.stats().failures, 2);
  });
}

Deno.test("a download that breaks after every caller has left counts", async () => {
  await using it = await emptyCache();
  const { tap, call } = await begin(it.cache, "a:");
  tap.write(pattern(10));
  const media = await call;
  await media[Symbol.asyncDispose]();

  tap.fail(new Error("broken"));

  assertEquals(await media.stored, false);
  assertEquals(it.cache.stats().failures, 1);
});

Deno.test("downloads ended by callers, delete() or close() do not count as failures", async () => {
  await using it = await emptyCache({ whenAbandoned: "abort" });
  const { cache, recorder } = it;
  const abandoned = await begin(cache, "abandoned:");
  abandoned.tap.write(pattern(10));
  await (await abandoned.call)[Symbol.asyncDispose]();
  await recorder.seen("failed", 1);

  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  const waiting = cache.getOrDownload("waiting:", () => {
    asked.resolve();
    return new Promise(() => {});
  }, { signal: controller.signal });
  await asked.promise;
  controller.abort();
  await assertRejects(() => waiting);
  await recorder.seen("failed", 2);

  const deleted = await begin(cache, "deleted:");
  deleted.tap.write(pattern(10));
  const media = await deleted.call;
  await cache.delete("deleted:");
  await media[Symbol.asyncDispose]();
  await recorder.seen("failed", 3);

  const closed = await begin(cache, "closed:");
  closed.tap.write(pattern(10));
  await using _unread = await closed.call;
  await cache.close({ abort: true });
  await recorder.seen("failed", 4);

  assertEquals(cache.stats().failures, 0);
});

Deno.test("failures of other calls do not count", async () => {
  await using it = await emptyCache({ maxEntryMb: 0.001 });
  const { cache } = it;
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Error("broken")),
  });
  await assertRejects(() => cache.put("put:", broken, "image/png", "a.png"));
  const empty = await cache
    .getOrDownload("empty:", () => Promise.resolve(new Response("")));
  assertEquals(await empty.stored, false);
  const large = await cache.getOrDownload(
    "large:",
    () => Promise.resolve({ data: pattern(5000) }),
  );
  assertEquals((await large.bytes()).length, 5000);
  await assertRejects(() =>
    cache.getOrDownload("a:", get, { signal: AbortSignal.abort() })
  );

  assertEquals(cache.stats().failures, 0);
});
