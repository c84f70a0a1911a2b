/**
 * Bodies with a Content-Encoding: decoded where that is certain, else not
 * stored.
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { Buffer } from "node:buffer";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import {
  type Downloader,
  IncompleteBodyError,
  MediaCacheError,
  TooLargeError,
} from "../../../mod.ts";
import { emptyCache } from "../../fixtures/cache/empty_cache.ts";
import { Origin } from "../../fixtures/servers/origin.ts";

const MB = 2 ** 20;

const get: Downloader = ({ url, signal }) => fetch(url, { signal });

/** Deno decodes nothing when the request has this header. */
const getIdentity: Downloader = ({ url, signal }) =>
  fetch(url, { signal, headers: { "Accept-Encoding": "identity" } });

type Bytes = Uint8Array<ArrayBuffer>;

const bytesOf = (buffer: Buffer | Uint8Array): Bytes => new Uint8Array(buffer);
const gzip = (bytes: Uint8Array) => bytesOf(gzipSync(bytes));
const zlib = (bytes: Uint8Array) => bytesOf(deflateSync(bytes));
const raw = (bytes: Uint8Array) => bytesOf(deflateRawSync(bytes));
const br = (bytes: Uint8Array) => bytesOf(brotliCompressSync(bytes));
const zstd = (bytes: Uint8Array) => bytesOf(zstdCompressSync(bytes));

const PNG = bytesOf(Buffer.concat([
  Buffer.from("89504e470d0a1a0a", "hex"),
  Buffer.from(
    Array.from({ length: 20_000 }, (_, i) => `${i * 7919 % 1009}`).join(),
  ),
]));
const TEXT = new TextEncoder().encode(
  "x^2 + y^2 = z^2, as Pythagoras says\n".repeat(40),
);
const LOTTIE = new TextEncoder().encode(
  `{"v":"5.5.2","tgs":1,"layers":[${"0,".repeat(500)}0]}`,
);
const TGS = gzip(LOTTIE);
const SVG = new TextEncoder().encode(
  `<svg xmlns="http://www.w3.org/2000/svg">${"<g/>".repeat(99)}</svg>`,
);

/** Bytes without any pattern, which begin like no known format. */
function noise(length: number): Bytes {
  let state = 7;
  return Uint8Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return i === 0 ? 0xf7 : state >>> 24;
  });
}

interface Case {
  encoding: string;
  body: Bytes;
  type: string;
  path?: string;
  /**
   * The stored bytes; undefined when nothing is stored and the body comes as it
   * was sent.
   */
  stored?: Bytes;
}

const CASES: Record<string, Case> = {
  "deflate of a PNG": {
    encoding: "deflate",
    body: zlib(PNG),
    type: "image/png",
    stored: PNG,
  },
  "deflate of a text": {
    encoding: "deflate",
    body: zlib(TEXT),
    type: "text/plain",
    stored: TEXT,
  },
  "deflate of bytes of no known format": {
    encoding: "deflate",
    body: zlib(noise(9000)),
    type: "",
    stored: noise(9000),
  },
  "raw deflate of a PNG": {
    encoding: "deflate",
    body: raw(PNG),
    type: "image/png",
    stored: PNG,
  },
  "raw deflate of a text": {
    encoding: "deflate",
    body: raw(TEXT),
    type: "text/plain",
    stored: TEXT,
  },
  "x-gzip of a PNG": {
    encoding: "x-gzip",
    body: gzip(PNG),
    type: "image/png",
    stored: PNG,
  },
  "X-GZIP of a text": {
    encoding: "X-GZIP",
    body: gzip(TEXT),
    type: "text/plain; charset=utf-8",
    stored: TEXT,
  },
  "x-gzip of octet-stream that the URL calls a PNG": {
    encoding: "x-gzip",
    body: gzip(PNG),
    type: "",
    path: "/cat.png",
    stored: PNG,
  },
  "x-gzip of octet-stream": { encoding: "x-gzip", body: gzip(PNG), type: "" },
  "x-gzip of a .tgs, which is gzip itself": {
    encoding: "x-gzip",
    body: TGS,
    type: "application/x-tgsticker",
    stored: TGS,
  },
  "x-gzip of a coded .tgs": {
    encoding: "x-gzip",
    body: gzip(TGS),
    type: "application/x-tgsticker",
    stored: TGS,
  },
  "x-gzip of octet-stream that the URL calls a .tgs": {
    encoding: "x-gzip",
    body: gzip(TGS),
    type: "",
    path: "/a.tgs",
    stored: TGS,
  },
  "x-gzip of a .gz, as Apache says of any": {
    encoding: "x-gzip",
    body: gzip(TEXT),
    type: "application/x-gzip",
    stored: gzip(TEXT),
  },
  "gzip twice": {
    encoding: "gzip, gzip",
    body: gzip(gzip(PNG)),
    type: "image/png",
    stored: PNG,
  },
  "gzip twice of a .tgs": {
    encoding: "gzip, gzip",
    body: gzip(gzip(TGS)),
    type: "application/x-tgsticker",
    stored: TGS,
  },
  "gzip and then deflate": {
    encoding: "gzip, deflate",
    body: zlib(gzip(PNG)),
    type: "image/png",
    stored: PNG,
  },
  "gzip and identity": {
    encoding: "gzip, identity",
    body: gzip(PNG),
    type: "image/png",
    stored: PNG,
  },
  "zstd of a PNG": { encoding: "zstd", body: zstd(PNG), type: "image/png" },
  "gzip of zstd": {
    encoding: "zstd, gzip",
    body: gzip(zstd(PNG)),
    type: "image/png",
  },
  "gzip of br": {
    encoding: "br, gzip",
    body: gzip(br(PNG)),
    type: "image/png",
  },
  "deflate that is damaged": {
    encoding: "deflate",
    body: zlib(PNG).fill(0xff, 40, 80),
    type: "image/png",
  },
  "compress of a PNG": {
    encoding: "compress",
    body: new Uint8Array([0x1f, 0x9d, 0x90, ...PNG]),
    type: "image/png",
  },
  "zstd that begins with a frame to be skipped": {
    encoding: "zstd",
    body: bytesOf(
      Buffer.concat([Buffer.from("532a4d1801000000ff", "hex"), zstd(PNG)]),
    ),
    type: "image/png",
  },
  // Not encoded as the name says, or with an unknown name.
  "gzip of a PNG that is called deflate": {
    encoding: "deflate",
    body: gzip(PNG),
    type: "image/png",
  },
  "gzip of a PNG that is called zstd": {
    encoding: "zstd",
    body: gzip(PNG),
    type: "image/png",
  },
  "zlib of a PNG that is called x-gzip": {
    encoding: "x-gzip",
    body: zlib(PNG),
    type: "image/png",
  },
  "gzip with a parameter": {
    encoding: "gzip;q=1",
    body: gzip(PNG),
    type: "image/png",
  },
  "a coding with a dictionary": {
    encoding: "dcb",
    body: noise(5000),
    type: "application/json",
  },
  "bzip2 of a video": {
    encoding: "bzip2",
    body: bytesOf(Buffer.concat([Buffer.from("BZh91AY&SY"), noise(5000)])),
    type: "video/mp4",
  },
  "an encrypted body": { encoding: "aes128gcm", body: noise(5000), type: "" },
  "a PNG under a name that is not known": {
    encoding: "jpeg",
    body: PNG,
    type: "image/png",
    stored: PNG,
  },
  "a .tgs that a server calls text/plain": {
    encoding: "x-gzip",
    body: TGS,
    type: "text/plain",
    path: "/a.tgs",
  },
  // The name of a coding, but a plain body.
  "deflate of nothing": {
    encoding: "deflate",
    body: PNG,
    type: "image/png",
    stored: PNG,
  },
  "deflate of a text that begins as zlib does": {
    encoding: "deflate",
    body: TEXT,
    type: "text/plain",
    stored: TEXT,
  },
  "zstd of nothing": {
    encoding: "zstd",
    body: TEXT,
    type: "text/plain",
    stored: TEXT,
  },
  "x-gzip of nothing": {
    encoding: "x-gzip",
    body: noise(5000),
    type: "",
    stored: noise(5000),
  },
  "one byte": {
    encoding: "x-gzip",
    body: new Uint8Array([0x1f]),
    type: "",
    stored: new Uint8Array([0x1f]),
  },
  "a name that is not a coding": {
    encoding: "utf-8",
    body: noise(5000),
    type: "",
    stored: noise(5000),
  },
  "aws-chunked": {
    encoding: "aws-chunked",
    body: PNG,
    type: "image/png",
    stored: PNG,
  },
  // Deno decodes these.
  "gzip of a PNG": {
    encoding: "gzip",
    body: gzip(PNG),
    type: "image/png",
    stored: PNG,
  },
  "gzip of a .tgs": {
    encoding: "gzip",
    body: gzip(TGS),
    type: "application/x-tgsticker",
    stored: TGS,
  },
  "gzip of an .xz": {
    encoding: "gzip",
    body: gzip(
      Buffer.concat([Buffer.from("fd377a585a00", "hex"), noise(5000)]),
    ),
    type: "",
    path: "/a.xz",
    stored: bytesOf(
      Buffer.concat([Buffer.from("fd377a585a00", "hex"), noise(5000)]),
    ),
  },
  "gzip of a gzipped SVG": {
    encoding: "gzip",
    body: gzip(gzip(SVG)),
    type: "image/svg+xml",
    path: "/a.svgz",
    stored: SVG,
  },
  "gzip of octet-stream": {
    encoding: "gzip",
    body: gzip(noise(5000)),
    type: "",
    stored: noise(5000),
  },
  "gzip of octet-stream that is gzip itself": {
    encoding: "gzip",
    body: gzip(TGS),
    type: "",
  },
  "br of a PNG": {
    encoding: "br",
    body: br(PNG),
    type: "image/png",
    stored: PNG,
  },
  "br of a text": {
    encoding: "br",
    body: br(TEXT),
    type: "text/plain",
    stored: TEXT,
  },
};

/**
 * Two servers: one sends the body with its length, the other in pieces without
 * a length.
 */
const SENDERS: Record<string, (body: Bytes) => BodyInit> = {
  "whole": (body) => body,
  "in pieces": (body) =>
    ReadableStream.from((function* () {
      yield body.slice(0, 1);
      yield body.slice(1, 9);
      yield body.slice(9);
    })()),
};

for (const [how, send] of Object.entries(SENDERS)) {
  Deno.test(`a body sent ${how} is stored plain or not at all, whatever its Content-Encoding`, async (t) => {
    await using origin = new Origin();
    for (
      const [name, { encoding, body, type, path, stored }] of Object.entries(
        CASES,
      )
    ) {
      await t.step(name, async () => {
        await using opened = await emptyCache();
        const headers = { "Content-Encoding": encoding, "Content-Type": type };
        const url = origin.on(
          path ?? "/",
          () => new Response(send(body), { headers }),
        );
        const handedOut = stored ?? await (await fetch(url)).bytes();

        const media = await opened.cache.getOrDownload(url, get);

        assertEquals(await media.bytes(), handedOut);
        assertEquals(await media.stored, stored !== undefined);
        assertEquals(media.size, handedOut.length);
        const [uncached] = opened.recorder.of("uncached");
        assertEquals(uncached !== undefined, stored === undefined);
        await using hit = await opened.cache.get(url);
        assertEquals(await hit?.bytes(), stored);
      });
    }
  });
}

Deno.test("a body that Deno leaves encoded, since the request asked for identity, is decoded", async () => {
  await using origin = new Origin();
  for (
    const [coding, body] of [["gzip", gzip(PNG)], ["GZIP", gzip(PNG)]] as const
  ) {
    await using opened = await emptyCache();
    const headers = { "Content-Encoding": coding, "Content-Type": "image/png" };
    const url = origin.bytes("/cat.png", body, headers);

    const media = await opened.cache.getOrDownload(url, getIdentity);

    assertEquals(await media.bytes(), PNG);
    assertEquals(await media.stored, true);
  }
});

Deno.test("a br body that Deno leaves encoded, since the request asked for identity, is not stored", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  const headers = { "Content-Encoding": "br", "Content-Type": "image/png" };
  const url = origin.bytes("/cat.png", br(PNG), headers);

  const media = await opened.cache.getOrDownload(url, getIdentity);

  assertEquals(await media.bytes(), br(PNG));
  assertEquals(await media.stored, false);
  const [uncached] = opened.recorder.of("uncached");
  assertEquals(uncached?.reason, "it may still be br");
  await opened.assertEmpty();
});

Deno.test("a decoded body streams while it downloads, and its progress counts decoded bytes", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache();
  const { url, tap } = origin.tap("/cat.png", {
    "Content-Encoding": "x-gzip",
    "Content-Type": "image/png",
  });
  const coded = gzip(PNG);
  const received: number[] = [];

  const call = opened.cache.getOrDownload(url, get, {
    onProgress: (progress) => {
      assertEquals(progress.total, undefined);
      received.push(progress.received);
    },
  });
  tap.write(coded.slice(0, coded.length >> 1));
  const media = await call;
  const reader = media.body.getReader();
  const { value: first } = await reader.read();
  assert(first !== undefined && first.length > 0);
  tap.write(coded.slice(coded.length >> 1));
  tap.end();
  let length = first.length;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
  }

  assertEquals(length, PNG.length);
  assertEquals(received.at(-1), PNG.length);
  assertEquals(await media.stored, true);
});

Deno.test("an encoded body that is cut, damaged, or followed by other bytes is an error, not an end", async () => {
  const coded = gzip(PNG);
  const damaged = coded.slice();
  damaged[coded.length - 6] = (damaged[coded.length - 6] ?? 0) ^ 0xff;
  const broken = coded.slice();
  broken[coded.length >> 1] = (broken[coded.length >> 1] ?? 0) ^ 0xff;
  const whole = zlib(PNG);
  const cases: [coding: string, body: Bytes][] = [
    ["x-gzip", coded.slice(0, coded.length >> 1)],
    ["x-gzip", coded.slice(0, -8)],
    ["x-gzip", damaged],
    ["x-gzip", broken],
    ["gzip, x-gzip", gzip(broken)],
    ["deflate", whole.slice(0, -4)],
    ["deflate", new Uint8Array([...whole, 1, 2, 3])],
  ];
  await using origin = new Origin();
  for (const [i, [coding, body]] of cases.entries()) {
    await using opened = await emptyCache();
    const headers = { "Content-Encoding": coding, "Content-Type": "image/png" };
    const url = origin.bytes(`/${i}`, body, headers);

    const error = await assertRejects(
      async () => {
        const media = await opened.cache.getOrDownload(url, get);
        for await (const _ of media.body);
      },
      Error,
      "",
      `case ${i}`,
    );

    assertInstanceOf(error, MediaCacheError);
    assert(!error.message.includes("127.0.0.1"));
    await opened.cache.close();
    await opened.assertEmpty();
  }
});

Deno.test("a length is that of the body if Content-Encoding names no coding", async () => {
  for (const encoding of ["identity", "aws-chunked", "utf-8"]) {
    await using opened = await emptyCache();
    const answer = (length: number) =>
      new Response(PNG, {
        headers: {
          "Content-Encoding": encoding,
          "Content-Length": `${length}`,
        },
      });

    const whole = await opened.cache.getOrDownload(
      "a:",
      () => Promise.resolve(answer(PNG.length)),
    );
    assertEquals(whole.size, PNG.length);
    assertEquals(await whole.bytes(), PNG);
    await assertRejects(async () => {
      const media = await opened.cache.getOrDownload(
        "b:",
        () => Promise.resolve(answer(PNG.length + 1)),
      );
      await media.bytes();
    }, IncompleteBodyError);
  }
});

Deno.test("the limit for an encoded body counts its decoded bytes", async () => {
  const bomb = gzip(new Uint8Array(50 * MB));
  await using origin = new Origin();
  const headers = { "Content-Encoding": "x-gzip", "Content-Type": "image/png" };
  const url = origin.bytes("/bomb.png", bomb, headers);
  await using opened = await emptyCache({ maxDownloadMb: 10 });

  const media = await opened.cache.getOrDownload(url, get);
  const error = await assertRejects(() => media.bytes(), TooLargeError);

  // Decoded piece by piece: at most one piece too much.
  assert(error.received !== undefined && error.received <= 10 * MB + 65_536);
  await opened.cache.close();
  await opened.assertEmpty();
});

Deno.test("a caller that leaves while the first bytes of an encoded body are awaited leaves nothing behind", async () => {
  await using origin = new Origin();
  await using opened = await emptyCache({ whenAbandoned: "abort" });
  const { url, tap } = origin.tap("/cat.png", {
    "Content-Encoding": "x-gzip",
    "Content-Type": "image/png",
  });
  const controller = new AbortController();

  const call = opened.cache.getOrDownload(url, get, {
    signal: controller.signal,
  });
  tap.write(gzip(PNG).slice(0, 2));
  await opened.recorder.seen("miss");
  controller.abort(new Error("gone"));

  await assertRejects(() => call, Error, "gone");
  await opened.cache.close();
  await opened.assertEmpty();
});
