/** `sendOnce()`: one upload for all who send the same media to the same place. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CacheClosedError,
  type Download,
  type GetOrDownloadOptions,
  type Media,
  MediaCache,
  MediaCacheError,
  type MediaCacheOptions,
  type SendSteps,
  type Uploaded,
} from "../../../mod.ts";
import { bytesOf } from "../../fixtures/directory/files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";

const URL = "https://example.org/cat.png";
const OTHER = "https://example.org/b.png";
const PLACE = "telegram:123:photo";
const BYTES = bytesOf(1000);

/** A platform that takes uploads, and the cache of a bot there. */
class Platform implements AsyncDisposable {
  readonly cache: MediaCache;
  readonly cacheDir: string;
  /** The messages sent, in order: "first" or the handle. */
  readonly sent: string[] = [];
  /** The Media that were uploaded. */
  readonly media: Media[] = [];
  downloads = 0;
  readonly #temp: AsyncDisposable;

  constructor(cache: MediaCache, temp: { path: string } & AsyncDisposable) {
    this.cache = cache;
    this.cacheDir = temp.path;
    this.#temp = temp;
  }

  readonly download = (): Promise<Download> => {
    this.downloads++;
    return Promise.resolve({ data: BYTES, mimetype: "image/png" });
  };

  readonly again = (handle: string): Promise<number | undefined> =>
    Promise.resolve(this.sent.push(handle));

  readonly first = async (media: Media): Promise<Uploaded<number>> => {
    this.media.push(media);
    assertEquals(await media.bytes(), BYTES);
    const result = this.sent.push("first");
    return { result, handle: `handle ${result}` };
  };

  send(
    steps: Partial<SendSteps<number>> = {},
    options: GetOrDownloadOptions = {},
  ): Promise<number> {
    const { again, first } = this;
    const all = { again, first, ...steps };
    return this.cache.sendOnce(URL, PLACE, this.download, all, options);
  }

  counts() {
    const { handleHits, uploads, misses } = this.cache.stats();
    return { handleHits, uploads, misses };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cache.close();
    await this.#temp[Symbol.asyncDispose]();
  }
}

async function platform(options: MediaCacheOptions = {}): Promise<Platform> {
  const temp = await tempDir();
  const all = { cacheDir: temp.path, onEvent: () => {}, ...options };
  return new Platform(await MediaCache.open(all), temp);
}

Deno.test("ten simultaneous sends upload once, and send nine times by the handle", async () => {
  await using it = await platform();

  const results = await Promise.all(
    Array.from({ length: 10 }, () => it.send()),
  );

  assertEquals(it.sent, ["first", ...Array(9).fill("handle 1")]);
  assertEquals(results.sort((a, b) => a! - b!), [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
  ]);
  assertEquals(it.counts(), { handleHits: 9, uploads: 1, misses: 1 });
});

Deno.test("with a handle nothing is downloaded or opened, after a restart too", async () => {
  await using it = await platform();
  await it.send();
  await it.cache.close();
  await using cache = await MediaCache.open({ cacheDir: it.cacheDir });

  const result = await cache.sendOnce(URL, PLACE, () => {
    throw new Error("must not download");
  }, {
    again: (handle) => Promise.resolve(handle),
    first: () => Promise.reject(new Error("must not upload")),
  });

  assertEquals(result, "handle 1");
  const { hits, misses, handleHits } = cache.stats();
  assertEquals([hits, misses, handleHits], [0, 0, 1]);
});

Deno.test("a place of another name uploads for itself, and canonicalUrl applies", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: (url) => url.split("?")[0]!,
  });
  const asked: string[] = [];
  const send = (url: string, place: string) =>
    cache.sendOnce(url, place, ({ url }) => {
      asked.push(url);
      return Promise.resolve({ data: BYTES });
    }, {
      again: (handle) => Promise.resolve(handle),
      first: () => Promise.resolve({ result: "first", handle: place }),
    });

  assertEquals(await send(`${URL}?a`, "a"), "first");
  assertEquals(await send(`${URL}?b`, "a"), "a");
  assertEquals(await send(`${URL}?c`, "b"), "first");

  assertEquals(asked, [`${URL}?a`]);
  assertEquals(await cache.handle(URL, "b"), "b");
});

Deno.test("when `again` rejects, the caller gets the error, and the handle stays", async () => {
  await using it = await platform();
  await it.send();
  const error = new Error("429 Too Many Requests");

  const again = () => Promise.reject(error);
  const caught = await assertRejects(() => it.send({ again }));

  assertEquals(caught, error);
  assertEquals(await it.cache.handle(URL, PLACE), "handle 1");
  await it.send();
  assertEquals(it.sent, ["first", "handle 1"]);
});

Deno.test("a handle that the platform has forgotten is uploaded anew, once for ten callers", async () => {
  await using it = await platform();
  await it.cache.setHandle(URL, PLACE, "old");
  const again = (handle: string) =>
    handle === "old" ? Promise.resolve(undefined) : it.again(handle);

  await Promise.all(Array.from({ length: 10 }, () => it.send({ again })));

  assertEquals(it.sent, ["first", ...Array(9).fill("handle 1")]);
  assertEquals(await it.cache.handle(URL, PLACE), "handle 1");
});

Deno.test("a platform that knows no handle gets one upload a caller", async () => {
  await using it = await platform();
  const again = () => Promise.resolve(undefined);

  await Promise.all(Array.from({ length: 5 }, () => it.send({ again })));

  assertEquals(it.sent, Array(5).fill("first"));
});

Deno.test("when an upload fails half-way, its caller gets the error and the next caller uploads", async () => {
  await using it = await platform();
  let calls = 0;
  const first = async (media: Media) => {
    if (calls++ > 0) return await it.first(media);
    const reader = media.slice(0).getReader();
    await reader.read();
    throw new Error("connection reset");
  };

  const all = await Promise.allSettled(
    Array.from({ length: 10 }, () => it.send({ first })),
  );

  assertEquals(all.filter(({ status }) => status === "rejected").length, 1);
  assertEquals(it.sent, ["first", ...Array(8).fill("handle 1")]);
  assertEquals(it.downloads, 1);
});

Deno.test("where the platform gives no handle, each caller uploads, and none waits for the next", async () => {
  await using it = await platform();
  const { promise: allCame, resolve } = Promise.withResolvers<void>();
  let running = 0;
  const first = async () => {
    // All but the first are here at once.
    if (++running === 5) resolve();
    if (running > 1) await allCame;
    return { result: it.sent.push("first") };
  };

  await Promise.all(Array.from({ length: 5 }, () => it.send({ first })));

  assertEquals(it.sent, Array(5).fill("first"));
  assertEquals(it.cache.stats().uploads, 5);
  assertEquals(it.downloads, 1);
  assertEquals(await it.cache.handle(URL, PLACE), undefined);
});

Deno.test("a download that fails is tried once more by all that waited, together", async () => {
  await using it = await platform();
  let downloads = 0;
  const download = () => {
    downloads++;
    return Promise.reject(new Error("no route"));
  };

  const all = await Promise.allSettled(Array.from(
    { length: 10 },
    () => it.cache.sendOnce(URL, PLACE, download, it),
  ));

  assert(all.every(({ status }) => status === "rejected"));
  assertEquals(downloads, 2);
  assertEquals(it.sent, []);
});

Deno.test("when the second download succeeds, one of those that waited uploads", async () => {
  await using it = await platform();
  let downloads = 0;
  const download = () =>
    downloads++ === 0 ? Promise.reject(new Error("no route")) : it.download();

  const all = await Promise.allSettled(Array.from(
    { length: 10 },
    () => it.cache.sendOnce(URL, PLACE, download, it),
  ));

  assertEquals(all.filter(({ status }) => status === "rejected").length, 1);
  assertEquals(it.sent, ["first", ...Array(8).fill("handle 1")]);
});

Deno.test("the Media is disposed of when the upload has settled", async () => {
  await using it = await platform();
  await it.send({
    first: async (media) => {
      it.media.push(media);
      return await Promise.resolve({ result: 1 });
    },
  });
  await assertRejects(
    () =>
      it.send({
        first: (media) => {
          it.media.push(media);
          throw new Error("refused");
        },
      }),
    Error,
    "refused",
  );

  for (const media of it.media) await assertRejects(() => media.bytes());
});

Deno.test("an aborted caller waits no more, and harms no other", async () => {
  await using it = await platform();
  const controller = new AbortController();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = async (media: Media) => {
    begin();
    await gate;
    return await it.first(media);
  };
  const leader = it.send({ first });
  await begun;
  const { signal } = controller;
  const waiting = it.send({}, { signal });
  const other = it.send();

  controller.abort(new Error("not any more"));

  await assertRejects(() => waiting, Error, "not any more");
  await assertRejects(() => it.send({}, { signal }), Error, "not any more");
  open();
  assertEquals(await leader, 1);
  assertEquals(await other, 2);
});

for (const change of ["deleted", "replaced", "cleared"] as const) {
  Deno.test(`a handle of bytes that were ${change} during the upload is not kept`, async () => {
    await using it = await platform();
    const replace = { replace: true };
    const changes = {
      deleted: () => it.cache.delete(URL),
      replaced: () =>
        it.cache.put(URL, bytesOf(5), "image/png", "a.png", replace),
      cleared: () => it.cache.clear(),
    };
    const first = async (media: Media) => {
      const uploaded = await it.first(media);
      await media.stored;
      await changes[change]();
      return uploaded;
    };

    assertEquals(await it.send({ first }), 1);

    assertEquals(await it.cache.handle(URL, PLACE), undefined);
  });
}

for (const source of ["stored", "downloaded"] as const) {
  for (const change of ["replaces", "deletes"] as const) {
    Deno.test(`a handle of ${source} bytes that another cache ${change} during the upload is not kept`, async () => {
      await using it = await platform();
      await using other = await MediaCache.open({ cacheDir: it.cacheDir });
      if (source === "stored") {
        await it.cache.put(URL, BYTES, "image/png", "cat.png");
      }
      const first = async (media: Media) => {
        const uploaded = await it.first(media);
        assertEquals(await media.stored, true);
        const replace = { replace: true };
        if (change === "deletes") assertEquals(await other.delete(URL), true);
        else await other.put(URL, bytesOf(5), "image/png", "a.png", replace);
        return uploaded;
      };

      await it.send({ first });

      assertEquals(await it.cache.handle(URL, PLACE), undefined);
    });
  }
}

Deno.test("a handle of bytes that were evicted during the upload is kept", async () => {
  await using it = await platform({ maxSizeMb: 1500 / 1_048_576 });
  const first = async (media: Media) => {
    const uploaded = await it.first(media);
    assertEquals(await media.stored, true);
    await it.cache.put(OTHER, BYTES, "image/png", "b.png");
    assertEquals(await it.cache.has(URL), false);
    return uploaded;
  };

  await it.send({ first });

  assertEquals(await it.cache.handle(URL, PLACE), "handle 1");
});

const circles: Record<
  string,
  (it: Platform, send: () => Promise<number>) => Promise<number>
> = {
  "itself": (_it, send) => send(),
  "an upload that waits for it": (it, send) =>
    it.cache.sendOnce(OTHER, PLACE, it.download, {
      again: it.again,
      first: async () => ({ result: await send() }),
    }),
  "an upload whose download waits for it": (it, send) =>
    it.cache.sendOnce(OTHER, PLACE, async () => {
      await send();
      return await it.download();
    }, it),
};

for (const [what, call] of Object.entries(circles)) {
  Deno.test(`an upload that waits for ${what} gets an error at once`, async () => {
    await using it = await platform();
    const seen = Promise.withResolvers<unknown>();

    const outer = it.send({
      first: async (media) => {
        await call(it, () => it.send()).catch(seen.resolve);
        return await it.first(media);
      },
    });

    const error = await seen.promise;
    assert(error instanceof MediaCacheError, `${error}`);
    assert(/must not wait for itself/.test(error.message));
    // The upload has caught the error, and goes on.
    assertEquals(await outer, 1);
    assertEquals(await it.cache.handle(URL, PLACE), "handle 1");
  });
}

Deno.test("of two uploads that wait for each other one gets an error, and both send", async () => {
  await using it = await platform();
  const begun = [OTHER, URL].map(() => Promise.withResolvers<void>());
  const errors: unknown[] = [];
  const send = (url: string, other: string, mine: PromiseWithResolvers<void>) =>
    it.cache.sendOnce(url, PLACE, it.download, {
      again: it.again,
      first: async (media) => {
        mine.resolve();
        await Promise.all(begun.map(({ promise }) => promise));
        await it.cache.sendOnce(other, PLACE, it.download, it)
          .catch((error) => errors.push(error));
        return await it.first(media);
      },
    });

  await Promise.all([
    send(URL, OTHER, begun[0]!),
    send(OTHER, URL, begun[1]!),
  ]);

  assertEquals(errors.length, 1);
  assert(errors[0] instanceof MediaCacheError, `${errors[0]}`);
  assertEquals(it.cache.stats().uploads, 2);
});

Deno.test("an upload may send other media, and the same media to another place", async () => {
  await using it = await platform();
  const first = async (media: Media) => {
    await it.cache.sendOnce(OTHER, PLACE, it.download, it);
    await it.cache.sendOnce(URL, "telegram:123:document", it.download, it);
    return await it.first(media);
  };

  assertEquals(await it.send({ first }), 3);
});

Deno.test("wrong arguments are refused before anything is downloaded", async () => {
  await using it = await platform();
  const { again, first } = it;
  const send = (place: unknown, steps: unknown) =>
    // Arguments of wrong types, as JavaScript may pass them.
    it.cache.sendOnce(URL, place as string, it.download, steps as typeof it);
  await assertRejects(() => send(5, { again, first }), TypeError, "place");
  await assertRejects(() => send("", { again, first }), RangeError, "0 bytes");
  await assertRejects(
    () => send("a".repeat(1025), { again, first }),
    RangeError,
    "1025 bytes",
  );
  await assertRejects(() => send(PLACE, { again }), TypeError, "first");
  await assertRejects(() => send(PLACE, undefined), TypeError, "again");
  await assertRejects(
    () => it.cache.setHandle(URL, PLACE, "x".repeat(1025)),
    RangeError,
    "handle",
  );
  await assertRejects(
    () => it.cache.handle(URL, "x".repeat(1025)),
    RangeError,
    "place",
  );
  assertEquals(it.downloads, 0);
});

Deno.test("a handle above 1 KiB is refused after the upload, and the next caller uploads", async () => {
  await using it = await platform();
  const first = (handle: string) => async (media: Media) => ({
    ...await it.first(media),
    handle,
  });

  const all = await Promise.allSettled([
    it.send({ first: first("x".repeat(1025)) }),
    it.send({ first: first("short") }),
  ]);

  assertEquals(all.map(({ status }) => status), ["rejected", "fulfilled"]);
  assertEquals(await it.cache.handle(URL, PLACE), "short");
});

Deno.test("close() waits for an upload, whose handle is kept; later sends reject", async () => {
  await using it = await platform();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const sending = it.send({
    first: async (media) => {
      begin();
      await gate;
      return await it.first(media);
    },
  });
  await begun;
  const waiting = it.send();
  const closing = it.cache.close();
  open();

  assertEquals(await sending, 1);
  await closing;
  await Promise.allSettled([waiting]);
  await assertRejects(() => it.send(), CacheClosedError);
  await using cache = await MediaCache.open({ cacheDir: it.cacheDir });
  assertEquals(await cache.handle(URL, PLACE), "handle 1");
});

Deno.test("close() with abort waits for no upload, and a late handle writes no file", async () => {
  await using it = await emptyCache();
  const { cache } = it;
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const download = () => Promise.resolve({ data: new Uint8Array() });
  const again = () => Promise.resolve("again");
  const sending = cache.sendOnce(URL, PLACE, download, {
    again,
    first: async () => {
      begin();
      await gate;
      return { result: "first", handle: "late" };
    },
  });
  await begun;
  const first = () => Promise.resolve({ result: "first" });
  const waiting = cache.sendOnce(URL, PLACE, download, { again, first });

  await cache.close({ abort: true });

  await assertRejects(() => waiting, CacheClosedError);
  open();
  assertEquals(await sending, "first");
  await it.assertEmpty();
});
