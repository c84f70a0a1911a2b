/** Failures before the first byte that are tried again. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  CacheClosedError,
  type Downloader,
  HttpStatusError,
} from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { turn } from "../../fixtures/cache/recorder.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { withoutSignature } from "../../fixtures/servers/signed_origin.ts";
import { RawServer } from "../../fixtures/servers/raw_server.ts";
import { HastenedWaits } from "../../fixtures/time/hastened_waits.ts";

const BODY = pattern(50_000);
const HEADERS = { "Content-Type": "application/x-test" };
const get: Downloader = ({ url, signal, headers }) =>
  fetch(url, { signal, headers });

/** A server that answers with these statuses, and then with the body; 0 closes the connection. */
function failing(...statuses: number[]): RawServer {
  return new RawServer(({ index }) => {
    const status = statuses[index] ?? 200;
    if (status === 0) return undefined;
    return { status, headers: HEADERS, body: BODY };
  });
}

for (const status of [408, 429, 502, 503, 504, 0]) {
  const what = status === 0 ? "no answer" : `status ${status}`;
  Deno.test(`100 callers share one chain of retries after ${what}`, async () => {
    using waits = new HastenedWaits();
    await using server = failing(status, status);
    await using opened = await emptyCache({ retries: 2 });
    const { cache, recorder } = opened;

    const calls = Array.from(
      { length: 100 },
      () => cache.getOrDownload(server.url(), get),
    );
    for (const call of calls) assertBytes(await (await call).bytes(), BODY);

    assertEquals(server.asked.length, 3);
    const [first = 0, second = 0] = waits.all;
    assertEquals(waits.all.length, 2);
    assert(first >= 300 && first <= 600, `${first}`);
    assert(second >= 300 && second <= 1_200, `${second}`);
    const { retried, failures, misses, coalesced } = cache.stats();
    assertEquals(
      { retried, failures, misses, coalesced },
      { retried: 2, failures: 0, misses: 100, coalesced: 99 },
    );
    assertEquals(recorder.of("miss").length, 1);
  });
}

Deno.test("nothing is retried by default, and after any other failure", async () => {
  const passing = failing(503);
  const others = failing(500, 404, 501);
  await using opened = await emptyCache();
  await using retrying = await emptyCache({ retries: 2 });

  await assertRejects(
    () => opened.cache.getOrDownload(passing.url(), get),
    HttpStatusError,
  );
  for (const status of [500, 404, 501]) {
    const error = await assertRejects(
      () => retrying.cache.getOrDownload(others.url(), get),
      HttpStatusError,
    );
    assertEquals(error.status, status);
  }

  assertEquals([passing.asked.length, others.asked.length], [1, 3]);
  for (const server of [passing, others]) await server[Symbol.asyncDispose]();
});

Deno.test("when all retries have failed, callers get the last error, and the next call tries again", async () => {
  using _waits = new HastenedWaits();
  await using server = failing(503, 502, 504, 0, 0, 0);
  await using opened = await emptyCache({ retries: 2 });
  const { cache } = opened;

  const error = await assertRejects(
    () => cache.getOrDownload(server.url(), get),
    HttpStatusError,
  );
  assertEquals([error.status, server.asked.length], [504, 3]);
  await assertRejects(() => cache.getOrDownload(server.url(), get), TypeError);
  assertEquals([server.asked.length, cache.stats().failures], [6, 2]);
  await opened.assertEmpty();
});

Deno.test("a call has retries of its own, and callers that share a download the most of them", async () => {
  using _waits = new HastenedWaits();
  await using server = failing(503, 503, 503, 503);
  await using opened = await emptyCache({ retries: 5 });
  const { cache } = opened;

  await assertRejects(
    () => cache.getOrDownload(server.url(), get, { retries: 0 }),
    HttpStatusError,
  );
  assertEquals(server.asked.length, 1);
  const calls = [0, 1, 3].map((retries) =>
    cache.getOrDownload(server.url(), get, { retries })
  );
  for (const call of calls) assertBytes(await (await call).bytes(), BODY);
  assertEquals(server.asked.length, 5);
});

for (
  const [form, after, waited] of [
    ["seconds", () => "2", true],
    ["no wait", () => "0", true],
    ["a date", () => new Date(Date.now() + 2_500).toUTCString(), true],
    [
      "a date that has passed",
      () => "Sun, 06 Nov 1994 08:49:37 GMT",
      true,
    ],
    ["nothing that is known", () => "soon", true],
    ["seconds above 10", () => "11", false],
    [
      "a date in an hour",
      () => new Date(Date.now() + 3_600_000).toUTCString(),
      false,
    ],
  ] as const
) {
  Deno.test(`Retry-After is waited for up to 10 s: ${form}`, async () => {
    using waits = new HastenedWaits();
    await using server = new RawServer(({ index }) =>
      index === 0
        ? { status: 429, headers: { "Retry-After": after() } }
        : { headers: HEADERS, body: BODY }
    );
    await using opened = await emptyCache({ retries: 1 });
    const call = () => opened.cache.getOrDownload(server.url(), get);

    if (waited) {
      assertBytes(await (await call()).bytes(), BODY);
      if (form === "seconds") assertEquals(waits.all, [2_000]);
      assertEquals(waits.all.length, 1);
    } else {
      const error = await assertRejects(call, HttpStatusError);
      assert(error.retryAfterMs !== undefined && error.retryAfterMs > 10_000);
      assertEquals([server.asked.length, waits.all], [1, []]);
    }
  });
}

Deno.test("a wait beyond timeoutMs is not begun, nor a Retry-After beyond it", async () => {
  await using server = new RawServer(({ index }) => ({
    status: 503,
    headers: index === 0 ? {} : { "Retry-After": "5" },
  }));
  for (const timeoutMs of [250, 4_000]) {
    await using opened = await emptyCache({ retries: 9, timeoutMs });
    const error = await assertRejects(
      () => opened.cache.getOrDownload(server.url(), get),
      HttpStatusError,
    );
    assertEquals(error.retryAfterMs, timeoutMs === 250 ? undefined : 5_000);
  }
  assertEquals(server.asked.length, 2);
});

Deno.test("a download that waits for its next attempt holds no slot, and ends with the cache", async () => {
  await using server = new RawServer(({ path }) =>
    path === "/busy"
      ? { status: 503, headers: { "Retry-After": "9" } }
      : { headers: HEADERS, body: BODY }
  );
  await using opened = await emptyCache({
    retries: 1,
    maxConcurrentDownloads: 1,
  });
  const { cache } = opened;

  const busy = assertRejects(
    () => cache.getOrDownload(server.url("/busy"), get),
    CacheClosedError,
  );
  while (cache.inFlight()[0]?.phase !== "waiting" || server.asked.length < 1) {
    await turn();
  }
  const media = await cache.getOrDownload(server.url("/other"), get);

  assertBytes(await media.bytes(), BODY);
  await media.stored;
  assertEquals(cache.inFlight().map(({ phase }) => phase), ["waiting"]);
  await cache.close({ abort: true });
  await busy;
});

Deno.test("a wait for the next attempt does not count as silence", async () => {
  await using server = failing(503);
  await using opened = await emptyCache({ retries: 1, idleTimeoutMs: 100 });

  const media = await opened.cache.getOrDownload(server.url(), get);

  assertBytes(await media.bytes(), BODY);
});

Deno.test("a caller that leaves during a wait leaves the others alone", async () => {
  using _waits = new HastenedWaits();
  await using server = failing(503);
  await using opened = await emptyCache({ retries: 1 });
  const { cache } = opened;
  const leaving = new AbortController();

  const left = assertRejects(
    () => cache.getOrDownload(server.url(), get, { signal: leaving.signal }),
    DOMException,
  );
  const staying = cache.getOrDownload(server.url(), get);
  await server.requests(1);
  leaving.abort();

  await left;
  assertBytes(await (await staying).bytes(), BODY);
});

Deno.test("a download that all callers have left is not tried again", async () => {
  const { promise: held, resolve } = Promise.withResolvers<void>();
  await using server = new RawServer(async () => {
    await held;
    return { status: 503 };
  });
  await using opened = await emptyCache({ retries: Infinity });
  const leaving = new AbortController();
  const { signal } = leaving;

  const left = assertRejects(
    () => opened.cache.getOrDownload(server.url(), get, { signal }),
    DOMException,
  );
  await server.requests(1);
  leaving.abort();
  await left;
  resolve();

  await opened.recorder.seen("failed");
  assertEquals(server.asked.length, 1);
  await opened.assertEmpty();
});

for (
  const [what, headers, body, cut] of [
    ["a body", HEADERS, BODY, 3],
    ["a GIF", { "Content-Type": "image/gif" }, gifOfDelays([10, 20]), 60],
  ] as const
) {
  Deno.test(`${what} that breaks before it is handed out, and can't go on, is downloaded anew`, async () => {
    using _waits = new HastenedWaits();
    await using server = new RawServer(({ index }) => ({
      headers,
      body,
      ...(index === 0 && { cut }),
    }));
    await using opened = await emptyCache({ retries: 1 });
    const { cache } = opened;

    const media = await cache.getOrDownload(server.url(), get);
    const bytes = await media.bytes();

    if (what === "a body") assertBytes(bytes, body);
    else assertEquals(media.mimetype, "video/mp4");
    assertEquals([await media.stored, server.asked.length], [true, 2]);
    assertEquals(cache.stats().retried, 1);
    assertEquals((await cache.verify()).problems, []);
  });
}

Deno.test("a body that breaks after it was handed out is not downloaded anew", async () => {
  await using server = new RawServer(() => (
    { headers: HEADERS, body: BODY, cut: 20_000 }
  ));
  await using opened = await emptyCache({ retries: 3 });

  await assertRejects(async () => {
    await (await opened.cache.getOrDownload(server.url(), get)).bytes();
  }, TypeError);

  assertEquals(server.asked.length, 1);
});

Deno.test("a refused link gives way to that of another caller, whose failures are retried", async () => {
  using _waits = new HastenedWaits();
  const { promise: held, resolve } = Promise.withResolvers<void>();
  await using server = new RawServer(async ({ path, index }) => {
    if (index === 0) await held;
    if (path.endsWith("old")) return { status: 403 };
    return index === 1 ? { status: 503 } : { headers: HEADERS, body: BODY };
  });
  await using opened = await emptyCache({
    retries: 1,
    canonicalUrl: withoutSignature,
  });
  const { cache } = opened;
  const url = (signature: string) => server.url(`/a?signature=${signature}`);

  const calls = ["old", "new"].map((each) =>
    cache.getOrDownload(url(each), get)
  );
  await server.requests(1);
  resolve();

  for (const call of calls) assertBytes(await (await call).bytes(), BODY);
  assertEquals(
    server.asked.map(({ path }) => path.split("=")[1]),
    ["old", "new", "new"],
  );
  const { retried, failedOver } = cache.stats();
  assertEquals([retried, failedOver], [1, 1]);
});

Deno.test("a downloader with a fault of its own is called once", async () => {
  await using opened = await emptyCache({ retries: 3 });
  const faults = [
    () => Promise.resolve({ data: new Uint8Array(1), size: -1 }),
    // deno-lint-ignore no-explicit-any -- a downloader that breaks its contract
    () => Promise.resolve("text" as any),
    () => Promise.reject(new Error("no luck")),
  ];
  for (const fault of faults) {
    let calls = 0;
    await assertRejects(() =>
      opened.cache.getOrDownload("a:", () => {
        calls++;
        return fault();
      })
    );
    assertEquals(calls, 1);
  }
});

for (
  const [what, url] of [
    ["a blocked port", () => "http://127.0.0.1:25/"],
    ["another scheme", () => "ftp://127.0.0.1/"],
    ["no URL", () => "http://["],
    ["a redirect to a blocked port", (server) => server.url("/blocked")],
    ["a redirect without end", (server) => server.url("/again")],
  ] as [string, (server: RawServer) => string][]
) {
  Deno.test(`a URL that fetch refuses is tried once: ${what}`, async () => {
    using _waits = new HastenedWaits();
    await using server = new RawServer(({ path }) => ({
      status: 302,
      headers: {
        Location: path === "/again" ? path : "http://127.0.0.1:25/",
      },
    }));
    await using opened = await emptyCache({ retries: 2 });
    let calls = 0;

    await assertRejects(
      () =>
        opened.cache.getOrDownload(url(server), (context) => {
          calls++;
          return get(context);
        }),
      TypeError,
    );

    assertEquals([calls, opened.cache.stats().retried], [1, 0]);
  });
}

Deno.test({
  name: "a request without the permission to make it is tried once",
  permissions: { read: true, write: true, net: false },
  async fn() {
    using _waits = new HastenedWaits();
    await using opened = await emptyCache({ retries: 2 });
    let calls = 0;

    await assertRejects(
      () =>
        opened.cache.getOrDownload("http://127.0.0.1:59999/", (context) => {
          calls++;
          return get(context);
        }),
      Deno.errors.NotCapable,
    );

    assertEquals(calls, 1);
  },
});

Deno.test("retries must be a whole number of at least 0, of the cache and of a call", async () => {
  await using opened = await emptyCache();
  for (const retries of [-1, 0.5, NaN]) {
    await assertRejects(
      () => opened.cache.getOrDownload("a:", get, { retries }),
      RangeError,
      "retries must be",
    );
    await assertRejects(() => emptyCache({ retries }), RangeError, "retries");
  }
});

Deno.test("an error that was retried is the downloader's own", async () => {
  using _waits = new HastenedWaits();
  await using opened = await emptyCache({ retries: 1 });
  const errors = [new TypeError("first"), new TypeError("second")];
  let calls = 0;

  const error = await assertRejects(() =>
    opened.cache.getOrDownload("a:", () => Promise.reject(errors[calls++]))
  );

  assertStrictEquals(error, errors[1]);
});
