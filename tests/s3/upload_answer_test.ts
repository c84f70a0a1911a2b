import { assertEquals, assertRejects } from "@std/assert";
import { type ByteSource, readAnswer } from "../../src/s3/upload_answer.ts";
import { Random } from "../fixtures/inputs/random.ts";

/** A source that brings a text in parts of this size, and then ends or stays open. */
function source(text: string, size = 5000, staysOpen = false): ByteSource {
  let at = 0;
  return {
    read(bytes) {
      const part = text.slice(at, at + Math.min(size, bytes.length));
      at += part.length;
      for (let each = 0; each < part.length; each++) {
        bytes[each] = part.charCodeAt(each);
      }
      if (part.length > 0) return Promise.resolve(part.length);
      return staysOpen
        ? Promise.withResolvers<never>().promise
        : Promise.resolve(null);
    },
  };
}

const ANSWER =
  "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nRetry-After:  7 \r\n\r\n<Code>A</Code>"
    .replace("9", "14");

Deno.test("an answer is read whole, wherever its bytes are parted", async () => {
  for (let size = 1; size <= ANSWER.length; size++) {
    const answer = await readAnswer(source(ANSWER, size, true));

    assertEquals(
      [answer.status, answer.headers.get("retry-after"), await answer.text()],
      [403, "7", "<Code>A</Code>"],
    );
  }
});

Deno.test("answers that end by chunks, by the connection or by their status", async () => {
  const answers: Record<string, [number, string]> = {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
      [200, "3\r\nabc\r\n"],
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n": [200, ""],
    "HTTP/1.1 204 No Content\r\n\r\n": [204, ""],
    "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n": [200, ""],
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok":
      [201, "ok"],
  };
  for (const [text, [status, body]] of Object.entries(answers)) {
    const answer = await readAnswer(source(text, 3, true));
    assertEquals([answer.status, await answer.text()], [status, body], text);
  }
  const untilEnd = await readAnswer(source("HTTP/1.0 500 No\r\n\r\nabc"));
  assertEquals([untilEnd.status, await untilEnd.text()], [500, "abc"]);
});

Deno.test("an answer that is cut anywhere rejects", async () => {
  for (let length = 0; length < ANSWER.length; length++) {
    await assertRejects(
      () => readAnswer(source(ANSWER.slice(0, length))),
      Error,
      "ECONNRESET",
    );
  }
});

Deno.test("what is no answer rejects", async () => {
  for (
    const text of [
      ...[
        "SSH-2.0-x\r\n\r\n",
        "\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "x".repeat(1e5),
      ],
      ...[
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
      ],
    ]
  ) {
    await assertRejects(() => readAnswer(source(text)), Error, "HTTP/1.1");
  }
});

Deno.test("long bodies are read to 8 KiB, and lines that are no headers left out", async () => {
  const long = "y".repeat(100_000);
  for (
    const header of [
      "Content-Length: 100000",
      "Transfer-Encoding: chunked",
      "X: y",
    ]
  ) {
    const answer = await readAnswer(
      source(
        `HTTP/1.1 500 No\r\n: a\r\nb\r\nc d: e\r\n${header}\r\n\r\n${long}`,
      ),
    );
    const { length } = await answer.text();
    assertEquals(length, 8192);
  }
});

Deno.test("an answer that is changed at random is one or an error", async () => {
  const random = new Random();
  for (let run = 0; run < 2000; run++) {
    const at = random.integer(0, ANSWER.length);
    const text = ANSWER.slice(0, at) +
      random.pick(["", "\r\n", "\0", ":", "\xff", "9", " "]) +
      ANSWER.slice(at + random.integer(0, 3));

    const found = await readAnswer(source(text, random.integer(1, 90)))
      .catch((error: Error) => error);

    assertEquals(
      found instanceof Response || found.message.startsWith("Cannot "),
      true,
      random.hint,
    );
  }
});
