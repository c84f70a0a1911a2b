import { assertEquals, assertRejects } from "@std/assert";
import { runProgram } from "../fixtures/processes/program.ts";
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

Deno.test("a missing permission is named by probe(), by errors and by the event", async () => {
  await using engine = new S3Engine();
  const { host } = new URL(engine.endpoint);

  const told = await runProgram(
    `import { s3Tier } from "${import.meta.resolve("../../src/s3/s3.ts")}";
    const tier = s3Tier(${JSON.stringify(engine.options)});
    const { signal } = new AbortController();
    const tell = (text) => console.log(JSON.stringify(text));
    tell((await tier.probe(signal)).reason);
    const key = "0".repeat(64);
    const sha256 = key;
    const entry = { mimetype: "a/b", filename: "a", size: 1, sha256, storedAt: 1 };
    const open = () => new Blob(["a"]).stream();
    await tier.put(key, { entry, open, replaces: false }, signal)
      .catch(({ message }) => tell(message));
    await using cache = await MediaCache.open({
      cacheDir,
      remote: tier,
      onEvent: ({ type, reason }) => type === "remoteDown" && tell(reason),
    });
    for (let i = 0; i < 4; i++) {
      await cache.getOrDownload("https://a.test/" + i, () => Promise.resolve(new Response("a")));
    }`,
    { flags: ["--no-prompt", "--allow-read", "--allow-write"] },
  );

  const reason = `program must run with --allow-net=${host}: it does not`;
  const message = `Cannot reach object store: ${reason}`;
  assertEquals(told, [reason, message, message]);
  assertEquals(engine.requests, []);
});
