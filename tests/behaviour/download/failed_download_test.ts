import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { HttpStatusError } from "../../../mod.ts";
import { pattern, readRest, readSome } from "../../fixtures/bodies/bytes.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Origin } from "../../fixtures/servers/origin.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });

for (const status of [200, 203]) {
  Deno.test(`getOrDownload() stores a response of status ${status}`, async () => {
    await using opened = await emptyCache();
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
    await using opened = await emptyCache();
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
  Deno.test(`getOrDownload() rejects with the error of a downloader that ${what}`, async () => {
    await using opened = await emptyCache();
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
  Deno.test(`getOrDownload() rejects if a downloader gives ${JSON.stringify(garbage)}`, async () => {
    await using opened = await emptyCache();

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

Deno.test("every reader gets the error of a body that breaks, and the next call downloads again", async () => {
  await using opened = await emptyCache();
  const { cache } = opened;
  const tap = new Tap();
  const broken = new Error("broken");
  const first = () =>
    Promise.resolve({ data: tap.readable, mimetype: "application/x-test" });

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

Deno.test("a stream of chunks that are not bytes is an error", async () => {
  await using opened = await emptyCache();
  const data = ReadableStream.from(["text"]) as unknown as ReadableStream;

  await assertRejects(
    () => opened.cache.getOrDownload("a:", () => Promise.resolve({ data })),
    TypeError,
    "chunks must be Uint8Array: received string",
  );
  await opened.assertEmpty();
});
