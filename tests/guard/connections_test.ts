/** Connections of a guard: when they are used again, and when they end. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeGuard } from "../../src/guard/guarded_fetch.ts";
import {
  INTERNET,
  LoopbackNetwork,
} from "../fixtures/guard/loopback_network.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Answers a request, of which it gets the first bytes, on a connection with a number. */
type Script = (
  request: string,
  connection: Deno.TcpConn,
  number: number,
) => Promise<void>;

/** A TCP server that runs a script for each request, and counts its connections. */
class ScriptedServer implements AsyncDisposable {
  /** The first line of each request, with the number of its connection. */
  readonly requests: string[] = [];
  readonly #listener = Deno.listen({ hostname: INTERNET, port: 0 });
  readonly #serving: Promise<void>;

  constructor(script: Script) {
    this.#serving = this.#serve(script);
  }

  /** A guard to which the host `a.test` is this server. */
  guard(): typeof fetch & Disposable {
    return makeGuard(
      { ports: [this.#listener.addr.port] },
      new LoopbackNetwork({ "a.test": [[INTERNET]] }),
    );
  }

  /** The URL. */
  url(scheme = "http"): string {
    return `${scheme}://a.test:${this.#listener.addr.port}/`;
  }

  /** Waits until all connections have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(script: Script): Promise<void> {
    const running: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      running.push(this.#answer(script, connection, running.length));
    }
    await Promise.all(running);
  }

  async #answer(
    script: Script,
    connection: Deno.TcpConn,
    number: number,
  ): Promise<void> {
    const bytes = new Uint8Array(65_536);
    try {
      for (;;) {
        const length = await connection.read(bytes);
        if (length === null) break;
        const request = new TextDecoder().decode(bytes.subarray(0, length));
        this.requests.push(`${number} ${request.split("\r\n")[0]}`);
        await script(request, connection, number);
      }
    } catch {
      // The script, or the client, has closed the connection.
    } finally {
      close(connection);
    }
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

/** Fetches so many times, and returns the numbers of the connections. */
async function numbers(
  server: ScriptedServer,
  times: number,
  init: RequestInit = {},
): Promise<string> {
  using guarded = server.guard();
  for (let i = 0; i < times; i++) {
    const response = await guarded(server.url(), init);
    assertEquals(await response.text(), "ok");
  }
  return server.requests.map((request) => request[0]).join("");
}

Deno.test("a connection is used again after a whole response, by requests that may be repeated", async () => {
  for (const [method, used] of [["GET", "000"], ["POST", "012"]] as const) {
    await using server = new ScriptedServer((_, connection) =>
      write(connection, OK)
    );
    assertEquals(await numbers(server, 3, { method }), used);
  }
});

Deno.test("a connection is not used again after Connection: close, HTTP/1.0, or bytes behind the body", async () => {
  for (
    const answer of [
      OK.replace("\r\n", "\r\nConnection: close\r\n"),
      OK.replace("\r\n", "\r\nConnection: x, Close\r\n"),
      OK.replace("1.1", "1.0"),
      `${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`,
    ]
  ) {
    await using server = new ScriptedServer((_, connection) =>
      write(connection, answer)
    );
    assertEquals(await numbers(server, 3), "012", answer);
  }
});

Deno.test("a kept connection that the server has closed is replaced, and a new one is not", async () => {
  {
    await using server = new ScriptedServer(async (_, connection) => {
      await write(connection, OK);
      close(connection);
    });
    assertEquals(await numbers(server, 3), "012");
  }
  let asked = 0;
  await using server = new ScriptedServer((_, connection) => {
    asked++;
    close(connection);
    return Promise.resolve();
  });
  using guarded = server.guard();
  await assertRejects(() => guarded(server.url()), TypeError, "has ended");
  assertEquals(asked, 1);
});

Deno.test("a body that is not read, or cancelled, closes its connection", async () => {
  await using server = new ScriptedServer((_, connection) =>
    write(connection, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
  );
  using guarded = server.guard();
  const leaving = new AbortController();

  const first = await guarded(server.url());
  await first.body?.cancel();
  const second = await guarded(server.url(), { signal: leaving.signal });
  leaving.abort();

  await assertRejects(() => second.text(), DOMException);
  assertEquals(server.requests.map((each) => each[0]), ["0", "1"]);
});

Deno.test("an answer that comes before the upload has ended counts, and the upload ends", async () => {
  await using server = new ScriptedServer((request, connection) =>
    request.startsWith("POST")
      ? write(connection, OK.replace("200 OK", "413 Too Large"))
      : Promise.resolve()
  );
  using guarded = server.guard();
  const cancelled = Promise.withResolvers<unknown>();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(9)),
    cancel: cancelled.resolve,
  });

  const response = await guarded(server.url(), { method: "POST", body });

  assertEquals([response.status, await response.text()], [413, "ok"]);
  await cancelled.promise;
});

Deno.test("an upload that fails, or is aborted, ends the call and is cancelled", async () => {
  await using server = new ScriptedServer(() => Promise.resolve());
  using guarded = server.guard();
  const broken = new ReadableStream({
    start: (controller) => controller.error(new Error("broken")),
  });
  await assertRejects(
    () => guarded(server.url(), { method: "POST", body: broken }),
    TypeError,
  );

  const leaving = new AbortController();
  const cancelled = Promise.withResolvers<unknown>();
  const asked = Promise.withResolvers<void>();
  const body = new ReadableStream({
    pull: () => {
      asked.resolve();
      return new Promise<void>(() => {});
    },
    cancel: cancelled.resolve,
  }, { highWaterMark: 0 });
  const call = guarded(server.url(), {
    method: "POST",
    body,
    signal: leaving.signal,
  });
  const gone = assertRejects(() => call, Error, "enough");
  await asked.promise;
  leaving.abort(new Error("enough"));

  await gone;
  await cancelled.promise;
});

Deno.test("a signal ends a TLS handshake that the server does not answer", async () => {
  const ended = Promise.withResolvers<void>();
  const greeted = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (_, connection) => {
    greeted.resolve();
    await ended.promise;
    close(connection);
  });
  using guarded = server.guard();
  const leaving = new AbortController();
  const { signal } = leaving;

  const call = guarded(server.url("https"), { signal });
  const gone = assertRejects(() => call, Error, "enough");
  await greeted.promise;
  leaving.abort(new Error("enough"));

  await gone;
  ended.resolve();
});

Deno.test("a server that speaks no TLS, or a name that TLS does not take, rejects without the URL", async () => {
  await using server = new ScriptedServer((_, connection) =>
    write(connection, OK)
  );
  using guarded = server.guard();
  const error = await assertRejects(
    () => guarded(`${server.url("https")}secret`),
    TypeError,
    "Cannot fetch from a.test",
  );
  assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));

  using odd = makeGuard({}, {
    resolve: () => Promise.resolve([INTERNET]),
    isPublic: () => true,
  });
  const { port } = new URL(server.url());
  using oddPort = makeGuard({ ports: [Number(port)] }, {
    resolve: () => Promise.resolve([INTERNET]),
    isPublic: () => true,
  });
  const long = `${"a".repeat(80)}.test`;
  for (const host of ["a_b.test", "-a.test", long, "a..test"]) {
    await assertRejects(
      () => oddPort(`https://${host}:${port}/secret`),
      TypeError,
      "Cannot fetch from",
    );
  }
  await assertRejects(() => odd("https://x:1/"), Error, "port must be");
});
