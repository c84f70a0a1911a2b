/** Requests and responses on connections that bring and take what the test says. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ByteConnection,
  Connection,
  ProtocolError,
} from "../../src/http1/connection.ts";
import { exchange, type Outgoing } from "../../src/http1/exchange.ts";
import { Random } from "../fixtures/inputs/random.ts";

const URL_X = new URL("http://a.test/x?y");

/** A connection that brings a text in parts, and then ends or stays open. */
class TextConnection implements ByteConnection {
  /** What was sent. */
  sent = "";
  /** The most bytes that are taken; a write behind them fails. */
  maxSent = Infinity;
  readonly #closed = Promise.withResolvers<never>();
  readonly #decoder = new TextDecoder();
  readonly #partSize: number;
  readonly #staysOpen: boolean;
  #text: string;
  #wrote = Promise.withResolvers<void>();

  constructor(text: string, partSize = 5000, staysOpen = false) {
    this.#text = text;
    this.#partSize = partSize;
    this.#staysOpen = staysOpen;
    this.#closed.promise.catch(() => {});
  }

  read(bytes: Uint8Array): Promise<number | null> {
    const part = this.#text.slice(0, Math.min(this.#partSize, bytes.length));
    this.#text = this.#text.slice(part.length);
    for (let at = 0; at < part.length; at++) bytes[at] = part.charCodeAt(at);
    if (part.length > 0) return Promise.resolve(part.length);
    return this.#staysOpen ? this.#closed.promise : Promise.resolve(null);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.sent.length >= this.maxSent) {
      return Promise.reject(new Deno.errors.BrokenPipe("broken"));
    }
    this.sent += this.#decoder.decode(bytes);
    this.#wrote.resolve();
    return Promise.resolve(bytes.length);
  }

  /** Waits until what was sent ends so. */
  async untilSent(end: string): Promise<void> {
    while (!this.sent.endsWith(end)) {
      this.#wrote = Promise.withResolvers();
      await this.#wrote.promise;
    }
  }

  close(): void {
    this.#closed.reject(new Deno.errors.Interrupted("closed"));
  }
}

/** Sends a request, by default a GET without a body, and returns the response. */
function respond(
  connection: ByteConnection,
  outgoing: Partial<Outgoing> = {},
  options: { signal?: AbortSignal; release?: () => void } = {},
): Promise<Response> {
  const { signal, ...rest } = options;
  return exchange(new Connection(connection), {
    ...{ url: URL_X, method: "GET", headers: new Headers(), body: null },
    ...outgoing,
  }, { maxHeaderBytes: 65_536, failure: (error) => error, signal, ...rest });
}

/** A body of these texts, and whether it was cancelled. */
function bodyOf(...texts: string[]) {
  const cancelled = Promise.withResolvers<unknown>();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const text = texts.shift();
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
    cancel: cancelled.resolve,
  }, { highWaterMark: 0 });
  return { body, cancelled: cancelled.promise };
}

const REFUSAL =
  "HTTP/1.1 403 Forbidden\r\nContent-Length: 14\r\nRetry-After:  7 \r\n\r\n<Code>A</Code>";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

Deno.test("a response is read whole, wherever its bytes are parted", async () => {
  for (let size = 1; size <= REFUSAL.length; size++) {
    const answer = await respond(new TextConnection(REFUSAL, size, true));

    assertEquals(
      [answer.status, answer.headers.get("retry-after"), await answer.text()],
      [403, "7", "<Code>A</Code>"],
    );
  }
});

Deno.test("responses that end by chunks, by the connection or by their status", async () => {
  const answers: Record<string, [number, string]> = {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
      [200, "abc"],
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n": [200, ""],
    "HTTP/1.1 204 No Content\r\n\r\n": [204, ""],
    "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n": [200, ""],
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok":
      [201, "ok"],
  };
  for (const [text, [status, body]] of Object.entries(answers)) {
    const answer = await respond(new TextConnection(text, 3, true));
    assertEquals([answer.status, await answer.text()], [status, body], text);
  }
  const untilEnd = await respond(
    new TextConnection("HTTP/1.0 500 No\r\n\r\nabc"),
  );
  assertEquals([untilEnd.status, await untilEnd.text()], [500, "abc"]);
});

Deno.test("a response that is cut anywhere rejects with a code", async () => {
  for (let length = 0; length < REFUSAL.length; length++) {
    const error = await assertRejects(
      async () => {
        const cut = new TextConnection(REFUSAL.slice(0, length));
        await (await respond(cut)).text();
      },
      ProtocolError,
    );
    assertEquals(error.code, "ECONNRESET");
  }
});

Deno.test("what is no response rejects", async () => {
  for (
    const text of [
      ...["SSH-2.0-x\r\n\r\n", "\r\n\r\n", "HTTP/2 200\r\n\r\n"],
      ...["HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n"],
      ...["\x16\x03\x01\r\n\r\n", "x".repeat(1e5)],
      ...["\r\n: a\r\n\r\n", "\r\nb\r\n\r\n", "\r\nc d: e\r\n\r\n"]
        .map((lines) => `HTTP/1.1 200 OK${lines}`),
    ]
  ) {
    const error = await assertRejects(
      () => respond(new TextConnection(text)),
      ProtocolError,
    );
    assertEquals(error.code, undefined, text.slice(0, 40));
  }
});

Deno.test("a response that is changed at random is one or an error", async () => {
  const random = new Random();
  for (let run = 0; run < 2000; run++) {
    const at = random.integer(0, REFUSAL.length);
    const text = REFUSAL.slice(0, at) +
      random.pick(["", "\r\n", "\0", ":", "\xff", "9", " "]) +
      REFUSAL.slice(at + random.integer(0, 3));

    const found = await respond(
      new TextConnection(text, random.integer(1, 90)),
    ).then((answer) => answer.text()).catch((error: Error) => error);

    assert(
      typeof found === "string" || found instanceof ProtocolError,
      `${random.hint}: ${found}`,
    );
  }
});

Deno.test("a stream goes by its length, or in chunks", async () => {
  for (
    const [length, sent] of [
      [{ length: 5 }, "content-length: 5\r\n"],
      [{}, "transfer-encoding: chunked\r\n"],
    ] as const
  ) {
    const connection = new TextConnection("", 1, true);
    const { body } = bodyOf("he", "", "llo");
    const leaving = new AbortController();
    const call = respond(connection, { method: "PUT", body, ...length }, {
      signal: leaving.signal,
    });
    const end = "length" in length
      ? "hello"
      : "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    await connection.untilSent(end);
    leaving.abort(new Error("enough"));
    await assertRejects(() => call, Error, "enough");

    assert(connection.sent.includes(sent), connection.sent);
    assert(connection.sent.endsWith(`\r\n\r\n${end}`), connection.sent);
  }
});

Deno.test("a stream of another length than was said rejects", async () => {
  for (
    const [texts, received] of [
      [["abc"], "received 3"],
      [["abc", "de"], "received more"],
      [[], "received 0"],
    ] as const
  ) {
    const connection = new TextConnection("", 1, true);
    const { body } = bodyOf(...texts);
    await assertRejects(
      () => respond(connection, { method: "PUT", body, length: 4 }),
      Error,
      `body must have 4 bytes: ${received}`,
    );
    assert(!connection.sent.endsWith("de"), connection.sent);
  }
});

Deno.test("a response counts where the connection takes no more of the request", async () => {
  for (const length of [{ length: 1e6 }, {}]) {
    const connection = new TextConnection(REFUSAL, 1);
    connection.maxSent = 1;
    const { body, cancelled } = bodyOf("he", "llo");

    const answer = await respond(connection, {
      ...{ method: "PUT", body, ...length },
    });

    assertEquals([answer.status, await answer.text()], [403, "<Code>A</Code>"]);
    await cancelled;
  }
});

Deno.test("a request's body is cancelled when the response is let go, or its signal aborts", async () => {
  const endings = [
    (answer: Response) => answer.body?.cancel(),
    (_: Response, leaving: AbortController) => leaving.abort(),
  ];
  for (const end of endings) {
    const leaving = new AbortController();
    const cancelled = Promise.withResolvers<unknown>();
    const body = new ReadableStream<Uint8Array>({ cancel: cancelled.resolve });
    const answer = await respond(
      new TextConnection(REFUSAL.slice(0, -3), 90, true),
      { method: "PUT", body, length: 9 },
      { signal: leaving.signal },
    );

    await end(answer, leaving);

    await cancelled.promise;
  }
});

Deno.test("a connection that is not to be used again is announced so, and closed", async () => {
  const last = new TextConnection(OK, 90, true);
  assertEquals((await respond(last)).status, 200);
  assert(last.sent.includes("\r\nconnection: close\r\n"), last.sent);
  await assertRejects(() => last.read(new Uint8Array(1)), Error, "closed");

  const kept = new TextConnection(OK, 90, true);
  const released = Promise.withResolvers<void>();
  assertEquals(
    (await respond(kept, {}, { release: released.resolve })).status,
    200,
  );
  await released.promise;
  assert(!kept.sent.includes("connection:"), kept.sent);
});
