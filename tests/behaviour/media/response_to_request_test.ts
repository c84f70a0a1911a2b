/** `media.response({ request })`: answers as the router does. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Media, MediaCache } from "../../../mod.ts";
import { assertBytes, pattern } from "../../fixtures/bodies/bytes.ts";
import { begin } from "../../fixtures/cache/begun.ts";
import { pathsOf } from "../../fixtures/directory/files.ts";
import {
  openFiles,
  openFilesAtLast,
} from "../../fixtures/directory/open_files.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";
import {
  type MediaServer,
  RUNNING_CASES,
  STORED_CASES,
} from "../../fixtures/servers/media_cases.ts";

const URL_A = "https://example.org/a.mp4";
const MB = 1_048_576;

/** A server of a bot's own, without the router. */
async function served(): Promise<MediaServer & AsyncDisposable> {
  const temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const key = new URL(request.url).pathname.split("/").at(-1) ?? "";
      const media = await cache.getByKey(key) ?? await cache.joinByKey(key);
      return media?.response({ request }) ??
        new Response(null, { status: 404 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    cache,
    dir: temp.path,
    ask: (path, init) => fetch(url + path, init),
    async [Symbol.asyncDispose]() {
      await cache.close({ abort: true });
      await server.shutdown();
      await openFilesAtLast(temp.path, 0);
      await temp[Symbol.asyncDispose]();
    },
  };
}

for (const [what, test] of [...STORED_CASES, ...RUNNING_CASES]) {
  Deno.test(`media.response({ request }) ${what}`, async () => {
    await using server = await served();
    await test(server);
  });
}

/** A cache with one entry. */
async function setUp(size: number, options = {}) {
  const dir = await tempDir();
  const cacheDir = dir.path;
  const cache = await MediaCache.open({ cacheDir, ...options });
  await cache.put(URL_A, pattern(size), "video/mp4", "a.mp4");
  return {
    cache,
    cacheDir,
    async get(): Promise<Media> {
      const media = await cache.get(URL_A);
      assert(media);
      return media;
    },
    async [Symbol.asyncDispose]() {
      await cache.close();
      assertEquals(openFiles(cacheDir), []);
      await dir[Symbol.asyncDispose]();
    },
  };
}

function request(headers: HeadersInit = {}, method = "GET"): Request {
  return new Request("http://localhost/", { method, headers });
}

/** Requests, and the status of the answer to each. */
const ANSWERS: [Request, number][] = [
  [request(), 200],
  [request({ Range: "bytes=1-5" }), 206],
  [request({ "If-None-Match": "*" }), 304],
  [request({ "If-Match": '"x"' }), 412],
  [request({ Range: `bytes=${9 * MB}-` }), 416],
  [request({}, "HEAD"), 200],
  [request({}, "POST"), 405],
  [request({ Range: "bytes=1-5" }, "DELETE"), 405],
];

for (const size of [1_000, 5 * MB]) {
  Deno.test(`each answer is the one read of a Media of ${size} bytes, and lets its file go when cancelled`, async () => {
    await using test = await setUp(size);
    for (const [request, status] of ANSWERS) {
      const media = await test.get();
      const response = media.response({ request });
      const hasBody = status === 206 ||
        status === 200 && request.method === "GET";
      assertEquals(
        [response.status, response.body !== null],
        [status, hasBody],
      );

      assertThrows(() => media.response({ request }), TypeError, "read");
      assertThrows(() => media.response(), TypeError, "already read");
      await response.body?.cancel();
      assertEquals(openFiles(test.cacheDir), [], `${status}`);
    }
  });
}

Deno.test("after an answer without the whole body a stream that nobody has read rejects", async () => {
  await using test = await setUp(5 * MB);
  for (const [request] of ANSWERS.slice(1)) {
    const media = await test.get();
    const stream = media.body;
    const response = media.response({ request });
    const read = () => stream.getReader().read();
    await assertRejects(read, TypeError, "already read");
    await response.body?.cancel();
    assertEquals(openFiles(test.cacheDir), []);
  }
});

Deno.test("other methods than GET and HEAD are refused, and told what is allowed", async () => {
  await using test = await setUp(1_000);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "QUERY"]) {
    const response = (await test.get())
      .response({ request: request({ Range: "bytes=0-1" }, method) });
    assertEquals(response.status, 405);
    assertEquals(response.headers.get("Allow"), "GET, HEAD");
    assertEquals(await response.text(), "");
  }
});

Deno.test("headers of the caller win, but not over what is sent", async () => {
  await using test = await setUp(1_000);
  const headers = {
    "Cache-Control": "public, max-age=60",
    "Content-Length": "7",
    "Content-Range": "bytes 0-0/1",
    "X-Own": "1",
  };
  const facts = [];
  for (const [request] of ANSWERS.slice(0, 5)) {
    const { headers: found, body } = (await test.get())
      .response({ request, headers, status: 201 });
    assertEquals(found.get("Cache-Control"), "public, max-age=60");
    assertEquals(found.get("X-Own"), "1");
    facts.push([found.get("Content-Length"), found.get("Content-Range")]);
    await body?.cancel();
  }
  assertEquals(facts, [
    ["1000", null],
    ["5", "bytes 1-5/1000"],
    [null, null],
    [null, null],
    [null, "bytes */1000"],
  ]);
  const whole = (await test.get()).response({
    request: request(),
    status: 203,
    statusText: "Cached",
  });
  assertEquals([whole.status, whole.statusText], [203, "Cached"]);
  await whole.body?.cancel();
});

Deno.test("without a request, response() sends the whole body as ever", async () => {
  await using test = await setUp(1_000);
  for (const init of [undefined, {}, { request: undefined }]) {
    const response = (await test.get()).response(init);
    assertEquals([...response.headers.keys()], [
      "content-disposition",
      "content-length",
      "content-type",
      "x-content-type-options",
    ]);
    assertBytes(await response.bytes(), pattern(1_000));
  }
});

Deno.test("a range can be read to its end when the entry goes before the first byte is read", async () => {
  await using test = await setUp(5 * MB);
  const media = await test.get();
  const response = media.response({ request: request({ Range: "bytes=9-" }) });
  await test.cache.clear();
  assertEquals(
    (await Array.fromAsync(Deno.readDir(test.cacheDir)))
      .some(({ name }) => name.endsWith(".dat")),
    false,
  );

  assertBytes(await response.bytes(), pattern(5 * MB).subarray(9));
});

Deno.test("a range reads no more than its reader asks for", async () => {
  await using test = await setUp(8 * MB, { maxMemoryItems: 0 });
  const media = await test.get();
  const { body } = media.response({
    request: request({ Range: "bytes=1000-" }),
  });
  const reader = body!.getReader();
  await reader.read();
  assert(test.cache.stats().bytesServed < 2 * MB);
  await reader.cancel();
});

Deno.test("a download of unknown length sends the whole body for a range", async () => {
  await using test = await setUp(10);
  const { tap, call } = await begin(test.cache, "b:");
  tap.write(pattern(1_000));
  const media = await call;
  const response = media.response({
    request: request({ Range: "bytes=0-1" }),
  });
  tap.end();
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("Content-Length"), null);
  assertBytes(await response.bytes(), pattern(1_000));
  assertEquals(pathsOf(test.cacheDir, "b:").key, media.key);
});

Deno.test("an answer without a body leaves a download that nobody else wants", async () => {
  await using test = await setUp(10, { whenAbandoned: "abort" });
  const { tap, call } = await begin(test.cache, "b:", { size: 20 });
  tap.write(pattern(10));
  const media = await call;
  const { status } = media.response({ request: request({}, "HEAD") });
  assertEquals(status, 200);
  await tap.cancelled;
  assertEquals(await media.stored, false);
});
