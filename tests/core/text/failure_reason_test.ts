import { assertEquals, assertRejects } from "@std/assert";
import { createServer, type Socket } from "node:net";
import {
  formatEvent,
  HttpStatusError,
  IncompleteBodyError,
} from "../../../mod.ts";
import {
  errorFacts,
  failureReason,
} from "../../../src/core/text/failure_reason.ts";

/** An error of any name, even a name that no error class has. */
function named(name: unknown): Error {
  return Object.defineProperty(new Error("a message"), "name", { value: name });
}

function fail(): never {
  throw new Error("a trap");
}

/** An error with members that throw when read. */
function unreadable(): Error {
  const error = new Error("a message");
  for (const name of ["name", "message", "code", "status", "cause"]) {
    Object.defineProperty(error, name, { get: fail });
  }
  return error;
}

/** An error with a code. */
function coded(code: unknown, cause?: unknown): Error {
  return Object.assign(new Error("https://example.org/", { cause }), { code });
}

function reasonOf(error: unknown): string {
  return failureReason(errorFacts(error));
}

Deno.test("errorFacts() states names of errors, and no other text in their place", () => {
  const nameOf = (error: unknown) => errorFacts(error).name;
  assertEquals(nameOf(new TypeError("a message")), "TypeError");
  assertEquals(nameOf(new DOMException("", "AbortError")), "AbortError");
  assertEquals(nameOf(named("ERR_HTTP2_SESSION")), "ERR_HTTP2_SESSION");
  const texts = [
    "",
    "cannot fetch https://example.org/bot1:SECRET",
    "Error\nMedia cache: all is well",
    "x".repeat(65),
    Symbol("x"),
    undefined,
    5,
    {},
  ];
  for (const text of texts) assertEquals(nameOf(named(text)), "Error");
  for (const thrown of ["https://example.org/bot1:SECRET", null, 5]) {
    assertEquals(nameOf(thrown), typeof thrown);
  }
});

Deno.test("errorFacts() states known codes and statuses, also those of causes, and no others", () => {
  const circle = coded(undefined);
  circle.cause = circle;
  const deep = Array.from({ length: 50 }).reduce<Error>(
    (cause) => new Error("", { cause }),
    coded("EPIPE"),
  );
  const cases: [error: unknown, reason: string][] = [
    [coded("ECONNREFUSED"), "ECONNREFUSED"],
    [new TypeError("fetch failed", { cause: coded("ENOTFOUND") }), "ENOTFOUND"],
    [coded("EPIPE", coded("ECONNRESET")), "EPIPE"],
    [{ code: "UND_ERR_SOCKET" }, "UND_ERR_SOCKET"],
    [new DOMException("", "TimeoutError"), "TimeoutError"],
    [coded("https://example.org/bot1:SECRET"), "Error"],
    [coded("ECONNRESET\n"), "Error"],
    [coded("E".repeat(65)), "Error"],
    [coded(23), "Error"],
    [new HttpStatusError(404), "HTTP 404"],
    [new Error("", { cause: new HttpStatusError(503) }), "HTTP 503"],
    [{ status: 429 }, "HTTP 429"],
    [
      new AggregateError([coded("ECONNREFUSED"), coded("EPIPE")]),
      "ECONNREFUSED",
    ],
    [new AggregateError([new HttpStatusError(404)]), "HTTP 404"],
    [new AggregateError([]), "AggregateError"],
    ...[0, 99, 1000, 404.5, NaN, "404", null].map((status) =>
      [Object.assign(new Error(), { status }), "Error"] as [Error, string]
    ),
    [new IncompleteBodyError(1, 2), "IncompleteBodyError"],
    [circle, "Error"],
    [deep, "Error"],
    [unreadable(), "Error"],
    [new Proxy(new Error(), { getPrototypeOf: fail }), "object"],
    [undefined, "undefined"],
  ];
  for (const [error, reason] of cases) assertEquals(reasonOf(error), reason);
});

Deno.test({
  name: "errorFacts() recognizes system errors without a code by their numbers",
  ignore: Deno.build.os !== "linux",
  fn() {
    const codes = {
      ...{
        23: "ENFILE",
        26: "ETXTBSY",
        31: "EMLINK",
        37: "ENOLCK",
        38: "ENOSYS",
      },
      ...{ 112: "EHOSTDOWN", 116: "ESTALE", 121: "EREMOTEIO", 122: "EDQUOT" },
    };
    for (const [number, code] of Object.entries(codes)) {
      const error = new Error(`What it says (os error ${number}): lock '/a'`);
      assertEquals(reasonOf(error), code);
    }
    assertEquals(reasonOf(new Error("What it says (os error 9999)")), "Error");
  },
});

Deno.test("errorFacts() states the code of a fetch error that a downloader has wrapped", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  listener.close();
  const error = await assertRejects(() => fetch(url));

  assertEquals(reasonOf(error), "ECONNREFUSED");
  assertEquals(reasonOf(new Error("", { cause: error })), "ECONNREFUSED");
  assertEquals(reasonOf(new AggregateError([error])), "ECONNREFUSED");
});

Deno.test("errorFacts() reads messages of fetch alone, and never the URL in them", () => {
  const failed = (message: string) =>
    new TypeError("fetch failed", { cause: new Error(message) });
  const url = "https://a/dns error(invalid peer certificate)";

  assertEquals(
    reasonOf(failed(
      `error sending request for url (${url}): client error (Connect): ` +
        "invalid peer certificate: UnknownIssuer",
    )),
    "ERR_TLS_CERT_INVALID",
  );
  assertEquals(
    reasonOf(failed(
      `error sending request for url (${url}): client error (Connect): other`,
    )),
    "TypeError",
  );
  assertEquals(reasonOf(new Error("dns error")), "Error");
  assertEquals(
    reasonOf(failed(
      "stream error received: refused stream before processing any application logic",
    )),
    "ERR_HTTP2_STREAM_ERROR",
  );
});

/** The error of a fetch from a server that treats its connections so. */
async function served(
  onConnection: (socket: Socket) => void,
  scheme = "http",
): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as { port: number };
  try {
    const response = await fetch(`${scheme}://127.0.0.1:${port}/`);
    return await response.bytes();
  } catch (error) {
    return error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

const CODED = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";

const REAL: [what: string, fail: () => Promise<unknown>, reason: string][] = [
  ["a connection that is refused", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    return await fetch(`http://127.0.0.1:${listener.addr.port}/`).catch((e) =>
      e
    );
  }, "ECONNREFUSED"],
  [
    "an unknown host",
    () => fetch("http://nobody.invalid/").catch((error) => error),
    "ENOTFOUND",
  ],
  [
    "a server that resets the connection",
    () =>
      served((socket) => socket.once("data", () => socket.resetAndDestroy())),
    "ECONNRESET",
  ],
  [
    "a server that closes the connection without an answer",
    () => served((socket) => socket.once("data", () => socket.end())),
    "ECONNRESET",
  ],
  [
    "a body that breaks off",
    () => served((socket) => socket.once("data", () => socket.end(HEAD))),
    "ECONNRESET",
  ],
  [
    "a compressed body that breaks off",
    () => served((socket) => socket.once("data", () => socket.end(CODED))),
    "Z_BUF_ERROR",
  ],
  [
    "a server that closes the connection before TLS has begun",
    () => served((socket) => socket.once("data", () => socket.end()), "https"),
    "ECONNRESET",
  ],
  [
    "a blocked port",
    () => fetch("http://127.0.0.1:25/").catch((error) => error),
    "ERR_INVALID_URL",
  ],
  [
    "another scheme",
    () => fetch("ftp://127.0.0.1/").catch((error) => error),
    "ERR_INVALID_URL",
  ],
  [
    "no URL",
    () => fetch("http://[").catch((error) => error),
    "ERR_INVALID_URL",
  ],
  [
    "a server that does not speak TLS",
    () =>
      served((socket) => socket.once("data", () => socket.end(HEAD)), "https"),
    "EPROTO",
  ],
];

for (const [what, fail, reason] of REAL) {
  Deno.test(`errorFacts() recognizes ${what} by the message of fetch`, async () => {
    const error = await fail();

    assertEquals([errorFacts(error).name, reasonOf(error)], [
      "TypeError",
      reason,
    ]);
  });
}

const BASE = {
  type: "failed",
  time: 0,
  url: "a:",
  key: "0".repeat(64),
  received: 5,
} as const;

Deno.test("formatEvent() gives a failure one line, for any name of the error", () => {
  const error = named("Error\nhttps://example.org/bot1:SECRET");

  const line = formatEvent({ ...BASE, error, ...errorFacts(error) });

  assertEquals(
    line,
    "Media cache: download of 000000000000 failed after 5 bytes: Error",
  );
});

Deno.test("formatEvent() states the cause of foreign errors, and the message of own errors", () => {
  const ours = new HttpStatusError(404);
  const others = new TypeError("https://a/", { cause: coded("ECONNREFUSED") });
  const cases: [error: Error, text: string][] = [
    [ours, `HttpStatusError: ${ours.message}`],
    [others, "TypeError: ECONNREFUSED"],
    [Object.assign(new Error(), { status: 500 }), "Error: HTTP 500"],
  ];
  for (const [error, text] of cases) {
    assertEquals(
      formatEvent({ ...BASE, error, ...errorFacts(error) }),
      `Media cache: download of 000000000000 failed after 5 bytes: ${text}`,
    );
  }
});
