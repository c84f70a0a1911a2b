import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import { checkOptions } from "../../src/s3/s3_tier_options.ts";

const credentials = { accessKeyId: "key", secretAccessKey: "hunter2" };
const OPTIONS: S3TierOptions = {
  endpoint: "https://s3.eu-central-1.amazonaws.com",
  bucket: "bot-media",
  credentials,
};

function bucketUrl(endpoint: string, bucket = "bot-media"): string {
  return checkOptions({ ...OPTIONS, endpoint, bucket }).bucket.url.href;
}

Deno.test("the bucket is the first segment of the path, or where {bucket} stands", () => {
  assertEquals(
    bucketUrl("https://s3.amazonaws.com"),
    "https://s3.amazonaws.com/bot-media/",
  );
  assertEquals(
    bucketUrl("https://x.example/storage/v1/s3/"),
    "https://x.example/storage/v1/s3/bot-media/",
  );
  assertEquals(
    bucketUrl("https://{bucket}.s3.amazonaws.com"),
    "https://bot-media.s3.amazonaws.com/",
  );
  assertEquals(
    bucketUrl("https://x.example/{bucket}/y"),
    "https://x.example/bot-media/y/",
  );
  assertEquals(
    bucketUrl("https://x.example:8443//", "a.b"),
    "https://x.example:8443/a.b/",
  );
});

Deno.test("the name tells host, bucket and prefix, and no secret", () => {
  assertEquals(s3Tier(OPTIONS).name, "s3.eu-central-1.amazonaws.com/bot-media");
  assertEquals(
    s3Tier({
      ...OPTIONS,
      endpoint: "https://{bucket}.s3.amazonaws.com",
      prefix: "a/b/",
    }).name,
    "s3.amazonaws.com/bot-media/a/b",
  );
});

Deno.test("http is for loopback addresses, unless it is allowed", () => {
  for (
    const host of [
      "localhost:9000",
      "127.0.0.1",
      "127.9.9.9:1",
      "[::1]:80",
      "minio.localhost",
    ]
  ) bucketUrl(`http://${host}`);
  for (
    const host of [
      "minio:9000",
      "10.0.0.1",
      "localhost.example",
      "127.0.0.1.example",
      "[::2]",
    ]
  ) {
    assertThrows(() => bucketUrl(`http://${host}`), RangeError, "allowHttp");
  }
  checkOptions({ ...OPTIONS, endpoint: "http://minio:9000", allowHttp: true });
});

Deno.test("a wrong endpoint is named, and not shown: it may hold a password", () => {
  for (
    const endpoint of [
      ...["", "s3.amazonaws.com", "ftp://s3.amazonaws.com", "https://"],
      ...["https://hunter2@x.example", "https://a:hunter2@x.example"],
      ...["https://x.example?key=hunter2", "https://x.example#hunter2"],
      ...["https://{bucket}.x.example/{bucket}", "https://{other}.x.example"],
    ]
  ) {
    const error = assertThrows(
      () => bucketUrl(endpoint),
      RangeError,
      "endpoint must be",
    );
    assertEquals(error.message.includes("hunter2"), false);
  }
  const none = { ...OPTIONS, endpoint: undefined } as unknown as S3TierOptions;
  assertThrows(() => checkOptions(none), TypeError, "endpoint must be");
});

Deno.test("wrong names of bucket, region, prefix and lease are refused", () => {
  const wrong: Partial<Record<keyof S3TierOptions, unknown[]>> = {
    bucket: ["", "a", ".", "..", "a/b", "a b", "a?b", "ä", "x".repeat(256)],
    region: ["", "eu central", "x/y", "ä"],
    prefix: [
      "a",
      "/",
      "/a/",
      "a//",
      "../",
      "a/../",
      "./",
      "a b/",
      "ä/",
      "a%2e/",
      `${"x".repeat(512)}/`,
    ],
    lease: ["", "redis", "Bucket"],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      assertThrows(
        () => checkOptions({ ...OPTIONS, [name]: value }),
        RangeError,
        `${name} must be`,
        String(value),
      );
    }
    assertThrows(
      () => checkOptions({ ...OPTIONS, [name]: 7 }),
      TypeError,
      `${name} must be`,
    );
  }
  for (const prefix of ["", "a/", "bots/Cats_1.x-y/", ".hidden/", "...a/"]) {
    checkOptions({ ...OPTIONS, prefix });
  }
});

Deno.test("missing and unknown options are refused", () => {
  assertThrows(
    () => s3Tier(undefined as unknown as S3TierOptions),
    TypeError,
    "options must be",
  );
  const { bucket: _, ...without } = OPTIONS;
  assertThrows(
    () => s3Tier(without as S3TierOptions),
    TypeError,
    "bucket must be",
  );
  const misspelt = { ...OPTIONS, leases: "bucket" };
  assertThrows(() => s3Tier(misspelt), TypeError, '"leases"');
  assertThrows(
    () => s3Tier({ ...OPTIONS, allowHttp: "yes" as unknown as boolean }),
    TypeError,
    "allowHttp must be",
  );
});

Deno.test("wrong credentials are refused without being shown", () => {
  const secret = "hunter2 ";
  for (
    const wrong of [
      ...[undefined, null, "hunter2", {}, { accessKeyId: "key" }],
      { accessKeyId: "", secretAccessKey: "hunter2" },
      { accessKeyId: "key", secretAccessKey: secret },
      { accessKeyId: "key", secretAccessKey: 7 },
      { ...credentials, sessionToken: "hunter2\r\n" },
      { ...credentials, sessionToken: "" },
    ]
  ) {
    const options = {
      ...OPTIONS,
      credentials: wrong,
    } as unknown as S3TierOptions;
    const error = assertThrows(() => s3Tier(options), TypeError, "credentials");
    assertEquals(error.message.includes("hunter2"), false, error.message);
  }
});

Deno.test("the limits are handed to the cache as they are", () => {
  const limits = { lookupTimeoutMs: 5, maxEntryMb: 1, readOnly: true };

  assertEquals(s3Tier({ ...OPTIONS, ...limits }).limits, limits);
});

Deno.test("a tier that is printed shows no credentials", () => {
  const tier = s3Tier({
    ...OPTIONS,
    lease: "bucket",
    credentials: { ...credentials, sessionToken: "hunter2too" },
  });

  const printed = Deno.inspect(tier, { depth: 20, showHidden: true }) +
    JSON.stringify(tier);

  assertStringIncludes(printed, "bot-media");
  assertEquals(printed.includes("hunter2"), false, printed);
});
