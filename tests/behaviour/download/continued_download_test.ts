/** Bodies that break, and go on where they stopped. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import {
  CacheClosedError,
  type Downloader,
  type DownloadTimeoutError,
  MediaCacheError,
} from "../../../mod.ts";
import { digestOf } from "../../../src/core/bodies/digest.ts";
import {
  assertBytes,
  pattern,
  readAll,
  readRest,
} from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Progress, turn } from "../../fixtures/cache/recorder.ts";
import { gifOfDelays } from "../../fixtures/gif/gif_writer.ts";
import { withoutSignature } from "../../fixtures/servers/signed_origin.ts";
import {
  type RawAnswer,
  type RawRequest,
  RawServer,
  wholeOrRest,
} from "../../fixtures/servers/raw_server.ts";
import { HastenedWaits } from "../../fixtures/time/hastened_waits.ts";

const BODY = pattern(400_000);
const SIZE = BODY.length;
const FACTS = { "Content-Type": "application/x-test", ETag: '"one"' };
const get: Downloader = ({ url, signal, headers }) =>
  fetch(url, { signal, headers });

/** Lets an answer break after so many bytes, once they have come. */
function breaking(
  answer: RawAnswer,
  cut: number,
): { answer: RawAnswer; go(): void } {
  const { promise: held, resolve: go } = Promise.withResolvers<void>();
  return { answer: { ...answer, cut, held }, go };
}

const PLACES = [
  ...[0, 1, 5, 6, 7, 1000, 1444, 1445, 16_384, 65_535, 65_536, 65_537],
  ...[131_072, 200_000, 262_144, 300_000, 327_680, 399_000, 399_998, 399_999],
];

for (const place of PLACES) {
  Deno.test(`a body that breaks after ${place} of ${SIZE} bytes goes on there, and no reader notices`, async () => {
    const first = breaking({ headers: FACTS, body: BODY }, place);
    await using server = new RawServer((request) =>
      request.index === 0 ? first.answer : wholeOrRest(request, BODY, FACTS)
    );
    await using opened = await emptyCache();
    const { cache } = opened;
    const progress = new Progress();

    const ahead = cache.getOrDownload(server.url(), get, progress)
      .then((media) => media.bytes());
    const stalled = cache.getOrDownload(server.url(), get);
    await server.requests(1);
    if (place > 0) await progress.reached(place);
    const joined = cache.getOrDownload(server.url(), get)
      .then((media) => media.bytes());
    first.go();
    await server.requests(2);
    const behind = cache.getOrDownload(server.url(), get)
      .then((media) => media.bytes());

    for (const reader of [ahead, joined, behind]) {
      assertBytes(await reader, BODY);
    }
    const late = await stalled;
    assertEquals(await late.stored, true);
    assertBytes(await late.bytes(), BODY);
    assertEquals(server.ranges, [null, `bytes=${place}-`]);
    assertEquals(server.asked[1]?.headers.get("if-range"), '"one"');
    const hit = await cache.get(server.url());
    assertEquals(hit?.entry?.sha256, digestOf(BODY));
    const { resumed, retried, failures, misses, bytesDownloaded } = cache
      .stats();
    assertEquals(
      { resumed, retried, failures, bytesDownloaded },
      { resumed: 1, retried: 0, failures: 0, bytesDownloaded: SIZE },
    );
    assert(misses >= 3);
    assertEquals((await cache.verify()).problems, []);
    assertEquals(opened.recorder.of("miss").length, 1);
  });
}

Deno.test("a body whose connection breaks again and again goes on each time, first at once", async () => {
  using waits = new HastenedWaits();
  await using server = new RawServer((request) => {
    const answer = wholeOrRest(request, BODY, FACTS);
    return { ...answer, cut: 50_000 };
  });
  await using opened = await emptyCache();
  const { cache } = opened;

  const media = await cache.getOrDownload(server.url(), get);

  assertBytes(await media.bytes(), BODY);
  const { resumed } = cache.stats();
  assertEquals(server.asked.length, resumed + 1);
  assertEquals(waits.all.length, resumed - 1);
});

Deno.test("a body of unknown length goes on, and ends where the rest says", async () => {
  const first = breaking(
    { headers: FACTS, body: BODY, length: "none" },
    100_000,
  );
  await using server = new RawServer((request) =>
    request.index === 0 ? first.answer : wholeOrRest(request, BODY, FACTS)
  );
  await using opened = await emptyCache();
  const progress = new Progress();

  const call = opened.cache.getOrDownload(server.url(), get, progress);
  await progress.reached(100_000);
  first.go();
  const media = await call;

  assertBytes(await media.bytes(), BODY);
  assertEquals(await media.stored, true);
});

Deno.test("a date that is a strong validator serves where there is no tag", async () => {
  const facts = {
    "Content-Type": "application/x-test",
    "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Date": "Mon, 07 Nov 1994 08:49:37 GMT",
  };
  await using server = new RawServer((request) => ({
    ...wholeOrRest(request, BODY, facts),
    ...(request.index === 0 && { cut: 100_000 }),
  }));
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(server.url(), get);

  assertBytes(await media.bytes(), BODY);
  assertEquals(
    server.asked[1]?.headers.get("if-range"),
    facts["Last-Modified"],
  );
});

const REST = BODY.slice(100_000);
const RANGE = `bytes 100000-${SIZE - 1}/${SIZE}`;
const RIGHT = { ...FACTS, "Content-Range": RANGE };
const LIES: [string, RawAnswer][] = [
  ["200 with the whole body", { headers: FACTS, body: BODY }],
  ["200 with another body", {
    headers: { ETag: '"two"' },
    body: pattern(SIZE, 2),
  }],
  ["another tag", {
    status: 206,
    headers: { ...RIGHT, ETag: '"two"' },
    body: REST,
  }],
  ["a weak tag", {
    status: 206,
    headers: { ...RIGHT, ETag: 'W/"one"' },
    body: REST,
  }],
  ["no tag", {
    status: 206,
    headers: { "Content-Range": RANGE },
    body: REST,
  }],
  ["no range", { status: 206, headers: FACTS, body: REST }],
  ["a range from another byte", {
    status: 206,
    headers: { ...RIGHT, "Content-Range": `bytes 99999-${SIZE - 1}/${SIZE}` },
    body: BODY.slice(99_999),
  }],
  ["a range of a byte less", {
    status: 206,
    headers: { ...RIGHT, "Content-Range": `bytes 100000-${SIZE - 2}/${SIZE}` },
    body: REST.slice(1),
  }],
  ["another length in all", {
    status: 206,
    headers: {
      ...RIGHT,
      "Content-Range": `bytes 100000-${SIZE - 2}/${SIZE - 1}`,
    },
    body: REST.slice(1),
  }],
  ["a length of a byte less", {
    status: 206,
    headers: RIGHT,
    body: REST.slice(1),
  }],
  ["a length of a byte more", {
    status: 206,
    headers: RIGHT,
    body: pattern(REST.length + 1),
  }],
  ["gzip", {
    status: 206,
    headers: { ...RIGHT, "Content-Encoding": "gzip" },
    body: REST,
  }],
  ["416", { status: 416, headers: { "Content-Range": `bytes */${SIZE}` } }],
  ["304", { status: 304, headers: FACTS, length: 0 }],
  ["404", { status: 404, body: REST }],
  ["500", { status: 500, body: REST }],
];
for (const [what, lie] of LIES) {
  Deno.test(`a body that breaks ends in the error of today if its rest is answered by ${what}`, async () => {
    await using server: RawServer = new RawServer(({ index }): RawAnswer =>
      index === 0
        ? { headers: FACTS, body: BODY, cut: 100_000 }
        // Held: the client is to close the connection.
        : lie.body === undefined
        ? lie
        : { ...lie, held: server.abandonments(1) }
    );
    await using opened = await emptyCache();
    const { cache } = opened;

    const error = await assertRejects(async () => {
      const media = await cache.getOrDownload(server.url(), get);
      await media.bytes();
    });

    assertInstanceOf(error, TypeError);
    assertEquals(server.asked.length, 2);
    if (lie.body !== undefined) await server.abandonments(1);
    await opened.recorder.seen("failed");
    await opened.assertEmpty();
    assertEquals(cache.stats().resumed, 0);
    assertEquals(cache.stats().failures, 1);
  });
}

const UNASKED: [string, Record<string, string>][] = [
  ["no validator", {}],
  ["a weak tag", { ETag: 'W/"one"' }],
  ["a date that may be weak", {
    "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Date": "Sun, 06 Nov 1994 08:49:38 GMT",
  }],
  ["no ranges", { ETag: '"one"', "Accept-Ranges": "none" }],
  ["a coding", { ETag: '"one"', "Content-Encoding": "zstd" }],
];
for (const [what, headers] of UNASKED) {
  Deno.test(`a body that breaks is not asked for again if the origin names ${what}`, async () => {
    const all = { "Content-Type": "application/x-test", ...headers };
    await using server = new RawServer(() => (
      { headers: all, body: BODY, cut: 100_000 }
    ));
    await using opened = await emptyCache();

    await assertRejects(async () => {
      const media = await opened.cache.getOrDownload(server.url(), get);
      await media.bytes();
    }, TypeError);

    assertEquals(server.ranges, [null]);
  });
}

Deno.test("a downloader that ignores its headers is called once, as before", async () => {
  await using server = new RawServer(() => (
    { headers: FACTS, body: BODY, cut: 100_000 }
  ));
  await using opened = await emptyCache();

  await assertRejects(async () => {
    const media = await opened.cache.getOrDownload(
      server.url(),
      ({ url, signal }) => fetch(url, { signal }),
    );
    await media.bytes();
  }, TypeError);

  assertEquals(server.asked.length, 1);
});

Deno.test("a downloader that looks at its headers and sends none gets the error of today, and its body is cancelled", async () => {
  await using server: RawServer = new RawServer(({ index }): RawAnswer => ({
    headers: FACTS,
    body: BODY,
    ...(index === 0
      ? { cut: 100_000 }
      : { cut: 200_000, held: server.abandonments(1) }),
  }));
  await using opened = await emptyCache();
  const attempts: number[] = [];

  await assertRejects(async () => {
    const media = await opened.cache.getOrDownload(
      server.url(),
      ({ url, signal, headers, attempt }) => {
        attempts.push(attempt);
        assert(headers);
        return fetch(url, { signal });
      },
    );
    await media.bytes();
  }, TypeError);

  await server.abandonments(1);
  assertEquals(attempts, [0, 1]);
});

Deno.test("the rest is asked for 3 times without a new byte, and then no more", async () => {
  using waits = new HastenedWaits();
  await using server = new RawServer((request) => ({
    ...wholeOrRest(request, BODY, FACTS),
    cut: request.index === 0 ? 100_000 : 0,
  }));
  await using opened = await emptyCache();

  await assertRejects(async () => {
    const media = await opened.cache.getOrDownload(server.url(), get);
    await media.bytes();
  }, TypeError);

  assertEquals(server.asked.length, 4);
  assertEquals(waits.all.length, 2);
  await opened.assertEmpty();
});

Deno.test("a new byte lets the rest be asked for 3 times again", async () => {
  using _waits = new HastenedWaits();
  const cuts = [100_000, 0, 0, 1, 0, 0, undefined];
  await using server = new RawServer((request) => {
    const answer = wholeOrRest(request, BODY, FACTS);
    const cut = cuts[request.index];
    return cut === undefined ? answer : { ...answer, cut };
  });
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(server.url(), get);

  assertBytes(await media.bytes(), BODY);
  assertEquals(server.asked.length, 7);
});

Deno.test("a body goes on when its origin comes back after a restart", async () => {
  using waits = new HastenedWaits();
  const first = breaking({ headers: FACTS, body: BODY }, 100_000);
  const old = new RawServer(() => first.answer);
  const url = old.url();
  await using opened = await emptyCache();
  const { cache } = opened;
  const progress = new Progress();
  let revived: RawServer | undefined;

  const call = cache.getOrDownload(url, async (context) => {
    // The second attempt finds nobody; the third finds the new server.
    if (context.attempt === 2) {
      revived = new RawServer(
        (request) => wholeOrRest(request, BODY, FACTS),
        Number(new URL(url).port),
      );
    }
    return await get(context);
  }, progress);
  await progress.reached(100_000);
  const ended = old[Symbol.asyncDispose]();
  first.go();
  await ended;

  assertBytes(await (await call).bytes(), BODY);
  assertEquals(revived?.ranges, ["bytes=100000-"]);
  assertEquals(waits.all.length, 1);
  await revived?.[Symbol.asyncDispose]();
});

for (
  const [form, after, wanted] of [
    ["seconds", () => "2", [2_000]],
    ["a date", () => new Date(Date.now() + 2_500).toUTCString(), undefined],
    ["seconds above 10", () => "11", []],
    [
      "a date in an hour",
      () => new Date(Date.now() + 3_600_000).toUTCString(),
      [],
    ],
  ] as const
) {
  Deno.test(`the rest of a body waits for Retry-After of at most 10 s: ${form}`, async () => {
    using waits = new HastenedWaits();
    await using server = new RawServer((request) =>
      request.index === 1
        ? { status: 503, headers: { "Retry-After": after() } }
        : {
          ...wholeOrRest(request, BODY, FACTS),
          ...(request.index === 0 && { cut: 100_000 }),
        }
    );
    await using opened = await emptyCache();

    const media = await opened.cache.getOrDownload(server.url(), get);

    if (wanted?.length === 0) {
      await assertRejects(() => media.bytes(), TypeError);
      assertEquals([server.asked.length, waits.all], [2, []]);
    } else {
      assertBytes(await media.bytes(), BODY);
      assertEquals(waits.all.length, 1);
      if (wanted) assertEquals(waits.all, [...wanted]);
    }
  });
}

Deno.test("no rest is waited for beyond timeoutMs, and a rest that hangs ends with it", async () => {
  for (const [what, status] of [["waits", 503], ["hangs", 206]] as const) {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    await using server = new RawServer(async (request) => {
      if (request.index === 0) {
        return { headers: FACTS, body: BODY, cut: 100_000 };
      }
      if (status === 503) return { status };
      await held;
      return undefined;
    });
    await using opened = await emptyCache({ timeoutMs: 250 });

    const error = await assertRejects(async () => {
      const media = await opened.cache.getOrDownload(server.url(), get);
      await media.bytes();
    });

    resolve();
    if (what === "waits") assertInstanceOf(error, TypeError);
    else assertEquals((error as DownloadTimeoutError).kind, "total");
    assertEquals(server.asked.length, 2);
  }
});

for (const how of ["close", "abandon"] as const) {
  Deno.test(`a download that waits for the rest of its body ends: ${how}`, async () => {
    await using server = new RawServer((request) => (
      request.index === 0
        ? { headers: FACTS, body: BODY, cut: 100_000 }
        : { status: 503, headers: { "Retry-After": "9" } }
    ));
    await using opened = await emptyCache({ whenAbandoned: "abort" });
    const { cache } = opened;
    const media = await cache.getOrDownload(server.url(), get);
    const reader = media.body.getReader();
    await server.requests(2);
    while (cache.inFlight()[0]?.phase !== "waiting") await turn();

    if (how === "close") {
      await cache.close({ abort: true });
      await assertRejects(() => readRest(reader), CacheClosedError);
    } else {
      await reader.cancel();
      assertEquals(await media.stored, false);
    }
    assertEquals(server.asked.length, 2);
  });
}

Deno.test("a body that is not stored goes on as well, for slow readers too", async () => {
  const first = breaking({ headers: FACTS, body: BODY }, 100_000);
  await using server = new RawServer((request) =>
    request.index === 0 ? first.answer : wholeOrRest(request, BODY, FACTS)
  );
  await using opened = await emptyCache({ maxEntryMb: 0.1, maxMemoryMb: 0 });
  const { cache } = opened;
  const progress = new Progress();

  const call = cache.getOrDownload(server.url(), get, progress);
  const other = cache.getOrDownload(server.url(), get);
  await progress.reached(100_000);
  first.go();
  const [media, slow] = await Promise.all([call, other]);
  const reader = slow.body.getReader();
  const start = await reader.read();
  const [all, rest] = await Promise.all([
    readAll(media.body),
    readRest(reader),
  ]);

  assertBytes(all, BODY);
  assertBytes(new Uint8Array([...start.value ?? [], ...rest]), BODY);
  assertEquals([await media.stored, cache.stats().resumed], [false, 1]);
});

Deno.test("a GIF that breaks goes on, and becomes a video", async () => {
  const gif = gifOfDelays([10, 20, 30]);
  const facts = { "Content-Type": "image/gif", ETag: '"gif"' };
  await using server = new RawServer((request) => ({
    ...wholeOrRest(request, gif, facts),
    ...(request.index === 0 && { cut: 50 }),
  }));
  await using opened = await emptyCache();
  const { cache } = opened;

  const media = await cache.getOrDownload(server.url("/a.gif"), get);

  assertEquals([media.mimetype, await media.stored], ["video/mp4", true]);
  const { resumed, conversions } = cache.stats();
  assertEquals([resumed, conversions], [1, 1]);
});

Deno.test("the rest comes by the link of another caller, if the first has expired meanwhile", async () => {
  const first = breaking({ headers: FACTS, body: BODY }, 100_000);
  const answerOf = (request: RawRequest) =>
    request.index === 0
      ? first.answer
      : request.path.endsWith("old")
      ? { status: 403 }
      : wholeOrRest(request, BODY, FACTS);
  await using server = new RawServer(answerOf);
  await using opened = await emptyCache({ canonicalUrl: withoutSignature });
  const { cache } = opened;
  const progress = new Progress();
  const url = (signature: string) =>
    server.url(`/a.bin?signature=${signature}`);

  const one = cache.getOrDownload(url("old"), get, progress);
  await progress.reached(100_000);
  const two = cache.getOrDownload(url("new"), get);
  await two;
  first.go();

  for (const call of [one, two]) {
    assertBytes(await (await call).bytes(), BODY);
  }
  assertEquals(
    server.asked.map(({ path }) => path.split("=")[1]),
    ["old", "old", "new"],
  );
  const { failedOver, resumed } = cache.stats();
  assertEquals([failedOver, resumed], [1, 1]);
});

Deno.test("an error that readers get after a break has no URL of ours, and the next call begins anew", async () => {
  let isWell = false;
  await using server = new RawServer((request) => ({
    ...wholeOrRest(request, BODY, {}),
    ...(!isWell && { cut: 100_000 }),
  }));
  await using opened = await emptyCache();
  const { cache } = opened;

  const error = await assertRejects(async () => {
    await (await cache.getOrDownload(server.url(), get)).bytes();
  });
  assert(!(error instanceof MediaCacheError));
  isWell = true;
  const media = await cache.getOrDownload(server.url(), get);

  assertBytes(await media.bytes(), BODY);
});
