/** The demo of three hosts, on a stand-in for an object store. */
import { assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { startExample } from "../fixtures/package/example.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

/** The variables that name the bucket of an engine, and a place for its folders. */
function environmentOf(engine: S3Engine, dir: string): Record<string, string> {
  const { accessKeyId, secretAccessKey } = engine.credentials;
  return {
    TMPDIR: dir,
    MEDIA_CACHE_S3_ENDPOINT: engine.endpoint,
    MEDIA_CACHE_S3_BUCKET: engine.bucket,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

Deno.test("the hosts of the demo download each medium once among them, and leave no folder behind", async () => {
  await using temp = await tempDir();
  await using engine = new S3Engine();

  const demo = await startExample("hosts_demo.ts", {
    args: ["--once"],
    cwd: temp.path,
    env: environmentOf(engine, temp.path),
  });
  const { code, stdout, stderr } = await demo.output();

  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  assertEquals(text.match(/http:\/\/127\.0\.0\.1:\d+\/cache/g)?.length, 3);
  assertMatch(text, /\n +1 +0 +0 +16\n +2 +0 +16 +0\n +3 +0 +16 +0\n/);
  assertEquals(engine.names("media-cache-demo/v1/").length, 16);
  assertEquals(await Array.fromAsync(Deno.readDir(temp.path)), []);
});

Deno.test("the demo of hosts ends at Ctrl-C, with all its processes", async () => {
  await using temp = await tempDir();
  await using engine = new S3Engine();

  const demo = await startExample("hosts_demo.ts", {
    cwd: temp.path,
    env: environmentOf(engine, temp.path),
  });
  let text = "";
  const reader = demo.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes("Ctrl-C ends")) text += (await reader.read()).value;
  const [dashboard = ""] = /http:\S+\/cache/.exec(text) ?? [];
  demo.kill("SIGINT");
  for (;;) if ((await reader.read()).done) break;
  await demo.stderr.cancel();

  assertEquals((await demo.status).code, 130);
  assertEquals(await fetch(dashboard).then(() => "runs", () => "gone"), "gone");
  assertEquals(await Array.fromAsync(Deno.readDir(temp.path)), []);
});

Deno.test("the demo of hosts names what is missing where there is no bucket", async () => {
  await using temp = await tempDir();

  const demo = await startExample("hosts_demo.ts", {
    args: ["--once"],
    cwd: temp.path,
    env: {
      TMPDIR: temp.path,
      MEDIA_CACHE_S3_ENDPOINT: "",
      // Ceph is not where Deno is.
      PATH: dirname(Deno.execPath()),
    },
  });
  const { code, stdout } = await demo.output();

  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stdout),
    /There is no bucket: MEDIA_CACHE_S3_ENDPOINT .* radosgw be there/,
  );
});
