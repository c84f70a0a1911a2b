import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  HttpStatusError,
  IncompleteBodyError,
  MediaCache,
  TooLargeError,
} from "../mod.ts";
import { pattern, readRest, readSome } from "./fixtures/bytes.ts";
import { Origin, RawOrigin } from "./fixtures/origin.ts";
import { Recorder } from "./fixtures/recorder.ts";
import { Tap } from "./fixtures/tap.ts";
import { tempDir } from "./fixtures/temp_dir.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

async function openCache(options = {}) {
  const temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cacheDir = temp.path;
  const cache = await MediaCache.open({ cacheDir, onEvent, ...options });
  return {
    cache,
    recorder,
    /** Whatever has failed must have left nothing, in memory or on disk. */
    async assertEmpty() {
      assertEquals(await Array.fromAsync(Deno.readDir(cacheDir)), []);
      const { entries, inFlight, stagedBytes, diskErrors } = cache.stats();
      assertEquals(
        { entries, inFlight, stagedBytes, diskErrors },
        { entries: 0, inFlight: 0, stagedBytes: 0, diskErrors: 0 },
      );
    },
    async [Symbol.asyncDispose]() {
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

for (const status of [200, 203]) {
  Deno.test(`getOrDownload() stores a response of status ${status}`, async () => {
    await using opened = await openCache();
    const response = new Response(pattern(10), { status });

    const media = await opened.cache
      .getOrDownload("a:", () => Promise.resolve(response));

    assertEquals(await media.bytes(), pattern(10));
    assertEquals(await media.stored, true);
  });
}

for (const status of [201, 204, 206, 301, 304, 404, 500]) {
  Deno.test(`getOrDownload() rejects a response of status ${status} and cancels its body`, async () => {
    await using origin = new Origin();
    await using opened = await openCache();
    const hasBody = ![204, 304].includes(status);
    const tap = new Tap();
    const url = origin.on("/a", () => {
      const body = hasBody ? tap.readable : null;
      if (hasBody) tap.write(pattern(10));
      return new Response(body, { status, headers: { location: "/b" } });
    });

    const error = await assertRejects(
      () =>
        opened.cache.getOrDownload(
          url,
          ({ signal }) => fetch(url, { signal, redirect: "manual" }),
        ),
      HttpStatusError,
    );

    assertEquals(error.status, status);
    if (hasBody) await tap.cancelled;
    await opened.recorder.seen("failed");
    await opened.assertEmpty();
  });
}

const refused = new Error("refused");
const failures: [string, () => unknown, unknown][] = [
  ["throws at once", () => {
    throw refused;
  }, refused],
  ["rejects", () => Promise.reject(refused), refused],
  ["rejects with no error at all", () => Promise.reject(undefined), undefined],
];
for (const [what, downloader, wanted] of failures) {
  Deno.test(`getOrDownload() passes on what a downloader that ${what} gives`, async () => {
    await using opened = await openCache();
    const call = () =>
      opened.cache.getOrDownload("a:", downloader as typeof get);

    const found = await Promise.allSettled([call(), call(), call()]);

    for (const result of found) {
      assertEquals(result.status, "rejected");
      assertStrictEquals((result as PromiseRejectedResult).reason, wanted);
    }
    await opened.assertEmpty();
  });
}

for (const garbage of [undefined, null, "text", 5, {}, { data: "text" }]) {
  Deno.test(`getOrDownload() rejects a downloader's ${JSON.stringify(garbage)}`, async () => {
    await using opened = await openCache();

    await assertRejects(
      () =>
        opened.cache.getOrDownload(
          "a:",
          () => Promise.resolve(garbage as unknown as Response),
        ),
      TypeError,
      "Cannot download: ",
    );
    await opened.assertEmpty();
  });
}

Deno.test("every reader sees the error of a body that breaks, and the next call tries again", async () => {
  await using opened = await openCache();
  const { cache } = opened;
  const tap = new Tap();
  const broken = new Error("broken");
  const first = () => Promise.resolve({ data: tap.readable });

  const calls = [1, 2, 3].map(() => cache.getOrDownload("a:", first));
  tap.write(pattern(1000));
  const [one, two, three] = await Promise.all(calls);
  const reader = one!.body.getReader();
  await readSome(reader, 1000);
  tap.fail(broken);

  const readings = [readRest(reader), two!.bytes(), three!.blob()];
  for (const reading of await Promise.allSettled(readings)) {
    assertStrictEquals((reading as PromiseRejectedResult).reason, broken);
  }
  assertEquals(await one!.stored, false);
  await opened.assertEmpty();
  const again = await cache
    .getOrDownload("a:", () => Promise.resolve({ data: pattern(7) }));
  assertEquals(await again.bytes(), pattern(7));
});

Deno.test("a server that hangs up midway is an error and no end", async () => {
  await using raw = new RawOrigin(
    "HTTP/1.1 200 OK\nContent-Length: 1000\n\n",
    pattern(500),
  );
  await using opened = await openCache();

  const media = await opened.cache.getOrDownload(raw.url, get);
  await assertRejects(() => media.bytes());

  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("bytes beyond the length that a server declares are not taken", async () => {
  await using raw = new RawOrigin(
    "HTTP/1.1 200 OK\nContent-Length: 400\n\n",
    pattern(500),
  );
  await using opened = await openCache();

  const media = await opened.cache.getOrDownload(raw.url, get);

  assertEquals(await media.bytes(), pattern(500).subarray(0, 400));
});

for (const [what, size] of [["shorter", 1001], ["longer", 999]] as const) {
  Deno.test(`a body that is ${what} than declared is incomplete`, async () => {
    await using opened = await openCache();
    const data = ReadableStream.from([pattern(500), pattern(500)]);

    const media = await opened.cache
      .getOrDownload("a:", () => Promise.resolve({ data, size }));
    const error = await assertRejects(() => media.bytes(), IncompleteBodyError);

    assertEquals([error.expected, error.received], [size, 1000]);
    assertEquals(await media.stored, false);
    await opened.assertEmpty();
  });
}

Deno.test("a body that is declared too long for maxDownloadMb is refused at once", async () => {
  await using opened = await openCache({ maxDownloadMb: 1 });
  const tap = new Tap();

  const error = await assertRejects(
    () =>
      opened.cache.getOrDownload(
        "a:",
        () => Promise.resolve({ data: tap.readable, size: 2 ** 20 + 1 }),
      ),
    TooLargeError,
  );

  assertEquals([error.declared, error.received], [2 ** 20 + 1, undefined]);
  assertEquals(await tap.cancelled, error);
  await opened.assertEmpty();
});

Deno.test("a body that grows beyond maxDownloadMb is cut with an error", async () => {
  await using opened = await openCache({ maxDownloadMb: 1 });
  const tap = new Tap();

  const call = opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data: tap.readable }));
  for (let i = 0; i < 9; i++) tap.write(pattern(2 ** 17));
  const media = await call;
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  assertEquals([error.declared, error.received], [undefined, 9 * 2 ** 17]);
  assertEquals(await tap.cancelled, error);
  await opened.assertEmpty();
});

Deno.test("a stream of something else than bytes is an error", async () => {
  await using opened = await openCache();
  const data = ReadableStream.from(["text"]) as unknown as ReadableStream;

  await assertRejects(
    () => opened.cache.getOrDownload("a:", () => Promise.resolve({ data })),
    TypeError,
    "chunks must be Uint8Array: received string",
  );
  await opened.assertEmpty();
});

Deno.test("a body whose cancellation never ends holds up no error", async () => {
  await using opened = await openCache({ maxDownloadMb: 1 });
  const data = new ReadableStream<Uint8Array>({
    cancel: () => new Promise(() => {}),
  });

  await assertRejects(
    () =>
      opened.cache
        .getOrDownload("a:", () => Promise.resolve({ data, size: 2 ** 21 })),
    TooLargeError,
  );
});
