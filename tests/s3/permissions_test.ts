import { assertEquals, assertRejects } from "@std/assert";
import { ALL_WELL, runTierWorker } from "../fixtures/remote/run_tier_worker.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

Deno.test("a tier needs network access to the host of the bucket alone, and ends by itself", async () => {
  await using engine = new S3Engine();
  const host = new URL(engine.endpoint).host;

  const result = await runTierWorker(
    [`--allow-net=${host}`],
    { ...engine.options, lease: "bucket" },
  );

  assertEquals(result, ALL_WELL);
});

Deno.test("without network access a tier does not prompt", async () => {
  await using engine = new S3Engine();

  await assertRejects(
    () => runTierWorker([], { ...engine.options, lease: "bucket" }),
    Error,
    "NotCapable",
  );

  assertEquals(engine.requests, []);
});
