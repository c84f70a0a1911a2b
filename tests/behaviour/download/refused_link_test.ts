import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Downloader,
  HttpStatusError,
  type Media,
  MediaCache,
} from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { Recorder } from "../../fixtures/cache/recorder.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import {
  SignedOrigin,
  withoutSignature,
} from "../../fixtures/servers/signed_origin.ts";
import { pair } from "../../fixtures/sharing/pair.ts";

const BODY = pattern(50_000);
const get: Downloader = ({ url, signal }) => fetch(url, { signal });

/** A cache that knows signed links, in a folder of its own. */
async function signedCache(): Promise<{ cache: MediaCache } & AsyncDisposable> {
  const temp = await tempDir();
  const cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: withoutSignature,
  });
  return {
    cache,
    async [Symbol.asyncDispose]() {
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

/** A gate at which answers wait. */
function gate() {
  const { promise: held, resolve: open } = Promise.withResolvers<void>();
  return { held, open };
}

for (
  const [name, valid, tried] of [
    ["first", (n: number) => n > 0, 2],
    ["all but the last", (n: number) => n === 19, 20],
    ["none", () => true, 1],
    ["the last", (n: number) => n < 19, 1],
  ] as const
) {
  Deno.test(`20 callers of one file get it when these links have expired: ${name}`, async () => {
    const { held, open } = gate();
    await using origin = new SignedOrigin(
      BODY,
      (signature) => ({ status: valid(Number(signature)) ? 200 : 404, held }),
    );
    await using made = await signedCache();
    const { cache } = made;

    const calls = Array.from(
      { length: 20 },
      (_, n) => cache.getOrDownload(origin.link(String(n)), get),
    );
    await origin.requests(1);
    open();

    for (const call of calls) {
      await using media = await call;
      assertBytes(await media.bytes(), BODY);
    }
    assertEquals(origin.asked, Array.from({ length: tried }, (_, n) => `${n}`));
    const { failedOver, failures, misses, coalesced } = cache.stats();
    assertEquals(
      { failedOver, failures, misses, coalesced },
      { failedOver: tried - 1, failures: 0, misses: 20, coalesced: 19 },
    );
  });
}

Deno.test("each of 20 callers gets the error of its own link when all have expired, each asked once", async () => {
  const { held, open } = gate();
  const statuses = [401, 403, 404, 410];
  await using origin = new SignedOrigin(
    BODY,
    (signature) => ({ status: statuses[Number(signature) % 4] ?? 500, held }),
  );
  await using made = await signedCache();
  const { cache } = made;

  // Callers with the same link share its request and its error.
  const links = Array.from({ length: 20 }, (_, n) => `${n % 10}`);
  const calls = links.map((link) =>
    assertRejects(
      () => cache.getOrDownload(origin.link(link), get),
      HttpStatusError,
    )
  );
  await origin.requests(1);
  open();
  const errors = await Promise.all(calls);

  assertEquals(
    errors.map(({ status }) => status),
    links.map((link) => statuses[Number(link) % 4]),
  );
  assertEquals(origin.asked, links.slice(0, 10));
  assertEquals(cache.stats().failures, 1);
  assertEquals(cache.inFlight(), []);

  await assertRejects(
    () => cache.getOrDownload(origin.link("1"), get),
    HttpStatusError,
  );
  assertEquals(origin.asked.length, 11);
});

Deno.test("a failure that is no refusal of a link asks for no other link", async () => {
  const { held, open } = gate();
  await using origin = new SignedOrigin(BODY, () => ({ status: 503, held }));
  await using made = await signedCache();
  const { cache } = made;

  const calls = ["a", "b", "c"].map((link) =>
    assertRejects(
      () => cache.getOrDownload(origin.link(link), get),
      HttpStatusError,
    )
  );
  await origin.requests(1);
  open();
  const errors = await Promise.all(calls);

  assertEquals(errors.map(({ status }) => status), [503, 503, 503]);
  assertEquals(origin.asked, ["a"]);
  assertEquals(cache.stats().failedOver, 0);
});

Deno.test("a downloader's own error with a status is a refusal, and reaches its caller unchanged", async () => {
  await using made = await signedCache();
  const { cache } = made;
  const { held, open } = gate();
  const refused = Object.assign(new Error("link expired"), { status: 403 });
  const other = new Error("no network");

  const first = cache.getOrDownload("x?signature=1", async () => {
    await held;
    throw refused;
  });
  const second = cache.getOrDownload(
    "x?signature=2",
    () => Promise.reject(other),
  );
  const both = Promise.allSettled([first, second]);
  open();

  assertEquals(
    (await both).map((each) => each.status === "rejected" && each.reason),
    [refused, other],
  );
});

Deno.test("the link of a caller that joins during a later attempt is tried, that of one that left is not", async () => {
  const gates = new Map(["1", "2", "3", "4"].map((each) => [each, gate()]));
  await using origin = new SignedOrigin(BODY, (signature) => ({
    status: signature === "4" ? 200 : 410,
    held: gates.get(signature)!.held,
  }));
  await using made = await signedCache();
  const { cache } = made;
  const call = (link: string, signal?: AbortSignal) =>
    cache.getOrDownload(origin.link(link), get, { signal });
  const leaving = new AbortController();
  const leavingFirst = new AbortController();

  const first = assertRejects(
    () => call("1", leavingFirst.signal),
    DOMException,
  );
  const second = call("2");
  const third = assertRejects(() => call("3", leaving.signal), DOMException);
  await origin.requests(1);
  leaving.abort();
  leavingFirst.abort();
  await Promise.all([first, third]);
  gates.get("1")!.open();
  await origin.requests(2);
  const late = call("4");
  gates.get("2")!.open();
  await origin.requests(3);
  gates.get("4")!.open();

  for (const each of [second, late]) {
    assertBytes(await (await each).bytes(), BODY);
  }
  assertEquals(origin.asked, ["1", "2", "4"]);
});

Deno.test("no link is tried after all callers have left, at whatever moment of a refusal", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: withoutSignature,
    whenAbandoned: "abort",
  });
  const late: number[] = [];
  for (let turns = 0; turns < 12; turns++) {
    const file = `https://example.com/${turns}`;
    const leaving = new AbortController();
    const { signal } = leaving;
    const asked = Promise.withResolvers<void>();
    const refused = Promise.withResolvers<Response>();
    const first = cache.getOrDownload(`${file}?signature=1`, () => {
      asked.resolve();
      return refused.promise;
    }, { signal });
    const second = cache.getOrDownload(`${file}?signature=2`, (context) => {
      if (context.signal.aborted) late.push(turns);
      return Promise.resolve(new Response(BODY));
    }, { signal });
    await asked.promise;

    refused.resolve(new Response(null, { status: 404 }));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    leaving.abort();

    await Promise.allSettled([first, second]);
  }
  assertEquals(late, []);
});

Deno.test("a caller that asks again right after the last refusal is answered by a new download", async () => {
  await using made = await signedCache();
  const { cache } = made;
  const asked: string[] = [];
  const download: Downloader = ({ url }) => {
    asked.push(url);
    const status = url === "x?signature=9" ? 200 : 404;
    return Promise.resolve(
      new Response(status === 200 ? BODY : null, { status }),
    );
  };
  let again: Promise<Media> | undefined;
  const stop = cache.subscribe(({ type }) => {
    if (type !== "failed") return;
    again ??= cache.getOrDownload("x?signature=9", download);
  });

  const calls = ["x?signature=1", "x?signature=2"].map((url) =>
    assertRejects(() => cache.getOrDownload(url, download), HttpStatusError)
  );
  await Promise.all(calls);
  stop();

  assert(again !== undefined);
  assertBytes(await (await again).bytes(), BODY);
  assertEquals(asked, ["x?signature=1", "x?signature=2", "x?signature=9"]);
});

Deno.test("all attempts share one time limit", async () => {
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: withoutSignature,
    timeoutMs: 50,
  });
  const refusing: Downloader = () =>
    Promise.resolve(new Response(null, { status: 404 }));
  const hanging: Downloader = ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });

  const first = cache.getOrDownload("x?signature=1", refusing);
  const second = cache.getOrDownload("x?signature=2", hanging);
  const [one, two] = await Promise.allSettled([first, second]);

  assertEquals(one.status === "rejected" && one.reason.name, "HttpStatusError");
  assertEquals(
    two.status === "rejected" && two.reason.name,
    "DownloadTimeoutError",
  );
});

Deno.test("callers of another process whose link holds get the file when the link of the first process has expired", async () => {
  const { held, open } = gate();
  await using origin = new SignedOrigin(
    BODY,
    (signature) => ({ status: signature === "good" ? 200 : 403, held }),
  );
  const recorder = new Recorder();
  await using caches = await pair(
    { canonicalUrl: withoutSignature },
    { canonicalUrl: withoutSignature, onEvent: recorder.onEvent },
  );
  const { one, two } = caches;

  const refused = [1, 2].map((n) =>
    assertRejects(
      () => one.getOrDownload(origin.link(`expired${n}`), get),
      HttpStatusError,
    )
  );
  await origin.requests(1);
  const followers = [
    two.getOrDownload(origin.link("expired3"), get),
    two.getOrDownload(origin.link("good"), get),
  ];
  await recorder.seen("joined", 2);
  open();

  for (const call of followers) {
    assertBytes(await (await call).bytes(), BODY);
  }
  await Promise.all(refused);
  assertEquals(origin.asked, ["expired1", "expired2", "expired3", "good"]);
  assertEquals(one.stats().failedOver + two.stats().failedOver, 2);
});

Deno.test("a Media without a byte read gets the file by another caller's link when the process that it followed falls silent", async () => {
  const canonicalUrl = withoutSignature;
  await using caches = await pair({ canonicalUrl }, {
    canonicalUrl,
    idleTimeoutMs: 100,
  });
  const { one, two, recorder } = caches;
  const png = { mimetype: "image/png", filename: "a.png" };
  const { tap, call } = await begin(one, "x?signature=1", png);
  tap.write(BODY.slice(0, 1000));
  await call;
  const refusing: Downloader = () =>
    Promise.resolve(new Response(null, { status: 403 }));
  const serving: Downloader = () => Promise.resolve({ data: BODY, ...png });
  const media = [
    await two.getOrDownload("x?signature=2", refusing),
    await two.getOrDownload("x?signature=3", serving),
  ];
  await recorder.seen("miss");

  for (const each of media) assertBytes(await each.bytes(), BODY);
  assertEquals(two.stats().failedOver, 1);
  tap.end();
});
