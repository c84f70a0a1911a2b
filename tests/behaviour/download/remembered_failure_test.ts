/** Failures that are remembered for a while. */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Downloader, HttpStatusError } from "../../../mod.ts";
import { keyOf } from "../../../src/core/text/key.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { agingCache } from "../../fixtures/cache/aging_cache.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import {
  SignedOrigin,
  withoutSignature,
} from "../../fixtures/servers/signed_origin.ts";

const BODY = pattern(50_000);
const get: Downloader = ({ url, signal, headers }) =>
  fetch(url, { signal, headers });
const HOUR_MS = 3_600_000;

/** A downloader that fails, and counts its calls. */
function failing(error: unknown): { calls: number; download: Downloader } {
  const counted = {
    calls: 0,
    download: () => {
      counted.calls++;
      return Promise.reject(error);
    },
  };
  return counted;
}

Deno.test("a URL that has failed rejects with the same error, without a request", async () => {
  await using opened = await emptyCache({ failureTtlMs: HOUR_MS });
  const { cache } = opened;
  const error = new Error("gone");
  const origin = failing(error);

  for (let i = 0; i < 3; i++) {
    const found = await assertRejects(() =>
      cache.getOrDownload("a:", origin.download)
    );
    assertStrictEquals(found, error);
  }

  assertEquals(origin.calls, 1);
  const { failures, failuresRemembered, misses, inFlight } = cache.stats();
  assertEquals(
    { failures, failuresRemembered, misses, inFlight },
    { failures: 1, failuresRemembered: 2, misses: 3, inFlight: 0 },
  );
});

Deno.test("no failure is remembered by default, nor one for which the option gives no time", async () => {
  await using opened = await emptyCache();
  await using choosing = await emptyCache({
    failureTtlMs: (error) =>
      error instanceof HttpStatusError && error.status === 404 ? HOUR_MS : 0,
  });
  const origin = failing(new HttpStatusError(500));
  const gone = failing(new HttpStatusError(404));
  for (let i = 0; i < 2; i++) {
    for (const { cache } of [opened, choosing]) {
      await assertRejects(() => cache.getOrDownload("a:", origin.download));
      await assertRejects(() => cache.getOrDownload("b:", gone.download));
    }
  }
  assertEquals([origin.calls, gone.calls], [4, 3]);
});

for (const how of ["delete", "deleteByKey", "clear"] as const) {
  Deno.test(`${how}() forgets a failure`, async () => {
    await using opened = await emptyCache({
      failureTtlMs: HOUR_MS,
      canonicalUrl: withoutSignature,
    });
    const { cache } = opened;
    const origin = failing(new Error("gone"));
    const url = "a:b?signature=1";
    await assertRejects(() => cache.getOrDownload(url, origin.download));

    const key = how === "deleteByKey" ? keyOf("a:b") : "a:b?signature=2";
    await cache[how](key);

    await assertRejects(() => cache.getOrDownload(url, origin.download));
    assertEquals(origin.calls, 2);
  });
}

Deno.test("a URL whose check has failed is not asked for, and the stored bytes serve", async () => {
  await using aging = await agingCache({
    body: BODY,
    headers: { etag: '"1"' },
  }, { maxAgeMs: 0, failureTtlMs: HOUR_MS, canonicalUrl: withoutSignature });
  const { cache, origin } = aging;
  const read = async (query: string, staleWhileRevalidateMs = 0) => {
    const url = `${origin.url}?signature=${query}`;
    const options = { staleWhileRevalidateMs };
    const media = await cache.getOrDownload(url, get, options);
    return [await media.bytes(), media.stale];
  };
  await read("a");
  origin.status = 404;

  for (let i = 0; i < 3; i++) assertEquals(await read("a"), [BODY, true]);
  assertEquals(await read("a", HOUR_MS), [BODY, true]);
  assertEquals(origin.statuses, [200, 404]);
  const { failures, failuresRemembered, stale } = cache.stats();
  assertEquals([failures, failuresRemembered, stale], [0, 0, 4]);

  // Another link to the same media may work.
  origin.status = undefined;
  assertEquals(await read("b"), [BODY, false]);
  await cache.delete(origin.url);
  assertEquals(await read("a"), [BODY, false]);
  assertEquals(await read("a"), [BODY, false]);
  assertEquals(origin.statuses, [200, 404, 304, 200, 304]);
});

Deno.test("a check that is ended by a deletion is not remembered as a failure", async () => {
  const options = { maxAgeMs: 0, failureTtlMs: HOUR_MS };
  await using aging = await agingCache({ body: BODY }, options);
  const { cache, origin } = aging;
  const read = async () =>
    await (await cache.getOrDownload(origin.url, get)).bytes();
  await read();
  const release = origin.hold();
  const call = read();
  await origin.asked(2);

  await cache.delete(origin.url);
  assertBytes(await call, BODY);
  release();
  assertBytes(await read(), BODY);

  assertEquals(cache.stats().failuresRemembered, 0);
});

Deno.test("a failure of a download that was deleted is not remembered", async () => {
  await using opened = await emptyCache({ failureTtlMs: HOUR_MS });
  const { cache } = opened;
  const answer = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  const first = assertRejects(() =>
    cache.getOrDownload("a:", () => {
      asked.resolve();
      return answer.promise;
    })
  );
  await asked.promise;
  await cache.delete("a:");
  answer.reject(new Error("gone"));
  await first;

  const media = await cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data: BODY }),
  );
  assertBytes(await media.bytes(), BODY);
});

Deno.test("one expired signature never shuts out the valid ones, and shuts out itself", async () => {
  await using origin = new SignedOrigin(
    BODY,
    (signature) => ({ status: signature === "new" ? 200 : 403 }),
  );
  await using opened = await emptyCache({
    failureTtlMs: HOUR_MS,
    canonicalUrl: withoutSignature,
    maxSizeMb: 0,
  });
  const { cache } = opened;
  const old = () => cache.getOrDownload(origin.link("old"), get);

  const first = await assertRejects(old, HttpStatusError);
  const media = await cache.getOrDownload(origin.link("new"), get);
  assertBytes(await media.bytes(), BODY);
  assertStrictEquals(await assertRejects(old), first);

  assertEquals(origin.asked, ["old", "new"]);
});

Deno.test("a link that was refused for another is remembered, and joins downloads without being tried", async () => {
  const gates = ["one", "two"].map(() => Promise.withResolvers<void>());
  await using origin = new SignedOrigin(
    BODY,
    (signature) => ({
      status: signature === "new" ? 200 : 403,
      held: (signature === "old" ? gates[0] : gates[1])!.promise,
    }),
  );
  await using opened = await emptyCache({
    failureTtlMs: HOUR_MS,
    canonicalUrl: withoutSignature,
  });
  const { cache } = opened;
  const call = (link: string) => cache.getOrDownload(origin.link(link), get);

  const first = [call("old"), call("new")];
  await origin.requests(1);
  gates[0]!.resolve();
  await origin.requests(2);
  const joined = call("old");
  gates[1]!.resolve();
  for (const each of [...first, joined]) {
    assertBytes(await (await each).bytes(), BODY);
  }

  await cache.delete(origin.link("new"));
  assertEquals(origin.asked, ["old", "new"]);
  assertEquals(cache.stats().failedOver, 1);
});

Deno.test("a stored entry is a hit, whatever has failed", async () => {
  await using opened = await emptyCache({ failureTtlMs: HOUR_MS });
  const { cache } = opened;
  await assertRejects(() =>
    cache.getOrDownload("a:", failing(new Error("gone")).download)
  );
  await cache.put("a:", BODY, "image/png", "a.png");

  const media = await cache.getOrDownload("a:", get);

  assertEquals(media.source, "memory");
});

Deno.test("a download that the cache or its callers end is no failure to remember", async () => {
  await using opened = await emptyCache({
    failureTtlMs: HOUR_MS,
    whenAbandoned: "abort",
  });
  const { cache } = opened;
  const leaving = new AbortController();
  const asked = Promise.withResolvers<void>();
  const call = assertRejects(() =>
    cache.getOrDownload("a:", () => {
      asked.resolve();
      return new Promise<Response>(() => {});
    }, { signal: leaving.signal })
  );
  await asked.promise;
  leaving.abort();
  await call;

  const media = await cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data: BODY }),
  );
  assertBytes(await media.bytes(), BODY);
});

Deno.test("failureTtlMs must be a number of at least 0, or a function", async () => {
  for (const failureTtlMs of [-1, NaN]) {
    await assertRejects(() => emptyCache({ failureTtlMs }), RangeError);
  }
  await assertRejects(
    // deno-lint-ignore no-explicit-any -- an option of a wrong type
    () => emptyCache({ failureTtlMs: "1" as any }),
    TypeError,
    "failureTtlMs must be a function, or a number of at least 0",
  );
});
