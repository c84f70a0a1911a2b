/**
 * Servers on a socket that send no end, too few bytes, too many, or more than
 * they seem to.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  DownloadTimeoutError,
  IncompleteBodyError,
  TooLargeError,
} from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";
import { Origin, RawOrigin } from "../../fixtures/servers/origin.ts";
import { Progress } from "../../fixtures/cache/recorder.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";

const MB = 1_048_576;

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

Deno.test("an endless body is cut at maxDownloadMb, and its connection is closed", async () => {
  await using origin = new Origin();
  const cancelled = Promise.withResolvers<void>();
  const url = origin.on("/endless", () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(pattern(65_536)),
        cancel: () => cancelled.resolve(),
      }),
    ));
  await using opened = await emptyCache({ maxDownloadMb: 2 });

  const media = await opened.cache.getOrDownload(url, get);
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  await cancelled.promise;
  assert((error.received ?? 0) < 3 * MB);
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("an endless body that cannot be stored is cut in the same way", async () => {
  await using opened = await emptyCache({ maxDownloadMb: 3, maxEntryMb: 1 });
  const data = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(pattern(65_536)),
  });

  const media = await opened.cache
    .getOrDownload("a:", () => Promise.resolve({ data }));
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  assert((error.received ?? 0) < 4 * MB);
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("one byte a second is not silence, but timeoutMs ends it", async () => {
  const opened = await emptyCache({ idleTimeoutMs: 1500, timeoutMs: 60_000 });
  const progress = new Progress();
  using time = new FakeTime();
  const tap = new Tap();

  const call = opened.cache.getOrDownload(
    "a:",
    () =>
      Promise.resolve({ data: tap.readable, mimetype: "application/x-test" }),
    progress,
  );
  for (let second = 0; second < 60; second++) {
    tap.write(new Uint8Array(1));
    await progress.reached(second + 1);
    time.tick(1000);
  }
  const media = await call;
  const error = await assertRejects(() => media.bytes(), DownloadTimeoutError);

  assertEquals([error.kind, error.timeoutMs], ["total", 60_000]);
  assertEquals(await tap.cancelled, error);
  time[Symbol.dispose]();
  assertEquals(await media.stored, false);
  await opened.assertEmpty();
  await opened[Symbol.asyncDispose]();
});

Deno.test("endless headers end by the idle timeout", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connected = Promise.withResolvers<Deno.TcpConn>();
  const serving = (async () => {
    const connection = await listener.accept();
    connected.resolve(connection);
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\nX-A: "),
    );
  })();
  await using opened = await emptyCache({ idleTimeoutMs: 50 });

  await assertRejects(
    () =>
      opened.cache.getOrDownload(
        `http://127.0.0.1:${listener.addr.port}/`,
        get,
      ),
    DownloadTimeoutError,
  );

  using _connection = await connected.promise;
  await serving;
  await opened.cache.close();
  await opened.assertEmpty();
});

Deno.test("a truncated chunked body is an error, not an end", async () => {
  await using raw = new RawOrigin(
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n400\n",
    pattern(500),
  );
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(raw.url, get);
  await assertRejects(() => media.bytes());

  assertEquals(await media.stored, false);
  await opened.assertEmpty();
});

Deno.test("a body without a length ends with the connection", async () => {
  await using raw = new RawOrigin("HTTP/1.0 200 OK\n\n", pattern(500));
  await using opened = await emptyCache();

  const media = await opened.cache.getOrDownload(raw.url, get);

  assertEquals(await media.bytes(), pattern(500));
  assertEquals(await media.stored, true);
});

Deno.test("a length declared twice, or an invalid one, stores no wrong body", async () => {
  for (
    const lengths of [
      "Content-Length: 400\nContent-Length: 500",
      "Content-Length: 500, 400",
      "Content-Length: -5",
      "Content-Length: 0x10",
      "Content-Length: 18446744073709551616",
    ]
  ) {
    await using raw = new RawOrigin(
      `HTTP/1.1 200 OK\n${lengths}\n\n`,
      pattern(500),
    );
    await using opened = await emptyCache();

    const read = async () => {
      const media = await opened.cache.getOrDownload(raw.url, get);
      return await media.bytes();
    };

    const bytes = await read().catch(() => undefined);
    if (bytes !== undefined) assertEquals(bytes, pattern(500), lengths);
    else {
      await opened.cache.close();
      await opened.assertEmpty();
    }
  }
});

Deno.test("a downloader that states a wrong size, too small or too large, gets an error", async () => {
  for (const size of [0, 499, 501, 2 ** 31]) {
    await using opened = await emptyCache();
    const data = () => new Blob([pattern(500)]).stream();

    const read = async () => {
      const media = await opened.cache
        .getOrDownload("a:", () => Promise.resolve({ data: data(), size }));
      return await media.bytes();
    };

    const error = await assertRejects(read, IncompleteBodyError);
    assertEquals(error.expected, size);
    await opened.cache.close();
    await opened.assertEmpty();
  }
});
