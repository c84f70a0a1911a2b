import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  type Downloader,
  HttpStatusError,
  type Media,
  MediaCache,
} from "../../mod.ts";
import { type Refresh, withRefresh } from "../../src/platforms/with_refresh.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { RawServer, wholeOrRest } from "../fixtures/servers/raw_server.ts";
import {
  SignedOrigin,
  withoutSignature,
} from "../fixtures/servers/signed_origin.ts";

const BODY = pattern(20_000);
const get: Downloader = ({ url, signal }) => fetch(url, { signal });

for (const status of [401, 403, 404, 410]) {
  Deno.test(`withRefresh() asks for a new link once after ${status}, and stores what it serves`, async () => {
    await using origin = new SignedOrigin(
      BODY,
      (signature) => ({ status: signature === "new" ? 200 : status }),
    );
    await using temp = await tempDir();
    await using cache = await MediaCache.open({
      cacheDir: temp.path,
      canonicalUrl: withoutSignature,
    });
    const asked: unknown[] = [];
    const refresh: Refresh = (url, { signal, status }) => {
      asked.push([url, status, signal.aborted]);
      return Promise.resolve(origin.link("new"));
    };

    const media = await cache.getOrDownload(
      origin.link("old"),
      withRefresh(get, refresh),
    );

    assertEquals(await media.bytes(), BODY);
    assertEquals(asked, [[origin.link("old"), status, false]]);
    assertEquals(origin.asked, ["old", "new"]);
    const { refreshed, failedOver, failures } = cache.stats();
    assertEquals([refreshed, failedOver, failures], [1, 0, 0]);
  });
}

Deno.test("a link that expires before the rest of a broken body is replaced, and the body goes on", async () => {
  const facts = { "Content-Type": "application/x-test", ETag: '"one"' };
  await using server = new RawServer((request) => {
    if (request.path.endsWith("new")) return wholeOrRest(request, BODY, facts);
    return request.index === 0
      ? { headers: facts, body: BODY, cut: 10_000 }
      : { status: 403 };
  });
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });

  const media = await cache.getOrDownload(
    server.url("/a?signature=old"),
    withRefresh(
      ({ url, signal, headers }) => fetch(url, { signal, headers }),
      (url) => Promise.resolve(url.replace("old", "new")),
    ),
  );

  assertEquals(await media.bytes(), BODY);
  assertEquals(server.ranges, [null, "bytes=10000-", "bytes=10000-"]);
  const { refreshed, resumed } = cache.stats();
  assertEquals([refreshed, resumed], [1, 1]);
});

Deno.test("a broken body of a new link is not asked for again if the downloader ignores the headers", async () => {
  const facts = { "Content-Type": "application/x-test", ETag: '"one"' };
  await using server = new RawServer(({ path }) =>
    path.endsWith("new")
      ? { headers: facts, body: BODY, cut: 10_000 }
      : { status: 403 }
  );
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });

  const media = await cache.getOrDownload(
    server.url("/a?signature=old"),
    withRefresh(get, (url) => Promise.resolve(url.replace("old", "new"))),
  );

  await assertRejects(() => media.bytes());
  assertEquals(
    server.asked.map(({ path }) => path),
    ["/a?signature=old", "/a?signature=new"],
  );
});

Deno.test("withRefresh() passes other answers and errors on, and asks for nothing", async () => {
  const never: Refresh = () => {
    throw new Error("not to be called");
  };
  const broken = new TypeError("no network");
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const call = (download: Downloader) =>
    cache.getOrDownload("a", withRefresh(download, never));

  const busy = await assertRejects(
    () => call(() => Promise.resolve(new Response(null, { status: 503 }))),
    HttpStatusError,
  );
  const thrown = await assertRejects(() => call(() => Promise.reject(broken)));
  const media = await call(() => Promise.resolve({ data: BODY }));

  assertEquals(busy.status, 503);
  assertEquals(thrown, broken);
  assertEquals(await media.bytes(), BODY);
});

Deno.test("withRefresh() asks after a downloader's own error with such a status", async () => {
  const expired = Object.assign(new Error("expired"), { status: 403 });
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  const download: Downloader = ({ url }) =>
    url === "new" ? Promise.resolve({ data: BODY }) : Promise.reject(expired);

  const media = await cache.getOrDownload(
    "old",
    withRefresh(download, () => Promise.resolve("new")),
  );

  assertEquals(await media.bytes(), BODY);
});

Deno.test("a new link that is refused, too, is the error, and a second is not asked for", async () => {
  await using origin = new SignedOrigin(BODY, () => ({ status: 404 }));
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });
  let asked = 0;
  const download = withRefresh(get, () => {
    asked++;
    return Promise.resolve(origin.link("new"));
  });

  const error = await assertRejects(
    () => cache.getOrDownload(origin.link("old"), download),
    HttpStatusError,
  );

  assertEquals([error.status, asked], [404, 1]);
  assertEquals(origin.asked, ["old", "new"]);
});

Deno.test("a refresh that fails is the cause of the error, and the next caller's link is tried", async () => {
  await using origin = new SignedOrigin(
    BODY,
    (signature) => ({ status: signature === "good" ? 200 : 403 }),
  );
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: withoutSignature,
  });
  const busy = new HttpStatusError(429, { retryAfterMs: 7000 });
  const failing = withRefresh(get, () => Promise.reject(busy));

  const [one, two] = await Promise.all([
    cache.getOrDownload(origin.link("bad"), failing),
    cache.getOrDownload(origin.link("good"), get),
  ]);
  assertEquals(await one.bytes(), BODY);
  assertEquals(await two.bytes(), BODY);
  assertEquals(cache.stats().failedOver, 1);

  await cache.delete(origin.link("good"));
  const error = await assertRejects(
    () => cache.getOrDownload(origin.link("bad"), failing),
    HttpStatusError,
  );
  assertEquals([error.status, error.cause], [403, busy]);
});

Deno.test("the signal of the cache ends a refresh that hangs", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    whenAbandoned: "abort",
  });
  const leaving = new AbortController();
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const refresh: Refresh = (_, { signal }) => {
    asked.resolve();
    signal.addEventListener("abort", () => ended.resolve());
    return new Promise(() => {});
  };
  const download = withRefresh(
    () => Promise.resolve(new Response(null, { status: 403 })),
    refresh,
  );

  const call = cache.getOrDownload("a", download, { signal: leaving.signal });
  const gone = assertRejects(() => call, DOMException);
  await asked.promise;
  leaving.abort();

  await Promise.all([gone, ended.promise]);
});

Deno.test("a link that comes after all callers have left is not downloaded", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    whenAbandoned: "abort",
  });
  const leaving = new AbortController();
  const asked = Promise.withResolvers<void>();
  const link = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<unknown>();
  const urls: string[] = [];
  const refreshing = withRefresh(({ url }) => {
    urls.push(url);
    return Promise.resolve(new Response(null, { status: 403 }));
  }, () => {
    asked.resolve();
    return link.promise;
  });

  const call = cache.getOrDownload("old", async (context) => {
    try {
      return await refreshing(context);
    } catch (error) {
      ended.resolve(error);
      throw error;
    }
  }, { signal: leaving.signal });
  const gone = assertRejects(() => call, DOMException);
  await asked.promise;
  leaving.abort();
  await gone;
  link.resolve("new");

  assertInstanceOf(await ended.promise, DOMException);
  assertEquals([urls, cache.stats().refreshed], [["old"], 0]);
});

Deno.test("withRefresh() refuses arguments and links of a wrong type", async () => {
  const no = undefined as never;
  assertThrows(() => withRefresh(no, () => Promise.resolve("")), TypeError);
  assertThrows(() => withRefresh(get, no), TypeError, "refresh must be");
  const refuses = () => Promise.resolve(new Response(null, { status: 404 }));
  const wrong = withRefresh(refuses, () => Promise.resolve(no));
  await using temp = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: temp.path });

  await assertRejects(
    (): Promise<Media> => cache.getOrDownload("a", wrong),
    TypeError,
    "received undefined",
  );
  const nothing = withRefresh(() => Promise.resolve(no), () => no);
  await assertRejects(
    (): Promise<Media> => cache.getOrDownload("b", nothing),
    TypeError,
    "downloader must resolve to a Response",
  );
});
