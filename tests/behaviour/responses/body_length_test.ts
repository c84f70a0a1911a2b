import { assertEquals, assertRejects } from "@std/assert";
import { IncompleteBodyError, TooLargeError } from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { RawOrigin } from "../../fixtures/servers/origin.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

Deno.test("a server that hangs up midway is an error, not an end", async () => {
  await using raw = new RawOrigin(
    "HTTP/1.1 200 OK\nContent-Length: 1000\n\n",
    pattern(500),
  );
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(raw.url, get);
  await assertRejects(() => media.bytes());

  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("bytes beyond the length that a server declares are ignored", async () => {
  await using raw = new RawOrigin(
    "HTTP/1.1 200 OK\nContent-Length: 400\n\n",
    pattern(500),
  );
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(raw.url, get);

  assertEquals(await media.bytes(), pattern(500).subarray(0, 400));
});

Deno.test("a body shorter than declared is incomplete", async () => {
  await using opened = await emptyCache();
  const data = ReadableStream.from([pattern(500), pattern(500)]);

  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data, size: 1001 }));
  const error = await assertRejects(() => media.bytes(), IncompleteBodyError);

  assertEquals([error.expected, error.received], [1001, 1000]);
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("a body longer than declared is cut at once", async () => {
  await using opened = await emptyCache();
  const tap = new Tap();

  const call = opened.cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({
          data: tap.readable,
          mimetype: "application/x-test",
          size: 999,
        }),
    );
  tap.write(pattern(500));
  tap.write(pattern(500));
  const media = await call;
  const error = await assertRejects(() => media.bytes(), IncompleteBodyError);

  assertEquals([error.expected, error.received], [999, 1000]);
  assertEquals(await tap.cancelled, error);
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("a body declared too long for maxDownloadMb is refused at once", async () => {
  await using opened = await emptyCache({ maxDownloadMb: 1 });
  const tap = new Tap();

  const error = await assertRejects(
    () =>
      opened.cache.getOrDownload(
        "a:",
        () =>
          Promise.resolve({
            data: tap.readable,
            mimetype: "application/x-test",
            size: 2 ** 20 + 1,
          }),
      ),
    TooLargeError,
  );

  assertEquals([error.declared, error.received], [2 ** 20 + 1, undefined]);
  assertEquals(await tap.cancelled, error);
  await opened.assertEmpty();
});

Deno.test("a body that grows above maxDownloadMb is cut with an error", async () => {
  await using opened = await emptyCache({ maxDownloadMb: 1 });
  const tap = new Tap();

  const call = opened.cache
    .getOrDownload(
      "a:",
      () =>
        Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    );
  for (let i = 0; i < 9; i++) tap.write(pattern(2 ** 17));
  const media = await call;
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  assertEquals([error.declared, error.received], [undefined, 9 * 2 ** 17]);
  assertEquals(await tap.cancelled, error);
  await opened.assertEmpty();
});

Deno.test("an error does not wait for a body whose cancellation never ends", async () => {
  await using opened = await emptyCache({ maxDownloadMb: 1 });
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

/** A downloader that answers with 42 bytes and a wrong Content-Length. */
function madeUp(contentLength: string): () => Promise<Response> {
  const headers = { "Content-Length": contentLength };
  return () => Promise.resolve(new Response(pattern(42), { headers }));
}

Deno.test("a length that a Response declares twice counts once", async () => {
  await using opened = await emptyCache();

  const error = await assertRejects(async () => {
    const media = await opened.cache.getOrDownload("a:", madeUp("30,30"));
    await media.bytes();
  }, IncompleteBodyError);

  assertEquals([error.expected, error.received], [30, 42]);
  await opened.cache.close();
  await opened.assertEmpty();
});

Deno.test("a body with two declared lengths, or with an invalid one, is returned and not stored", async () => {
  for (const value of ["30,31", "42,43", "-42", "0x2a", "42.0"]) {
    await using opened = await emptyCache();

    const media = await opened.cache.getOrDownload("a:", madeUp(value));

    assertEquals(await media.bytes(), pattern(42));
    assertEquals(await media.stored, false);
    assertEquals(
      opened.recorder.of("uncached").map(({ reason }) => reason),
      ["its Content-Length is invalid"],
    );
    await opened.assertEmpty();
  }
});

Deno.test("a length above the largest number is too large", async () => {
  await using opened = await emptyCache();

  for (const value of ["9007199254740993", "9".repeat(400)]) {
    await assertRejects(
      () => opened.cache.getOrDownload("a:", madeUp(value)),
      TooLargeError,
    );
  }

  await opened.assertEmpty();
});
