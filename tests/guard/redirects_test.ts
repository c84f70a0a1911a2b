/** Redirects are checked and followed hop by hop. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ForbiddenAddressError } from "../../src/guard/guard.ts";
import { makeGuard } from "../../src/guard/guarded_fetch.ts";
import type { GuardOptions } from "../../src/guard/guard_options.ts";
import {
  INTERNET,
  LoopbackNetwork,
} from "../fixtures/guard/loopback_network.ts";
import { LOOPBACK_HOSTS, PRIVATE_HOSTS } from "../fixtures/guard/spellings.ts";

const SECRET = "t0p-secret";

/** A request as the server has seen it. */
interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A server of several hosts that answers `/go?to=…&status=…` with a redirect, and tells what it saw. */
class Redirector implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server = Deno.serve(
    { hostname: INTERNET, port: 0, onListen() {} },
    (request) => this.#answer(request),
  );

  get port(): number {
    return this.#server.addr.port;
  }

  /** The URL of a path at a host. */
  url(path: string, host = "a.test"): string {
    return `http://${host}:${this.port}${path}`;
  }

  /** The URL of a redirect. */
  go(to: string, status = 302, host = "a.test"): string {
    const query = new URLSearchParams({ to, status: `${status}` });
    return this.url(`/go?${query}`, host);
  }

  /** A guard to which the hosts are public. */
  guard(options: GuardOptions = {}): typeof fetch & Disposable {
    const names = ["a.test", "b.test", "sub.a.test"];
    const answers = names.map((name) => [name, [[INTERNET]]] as const);
    return makeGuard(
      { ports: [this.port], ...options },
      new LoopbackNetwork({
        ...Object.fromEntries(answers),
        "inner.test": [["10.0.0.1"]],
        "mixed.test": [[INTERNET, "fd00::1"]],
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { url, method, headers } = request;
    this.seen.push({ url, method, headers, body: await request.text() });
    const { searchParams } = new URL(url);
    const to = searchParams.get("to");
    if (to === null) return new Response("there");
    return new Response("moved", {
      status: Number(searchParams.get("status")),
      headers: { Location: to },
    });
  }
}

Deno.test("a redirect to an address that is not public is refused, whatever its spelling", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const hosts = [
    ...LOOPBACK_HOSTS.filter((host) =>
      new URL(`http://${host}`).hostname !== INTERNET
    ),
    ...Object.values(PRIVATE_HOSTS).flat(),
    ...["inner.test", "mixed.test"],
  ];

  for (const host of hosts) {
    // No answer of the fixture stands for the system's localhost.
    const wanted = /localhost/.test(new URL(`http://${host}`).hostname)
      ? TypeError
      : ForbiddenAddressError;
    // A header can't hold the other letters as they are.
    const ascii = host.replace(/[^\0-\x7f]/gu, encodeURIComponent);
    const to = `http://${ascii}:${server.port}/${SECRET}`;
    const error = await assertRejects(
      () => guarded(server.go(to)),
      wanted as typeof Error,
      undefined,
      host,
    );
    assert(!Deno.inspect(error).includes(SECRET), error.message);
  }

  assertEquals(server.seen.length, hosts.length);
});

Deno.test("a redirect to another scheme or port, or with credentials, is refused", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const targets = [
    ...["file:///etc/passwd", "data:text/plain,x", "ftp://a.test/x"],
    ...["blob:http://a.test/x", "gopher://a.test/x", "javascript:1"],
    ...["http://a.test:22/", "http://a.test/", "https://a.test/"],
    `http://user:${SECRET}@a.test:${server.port}/`,
    `//user:${SECRET}@b.test:${server.port}/`,
  ];

  for (const to of targets) {
    const error = await assertRejects(
      () => guarded(server.go(to)),
      ForbiddenAddressError,
      undefined,
      to,
    );
    assert(!Deno.inspect(error).includes(SECRET), error.message);
  }

  assertEquals(server.seen.length, targets.length);
});

Deno.test("the second redirect is checked as the first", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const inner = server.go(`http://[::1]:${server.port}/`, 307, "b.test");

  await assertRejects(() => guarded(server.go(inner)), ForbiddenAddressError);

  assertEquals(server.seen.length, 2);
});

Deno.test("a Location may be relative, without a scheme, empty or with a fragment", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const reach = async (to: string) => {
    const response = await guarded(server.go(to));
    assertEquals(await response.text(), "there");
    assert(response.redirected);
    return response.url;
  };

  assertEquals(await reach("/x"), server.url("/x"));
  assertEquals(await reach("x?y#z"), server.url("/x?y"));
  assertEquals(
    await reach(`//b.test:${server.port}/x`),
    server.url("/x", "b.test"),
  );
  assertEquals(await reach("\\x"), server.url("/x"));
  // An empty Location leads to the same URL again.
  await assertRejects(
    () => guarded(server.go("")),
    TypeError,
    "at most 5 redirects",
  );
});

Deno.test("a Location that is no URL rejects, and is not shown; a redirect without one is the answer", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  for (
    const to of [
      `http://[${SECRET}/`,
      "http://",
      "http://a b/",
      "//",
      "http://1.2.3.4.5/",
    ]
  ) {
    const error = await assertRejects(
      () => guarded(server.go(to)),
      TypeError,
      "must have a URL as its Location",
    );
    assert(!Deno.inspect(error).includes(SECRET), error.message);
  }

  await using bare = Deno.serve(
    { hostname: INTERNET, port: 0, onListen() {} },
    () => new Response("nowhere", { status: 302 }),
  );
  const { port } = bare.addr;
  using other = makeGuard(
    { ports: [port] },
    new LoopbackNetwork({ "a.test": [[INTERNET]] }),
  );
  const response = await other(`http://a.test:${port}/`);
  assertEquals([response.status, response.redirected], [302, false]);
  assertEquals(await response.text(), "nowhere");
});

Deno.test("a loop of redirects ends after as many as are allowed", async () => {
  await using server = new Redirector();
  for (const maxRedirects of [0, 1, 5, 30]) {
    using guarded = server.guard({ maxRedirects });
    const before = server.seen.length;
    await assertRejects(
      () => guarded(server.go("")),
      TypeError,
      `at most ${maxRedirects} redirects`,
    );
    assertEquals(server.seen.length - before, maxRedirects + 1);
  }
  using guarded = server.guard({ maxRedirects: 2 });
  const two = server.go(server.go(server.url("/end")));
  assertEquals(await (await guarded(two)).text(), "there");
});

Deno.test("redirect: error rejects at the first, and redirect: manual hands it out", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const to = "http://[::1]/";

  await assertRejects(
    () => guarded(server.go(to), { redirect: "error" }),
    TypeError,
    "no redirect is allowed",
  );
  const response = await guarded(server.go(to), { redirect: "manual" });

  const { status, headers, redirected } = response;
  assertEquals([status, headers.get("location")], [302, to]);
  assertEquals([redirected, await response.text()], [false, "moved"]);
});

/** The names of the headers that matter here, as the server saw them. */
function secretsSeen({ headers }: Seen): string[] {
  const names = ["authorization", "cookie", "proxy-authorization", "x-mine"];
  return names.filter((name) => headers.has(name));
}

Deno.test("Authorization and cookies stay at their origin, and do not come back", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const headers = {
    "Authorization": "Bearer x",
    "Cookie": "a=b",
    "Proxy-Authorization": "Basic x",
    "X-Mine": "kept",
  };
  const all = ["authorization", "cookie", "proxy-authorization", "x-mine"];
  const fetched = async (url: string) => {
    server.seen.length = 0;
    await (await guarded(url, { headers })).text();
    return server.seen.map(secretsSeen);
  };

  assertEquals(await fetched(server.go("/x")), [all, all]);
  for (const host of ["b.test", "sub.a.test"]) {
    const there = server.go(server.url("/back"), 302, host);
    assertEquals(await fetched(server.go(there)), [
      all,
      ["x-mine"],
      ["x-mine"],
    ]);
  }
  // A name, and its address: two origins.
  using byAddress = server.guard();
  server.seen.length = 0;
  await (await byAddress(server.go(server.url("/x", INTERNET)), { headers }))
    .text();
  assertEquals(server.seen.map(secretsSeen), [all, ["x-mine"]]);
});

Deno.test("method, body and the headers of the body follow a redirect as with fetch", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const form = new FormData();
  form.append("a", "b");
  const bodies: [BodyInit, string | RegExp][] = [
    ["text", "text"],
    [new TextEncoder().encode("bytes"), "bytes"],
    [new TextEncoder().encode("buffer").buffer, "buffer"],
    [new Blob(["blob"], { type: "text/x" }), "blob"],
    [new URLSearchParams({ a: "b" }), "a=b"],
    [form, /name="a"\r\n\r\nb/],
  ];
  for (const method of ["POST", "PUT", "DELETE"]) {
    for (const status of [301, 302, 303, 307, 308]) {
      for (const [body, text] of bodies) {
        const init = { method, body, headers: { "Content-Language": "de" } };
        // Port and host are those of the server, so that fetch reaches it, too.
        const url = server.go("/end", status, INTERNET);
        server.seen.length = 0;
        await (await fetch(url, init)).text();
        const byFetch = server.seen.map(shown);
        server.seen.length = 0;
        await (await guarded(url, init)).text();
        assertEquals(server.seen.map(shown), byFetch, `${method} ${status}`);
        assert(server.seen[0]?.body.match(text));
      }
    }
  }
});

/** A request without what differs: codings that are asked for, the boundary of a form. */
function shown({ url, method, headers, body }: Seen): unknown {
  const kept = [...headers].filter(([name]) => name !== "accept-encoding");
  return JSON.parse(
    JSON.stringify([url, method, kept, body])
      .replaceAll(/-{4,}[\w-]*/g, "boundary"),
  );
}

Deno.test("HEAD stays HEAD behind each redirect", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  for (const status of [301, 302, 303, 307, 308]) {
    server.seen.length = 0;
    const response = await guarded(server.go("/x", status), { method: "HEAD" });
    assertEquals(response.body, null);
    assertEquals(server.seen.map(({ method }) => method), ["HEAD", "HEAD"]);
  }
});

Deno.test("a stream, and the body of a Request, is sent once, and again after none but 303", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const make = {
    stream: (url: string) =>
      guarded(url, { method: "POST", body: new Blob(["once"]).stream() }),
    request: (url: string) =>
      guarded(new Request(url, { method: "POST", body: "once" })),
  };
  for (const send of Object.values(make)) {
    for (const status of [301, 302, 307, 308]) {
      server.seen.length = 0;
      await assertRejects(
        () => send(server.go("/x", status)),
        TypeError,
        "can't be sent again",
      );
      assertEquals(server.seen.map(({ body }) => body), ["once"]);
    }
    server.seen.length = 0;
    await (await send(server.go("/x", 303))).text();
    const methods = server.seen.map(({ method, body }) => [method, body]);
    assertEquals(methods, [["POST", "once"], ["GET", ""]]);
  }
});

Deno.test("a Request gives its method, headers and redirect mode, and init goes before it", async () => {
  await using server = new Redirector();
  using guarded = server.guard();
  const request = new Request(server.go("/x"), {
    method: "OPTIONS",
    headers: { "X-Mine": "request", "Authorization": "a" },
    redirect: "manual",
  });

  const manual = await guarded(request.clone());
  assertEquals([manual.status, await manual.text()], [302, "moved"]);
  const response = await guarded(request, {
    redirect: "follow",
    headers: { "X-Mine": "init" },
  });
  await response.text();

  const last = server.seen.at(-1);
  assertEquals([last?.method, last?.headers.get("x-mine")], [
    "OPTIONS",
    "init",
  ]);
  assert(!last?.headers.has("authorization"));
});

Deno.test("the body of a redirect is not read", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using server = Deno.serve(
    { hostname: INTERNET, port: 0, onListen() {} },
    (request) => {
      if (new URL(request.url).pathname === "/end") return new Response("end");
      const body = new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(65_536));
        },
        cancel() {
          cancelled.resolve();
        },
      });
      const headers = { Location: "/end" };
      return new Response(body, { status: 302, headers });
    },
  );
  const { port } = server.addr;
  using guarded = makeGuard(
    { ports: [port] },
    new LoopbackNetwork({ "a.test": [[INTERNET]] }),
  );

  const response = await guarded(`http://a.test:${port}/`);

  assertEquals(await response.text(), "end");
  await cancelled.promise;
});
