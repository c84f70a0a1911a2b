import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { HttpStatusError } from "../../mod.ts";
import type {
  RemoteObject,
  RemoteTier,
} from "../../src/core/api/remote_tier.ts";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import {
  remoteEntry,
  remoteKey,
  remotePut,
} from "../fixtures/remote/entries.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

const KEY = remoteKey("https://example.org/cat.png");
const NAME = `v1/${KEY.slice(0, 2)}/${KEY}`;
const CAT = new TextEncoder().encode("a picture of a cat");

const never = new AbortController().signal;

/** An engine and a tier on it, which is closed first. */
function start(options: Partial<S3TierOptions> = {}) {
  const engine = new S3Engine();
  const tier = s3Tier({ ...engine.options, ...options });
  return {
    engine,
    tier,
    async [Symbol.asyncDispose]() {
      await tier.close?.();
      await engine[Symbol.asyncDispose]();
    },
  };
}

async function bytesOf(
  object: RemoteObject | undefined,
): Promise<Uint8Array | undefined> {
  return object && await new Response(object.body).bytes();
}

/** Each call of a tier, by name. */
function calls(
  tier: RemoteTier,
): Record<string, (signal: AbortSignal) => Promise<unknown>> {
  return {
    get: (signal) => tier.get(KEY, signal),
    has: (signal) => tier.has(KEY, signal),
    put: (signal) => tier.put(KEY, remotePut(CAT), signal),
    delete: (signal) => tier.delete(KEY, signal),
    changes: (signal) => tier.changes!(undefined, signal),
    ...(tier.lease && {
      lease: (signal) => tier.lease!(KEY, 1000, signal),
    }),
  };
}

Deno.test("what is put is found, by another host too", async () => {
  await using here = start();
  const { engine, tier } = here;
  const other = s3Tier(engine.options);
  const put = remotePut(CAT, {
    filename: "Кот 🐱.png",
    conversion: "too large",
  });

  await tier.put(KEY, put, never);

  const object = await other.get(KEY, never);
  assertEquals(object?.entry, put.entry);
  assertEquals(await bytesOf(object), CAT);
  assertEquals(await other.has(KEY, never), true);
  assertEquals(engine.names(), [NAME]);
  await other.close?.();
});

Deno.test("what is missing is undefined", async () => {
  await using here = start({ prefix: "bots/" });

  assertEquals(await here.tier.get(KEY, never), undefined);
  assertEquals(await here.tier.has(KEY, never), false);
  assertEquals(here.engine.requests.map(({ name }) => name), [
    `bots/${NAME}`,
    `bots/${NAME}`,
  ]);
});

Deno.test("an empty body is stored and found", async () => {
  await using here = start();
  const empty = new Uint8Array();

  await here.tier.put(KEY, remotePut(empty), never);

  assertEquals(await bytesOf(await here.tier.get(KEY, never)), empty);
});

Deno.test("an object is sent with length and digest, as bytes that no browser runs", async () => {
  await using here = start();

  await here.tier.put(KEY, remotePut(CAT, { mimetype: "text/html" }), never);

  const [request] = here.engine.requests;
  assertEquals(request?.headers.get("content-length"), String(CAT.length));
  assertEquals(
    request?.headers.get("content-type"),
    "application/octet-stream",
  );
  assertEquals(
    request?.headers.get("x-amz-content-sha256"),
    remoteEntry(CAT).sha256,
  );
  assertEquals(request?.headers.get("x-amz-acl"), null);
  assertEquals(
    (await here.tier.get(KEY, never).then(async (object) => {
      await object?.body.cancel();
      return object;
    }))?.entry.mimetype,
    "text/html",
  );
});

Deno.test("requests ask for plain bytes, by a header that a proxy may change", async () => {
  await using here = start();

  await here.tier.get(KEY, never);

  const [request] = here.engine.requests;
  assertEquals(request?.headers.get("accept-encoding"), "identity");
  assert(!request?.headers.get("authorization")?.includes("accept-encoding"));
});

Deno.test("bytes that are not those of the digest are refused by the store", async () => {
  await using here = start();
  const wrong = {
    ...remotePut(CAT),
    open: () => new Blob([CAT.map((byte) => byte ^ 1)]).stream(),
  };

  const error = await assertRejects(
    () => here.tier.put(KEY, wrong, never),
    HttpStatusError,
  );

  assertEquals(error.status, 400);
  assertEquals(here.engine.names(), []);
});

Deno.test("a body that is shorter or longer than its facts is not stored", async () => {
  await using here = start();
  for (
    const bytes of [CAT.slice(1), new Uint8Array([...CAT, 1]), new Uint8Array()]
  ) {
    const wrong = { ...remotePut(CAT), open: () => new Blob([bytes]).stream() };

    await assertRejects(
      () => here.tier.put(KEY, wrong, never),
      Error,
      `must have ${CAT.length} bytes`,
    );
  }
  assertEquals(here.engine.names(), []);
});

Deno.test("a body that fails to be read rejects with its error, and is not stored", async () => {
  await using here = start();
  const failing = {
    ...remotePut(CAT),
    open: () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.error(new Error("The disk is gone"));
        },
      }),
  };

  await assertRejects(
    () => here.tier.put(KEY, failing, never),
    Error,
    "The disk is gone",
  );

  assertEquals(here.engine.names(), []);
});

Deno.test("an object without facts, or of another length, is a miss", async () => {
  await using here = start();
  const { engine, tier } = here;
  await tier.put(KEY, remotePut(CAT), never);
  const object = engine.objects.get(NAME)!;

  object.bytes = object.bytes.slice(1);
  assertEquals(await tier.get(KEY, never), undefined);
  assertEquals(await tier.has(KEY, never), false);

  engine.objects.set(NAME, { ...object, headers: {} });
  assertEquals(await tier.get(KEY, never), undefined);
  assertEquals(await tier.has(KEY, never), false);
});

Deno.test("an object is handed out as soon as its facts are known", async () => {
  await using here = start();
  await here.tier.put(KEY, remotePut(CAT), never);
  here.engine.bodyFault = { kind: "stall", after: 7 };

  const object = await here.tier.get(KEY, never);
  const reader = object!.body.getReader();

  assertEquals((await reader.read()).value, CAT.slice(0, 7));
  here.engine.resume();
  assertEquals((await reader.read()).value, CAT.slice(7));
  assertEquals((await reader.read()).done, true);
});

Deno.test("a body that is cut ends in an error, which shows no address", async () => {
  await using here = start();
  await here.tier.put(KEY, remotePut(CAT), never);
  here.engine.bodyFault = { kind: "cut", after: 7 };

  const object = await here.tier.get(KEY, never);
  const error = await assertRejects(
    () => new Response(object!.body).bytes(),
    Error,
  );

  assertEquals(
    Deno.inspect(error).includes("http://"),
    false,
    Deno.inspect(error),
  );
});

Deno.test("a body can be left unread", async () => {
  await using here = start();
  const large = new Uint8Array(1_000_000);
  await here.tier.put(KEY, remotePut(large), never);

  const object = await here.tier.get(KEY, never);

  await object!.body.cancel();
});

Deno.test("delete removes the object, and of none is no error", async () => {
  await using here = start();
  await here.tier.put(KEY, remotePut(CAT), never);

  await here.tier.delete(KEY, never);
  await here.tier.delete(KEY, never);

  assertEquals(here.engine.names("v1/"), []);
});

Deno.test("a refusal is an HttpStatusError, whose cause tells why", async () => {
  await using here = start({ lease: "bucket" });
  const { engine, tier } = here;
  for (
    const [status, code] of [
      [403, "AccessDenied"],
      [429, "TooManyRequests"],
      [500, "InternalError"],
      [503, "SlowDown"],
      [404, "NoSuchBucket"],
    ] as const
  ) {
    engine.refuse = () => ({ status, code, headers: { "retry-after": "7" } });
    for (const [name, call] of Object.entries(calls(tier))) {
      // HEAD has no body to tell it by, and R2 answers 429 to a lease that is contended.
      if (status === 404 && ["has", "lease"].includes(name)) continue;

      const error = await assertRejects(
        () => call(never),
        HttpStatusError,
        undefined,
        name,
      );

      assertEquals([error.status, error.retryAfterMs], [status, 7000], name);
      assertInstanceOf(error.cause, Error);
      if (name !== "has" && !(name === "lease" && status === 429)) {
        assert(
          error.cause.message.endsWith(`HTTP ${status} ${code}`),
          error.cause.message,
        );
      }
    }
  }
});

Deno.test("a clock that is wrong is told as such", async () => {
  await using here = start();
  here.engine.clockAheadMs = 20 * 60_000;

  const error = await assertRejects(
    () => here.tier.get(KEY, never),
    HttpStatusError,
  );

  assertEquals(
    error.cause instanceof Error && error.cause.message,
    "Cannot use object store: clock of this host must be right to 15 minutes: received HTTP 403 RequestTimeTooSkewed",
  );
});

Deno.test("a wrong key or secret is refused", async () => {
  await using here = start();
  const right = here.engine.credentials;
  for (
    const wrong of [{ ...right, accessKeyId: "x" }, {
      ...right,
      secretAccessKey: "x",
    }]
  ) {
    const tier = s3Tier({ ...here.engine.options, credentials: wrong });

    const error = await assertRejects(
      () => tier.get(KEY, never),
      HttpStatusError,
    );

    assertEquals(error.status, 403);
    await tier.close?.();
  }
});

Deno.test("the region is part of the signature", async () => {
  await using here = start({ region: "eu-central-1" });

  await assertRejects(() => here.tier.get(KEY, never), HttpStatusError);
});

Deno.test("redirects are not followed", async () => {
  await using here = start();
  await using other = new S3Engine();
  here.engine.refuse = () => ({
    status: 307,
    headers: { location: `${other.endpoint}/media/${NAME}` },
  });
  for (const [name, call] of Object.entries(calls(here.tier))) {
    const error = await assertRejects(
      () => call(never),
      HttpStatusError,
      undefined,
      name,
    );

    assertEquals(error.status, 307);
  }
  assertEquals(other.requests, []);
});

Deno.test("a call that is aborted rejects with the reason, at each step", async () => {
  await using here = start({ lease: "bucket" });
  const { engine, tier } = here;
  engine.hangs = () => true;
  for (const [name, call] of Object.entries(calls(tier))) {
    const reason = new Error("enough");
    await assertRejects(
      () => call(AbortSignal.abort(reason)),
      Error,
      "enough",
      name,
    );

    const controller = new AbortController();
    const hung = engine.hung();
    const rejected = assertRejects(
      () => call(controller.signal),
      Error,
      "enough",
      name,
    );
    await hung;
    controller.abort(reason);
    await rejected;
  }
});

Deno.test("a signal aborts the body as well", async () => {
  await using here = start();
  await here.tier.put(KEY, remotePut(CAT), never);
  here.engine.bodyFault = { kind: "stall", after: 7 };
  const controller = new AbortController();

  const object = await here.tier.get(KEY, controller.signal);
  const reader = object!.body.getReader();
  await reader.read();
  const rejected = assertRejects(() => reader.read(), Error, "enough");
  controller.abort(new Error("enough"));

  await rejected;
});

Deno.test("a signal aborts the body after a collection of garbage, too", async () => {
  await using here = start();
  const large = new Uint8Array(5_000_000);
  await here.tier.put(KEY, remotePut(large), never);
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let time = 0; time < 3; time++) {
    const controller = new AbortController();
    const object = await here.tier.get(KEY, controller.signal);
    const reader = object!.body.getReader();
    await reader.read();
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    collect();

    controller.abort(new Error("enough"));

    await assertRejects(
      async () => {
        while (!(await reader.read()).done);
      },
      Error,
      "enough",
    );
  }
});

Deno.test("an engine that is gone is told by a code, without its address", async () => {
  const { engine, tier } = start({ lease: "bucket" });
  await engine[Symbol.asyncDispose]();
  for (const [name, call] of Object.entries(calls(tier))) {
    const error = await assertRejects(
      () => call(never),
      Error,
      "ECONNREFUSED",
      name,
    );

    assertEquals(Deno.inspect(error).includes(engine.endpoint), false);
    assertEquals((error as Error & { code?: string }).code, "ECONNREFUSED");
  }
  await tier.close?.();
});

Deno.test("a tier can be used again after close()", async () => {
  await using here = start();
  await here.tier.put(KEY, remotePut(CAT), never);

  await here.tier.close?.();

  assertEquals(await here.tier.has(KEY, never), true);
});

Deno.test("close() ends uploads that run", async () => {
  await using here = start();
  here.engine.hangs = () => true;
  const hung = here.engine.hung();
  const rejected = assertRejects(
    () => here.tier.put(KEY, remotePut(CAT), never),
    Error,
    "Cannot reach",
  );
  await hung;

  await here.tier.close?.();

  await rejected;
});

Deno.test("no error and no printed tier shows a secret", async () => {
  await using here = start();
  const { engine, tier } = here;
  engine.refuse = () => ({ status: 403, code: "SignatureDoesNotMatch" });

  const error = await assertRejects(() => tier.get(KEY, never), Error);

  const printed = Deno.inspect([error, tier], { depth: 20, showHidden: true });
  assertEquals(printed.includes(engine.credentials.secretAccessKey), false);
});

Deno.test("an object is known to be missing before the body of the answer has come", async () => {
  const code = "<Error><Code>NoSuchKey</Code></Error>";
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let answers = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => {
      if (answers++ === 0) return new Response(code, { status: 404 });
      const body = new ReadableStream({
        async pull(controller) {
          await ended;
          controller.close();
        },
      }, { highWaterMark: 0 });
      return new Response(body, { status: 404 });
    },
  );
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  const tier = s3Tier({ endpoint, bucket: "media", credentials });

  // The first answer alone tells that the bucket exists.
  for (let i = 0; i < 20; i++) {
    assertEquals(await tier.get(KEY, never), undefined);
  }

  assertEquals(answers, 20);
  await tier.close?.();
  end();
  await server.shutdown();
});

Deno.test("a bucket that is removed is told by the next upload, and by lookups after it", async () => {
  await using here = start();
  const { engine, tier } = here;
  assertEquals(await tier.get(KEY, never), undefined);
  engine.refuse = () => ({ status: 404, code: "NoSuchBucket" });

  assertEquals(await tier.get(KEY, never), undefined);
  await assertRejects(
    () => tier.put(KEY, remotePut(CAT), never),
    HttpStatusError,
  );
  await assertRejects(() => tier.get(KEY, never), HttpStatusError);
});

Deno.test("a request that is aborted while it is signed makes no connection behind close()", async () => {
  const { engine, tier } = start();
  await using _engine = engine;
  const aborted = new AbortController();

  const found = tier.get(KEY, aborted.signal);
  aborted.abort();
  await tier.close?.();

  await assertRejects(() => found, DOMException);
});
