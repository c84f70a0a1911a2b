import { assert, assertEquals, assertRejects } from "@std/assert";
import { s3Tier } from "../../src/s3/s3.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

const never = new AbortController().signal;

async function probe(engine: S3Engine, options = {}) {
  const tier = s3Tier({ ...engine.options, ...options });
  try {
    return await tier.probe(never);
  } finally {
    await tier.close?.();
  }
}

Deno.test("an engine that keeps conditions has leases, and nothing is left of the probe", async () => {
  await using engine = new S3Engine();

  assertEquals(await probe(engine), { reachable: true, lease: true });

  assertEquals(engine.count("PUT", "probe/v1/"), 8);
  assertEquals(engine.names(), []);
});

Deno.test("an engine that ignores conditions has none", async () => {
  await using engine = new S3Engine();
  engine.conditions = "ignored";

  assertEquals(await probe(engine), {
    reachable: true,
    lease: false,
    reason:
      "8 of 8 writers have created one object: the store ignores If-None-Match",
  });
});

Deno.test("an engine that refuses conditions has none, and can be used", async () => {
  await using engine = new S3Engine();
  engine.conditions = "refused";

  assertEquals(await probe(engine), {
    reachable: true,
    lease: false,
    reason: "the store answers 501 to a PUT with If-None-Match",
  });
  assertEquals(engine.names(), []);
});

Deno.test("an engine whose writers win sometimes has none", async () => {
  await using engine = new S3Engine();
  let puts = 0;
  engine.refuse = ({ method }) => {
    if (method === "PUT" && ++puts % 4 !== 1) return { status: 412 };
    return undefined;
  };
  engine.conditions = "ignored";

  const { lease, reason } = await probe(engine);

  assertEquals(lease, false);
  assert(reason?.startsWith("2 of 8"), reason);
});

Deno.test("a write that is refused by a busy engine does not matter where another is refused by the condition", async () => {
  await using engine = new S3Engine();
  let puts = 0;
  engine.refuse = ({ method }) =>
    method === "PUT" && ++puts > 5 ? { status: 429 } : undefined;
  assertEquals((await probe(engine)).lease, true);
});

Deno.test("an engine that is too busy for all losers, or for all writers, is to be asked later", async () => {
  await using engine = new S3Engine();
  for (const status of [429, 503]) {
    for (const winners of [0, 1]) {
      let puts = 0;
      engine.refuse = ({ method, headers }) =>
        method === "PUT" && headers.has("if-none-match") && ++puts > winners
          ? { status }
          : undefined;
      assertEquals(await probe(engine), {
        reachable: false,
        lease: false,
        reason: "the store was too busy to prove it",
      });
    }
  }
});

Deno.test("a busy engine that lets two writers win has none", async () => {
  await using engine = new S3Engine();
  engine.conditions = "ignored";
  let puts = 0;
  engine.refuse = ({ method }) =>
    method === "PUT" && ++puts > 2 ? { status: 429 } : undefined;

  const { reachable, lease } = await probe(engine);

  assertEquals([reachable, lease], [true, false]);
});

Deno.test("an engine that fails for some of the writers has told nothing of its leases", async () => {
  await using engine = new S3Engine();
  for (const status of [500, 503]) {
    let puts = 0;
    engine.refuse = ({ method }) =>
      method === "PUT" && ++puts > 1 ? { status } : undefined;
    const { reachable, lease } = await probe(engine);
    assertEquals([reachable, lease], [false, false]);
  }
});

Deno.test("a tier that is only read is not written by a probe", async () => {
  await using engine = new S3Engine();

  const { reachable, lease } = await probe(engine, { readOnly: true });

  assertEquals([reachable, lease], [true, false]);
  assertEquals(engine.count("PUT"), 0);
});

Deno.test("an engine that can't be listed or written is not reachable, and why", async () => {
  await using engine = new S3Engine();
  const because = async (method: string, status: number, code: string) => {
    engine.refuse = (request) =>
      request.method === method ? { status, code } : undefined;
    const { reachable, lease, reason } = await probe(engine);
    assertEquals([reachable, lease], [false, false]);
    return reason;
  };

  assertEquals(
    await because("GET", 404, "NoSuchBucket"),
    "bucket must exist: received HTTP 404 NoSuchBucket",
  );
  assertEquals(
    await because("PUT", 403, "AccessDenied"),
    "credentials must allow to list, read, write and delete: received HTTP 403 AccessDenied",
  );
  assertEquals(
    await because("PUT", 500, "X"),
    "request must be answered: received HTTP 500 X",
  );
  engine.refuse = () => undefined;
  engine.clockAheadMs = -16 * 60_000;
  assertEquals(
    (await probe(engine)).reason,
    "clock of this host must be right to 15 minutes: received HTTP 403 RequestTimeTooSkewed",
  );
});

Deno.test("an engine that is gone is not reachable", async () => {
  const engine = new S3Engine();
  await engine[Symbol.asyncDispose]();

  const { reachable, reason } = await probe(engine);

  assertEquals(reachable, false);
  assert(reason?.endsWith("ECONNREFUSED"), reason);
});

Deno.test("a probe that is aborted rejects", async () => {
  await using engine = new S3Engine();
  const tier = s3Tier(engine.options);
  engine.hangs = ({ method }) => method === "PUT";
  const controller = new AbortController();
  const hung = engine.hung();
  const rejected = assertRejects(
    () => tier.probe(controller.signal),
    Error,
    "enough",
  );
  await hung;

  controller.abort(new Error("enough"));

  await rejected;
  await tier.close?.();
});
