import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HttpStatusError, MediaCache, MediaCacheError } from "../../mod.ts";
import { discord } from "../../src/platforms/discord.ts";
import { discordRefresh } from "../../src/platforms/discord_refresh.ts";
import { platforms } from "../../src/platforms/platforms.ts";
import { withRefresh } from "../../src/platforms/with_refresh.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { PlatformServer } from "../fixtures/servers/platform_api.ts";

const BODY = pattern(30_000);
const TOKEN = "MTk4NjIy.Cl2FMQ.secret";
const reason = (status = 404) => ({
  signal: new AbortController().signal,
  status,
});

function attachment(n: number | string, query = "?ex=1&is=1&hm=1"): string {
  return `http://cdn.discordapp.com/attachments/10/${n}/cat.png${query}`;
}

/** An answer that signs each link anew. */
function signed(body: unknown): Response {
  const { attachment_urls: urls } = body as { attachment_urls: string[] };
  return Response.json({
    refreshed_urls: urls.map((original) => ({
      original,
      refreshed: original.replace(/hm=.*/, "hm=new"),
    })),
  });
}

Deno.test("discordRefresh() asks for links of the same moment in requests of at most 50, each link once", async () => {
  await using api = new PlatformServer(({ body }) => signed(body));
  const refresh = discordRefresh(TOKEN, { apiRoot: `${api.root}/v10/` });
  const links = Array.from({ length: 120 }, (_, n) => attachment(n % 110));

  const fresh = await Promise.all(links.map((url) => refresh(url, reason())));

  assertEquals(fresh, links.map((url) => url.replace("hm=1", "hm=new")));
  assertEquals(
    api.requests.map(({ line, authorization }) => [line, authorization]),
    Array.from({ length: 3 }, () => [
      "POST /v10/attachments/refresh-urls",
      `Bot ${TOKEN}`,
    ]),
  );
  const counts = api.requests.map(({ body }) =>
    (body as { attachment_urls: string[] }).attachment_urls.length
  );
  assertEquals(counts.sort((a, b) => b - a), [50, 50, 10]);
});

for (
  const [status, headers, body, retryAfterMs] of [
    [429, { "retry-after": "3" }, { retry_after: 2.5 }, 3000],
    [429, {}, { retry_after: 2.5 }, 2500],
    [403, {}, { message: "Missing Access" }, undefined],
    [500, {}, {}, undefined],
  ] as const
) {
  Deno.test(`discordRefresh() rejects with the status ${status} of Discord, and the wait of ${retryAfterMs} ms`, async () => {
    await using api = new PlatformServer(() =>
      Response.json(body, { status, headers: { ...headers } })
    );
    const refresh = discordRefresh(TOKEN, { apiRoot: api.root });

    const error = await assertRejects(
      () => refresh(attachment(1), reason()),
      HttpStatusError,
    );

    assertEquals([error.status, error.retryAfterMs], [status, retryAfterMs]);
  });
}

Deno.test("discordRefresh() rejects where the answer is something else, or lacks the link", async () => {
  const answers = [
    new Response("<html>"),
    Response.json(null),
    Response.json({ refreshed_urls: [{ original: 1 }, null, "x"] }),
  ];
  await using api = new PlatformServer(() =>
    answers.shift() ?? new Response(null, { status: 500 })
  );
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });

  for (let n = 0; n < 3; n++) {
    await assertRejects(
      () => refresh(attachment(n), reason()),
      MediaCacheError,
    );
  }
  assertEquals(answers, []);
});

Deno.test("discordRefresh() takes no new link but one to the same attachment", async () => {
  const original = attachment(1);
  const others: unknown[] = [
    ...["https://evil.example/attachments/10/1/cat.png", "file:///etc/passwd"],
    ...[attachment(2), original.replace("cdn.discordapp.com", "localhost")],
    ...[`${original}&width=9`, "", null],
  ];
  const fresh = attachment(1, "?ex=1&is=1&hm=new").replace("http:", "https:");
  await using api = new PlatformServer(() =>
    Response.json({
      refreshed_urls: [
        ...[{ original, refreshed: others.length > 0 ? null : fresh }],
        { original, refreshed: others.shift() ?? "https://evil.example/" },
      ],
    })
  );
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });

  while (others.length > 0) {
    await assertRejects(() => refresh(original, reason()), MediaCacheError);
  }
  assertEquals(await refresh(original, reason()), fresh);
});

Deno.test("discordRefresh() reads no more of an endless answer than it may have", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using api = new PlatformServer(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => cancelled.resolve(),
      }),
    )
  );
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });

  await assertRejects(
    () => refresh(attachment(1), reason()),
    MediaCacheError,
    "at most 1 MB",
  );
  await cancelled.promise;
});

Deno.test("no timer and no request is left of a caller that leaves at once", async () => {
  await using api = new PlatformServer(({ body }) => signed(body));
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });
  const leaving = new AbortController();

  const left = assertRejects(
    () => refresh(attachment(1), { signal: leaving.signal, status: 404 }),
    DOMException,
  );
  leaving.abort();

  await left;
  assertEquals(api.requests, []);
});

Deno.test("discordRefresh() refuses links of other sites before a request, so that they spoil none", async () => {
  await using api = new PlatformServer(({ body }) => signed(body));
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });
  const others = [
    "https://evil.example/attachments/1/2/cat.png",
    "https://cdn.discordapp.com.evil.example/attachments/1/2/cat.png",
    "https://cdn.discordapp.com@evil.example/attachments/1/2/cat.png",
    "https://cdn.discordapp.com/emojis/1.png",
    "no link",
  ];

  const good = refresh(attachment(1), reason());
  for (const url of others) {
    const error = await assertRejects(() => refresh(url, reason()), TypeError);
    assertEquals(error.message.includes(url), false);
  }

  assertEquals(await good, attachment(1, "?ex=1&is=1&hm=new"));
  assertEquals(api.requests.length, 1);
});

Deno.test("a caller that leaves keeps no other from its link; the last one ends the request", async () => {
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using api = new PlatformServer(async ({ body }) => {
    arrived.resolve();
    await release.promise;
    return signed(body);
  });
  const refresh = discordRefresh(TOKEN, { apiRoot: api.root });
  const leaving = new AbortController();
  const { signal } = leaving;

  // The first caller leaves before the request: the others use the same batch.
  const early = new AbortController();
  const left = assertRejects(
    () => refresh(attachment(1), { signal: early.signal, status: 404 }),
    DOMException,
  );
  early.abort();
  await left;
  const staying = refresh(attachment(1), reason());
  const gone = assertRejects(
    () => refresh(attachment(1), { signal, status: 404 }),
    DOMException,
  );
  await arrived.promise;
  leaving.abort();
  await gone;
  release.resolve();

  assertEquals(await staying, attachment(1, "?ex=1&is=1&hm=new"));
  assertEquals(api.requests.length, 1);
});

Deno.test("discordRefresh() refuses a token or an address of a wrong form, and shows neither", () => {
  for (const token of ["", "a b", "a\nb", "é", 7, undefined]) {
    const error = assertThrows(
      () => discordRefresh(token as string),
      TypeError,
      "token must be",
    );
    assertEquals(error.message.includes("a b"), false);
  }
  for (const apiRoot of ["", "ftp://x", "discord.com", 7]) {
    assertThrows(
      () => discordRefresh(TOKEN, { apiRoot: apiRoot as string }),
      TypeError,
      "apiRoot must be",
    );
  }
  const options: object = { apiroot: "http://localhost" };
  assertThrows(
    () => discordRefresh(TOKEN, options),
    TypeError,
    'must be one that is known: received "apiroot"',
  );
});

Deno.test("expired links of Discord's own host are refreshed, and all signatures are one entry", async () => {
  await using api = new PlatformServer(({ line, body }) =>
    line.startsWith("POST")
      ? signed(body)
      : line.includes("hm=new")
      ? new Response(BODY, { headers: { "content-type": "image/png" } })
      : new Response("expired", { status: 404 })
  );
  // The name stays Discord's, and the connection leads to the server of the test.
  using client = Deno.createHttpClient({
    proxy: { transport: "tcp", hostname: "127.0.0.1", port: api.port },
  });
  await using temp = await tempDir();
  await using cache = await MediaCache.open({
    cacheDir: temp.path,
    canonicalUrl: platforms(discord),
  });
  const download = withRefresh(
    ({ url, signal }) => fetch(url, { signal, client }),
    discordRefresh(TOKEN, { apiRoot: api.root }),
  );

  const media = await cache.getOrDownload(attachment(1), download);
  assertEquals(await media.bytes(), BODY);
  assertEquals(await media.stored, true);
  const again = await cache.getOrDownload(
    attachment(1, "?ex=2&is=2&hm=2"),
    download,
  );

  assertEquals(await again.bytes(), BODY);
  assertEquals(
    api.requests.map(({ line }) => line),
    [
      "GET /attachments/10/1/cat.png?ex=1&is=1&hm=1",
      "POST /attachments/refresh-urls",
      "GET /attachments/10/1/cat.png?ex=1&is=1&hm=new",
    ],
  );
  assertEquals(cache.stats().refreshed, 1);
});
