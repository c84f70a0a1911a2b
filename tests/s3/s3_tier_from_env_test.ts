import { assertEquals, assertThrows } from "@std/assert";
import { s3TierFromEnv } from "../../src/s3/s3.ts";
import { remoteKey } from "../fixtures/remote/entries.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

const SET: Record<string, string> = {
  MEDIA_CACHE_S3_ENDPOINT: "https://s3.eu-central-1.amazonaws.com",
  MEDIA_CACHE_S3_BUCKET: "bot-media",
  AWS_ACCESS_KEY_ID: "key",
  AWS_SECRET_ACCESS_KEY: "hunter2",
};

function tierOf(variables: Record<string, string>) {
  return s3TierFromEnv(new Map(Object.entries(variables)));
}

Deno.test("without an endpoint there is no tier", () => {
  const { MEDIA_CACHE_S3_ENDPOINT: _, ...others } = SET;

  assertEquals(tierOf({}), undefined);
  assertEquals(tierOf(others), undefined);
  assertEquals(tierOf({ ...SET, MEDIA_CACHE_S3_ENDPOINT: "" }), undefined);
});

Deno.test("the environment names bucket, prefix and lease", () => {
  assertEquals(tierOf(SET)?.name, "s3.eu-central-1.amazonaws.com/bot-media");
  assertEquals(tierOf(SET)?.lease, undefined);
  const tier = tierOf({
    ...SET,
    MEDIA_CACHE_S3_PREFIX: "a/",
    MEDIA_CACHE_S3_LEASE: "bucket",
  });
  assertEquals(tier?.name, "s3.eu-central-1.amazonaws.com/bot-media/a");
  assertEquals(typeof tier?.lease, "function");
});

Deno.test("a variable that is missing is named", () => {
  for (const name of Object.keys(SET).slice(1)) {
    assertThrows(() => tierOf({ ...SET, [name]: "" }), TypeError, name);
  }
});

Deno.test("wrong values are refused", () => {
  const wrong = {
    MEDIA_CACHE_S3_LEASE: "yes",
    MEDIA_CACHE_S3_ALLOW_HTTP: "1",
    MEDIA_CACHE_S3_PREFIX: "a",
    MEDIA_CACHE_S3_REGION: "?",
    MEDIA_CACHE_S3_ENDPOINT: "http://minio:9000",
  };
  for (const [name, value] of Object.entries(wrong)) {
    assertThrows(() => tierOf({ ...SET, [name]: value }), RangeError);
  }
  const plain = { ...SET, MEDIA_CACHE_S3_ENDPOINT: "http://minio:9000" };
  assertThrows(
    () => tierOf(plain),
    RangeError,
    "(MEDIA_CACHE_S3_ALLOW_HTTP=true)",
  );
  assertEquals(
    tierOf({ ...plain, MEDIA_CACHE_S3_ALLOW_HTTP: "true" })?.name,
    "minio:9000/bot-media",
  );
});

Deno.test("keys and session token of the environment sign the requests", async () => {
  await using engine = new S3Engine();
  engine.credentials = {
    accessKeyId: "a",
    secretAccessKey: "b",
    sessionToken: "c",
  };
  const tier = tierOf({
    MEDIA_CACHE_S3_ENDPOINT: engine.endpoint,
    MEDIA_CACHE_S3_BUCKET: engine.bucket,
    AWS_ACCESS_KEY_ID: "a",
    AWS_SECRET_ACCESS_KEY: "b",
    AWS_SESSION_TOKEN: "c",
  });

  assertEquals(
    await tier?.has(remoteKey("x"), new AbortController().signal),
    false,
  );
  await tier?.close?.();
});
