/** Where requests go, and for which region they are signed, told without a network. */
import { assertEquals } from "@std/assert";
import { s3Tier, type S3TierOptions } from "../../src/s3/s3.ts";
import { remoteKey } from "../fixtures/remote/entries.ts";

const KEY = remoteKey("cat");
const NAME = `v1/${KEY.slice(0, 2)}/${KEY}`;

/** The address of a lookup, and the region of its signature. */
async function addressOf(
  options: Partial<S3TierOptions>,
): Promise<[url: string, region: string | undefined]> {
  const real = globalThis.fetch;
  const sent: Request[] = [];
  globalThis.fetch = (url, init) => {
    const { method = "GET", headers = {} } = init ?? {};
    sent.push(new Request(url, { method, headers }));
    return Promise.resolve(new Response(null, { status: 404 }));
  };
  try {
    const tier = s3Tier({
      endpoint: "https://s3.eu-central-1.amazonaws.com",
      bucket: "bot-media",
      credentials: { accessKeyId: "key", secretAccessKey: "secret" },
      ...options,
    });
    await tier.has(KEY, new AbortController().signal);
    await tier.close?.();
  } finally {
    globalThis.fetch = real;
  }
  const [request] = sent;
  const signature = request?.headers.get("authorization") ?? "";
  const [, region] = /\/\d{8}\/([^/]*)\/s3\/aws4_request/.exec(signature) ?? [];
  return [request?.url ?? "", region];
}

Deno.test("an address of AWS tells the region, with the bucket in path or host", async () => {
  assertEquals(await addressOf({}), [
    `https://s3.eu-central-1.amazonaws.com/bot-media/${NAME}`,
    "eu-central-1",
  ]);
  assertEquals(
    await addressOf({
      endpoint: "https://{bucket}.s3.eu-west-3.amazonaws.com",
    }),
    [`https://bot-media.s3.eu-west-3.amazonaws.com/${NAME}`, "eu-west-3"],
  );
});

Deno.test("other addresses are signed for us-east-1, or the region that is named", async () => {
  const endpoint = "https://minio.example:9000";
  const url = `${endpoint}/bot-media/bots/${NAME}`;
  const prefix = "bots/";

  assertEquals(await addressOf({ endpoint, prefix }), [url, "us-east-1"]);
  assertEquals(await addressOf({ endpoint, prefix, region: "lab" }), [
    url,
    "lab",
  ]);
});

Deno.test("R2 is signed for auto", async () => {
  const endpoint = "https://account.r2.cloudflarestorage.com";

  const [url, region] = await addressOf({ endpoint });

  assertEquals([url, region], [`${endpoint}/bot-media/${NAME}`, "auto"]);
});

Deno.test("a path of the endpoint stands before the bucket", async () => {
  const [url] = await addressOf({
    endpoint: "https://x.example/storage/v1/s3",
  });

  assertEquals(url, `https://x.example/storage/v1/s3/bot-media/${NAME}`);
});
