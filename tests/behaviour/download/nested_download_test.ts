/** Downloaders that use the cache which runs them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CacheClosedError,
  type Downloader,
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
} from "../../../mod.ts";
import { pattern } from "../../fixtures/bodies/bytes.ts";
import { Tap } from "../../fixtures/bodies/tap.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { Progress, Recorder, turn } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { FakeTime } from "../../fixtures/time/fake_time.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const BODY = pattern(1000);

const get = ({ url, signal }: { url: string; signal: AbortSignal }) =>
  fetch(url, { signal });
const give: Downloader = () => Promise.resolve({ data: BODY });

/** A cache whose downloads end by themselves, and by no time limit. */
async function opened(options: MediaCacheOptions = {}) {
  const temp = await tempDir();
  const recorder = new Recorder();
  const { onEvent } = recorder;
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    idleTimeoutMs: 3_600_000,
    onEvent,
    ...options,
  });
  return {
    cache,
    recorder,
    /** A downloader that reads another URL of the cache, and gives its bytes. */
    through: (url: string, downloader = give): Downloader => async () => ({
      data: await (await cache.getOrDownload(url, downloader)).bytes(),
    }),
    async [Symbol.asyncDispose]() {
      await cache.close({ abort: true });
      await temp[Symbol.asyncDispose]();
    },
  };
}

for (const maxConcurrentDownloads of [1, 2]) {
  Deno.test(`a downloader may wait for a second and a third URL, with maxConcurrentDownloads ${maxConcurrentDownloads}`, async () => {
    await using running = await opened({ maxConcurrentDownloads });
    const { cache, through } = running;

    const media = await cache.getOrDownload("a", through("b", through("c")));

    assertEquals(await media.bytes(), BODY);
    assertEquals(cache.stats().entries, 3);
  });
}

Deno.test("200 downloads at once, each of which waits for another, all end", async () => {
  await using origin = new Origin();
  await using running = await opened();
  const { cache, through } = running;
  const calls = Array.from({ length: 200 }, (_, n) => {
    const inner = origin.bytes(`/${n}`, pattern(1000, n + 1));
    return cache.getOrDownload(`outer:${n}`, through(inner, get));
  });

  for (const [n, call] of calls.entries()) {
    assertEquals(await (await call).bytes(), pattern(1000, n + 1));
    assertEquals(origin.requests(`/${n}`), 1);
  }
});

Deno.test("a download lends its slot to one nested download at a time, in order", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache, recorder } = running;
  let active = 0;
  let most = 0;
  const inner: Downloader = async () => {
    most = Math.max(most, ++active);
    await turn();
    active--;
    return { data: BODY };
  };
  const urls = ["a", "b", "c", "d"];

  const media = await cache.getOrDownload("outer", async () => {
    const calls = urls.map((url) => cache.getOrDownload(url, inner));
    for (const call of calls) await (await call).bytes();
    return { data: BODY };
  });
  assertEquals(await media.bytes(), BODY);

  assertEquals(most, 1);
  const stored = recorder.of("stored").map(({ url }) => url);
  assertEquals(stored.filter((url) => url !== "outer"), urls);
});

Deno.test("a downloader is not silent while its nested download waits for a slot", async () => {
  const options = { maxConcurrentDownloads: 1, idleTimeoutMs: 100 };
  await using running = await opened(options);
  const { cache } = running;
  using time = new FakeTime();
  const tap = new Tap();
  const progress = new Progress();

  const outer = cache.getOrDownload("outer", async () => {
    const calls = [
      cache.getOrDownload("a", tapped(tap), progress),
      cache.getOrDownload("b", give),
    ];
    for (const call of calls) await (await call).bytes();
    return { data: BODY };
  });
  for (let i = 1; i <= 5; i++) {
    tap.write(pattern(10));
    await progress.reached(10 * i);
    time.tick(60);
  }
  tap.end();

  assertEquals(await (await outer).bytes(), BODY);
});

function tapped(tap: Tap): Downloader {
  return () => Promise.resolve({ data: tap.readable });
}

Deno.test("a nested call for a download that waits for a slot lets it run on the lent slot", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache, through } = running;
  const gate = Promise.withResolvers<void>();

  const outer = cache.getOrDownload("outer", async (context) => {
    await gate.promise;
    return await through("inner")(context);
  });
  const others = ["before", "inner", "behind"]
    .map((url) => cache.getOrDownload(url, give));
  while (cache.inFlight().length < 4) await turn();
  assertEquals(cache.inFlight().map(({ phase }) => phase), [
    "downloading",
    ...["waiting", "waiting", "waiting"],
  ]);
  gate.resolve();

  for (const call of [outer, ...others]) {
    assertEquals(await (await call).bytes(), BODY);
  }
});

Deno.test("a put() in a downloader waits for a download that waits for a slot", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache } = running;
  const gate = Promise.withResolvers<void>();
  const outer = cache.getOrDownload("outer", async () => {
    await gate.promise;
    await cache.put("inner", pattern(7), "image/png", "inner.png");
    return { data: BODY };
  });
  const inner = cache.getOrDownload("inner", give);
  while (cache.inFlight().length < 2) await turn();

  gate.resolve();

  assertEquals(await (await outer).bytes(), BODY);
  assertEquals(await (await inner).bytes(), BODY);
});

Deno.test("a body that asks the cache as it is read needs no slot beside its own", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache, through } = running;
  const parts = ["a", "b", "c"];
  const data = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const url = parts.shift();
      if (url === undefined) return controller.close();
      const media = await cache.getOrDownload(url, through(`${url}/inner`));
      controller.enqueue(await media.bytes());
    },
  }, { highWaterMark: 0 });

  const media = await cache
    .getOrDownload("whole", () => Promise.resolve({ data }));

  const wanted = await new Blob([BODY, BODY, BODY]).bytes();
  assertEquals(await media.bytes(), wanted);
  assertEquals(cache.stats().entries, 7);
});

Deno.test("a nested download that outlives the outer one keeps its slot", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache } = running;
  const tap = new Tap();
  const outer = await cache.getOrDownload("outer", async () => {
    const asked = Promise.withResolvers<void>();
    cache.getOrDownload("inner", () => {
      asked.resolve();
      return Promise.resolve({
        data: tap.readable,
        mimetype: "application/x-test",
      });
    });
    await asked.promise;
    return { data: BODY };
  });
  assertEquals(await outer.bytes(), BODY);
  assertEquals(await outer.stored, true);

  const next = cache.getOrDownload("next", give);
  while (cache.inFlight().length < 2) await turn();
  for (let n = 0; n < 5; n++) await turn();
  assertEquals(cache.inFlight().map(({ phase }) => phase), [
    "downloading",
    "waiting",
  ]);
  tap.end();

  assertEquals(await (await next).bytes(), BODY);
});

/** Calls that would wait for themselves; each gets the outermost URL. */
const circles: Record<
  string,
  (cache: MediaCache, url: string) => Promise<unknown>
> = {
  "its own URL": (cache, url) => cache.getOrDownload(url, give),
  "its own URL by key": async (cache) =>
    await cache.joinByKey(cache.inFlight()[0]!.key),
  "a URL that waits for it": (cache, url) =>
    cache.getOrDownload("b", () => cache.getOrDownload(url, give) as never),
  "a URL that waits for it by two others": (cache, url) =>
    cache.getOrDownload(
      "b",
      () =>
        cache.getOrDownload("c", () =>
          cache.getOrDownload(url, give) as never) as never,
    ),
  "a put() of its own URL": (cache, url) =>
    cache.put(url, BODY, "image/png", "a.png"),
  "a put() of a URL that waits for it": (cache, url) =>
    cache.getOrDownload(
      "b",
      () => cache.put(url, BODY, "image/png", "a.png") as never,
    ),
};

for (const [what, call] of Object.entries(circles)) {
  Deno.test(`a downloader that waits for ${what} gets an error at once`, async () => {
    await using running = await opened();
    const { cache } = running;
    const seen = Promise.withResolvers<unknown>();

    const outer = cache.getOrDownload("a", async () => {
      await call(cache, "a").catch(seen.resolve);
      return { data: BODY };
    });

    const error = await seen.promise;
    assert(error instanceof MediaCacheError, `${error}`);
    assert(/must not wait for its own download/.test(error.message));
    // The downloader has caught the error, and goes on.
    assertEquals(await (await outer).bytes(), BODY);
    assertEquals(await cache.has("a"), true);
  });
}

Deno.test("two callers whose downloaders wait for each other's URL get an error", async () => {
  await using running = await opened();
  const { cache, through } = running;
  const begun: PromiseWithResolvers<void>[] = [];
  const meet = (url: string): Downloader => {
    const mine = Promise.withResolvers<void>();
    begun.push(mine);
    return async (context) => {
      mine.resolve();
      await Promise.all(begun.map(({ promise }) => promise));
      return await through(url)(context);
    };
  };

  const calls = await Promise.allSettled([
    cache.getOrDownload("a", meet("b")),
    cache.getOrDownload("b", meet("a")),
  ]);

  for (const call of calls) {
    assert(call.status === "rejected");
    assert(call.reason instanceof MediaCacheError);
  }
  const again = await cache.getOrDownload("a", through("b"));
  assertEquals(await again.bytes(), BODY);
});

Deno.test("a circle through a second cache gets an error", async () => {
  await using one = await opened({ maxConcurrentDownloads: 1 });
  await using two = await opened({ maxConcurrentDownloads: 1 });

  await assertRejects(
    () => one.cache.getOrDownload("a", two.through("b", one.through("a"))),
    MediaCacheError,
    "must not wait for its own download",
  );
  const media = await one.cache.getOrDownload("a", two.through("b"));
  assertEquals(await media.bytes(), BODY);
});

Deno.test("a refused call counts as a miss that has not joined", async () => {
  await using running = await opened();
  const { cache, through, recorder } = running;

  await assertRejects(() => cache.getOrDownload("a", through("a")));

  const { misses, coalesced, failures } = cache.stats();
  assertEquals([misses, coalesced, failures], [2, 0, 1]);
  assertEquals(recorder.of("joined"), []);
});

Deno.test("a call that a downloader has given up closes no circle", async () => {
  await using running = await opened();
  const { cache, recorder } = running;
  const asked = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<unknown>();
  const inner: Downloader = async () => {
    asked.resolve();
    await left.promise;
    const call = cache.getOrDownload("a", give);
    call.catch(refused.resolve);
    return { data: await (await call).bytes() };
  };

  const outer = await cache.getOrDownload("a", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const call = cache.getOrDownload("b", inner, { signal });
    await asked.promise;
    controller.abort(new Error("enough"));
    await assertRejects(() => call, Error, "enough");
    left.resolve();
    // Both downloaders run when the second call is made.
    const error = await Promise
      .race([recorder.seen("joined"), refused.promise]);
    assertEquals(error, undefined);
    return { data: BODY };
  });

  assertEquals(await outer.bytes(), BODY);
  const other = await cache.getOrDownload("b", give);
  assertEquals(await other.bytes(), BODY);
});

Deno.test("work that outlives its downloader may call for the same URL", async () => {
  await using running = await opened();
  const { cache } = running;
  const tap = new Tap();
  const answered = Promise.withResolvers<void>();
  let later: Promise<Uint8Array> | undefined;

  const outer = cache.getOrDownload("a", () => {
    later = answered.promise.then(async () =>
      await (await cache.getOrDownload("a", give)).bytes()
    );
    return Promise.resolve({
      data: tap.readable,
      mimetype: "application/x-test",
    });
  });
  tap.write(BODY);
  const media = await outer;
  answered.resolve();
  await turn();
  tap.end();

  assertEquals(await media.bytes(), BODY);
  assertEquals(await later, BODY);
});

Deno.test("a nested call that waits for a slot ends with its signal, and with the cache", async () => {
  await using running = await opened({ maxConcurrentDownloads: 1 });
  const { cache } = running;
  const tap = new Tap();
  const controller = new AbortController();
  const seen: Promise<unknown>[] = [];
  const outer = cache.getOrDownload("outer", async () => {
    const borrower = await begin(cache, "borrower");
    seen.push(
      cache.getOrDownload("b", give, { signal: controller.signal }),
      cache.getOrDownload("c", give),
      borrower.call,
    );
    return { data: tap.readable, mimetype: "application/x-test" };
  });
  while (cache.inFlight().length < 4) await turn();

  controller.abort(new Error("enough"));
  await assertRejects(() => seen[0]!, Error, "enough");
  const ended = [...seen.slice(1), outer].map((call) =>
    assertRejects(() => call, CacheClosedError)
  );
  await cache.close({ abort: true });

  await Promise.all(ended);
});
