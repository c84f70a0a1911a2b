import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import type { Download } from "../../../src/core/api/download.ts";
import { HttpStatusError } from "../../../src/core/api/errors.ts";
import { type Source, toSource } from "../../../src/core/download/source.ts";

const URL_OF_CAT = "https://example.com/pets/cat.png?token=secret";
const BYTES = new TextEncoder().encode("12345");

/** A stream that records whether it was cancelled. */
function watchedStream(): {
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  cancelled: () => boolean;
} {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    cancel() {
      cancelled = true;
      throw new Error("cancel() failed");
    },
  });
  return { stream, cancelled: () => cancelled };
}

function fromHeaders(headers: HeadersInit, url = URL_OF_CAT): Source {
  return toSource(new Response(BYTES, { headers }), url);
}

/** A value that a downloader in plain JavaScript may resolve to. */
function untyped(value: unknown): Download {
  return value as Download;
}

Deno.test("toSource() takes type, name, length and body from a Response", async () => {
  const response = new Response(BYTES, {
    headers: {
      "content-type": "Image/PNG; q=1",
      "content-length": "5",
      "content-disposition": "attachment; filename=dog.png",
    },
  });
  const source = toSource(response, URL_OF_CAT);

  assertEquals(source.mimetype, "image/png");
  assertEquals(source.filename, "dog.png");
  assertEquals(source.size, 5);
  assertStrictEquals(source.body, response.body);
  assertEquals(await response.bytes(), BYTES);
});

Deno.test("toSource() names a file by the URL behind redirects if neither header nor URL does", () => {
  const of = (url: string, behind: unknown, headers: HeadersInit = {}) => {
    const response = new Response(BYTES, {
      headers: { "content-type": "image/png", ...headers },
    });
    Object.defineProperty(response, "url", { value: behind });
    return toSource(response, url).filename;
  };
  const bare = "https://example.org/?id=secret";
  const behind = "https://user:pass@cdn.example.org/a/dog%20one?token=secret#x";
  const stated = { "content-disposition": "inline; filename=cow.png" };

  assertEquals(of(bare, behind), "dog one.png");
  assertEquals(of(URL_OF_CAT, behind), "cat.png");
  assertEquals(of(bare, behind, stated), "cow.png");
  for (const none of ["", undefined, bare, "data:image/png;base64,AAAA"]) {
    assertEquals(of(bare, none), "attachment.png");
  }
});

Deno.test("toSource() accepts status 203", () => {
  const source = toSource(new Response(null, { status: 203 }), URL_OF_CAT);

  assertEquals(source.body, new Uint8Array(0));
});

Deno.test("toSource() throws HttpStatusError on any other status and cancels the body", async (t) => {
  for (const status of [201, 202, 206, 301, 400, 404, 429, 500, 503]) {
    await t.step(String(status), () => {
      const { stream, cancelled } = watchedStream();
      const response = new Response(stream, { status });
      const error = assertThrows(
        () => toSource(response, URL_OF_CAT),
        HttpStatusError,
      );

      assertEquals(error.status, status);
      assert(cancelled());
    });
  }
});

Deno.test("toSource() throws HttpStatusError on a status without a body", () => {
  for (const status of [204, 205, 304]) {
    assertThrows(
      () => toSource(new Response(null, { status }), URL_OF_CAT),
      HttpStatusError,
    );
  }
  assertThrows(
    () => toSource(Response.error(), URL_OF_CAT),
    HttpStatusError,
    "received 0",
  );
});

Deno.test("toSource() throws HttpStatusError even if the body is locked", () => {
  const response = new Response("gone", { status: 404 });
  response.body!.getReader();

  assertThrows(() => toSource(response, URL_OF_CAT), HttpStatusError);
});

Deno.test("toSource() throws TypeError when the body of the Response is in use", async () => {
  const used = new Response("x");
  await used.text();
  const locked = new Response("x");
  locked.body!.getReader();

  assertThrows(
    () => toSource(used, URL_OF_CAT),
    TypeError,
    "unread and unlocked",
  );
  assertThrows(
    () => toSource(locked, URL_OF_CAT),
    TypeError,
    "unread and unlocked",
  );
});

Deno.test("toSource() reads Content-Length", async (t) => {
  const cases: [value: string, expected: number | undefined][] = [
    ["0", 0],
    ["5", 5],
    ["007", 7],
    ["5, 5", 5],
    ["5,05 ,5", 5],
    [String(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
    [String(Number.MAX_SAFE_INTEGER + 1), 2 ** 53],
    ["9".repeat(400), Infinity],
    ["", undefined],
  ];
  for (const [value, expected] of cases) {
    await t.step(value.slice(0, 20) || "(empty)", () => {
      const { size, uncachedReason } = fromHeaders({ "content-length": value });

      assertEquals([size, uncachedReason], [expected, undefined]);
    });
  }
});

Deno.test("toSource() does not let a body with an invalid Content-Length be stored", async (t) => {
  const values = [
    "5, 6",
    "5,",
    ",",
    "5 5",
    "5, five",
    "-1",
    "+5",
    "5.0",
    "5e3",
    "0x5",
    "five",
  ];
  for (const value of values) {
    await t.step(value, () => {
      const { size, uncachedReason } = fromHeaders({ "content-length": value });

      assertEquals(size, undefined);
      assertEquals(uncachedReason, "its Content-Length is invalid");
    });
  }
});

Deno.test("toSource() ignores Content-Length when Content-Encoding is set", () => {
  assertEquals(
    fromHeaders({ "content-length": "5", "content-encoding": "gzip" }).size,
    undefined,
  );
});

Deno.test("toSource() names a Response by its disposition, then by its URL", async (t) => {
  const cases: [
    disposition: string | undefined,
    type: string,
    url: string,
    expected: string,
  ][] = [
    ['inline; filename="../../dog.png"', "image/png", URL_OF_CAT, "dog.png"],
    [
      "inline; filename*=UTF-8''na%C3%AFve.png",
      "image/png",
      URL_OF_CAT,
      "naïve.png",
    ],
    ["inline; filename=dog", "image/png", URL_OF_CAT, "dog.png"],
    ["inline; filename=dog.jpg", "image/webp", URL_OF_CAT, "dog.webp"],
    ["inline; filename=..", "image/png", URL_OF_CAT, "cat.png"],
    ["inline", "image/png", URL_OF_CAT, "cat.png"],
    [undefined, "image/png", URL_OF_CAT, "cat.png"],
    [undefined, "image/webp", URL_OF_CAT, "cat.webp"],
    [undefined, "image/webp", "tg:file_123", "file_123.webp"],
    [undefined, "image/png", "https://example.com", "attachment.png"],
    [undefined, "", "https://example.com", "attachment"],
    [undefined, "", URL_OF_CAT, "cat.png"],
  ];
  for (const [disposition, type, url, expected] of cases) {
    await t.step(`${disposition} as ${type || "nothing"}`, () => {
      const headers = new Headers({ "content-type": type });
      if (disposition !== undefined) {
        headers.set("content-disposition", disposition);
      }

      assertEquals(fromHeaders(headers, url).filename, expected);
    });
  }
});

Deno.test("toSource() reads a Response without a type as octet-stream", () => {
  assertEquals(fromHeaders({}).mimetype, "application/octet-stream");
  assertEquals(
    fromHeaders({ "content-type": "png" }).mimetype,
    "application/octet-stream",
  );
});

Deno.test("toSource() accepts a Response of another implementation", () => {
  const body = new Blob([BYTES]).stream();
  const foreign = {
    status: 200,
    bodyUsed: false,
    body,
    headers: {
      get: (name: string) => name === "content-type" ? "image/png" : null,
    },
  };
  const source = toSource(foreign as unknown as Response, URL_OF_CAT);

  assertStrictEquals(source.body, body);
  assertEquals(source.mimetype, "image/png");
});

Deno.test("toSource() takes bytes, Buffer, Blob and stream as data", async (t) => {
  const cases: [
    kind: string,
    data: Download["data"],
    size: number | undefined,
  ][] = [
    ["Uint8Array", BYTES, 5],
    ["Buffer", Buffer.from("12345"), 5],
    ["Blob", new Blob([BYTES]), 5],
    ["ReadableStream", new Blob([BYTES]).stream(), undefined],
    ["empty", new Uint8Array(0), 0],
  ];
  for (const [kind, data, size] of cases) {
    await t.step(kind, () => {
      const source = toSource({ data }, URL_OF_CAT);

      assertStrictEquals(source.body, data);
      assertEquals(source.size, size);
      assertEquals(source.mimetype, "application/octet-stream");
      assertEquals(source.filename, "cat.png");
    });
  }
});

Deno.test("toSource() keeps the type and name of a Download", () => {
  const source = toSource({
    data: BYTES,
    mimetype: "audio/ogg; codecs=opus",
    filename: "voice",
    size: 7,
  }, URL_OF_CAT);

  assertEquals(source.mimetype, "audio/ogg; codecs=opus");
  assertEquals(source.filename, "voice");
  assertEquals(source.size, 7);
});

Deno.test("toSource() cleans the type and name of a Download", () => {
  const source = toSource({
    data: BYTES,
    mimetype: "a/b\r\nc: d",
    filename: "../x/\0y.png",
  }, URL_OF_CAT);

  assertEquals(source.mimetype, "application/octet-stream");
  assertEquals(source.filename, "y.png");
});

Deno.test("toSource() fills in the members that a Download leaves out", async (t) => {
  const file = new File([BYTES], "dir/dog.jpeg", { type: "image/jpeg" });
  const cases: [
    name: string,
    download: Download,
    mimetype: string,
    filename: string,
  ][] = [
    ["from a File", { data: file }, "image/jpeg", "dog.jpeg"],
    [
      "from a Blob",
      { data: new Blob([BYTES], { type: "image/webp; q=1" }) },
      "image/webp",
      "cat.webp",
    ],
    [
      "from the URL",
      { data: BYTES, mimetype: "image/gif" },
      "image/gif",
      "cat.gif",
    ],
    [
      "from the URL for a name that is no name",
      { data: BYTES, filename: ".." },
      "application/octet-stream",
      "cat.png",
    ],
    [
      "from the URL for an empty name",
      { data: BYTES, filename: "", mimetype: "" },
      "application/octet-stream",
      "cat.png",
    ],
    [
      "from undefined",
      { data: file, mimetype: undefined, filename: undefined, size: undefined },
      "image/jpeg",
      "dog.jpeg",
    ],
    [
      "stated wins over a File's",
      { data: file, mimetype: "image/png", filename: "a.png" },
      "image/png",
      "a.png",
    ],
  ];
  for (const [name, download, mimetype, filename] of cases) {
    await t.step(name, () => {
      const source = toSource(download, URL_OF_CAT);

      assertEquals(source.mimetype, mimetype);
      assertEquals(source.filename, filename);
    });
  }
});

Deno.test("toSource() treats null as left out", () => {
  const source = toSource(
    untyped({ data: BYTES, mimetype: null, filename: null, size: null }),
    URL_OF_CAT,
  );

  assertEquals(source.filename, "cat.png");
  assertEquals(source.size, 5);
});

Deno.test("toSource() throws a TypeError that names the kind of data that it cannot take", async (t) => {
  const cases: [data: unknown, kind: string][] = [
    ["text", "string"],
    [5, "number"],
    [null, "null"],
    [undefined, "undefined"],
    [new ArrayBuffer(4), "ArrayBuffer"],
    [[1, 2, 3], "Array"],
    [new Uint16Array(2), "Uint16Array"],
    [Promise.resolve(BYTES), "Promise"],
    [Object.create(null), "Object"],
  ];
  for (const [data, kind] of cases) {
    await t.step(kind, () => {
      const error = assertThrows(
        () => toSource(untyped({ data }), URL_OF_CAT),
        TypeError,
      );

      assertEquals(
        error.message,
        `Cannot download: data must be a Uint8Array, Blob or ReadableStream: received ${kind}`,
      );
    });
  }
});

Deno.test("toSource() throws TypeError when the stream is locked", () => {
  const data = new Blob([BYTES]).stream();
  data.getReader();

  assertThrows(
    () => toSource({ data }, URL_OF_CAT),
    TypeError,
    "unread and unlocked",
  );
});

Deno.test("toSource() throws RangeError on a wrong size and cancels the stream", async (t) => {
  for (const size of [-1, 1.5, NaN, Infinity, 2 ** 53, "5", 5n]) {
    await t.step(String(size), () => {
      const { stream, cancelled } = watchedStream();

      assertThrows(
        () => toSource(untyped({ data: stream, size }), URL_OF_CAT),
        RangeError,
        "size must be a non-negative integer",
      );
      assert(cancelled());
    });
  }
});

Deno.test("toSource() throws TypeError on a type or name that is no string", () => {
  assertThrows(
    () => toSource(untyped({ data: BYTES, mimetype: 5 }), URL_OF_CAT),
    TypeError,
    "mimetype must be a string",
  );
  assertThrows(
    () => toSource(untyped({ data: BYTES, filename: {} }), URL_OF_CAT),
    TypeError,
    "received Object",
  );
});

Deno.test("toSource() throws a TypeError that says what a downloader must resolve to", async (t) => {
  const cases: [result: unknown, kind: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [URL_OF_CAT, "string"],
    [BYTES, "Uint8Array"],
    [new Blob([BYTES]), "Blob"],
    [{}, "Object"],
    [() => 1, "function"],
  ];
  for (const [result, kind] of cases) {
    await t.step(kind, () => {
      const error = assertThrows(
        () => toSource(untyped(result), URL_OF_CAT),
        TypeError,
      );

      assertEquals(
        error.message,
        `Cannot download: downloader must resolve to a Response or an object with data: received ${kind}`,
      );
    });
  }
});

Deno.test("toSource() cancels the body of a real response that it refuses", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () =>
      new Response(
        new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1024)) }),
        { status: 206 },
      ),
  );
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/cat.png`);
  const error = assertThrows(() => toSource(response, URL_OF_CAT));

  assertInstanceOf(error, HttpStatusError);
  assertEquals(error.message.includes("127.0.0.1"), false);
});

Deno.test("toSource() keeps the validators of the origin, unless they are too long for a sidecar", () => {
  const of = (headers: HeadersInit) =>
    toSource(new Response(BYTES, { headers }), URL_OF_CAT).validators;
  const date = "Sun, 06 Nov 1994 08:49:37 GMT";

  assertEquals(of({}), {});
  assertEquals(of({ etag: 'W/"a"', "last-modified": date }), {
    etag: 'W/"a"',
    lastModified: date,
  });
  const longest = `"${"a".repeat(254)}"`;
  assertEquals(of({ etag: longest }), { etag: longest });
  const long = {
    etag: `"${"a".repeat(255)}"`,
    "last-modified": "a".repeat(257),
  };
  assertEquals(of(long), {});
});

Deno.test("toSource() takes the version of a download from the headers that it gives, and nothing else", () => {
  const headers = new Headers({
    "Content-Type": "text/html",
    "Content-Length": "7",
    "Content-Disposition": 'attachment; filename="other.html"',
    ETag: '"v1"',
  });

  const source = toSource({ data: BYTES, headers }, URL_OF_CAT);

  assertEquals([source.filename, source.size], ["cat.png", BYTES.length]);
  assertEquals(source.mimetype, "application/octet-stream");
  assertEquals(source.validators, { etag: '"v1"' });
  assertEquals(source.validator, '"v1"');
  headers.set("Content-Encoding", "zstd");
  const coded = toSource({ data: BYTES, headers }, URL_OF_CAT);
  assertEquals(coded.validator, undefined);
});

Deno.test("toSource() throws a TypeError on headers that are none", () => {
  for (const headers of ["etag", 5, { etag: '"v1"' }]) {
    assertThrows(
      () => toSource(untyped({ data: BYTES, headers }), URL_OF_CAT),
      TypeError,
      "headers must be Headers",
    );
  }
});
