/** Heads of responses that are made to harm: long ones, many headers, endless ones. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeGuard } from "../../src/guard/guarded_fetch.ts";
import type { GuardOptions } from "../../src/guard/guard_options.ts";
import {
  INTERNET,
  LoopbackNetwork,
} from "../fixtures/guard/loopback_network.ts";
import { Random } from "../fixtures/inputs/random.ts";
import { RawOrigin } from "../fixtures/servers/origin.ts";

const NOTHING = new Uint8Array(0);

/** Fetches what a server sends that knows nothing but these bytes. */
async function fetchRaw(
  head: string,
  options: GuardOptions = {},
  init: RequestInit = {},
): Promise<Response> {
  await using origin = new RawOrigin(head, NOTHING);
  const { port } = new URL(origin.url);
  using guarded = makeGuard(
    { ports: [Number(port)], ...options },
    new LoopbackNetwork({ "a.test": [[INTERNET]] }),
  );
  const response = await guarded(`http://a.test:${port}/secret`, init);
  const text = await response.text();
  return new Response(text || null, response);
}

/** A head of so many bytes. */
function headOf(bytes: number, status = "200 OK"): string {
  const rest = `HTTP/1.1 ${status}\nX-Long: \n\n`.replaceAll("\n", "\r\n");
  const value = "x".repeat(bytes - rest.length);
  return `HTTP/1.1 ${status}\nX-Long: ${value}\n\n`;
}

Deno.test("headers of maxHeaderBytes are taken, and a byte more is an error", async () => {
  for (const maxHeaderBytes of [undefined, 100, 100_000]) {
    const most = maxHeaderBytes ?? 65_536;
    const options = { maxHeaderBytes };
    await fetchRaw(headOf(most), options);
    const error = await assertRejects(
      () => fetchRaw(headOf(most + 1), options),
      TypeError,
      `headers must have at most ${most} bytes: received more`,
    );
    assert(!error.message.includes("secret"));
  }
});

Deno.test("the headers of a redirect count, too", async () => {
  await assertRejects(
    () =>
      fetchRaw(
        headOf(65_537, "302 Found").replace("\n\n", "\nLocation: /x\n\n"),
      ),
    TypeError,
    "headers must have at most 65536 bytes",
  );
});

Deno.test("many headers, a head without end, and what is no head, are errors without the URL", async () => {
  const many = Array.from({ length: 5_000 }, (_, i) => `X-${i}: y\n`).join("");
  for (
    const head of [
      `HTTP/1.1 200 OK\n${many}\n`,
      `HTTP/1.1 200 OK\n${"A: b\n".repeat(101)}\n`,
      `HTTP/1.1 200 OK\n${"X : y\n"}\n`,
      "HTTP/1.1 200 OK\nX: y\n z\n\n",
      "HTTP/1.1 200 OK\nContent-Length: -1\n\n",
      "HTTP/1.1 200 OK\nContent-Length: 1, 2\n\n",
      "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n",
      "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\n",
      "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n",
      "HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked\n\n",
      "HTTP/1.1 101 Switching Protocols\nUpgrade: x\n\n",
      "HTTP/1.1 099 X\n\n",
      "HTTP/1.1 600 X\n\n",
      headOf(1_000_000),
      `HTTP/1.1 200 OK\nX: ${"y".repeat(2_000_000)}`,
      `HTTP/1.1 200 ${"O".repeat(1_000_000)}\n\n`,
      "HTTP/1.1 200 OK\nX\u0001: y\n\n",
      "HTTP/1.1 200 OK\n: y\n\n",
      "HTTP/9.9 200 OK\n\n",
      "HTTP/1.1 2000 OK\n\n",
      "\n".repeat(100_000),
      "SSH-2.0-OpenSSH_9.2\n",
      "",
    ]
  ) {
    const error = await assertRejects(
      () => fetchRaw(head, { maxHeaderBytes: 100_000 }),
      TypeError,
      "Cannot fetch from a.test:",
      head.slice(0, 40),
    );
    assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
  }
});

Deno.test("100 headers are taken, as by fetch", async () => {
  const head = `HTTP/1.1 200 OK\n${"A: b\n".repeat(100)}\n`;
  const response = await fetchRaw(head);
  assertEquals(response.headers.get("a"), Array(100).fill("b").join(", "));
});

Deno.test("statuses without a body, and cookies, pass as with fetch", async () => {
  const unchanged = await fetchRaw('HTTP/1.1 304 Not Modified\nETag: "x"\n\n');
  assertEquals([unchanged.status, unchanged.headers.get("etag")], [304, '"x"']);
  const empty = await fetchRaw("HTTP/1.1 204 No Content\n\n");
  assertEquals([empty.status, empty.body], [204, null]);
  const cookies = await fetchRaw(
    "HTTP/1.1 200 OK\nSet-Cookie: a=b\nSet-Cookie: c=d\n\n",
  );
  assertEquals(cookies.headers.getSetCookie(), ["a=b", "c=d"]);
  const early = await fetchRaw(
    "HTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 200 OK\n\n",
  );
  assertEquals(early.status, 200);
  const odd = await fetchRaw("HTTP/1.1 300 Multiple Choices\nLocation: /x\n\n");
  assertEquals(odd.status, 300);
});

Deno.test("endless interim responses end at maxHeaderBytes", async () => {
  const interim = "HTTP/1.1 103 Early Hints\nX: y\n\n";
  await assertRejects(
    () => fetchRaw(interim.repeat(5_000)),
    TypeError,
    "headers must have at most 65536 bytes",
  );
  const some = await fetchRaw(`${interim.repeat(1_000)}HTTP/1.1 200 OK\n\n`);
  assertEquals(some.status, 200);
});

const CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
const SIZED = "HTTP/1.1 200 OK\nContent-Length: 5\n\n";

Deno.test("a body ends where its length, its chunks or the connection say", async () => {
  const bodies: [head: string, text: string][] = [
    [`${SIZED}hello`, "hello"],
    [`${SIZED}hello and more`, "hello"],
    [`${SIZED.replace("5", "5, 5")}hello`, "hello"],
    ["HTTP/1.1 200 OK\nContent-Length: 0\n\nx", ""],
    ["HTTP/1.1 200 OK\n\nhello", "hello"],
    ["HTTP/1.0 200 OK\n\nhello", "hello"],
    [`${CHUNKED}5\nhello\n0\n\n`, "hello"],
    [`${CHUNKED}2;a=b\nhe\n003\nllo\n0;x\nTrailer: x\n\nmore`, "hello"],
    [`${CHUNKED}A\nhellohello\n0\n\n`, "hellohello"],
    [
      CHUNKED.replace("200 OK", "200 OK\nContent-Length: 2") + "1\nx\n0\n\n",
      "x",
    ],
  ];
  for (const [head, text] of bodies) {
    assertEquals(await (await fetchRaw(head)).text(), text, head);
  }
});

Deno.test("a body that is cut, and a chunk that is malformed, is an error and no end", async () => {
  for (
    const head of [
      `${SIZED}hell`,
      SIZED,
      CHUNKED,
      `${CHUNKED}5\nhel`,
      `${CHUNKED}5\nhello`,
      `${CHUNKED}5\nhello\n`,
      `${CHUNKED}5\nhello\n0\n`,
      `${CHUNKED}5\nhelloworld\n0\n\n`,
      `${CHUNKED}-1\nhello\n0\n\n`,
      `${CHUNKED}0x5\nhello\n0\n\n`,
      `${CHUNKED}\nhello\n0\n\n`,
      `${CHUNKED}fffffffffffffff\nhello\n0\n\n`,
      `${CHUNKED}1;${"x".repeat(10_000)}\nx\n0\n\n`,
      `${CHUNKED}0\n${"A: b\n".repeat(200)}\n`,
    ]
  ) {
    const error = await assertRejects(
      () => fetchRaw(head),
      TypeError,
      "Cannot fetch from a.test:",
      head.slice(0, 80),
    );
    assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
  }
});

Deno.test("a coded body stays as it is, with its header, for it was asked for uncoded", async () => {
  const coded = "HTTP/1.1 200 OK\nContent-Encoding: gzip\n\nnot gzip at all";
  const response = await fetchRaw(coded);
  assertEquals(response.headers.get("content-encoding"), "gzip");
  assertEquals(await response.text(), "not gzip at all");
});

Deno.test("random changes of a response give its body, an error, or a body that fails, and never the URL", async () => {
  const random = new Random();
  const seeds = [
    `${SIZED}hello`,
    `${CHUNKED}2;a=b\nhe\n3\nllo\n0\nTrailer: x\n\n`,
    "HTTP/1.1 103 Early Hints\nX: y\n\nHTTP/1.0 200 OK\n\nhello",
  ];
  const pieces = [
    ...["\n", "\n\n", " ", ":", "\0", "\t", "0", "9", "f", "-", ",", ";"],
    ...["chunked", "Content-Length: 3\n", "Transfer-Encoding: chunked\n"],
    ...["HTTP/1.1 100 X\n\n", "Connection: close\n", "\u00ff", "\u007f"],
  ];
  let bodies = 0;
  for (let i = 0; i < 300; i++) {
    let text = random.pick(seeds);
    for (let left = random.integer(1, 3); left > 0; left--) {
      const at = random.integer(0, text.length);
      const cut = random.integer(0, random.pick([0, 1, 10]));
      text = text.slice(0, at) + random.pick(pieces) + text.slice(at + cut);
    }
    try {
      const response = await fetchRaw(text);
      assert(response.status >= 200 && response.status <= 599, random.hint);
      bodies++;
    } catch (error) {
      const told = `${JSON.stringify(text)}, ${random.hint}: ${error}`;
      assert(error instanceof TypeError, told);
      assert(error.message.startsWith("Cannot fetch from a.test:"), told);
      assert(!Deno.inspect(error).includes("secret"), told);
    }
  }
  assert(bodies > 20 && bodies < 290, `${bodies} bodies`);
});
