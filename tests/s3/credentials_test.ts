import { assertEquals, assertRejects } from "@std/assert";
import { HttpStatusError } from "../../mod.ts";
import { CredentialSource } from "../../src/s3/credentials.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { remoteKey, remotePut } from "../fixtures/remote/entries.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { FakeTime } from "../fixtures/time/fake_time.ts";

const KEY = remoteKey("cat");
const never = new AbortController().signal;

Deno.test("temporary credentials are asked for once, and their token is sent", async () => {
  await using engine = new S3Engine();
  const right = { accessKeyId: "a", secretAccessKey: "b", sessionToken: "c" };
  engine.credentials = right;
  let asked = 0;
  const credentials = () => {
    asked++;
    return Promise.resolve(right);
  };
  const tier = s3Tier({ ...engine.options, credentials });
  assertEquals(asked, 0);

  await Promise.all([
    tier.has(KEY, never),
    tier.has(KEY, never),
    tier.get(KEY, never),
  ]);
  await tier.has(KEY, never);

  assertEquals(asked, 1);
  await tier.close?.();
});

Deno.test("credentials that are refused are renewed, and the request is made again", async () => {
  await using engine = new S3Engine();
  let given = { ...engine.credentials };
  let asked = 0;
  const credentials = () => {
    asked++;
    return Promise.resolve(given);
  };
  const tier = s3Tier({ ...engine.options, credentials });
  await tier.has(KEY, never);

  // 403 for a key that is no longer known, 400 for an expired token.
  for (const sessionToken of ["1", "2"]) {
    given = {
      ...given,
      accessKeyId: `key-${sessionToken}`,
      ...{ sessionToken },
    };
    engine.credentials = given;
    const bytes = new Uint8Array([1, 2, 3]);
    await tier.put(KEY, remotePut(bytes), never);
    assertEquals(engine.objects.get(engine.names()[0]!)?.bytes, bytes);
  }
  given = { ...given, ...{ sessionToken: "3" } };
  engine.credentials = given;
  assertEquals(await tier.has(KEY, never), true);

  assertEquals(asked, 4);
  await tier.close?.();
});

Deno.test("credentials that stay refused are tried once more at most", async () => {
  await using engine = new S3Engine();
  let asked = 0;
  const wrong = () => {
    asked++;
    return Promise.resolve({ accessKeyId: `${asked}`, secretAccessKey: "x" });
  };
  const changing = s3Tier({ ...engine.options, credentials: wrong });

  await assertRejects(() => changing.get(KEY, never), HttpStatusError);
  assertEquals([asked, engine.requests.length], [2, 2]);

  const same = s3Tier({
    ...engine.options,
    credentials: () =>
      Promise.resolve({ accessKeyId: "1", secretAccessKey: "x" }),
  });
  await assertRejects(() => same.get(KEY, never), HttpStatusError);
  assertEquals(engine.requests.length, 3);
  await changing.close?.();
  await same.close?.();
});

Deno.test("a refusal that credentials do not cure is not tried again", async () => {
  await using engine = new S3Engine();
  let asked = 0;
  const tier = s3Tier({
    ...engine.options,
    credentials: () => {
      asked++;
      return Promise.resolve({ ...engine.credentials });
    },
  });
  engine.refuse = () => ({ status: 400, code: "InvalidRequest" });

  await assertRejects(() => tier.get(KEY, never), HttpStatusError);

  assertEquals([asked, engine.requests.length], [1, 1]);
  await tier.close?.();
});

Deno.test("a function that fails rejects the call, without its message", async () => {
  await using engine = new S3Engine();
  const failing = s3Tier({
    ...engine.options,
    credentials: () => Promise.reject(new TypeError("the token is hunter2")),
  });
  const wrong = s3Tier({
    ...engine.options,
    credentials: () =>
      Promise.resolve({ accessKeyId: "a", secretAccessKey: "hunter2 " }),
  });

  for (
    const [tier, told] of [[failing, "it rejected (TypeError)"], [
      wrong,
      "secretAccessKey",
    ]] as const
  ) {
    const error = await assertRejects(() => tier.get(KEY, never), Error, told);
    assertEquals(Deno.inspect(error).includes("hunter2"), false);
  }
  assertEquals(engine.requests, []);
});

Deno.test("a function that never answers does not hold a call that is aborted", async () => {
  await using engine = new S3Engine();
  const tier = s3Tier({
    ...engine.options,
    credentials: () => Promise.withResolvers<never>().promise,
  });
  const controller = new AbortController();

  const rejected = assertRejects(
    () => tier.get(KEY, controller.signal),
    Error,
    "enough",
  );
  controller.abort(new Error("enough"));

  await rejected;
});

Deno.test("after five minutes the function is asked anew, and old keys serve while it fails", async () => {
  using time = new FakeTime();
  const given = ["a", "b"];
  const source = new CredentialSource(() => {
    const accessKeyId = given.shift();
    return accessKeyId === undefined
      ? Promise.reject(new Error("The service is gone"))
      : Promise.resolve({ accessKeyId, secretAccessKey: "s" });
  });
  const held = async () => (await source.get(never)).accessKeyId;

  assertEquals(await held(), "a");
  time.tick(299_999);
  assertEquals(await held(), "a");
  time.tick(2);
  assertEquals(await held(), "b");
  time.tick(300_001);
  assertEquals(await held(), "b");
});

Deno.test("credentials that are given are copied, and never renewed", async () => {
  const given = { accessKeyId: "a", secretAccessKey: "b" };
  const source = new CredentialSource(given);

  given.accessKeyId = "other";

  const held = await source.get(never);
  assertEquals(held, { accessKeyId: "a", secretAccessKey: "b" });
  assertEquals(await source.renew(held, never), false);
});
