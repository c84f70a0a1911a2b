/** Uploads on real sockets, which the test reads and counts. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createServer, type Server, type Socket } from "node:net";
import { Uploads } from "../../src/s3/upload.ts";

const never = new AbortController().signal;

/** How much of what comes is kept, in bytes. */
const MAX_KEPT = 10_000;

/** A server of raw sockets. */
class RawServer implements AsyncDisposable {
  readonly sockets = new Set<Socket>();
  received = "";
  /** Whether sockets are to be left unread. */
  pauses = true;
  readonly #server: Server;
  #changed = Promise.withResolvers<void>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(
    onData: (socket: Socket, text: string) => void,
  ): Promise<RawServer> {
    const server = createServer();
    const raw = new RawServer(server);
    server.on("connection", (socket) => {
      raw.sockets.add(socket);
      socket.on("data", (data) => {
        if (raw.received.length < MAX_KEPT) {
          raw.received += data.toString("latin1");
        }
        raw.#tell();
        onData(socket, raw.received);
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        raw.sockets.delete(socket);
        raw.#tell();
      });
      raw.#tell();
    });
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", resolve)
    );
    return raw;
  }

  get url(): URL {
    const address = this.#server.address();
    assert(typeof address === "object" && address !== null);
    return new URL(`http://127.0.0.1:${address.port}/media/x`);
  }

  /** Waits until something is so, looked at after each event of a socket. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      this.#changed = Promise.withResolvers();
      await this.#changed.promise;
    }
  }

  /** Reads what the sockets still bring, to see their end. */
  resume(): void {
    this.pauses = false;
    for (const socket of this.sockets) socket.resume();
  }

  #tell(): void {
    this.#changed.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function answer(status: string, body = ""): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nX-A: b\r\n\r\n${body}`;
}

/** A body that counts what was taken from it. */
function counted(chunks: number, size: number) {
  const state = { taken: 0, cancelled: false };
  const open = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (state.taken === chunks) controller.close();
        else {
          state.taken++;
          controller.enqueue(new Uint8Array(size).fill(97));
        }
      },
      cancel() {
        state.cancelled = true;
      },
    }, { highWaterMark: 0 });
  return { state, open };
}

Deno.test("a body is sent with its length, without chunks, and its connection is closed", async () => {
  await using server = await RawServer.start((socket, text) => {
    if (text.endsWith("aaaa")) socket.write(answer("200 OK", "stored"));
  });
  const uploads = new Uploads();
  const headers = new Headers({ "x-test": "1" });

  const response = await uploads.send(
    { url: server.url, headers, size: 4, open: counted(2, 2).open },
    never,
  );

  assertEquals([
    response.status,
    response.headers.get("x-a"),
    await response.text(),
  ], [200, "b", "stored"]);
  assert(
    server.received.startsWith("PUT /media/x HTTP/1.1\r\n"),
    server.received,
  );
  assert(/\r\ncontent-length: 4\r\n/i.test(server.received), server.received);
  assert(!/transfer-encoding/i.test(server.received), server.received);
  assert(server.received.endsWith("\r\n\r\naaaa"), server.received);
  await server.until(() => server.sockets.size === 0);
});

Deno.test("a refusal before the body is read ends the upload, and cancels the body", async () => {
  await using server = await RawServer.start((socket, text) => {
    if (text.includes("\r\n\r\n") && server.pauses) {
      socket.pause();
      socket.write(answer("403 Forbidden", "<Code>AccessDenied</Code>"));
    }
  });
  const { state, open } = counted(10_000, 65_536);

  const response = await new Uploads().send(
    { url: server.url, headers: new Headers(), size: 655_360_000, open },
    never,
  );

  assertEquals([response.status, await response.text()], [
    403,
    "<Code>AccessDenied</Code>",
  ]);
  assertEquals(state.cancelled, true);
  server.resume();
  await server.until(() => server.sockets.size === 0);
});

Deno.test("a refusal is seen when the store closes before it has read the body", async () => {
  await using server = await RawServer.start((socket, text) => {
    if (!text.includes("\r\n\r\n")) return;
    socket.pause();
    socket.end(answer("403 Forbidden", "<Code>AccessDenied</Code>"));
    socket.destroySoon();
  });
  const { state, open } = counted(10_000, 65_536);

  const response = await new Uploads().send(
    { url: server.url, headers: new Headers(), size: 655_360_000, open },
    never,
  );

  assertEquals([response.status, await response.text()], [
    403,
    "<Code>AccessDenied</Code>",
  ]);
  assertEquals(state.cancelled, true);
});

Deno.test("a server that does not read holds the body back", async () => {
  await using server = await RawServer.start((socket) => {
    if (server.pauses) socket.pause();
  });
  const { state, open } = counted(10_000, 65_536);
  const controller = new AbortController();
  const upload = {
    url: server.url,
    headers: new Headers(),
    size: 655_360_000,
    open,
  };
  const rejected = assertRejects(
    () => new Uploads().send(upload, controller.signal),
    Error,
    "enough",
  );
  await server.until(() => server.received.length > 0);

  // Nothing more is taken once the buffers of the system are full.
  let taken = -1;
  while (taken !== state.taken) {
    taken = state.taken;
    for (let turn = 0; turn < 200; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  assert(taken < 1000, `${taken} chunks of 64 KiB`);
  controller.abort(new Error("enough"));
  await rejected;

  assertEquals(state.cancelled, true);
  server.resume();
  await server.until(() => server.sockets.size === 0);
});

Deno.test("a connection that breaks rejects with a code, and cancels the body", async () => {
  await using server = await RawServer.start((socket) => socket.destroy());
  const { state, open } = counted(10_000, 65_536);

  const error = await assertRejects(
    () =>
      new Uploads().send({
        url: server.url,
        headers: new Headers(),
        size: 655_360_000,
        open,
      }, never),
    Error,
    "Cannot reach object store",
  );

  assert(
    ["ECONNRESET", "EPIPE"].includes((error as Error & { code: string }).code),
    error.message,
  );
  assertEquals(state.cancelled, true);
});

Deno.test("an answer that is cut rejects", async () => {
  await using server = await RawServer.start((socket, text) => {
    if (text.endsWith("aaaa")) {
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    }
  });
  await assertRejects(
    () =>
      new Uploads().send({
        url: server.url,
        headers: new Headers(),
        size: 4,
        open: counted(1, 4).open,
      }, never),
    Error,
    "Cannot reach object store",
  );
});

Deno.test("long bodies are read to 8 KiB and a chunk, however they end", async () => {
  for (
    const header of [
      "Content-Length: 1000000000",
      "Transfer-Encoding: chunked",
      "X: y",
    ]
  ) {
    const start = header.startsWith("T") ? "fffffff\r\n" : "";
    await using server = await RawServer.start((socket, text) => {
      if (!text.endsWith("aaaa")) return;
      socket.write(`HTTP/1.1 500 No\r\n${header}\r\n\r\n${start}`);
      socket.write("y".repeat(100_000));
    });

    const response = await new Uploads().send({
      ...{ url: server.url, headers: new Headers(), size: 4 },
      open: counted(1, 4).open,
    }, never);

    const { length } = await response.text();
    assertEquals(response.status, 500);
    assert(length > 8192 && length <= 8192 + 65_536, `${length} bytes`);
    await server.until(() => server.sockets.size === 0);
  }
});

Deno.test("a body that fails, or can't be opened, rejects with its error and closes the connection", async () => {
  await using server = await RawServer.start(() => {});
  const broken = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("broken"));
      },
    }, { highWaterMark: 0 });
  const shut = () => {
    throw new Error("broken");
  };
  for (const open of [broken, shut]) {
    await assertRejects(
      () =>
        new Uploads().send({
          ...{ url: server.url, headers: new Headers(), size: 4, open },
        }, never),
      Error,
      "broken",
    );
    await server.until(() => server.sockets.size === 0);
  }
});

Deno.test("what is no HTTP, and a malformed length, rejects and says so", async () => {
  for (
    const [text, reason] of [
      ["SSH-2.0-OpenSSH_9.2\r\n", "the answer must be HTTP/1.1"],
      ["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "content-length must"],
      ["HTTP/1.1 200 OK\r\nno header\r\n\r\n", "a header must have"],
    ] as const
  ) {
    await using server = await RawServer.start((socket) => socket.end(text));

    await assertRejects(
      () =>
        new Uploads().send({
          url: server.url,
          headers: new Headers(),
          size: 4,
          open: counted(1, 4).open,
        }, never),
      Error,
      `Cannot reach object store: ${reason}`,
    );
  }
});

Deno.test("close() ends each upload that runs, and its connection", async () => {
  await using server = await RawServer.start(() => {});
  const uploads = new Uploads();
  const sent = [0, 1].map(() =>
    assertRejects(
      () =>
        uploads.send({
          url: server.url,
          headers: new Headers(),
          size: 4,
          open: counted(1, 4).open,
        }, never),
      Error,
      "Cannot reach object store",
    )
  );
  await server.until(() => server.received.split("aaaa").length === 3);

  uploads.close();

  await Promise.all(sent);
  await server.until(() => server.sockets.size === 0);
});
