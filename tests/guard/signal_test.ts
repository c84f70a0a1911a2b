/** The signal ends a guarded fetch at each step. */
import { assertEquals, assertRejects } from "@std/assert";
import { makeGuard } from "../../src/guard/guarded_fetch.ts";
import {
  INTERNET,
  LoopbackNetwork,
} from "../fixtures/guard/loopback_network.ts";

const REASON = new Error("no longer wanted");

/** A network whose name server never answers, and tells when it is asked. */
function silentNetwork() {
  const asked = Promise.withResolvers<void>();
  return {
    asked: asked.promise,
    isPublic: () => true,
    resolve: () => {
      asked.resolve();
      return new Promise<string[]>(() => {});
    },
  };
}

/** A server that answers `/go` with a redirect, and any other path never. */
class SilentServer implements AsyncDisposable {
  readonly #asked = Promise.withResolvers<void>();
  readonly #listener = Deno.listen({ hostname: INTERNET, port: 0 });
  readonly #serving = this.#serve();

  /** Resolves when a request waits. */
  readonly asked: Promise<void> = this.#asked.promise;

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Waits until the clients have gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      running.push(this.#answer(connection));
    }
    await Promise.all(running);
  }

  async #answer(connection: Deno.TcpConn): Promise<void> {
    using _ = connection;
    const bytes = new Uint8Array(4_096);
    for (;;) {
      const length = await connection.read(bytes).catch(() => null);
      if (length === null) return;
      const text = new TextDecoder().decode(bytes.subarray(0, length));
      if (!text.startsWith("GET /go ")) {
        this.#asked.resolve();
        continue;
      }
      const lines = ["HTTP/1.1 302 Found", "Location: /wait"];
      const head = [...lines, "Content-Length: 0", "", ""].join("\r\n");
      await connection.write(new TextEncoder().encode(head));
    }
  }
}

Deno.test("a signal that has aborted ends the call before the name is resolved", async () => {
  const network = new LoopbackNetwork({});
  using guarded = makeGuard({}, network);
  const signal = AbortSignal.abort(REASON);

  for (
    const call of [
      () => guarded("http://a.test/", { signal }),
      () => guarded(new Request("http://a.test/", { signal })),
      () => guarded(new Request("http://a.test/"), { signal }),
    ]
  ) assertEquals(await assertRejects(call), REASON);

  assertEquals(network.asked, []);
});

Deno.test("a signal ends the wait for a name server that is silent", async () => {
  for (const inRequest of [true, false]) {
    const network = silentNetwork();
    using guarded = makeGuard({}, network);
    const leaving = new AbortController();
    const { signal } = leaving;

    const call = inRequest
      ? guarded(new Request("http://a.test/", { signal }))
      : guarded("http://a.test/", { signal });
    const gone = assertRejects(() => call);
    await network.asked;
    leaving.abort(REASON);

    assertEquals(await gone, REASON);
  }
});

Deno.test("a signal ends the wait for the head of a response, also behind a redirect", async () => {
  for (const path of ["/wait", "/go"]) {
    await using server = new SilentServer();
    using guarded = makeGuard(
      { ports: [server.port] },
      new LoopbackNetwork({ "a.test": [[INTERNET]] }),
    );
    const leaving = new AbortController();

    const call = guarded(`http://a.test:${server.port}${path}`, {
      signal: leaving.signal,
    });
    const gone = assertRejects(() => call);
    await server.asked;
    leaving.abort(REASON);

    assertEquals(await gone, REASON);
  }
});

Deno.test("a signal ends a body, also behind a redirect", async () => {
  for (const path of ["/body", "/go"]) {
    const cancelled = Promise.withResolvers<void>();
    await using server = Deno.serve(
      { hostname: INTERNET, port: 0, onListen() {} },
      ({ url }) =>
        new URL(url).pathname === "/go"
          ? new Response(null, { status: 307, headers: { Location: "/body" } })
          : new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue(new Uint8Array(9)),
              cancel: () => cancelled.resolve(),
            }),
          ),
    );
    const { port } = server.addr;
    using guarded = makeGuard(
      { ports: [port] },
      new LoopbackNetwork({ "a.test": [[INTERNET]] }),
    );
    const leaving = new AbortController();
    const response = await guarded(`http://a.test:${port}${path}`, {
      signal: leaving.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();

    const gone = assertRejects(() => reader.read());
    leaving.abort(REASON);

    assertEquals(await gone, REASON);
    await cancelled.promise;
  }
});

Deno.test("init.signal of null takes the signal of a Request away, as with fetch", async () => {
  await using server = Deno.serve(
    { hostname: INTERNET, port: 0, onListen() {} },
    () => new Response("meow"),
  );
  const { port } = server.addr;
  using guarded = makeGuard(
    { ports: [port] },
    new LoopbackNetwork({ "a.test": [[INTERNET]] }),
  );
  const leaving = new AbortController();
  const request = new Request(`http://a.test:${port}/`, {
    signal: leaving.signal,
  });
  leaving.abort();

  const response = await guarded(request, { signal: null });

  assertEquals(await response.text(), "meow");
});
