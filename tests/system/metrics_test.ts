import { assertEquals } from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { mounted } from "../fixtures/servers/mounted.ts";

Deno.test("promtool finds no fault in /metrics", async () => {
  await using engine = new S3Engine();
  await using router = await mounted({}, { remote: s3Tier(engine.options) });
  const { cache } = router;
  const media = await cache.getOrDownload(
    "a:",
    () => Promise.resolve({ data: pattern(5000) }),
  );
  await media.bytes();
  await media.stored;
  await (await cache.get("a:"))?.bytes();

  const promtool = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { body } = await router.ask("/metrics");
  await body!.pipeTo(promtool.stdin);
  const { code, stdout, stderr } = await promtool.output();

  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([code, text(stdout), text(stderr)], [0, "", ""]);
});
