// deno-lint-ignore-file camelcase -- the Bot API's names
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  HttpStatusError,
  MediaCache,
  MediaCacheError,
  type MediaCacheEvent,
} from "../../mod.ts";
import { telegramFile } from "../../src/platforms/telegram_file.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { PlatformServer } from "../fixtures/servers/platform_api.ts";

const TOKEN = "123456:AAF-canary";
const BODY = pattern(40_000);
const FILE = { file_id: "AgAC/Ag=", file_unique_id: "AQADtUk" };
const ASK = `GET /bot${TOKEN}/getFile?file_id=AgAC%2FAg%3D`;
const FETCH = `GET /file/bot${TOKEN}/photos/file_7.jpg`;

function found(path: unknown = "photos/file_7.jpg"): Response {
  return Response.json({ ok: true, result: { ...FILE, file_path: path } });
}

function body(): Response {
  return new Response(BODY, {
    headers: { "content-type": "application/octet-stream" },
  });
}

function refusal(status: number, more: object = {}): Response {
  return Response.json({ ok: false, error_code: status, ...more }, { status });
}

/** The answers to the requests, in their order. */
function answering(...answers: Response[]): PlatformServer {
  return new PlatformServer(() =>
    answers.shift() ?? new Response("no answer left", { status: 500 })
  );
}

async function openCache() {
  const temp = await tempDir();
  const cache = await MediaCache.open({ cacheDir: temp.path });
  return {
    cache,
    dir: temp.path,
    async [Symbol.asyncDispose]() {
      await cache.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("telegramFile() downloads a file once, under its unique id, with the name of its path", async () => {
  await using api = answering(found(), body());
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });
  const url = files.url(FILE);

  const media = await made.cache.getOrDownload(url, files.downloader(FILE));
  assertEquals(await media.bytes(), BODY);
  assertEquals([media.filename, media.size], ["file_7.jpg", BODY.length]);
  assertEquals(await media.stored, true);
  const other = { ...FILE, file_id: "other", file_path: "photos/file_9.jpg" };
  const again = await made.cache.getOrDownload(
    files.url(other),
    files.downloader(other),
  );

  assertEquals(await again.bytes(), BODY);
  assertEquals(url, "tg:AQADtUk");
  assertEquals(api.requests.map(({ line }) => line), [ASK, FETCH]);
});

Deno.test("telegramFile() uses a path that is known, and asks for a new one after 404, once", async () => {
  const old = { ...FILE, file_path: "photos/file_1.jpg" };
  const fetchOld = `GET /file/bot${TOKEN}/photos/file_1.jpg`;
  await using api = answering(
    new Response(null, { status: 404 }),
    found(),
    body(),
    new Response(null, { status: 404 }),
    found(),
    new Response(null, { status: 404 }),
    body(),
  );
  const files = telegramFile(TOKEN, { apiRoot: `${api.root}/` });
  await using made = await openCache();

  const media = await made.cache.getOrDownload("a", files.downloader(old));
  assertEquals(await media.bytes(), BODY);
  const error = await assertRejects(
    () => made.cache.getOrDownload("b", files.downloader(old)),
    HttpStatusError,
  );

  assertEquals(error.status, 404);
  assertEquals(
    api.requests.map(({ line }) => line),
    [fetchOld, ASK, FETCH, fetchOld, ASK, FETCH],
  );
});

for (
  const [name, status, more, retryAfterMs] of [
    ["429", 429, { parameters: { retry_after: 11 } }, 11_000],
    ["403", 403, { description: "Forbidden" }, undefined],
    ["400", 400, { description: "Bad Request: wrong file_id" }, undefined],
  ] as const
) {
  Deno.test(`telegramFile() rejects with the status ${name} of the API`, async () => {
    await using api = answering(refusal(status, more));
    await using made = await openCache();
    const files = telegramFile(TOKEN, { apiRoot: api.root });

    const error = await assertRejects(
      () => made.cache.getOrDownload("a", files.downloader(FILE)),
      HttpStatusError,
    );

    assertEquals([error.status, error.retryAfterMs], [status, retryAfterMs]);
    const { description = "" } = { description: "", ...more };
    assert((error.cause as Error).message.includes(description));
  });
}

Deno.test("telegramFile() takes type and name of the message where it has them", async () => {
  await using api = answering(found("voice/file_3.oga"), body());
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });
  const named = { ...FILE, mime_type: "audio/ogg", file_name: "talk.ogg" };

  const media = await made.cache.getOrDownload("a", files.downloader(named));

  assertEquals([media.mimetype, media.filename], ["audio/ogg", "talk.ogg"]);
});

Deno.test("telegramFile() leaves the name of a message as it is, whatever the type", async () => {
  const named = [
    ["report.final", "application/pdf"],
    ["README", "text/plain"],
    ["sticker.webp", "image/jpeg"],
  ] as const;
  await using api = answering(body(), body(), body());
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });

  for (const [name, type] of named) {
    const facts = { file_path: "a/b", mime_type: type, file_name: name };
    const download = files.downloader({ ...FILE, ...facts });
    const media = await made.cache.getOrDownload(name, download);
    assertEquals([media.filename, media.mimetype], [name, type]);
  }
});

Deno.test("a file of telegramFile() that breaks goes on where it stopped", async () => {
  const facts = { etag: '"v1"', "content-length": String(BODY.length) };
  const half = BODY.length / 2;
  const broken = ReadableStream.from([BODY.slice(0, half)]);
  const rest = {
    ...facts,
    "content-length": String(half),
    "content-range": `bytes ${half}-${BODY.length - 1}/${BODY.length}`,
  };
  await using api = answering(
    found(),
    new Response(broken, { headers: facts }),
    found(),
    new Response(BODY.slice(half), { status: 206, headers: rest }),
  );
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });

  const url = files.url(FILE);
  const media = await made.cache.getOrDownload(url, files.downloader(FILE));

  assertEquals(await media.bytes(), BODY);
  assertEquals([media.filename, await media.stored], ["file_7.jpg", true]);
  assertEquals(made.cache.stats().resumed, 1);
  assertEquals(
    api.requests.map(({ line }) => line),
    [ASK, FETCH, ASK, FETCH],
  );
});

Deno.test("an API that repeats the token in its words is not quoted", async () => {
  const description = `no bot has the token ${TOKEN}`;
  await using api = answering(refusal(401, { description }));
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });

  const error = await assertRejects(
    () => made.cache.getOrDownload("a", files.downloader(FILE)),
    HttpStatusError,
  );

  assert(!Deno.inspect(error).includes("canary"));
});

Deno.test("telegramFile() rejects where the API gives no path, another text, or the path of a local file", async () => {
  const answers = [
    found(null),
    found(7),
    Response.json({ ok: true }),
    new Response("<html>"),
    found("/var/lib/telegram-bot-api/file_7.jpg"),
    found("C:\\bots\\file_7.jpg"),
  ];
  const { length } = answers;
  await using api = answering(...answers);
  await using made = await openCache();
  const files = telegramFile(TOKEN, { apiRoot: api.root });

  for (let n = 0; n < length; n++) {
    await assertRejects(
      () => made.cache.getOrDownload("a", files.downloader(FILE)),
      MediaCacheError,
      "Telegram",
    );
  }
  assertEquals(api.requests.length, length);
});

Deno.test("no error, event or file of the cache holds the token, not even where nobody answers", async () => {
  const events: MediaCacheEvent[] = [];
  await using made = await openCache();
  const stop = made.cache.subscribe((event) => void events.push(event));
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const files = telegramFile(TOKEN, { apiRoot: `http://127.0.0.1:${port}` });

  const errors = [
    await assertRejects(
      () => made.cache.getOrDownload("tg:1", files.downloader(FILE)),
      TypeError,
    ),
    await assertRejects(
      () =>
        made.cache.getOrDownload(
          "tg:2",
          files.downloader({ ...FILE, file_path: "a/b.jpg" }),
        ),
      TypeError,
    ),
  ];
  await using api = answering(found(), body());
  const working = telegramFile(TOKEN, { apiRoot: api.root });
  const media = await made.cache.getOrDownload(
    "tg:3",
    working.downloader(FILE),
  );
  assertEquals(await media.stored, true);
  stop();

  const shown = errors.map((error) => Deno.inspect(error)).join() +
    Deno.inspect(events, { depth: 9 }) + JSON.stringify(made.cache.stats());
  assert(!shown.includes("canary"), shown);
  assert(shown.includes("ECONNREFUSED"), shown);
  for await (const { name } of Deno.readDir(made.dir)) {
    const text = await Deno.readTextFile(`${made.dir}/${name}`);
    assert(!`${name}${text}`.includes("canary"), name);
  }
});

Deno.test("the signal of a caller that leaves ends the request to Telegram", async () => {
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<Response>();
  await using api = new PlatformServer(() => {
    asked.resolve();
    return answered.promise;
  });
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    whenAbandoned: "abort",
  });
  const { downloader } = telegramFile(TOKEN, { apiRoot: api.root });
  const leaving = new AbortController();

  const call = assertRejects(
    () =>
      cache.getOrDownload("a", downloader(FILE), { signal: leaving.signal }),
    DOMException,
  );
  await asked.promise;
  leaving.abort();

  await call;
  answered.resolve(found());
});

Deno.test("telegramFile() refuses arguments of a wrong form, and shows no token", () => {
  const error = assertThrows(() => telegramFile("12:a canary"), TypeError);
  assert(!error.message.includes("canary"));
  assertThrows(() => telegramFile(TOKEN, { apiRoot: "x" }), TypeError);
  const { url, downloader } = telegramFile(TOKEN);
  const wrong = { file_id: "", file_unique_id: "" };
  assertThrows(() => url(wrong), TypeError, "file_unique_id");
  assertThrows(() => downloader(wrong), TypeError, "file_id");
  const options: object = { apiroot: "http://localhost" };
  assertThrows(
    () => telegramFile(TOKEN, options),
    TypeError,
    'must be one that is known: received "apiroot"',
  );
});
