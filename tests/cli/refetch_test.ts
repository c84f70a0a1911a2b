/** `media-cache refetch`: asks the origin about one URL. */
import { assertEquals, assertMatch } from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { namesIn, pathsOf } from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { cli } from "../fixtures/processes/cli.ts";
import { VersionedOrigin } from "../fixtures/servers/versioned_origin.ts";

const OLD = pattern(5_000);
const NEW = pattern(6_000, 2);
const TAGGED = { body: OLD, headers: { etag: '"1"' } };

/** Runs `refetch`, and gives its JSON without the key. */
async function refetch(dir: string, url: string, ...args: string[]) {
  const { code, stdout, stderr } = await cli([
    ...["refetch", url, "--dir", dir, "--json"],
    ...args,
  ]);
  const { key, ...record } = JSON.parse(stdout);
  assertEquals(key, pathsOf("", url).key);
  return { code, stderr, ...record };
}

const FACTS = { mimetype: "image/png", filename: "body.png" };

Deno.test("refetch stores, confirms, compares and replaces the bytes of a URL", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using dir = await tempDir();
  const done = { code: 0, stderr: "", reason: null, ...FACTS };
  const { url } = origin;

  assertEquals(await refetch(dir.path, url), {
    ...{ ...done, result: "stored", size: 5_000 },
  });
  assertEquals(await refetch(dir.path, url), {
    ...{ ...done, result: "notModified", size: 5_000 },
  });
  assertEquals(await refetch(dir.path, url, "--whole"), {
    ...{ ...done, result: "same", size: 5_000 },
  });
  origin.version = { body: NEW };
  assertEquals(await refetch(dir.path, url), {
    ...{ ...done, result: "replaced", size: 6_000 },
  });

  assertEquals(origin.statuses, [200, 304, 200, 200]);
  assertEquals(await Deno.readFile(pathsOf(dir.path, url).dat), NEW);
});

Deno.test("refetch that fails leaves the stored bytes, and exits with 1", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using dir = await tempDir();
  const { url } = origin;
  await refetch(dir.path, url);
  const before = await namesIn(dir.path);
  origin.status = 404;

  const failed = await refetch(dir.path, url);
  assertEquals(failed.code, 1);
  assertEquals([failed.result, failed.reason], ["failed", "HTTP 404"]);
  const text = await cli(["refetch", url, "--dir", dir.path]);
  assertEquals([text.code, text.stdout], [1, ""]);
  assertMatch(text.stderr, /failed: HTTP 404; the stored bytes stay/);
  assertEquals(text.stderr.includes(url), false);
  assertEquals(await namesIn(dir.path), before);

  const missing = await cli(["refetch", `${url}?2`, "--dir", dir.path]);
  assertEquals([missing.code, missing.stdout], [1, ""]);
  assertMatch(missing.stderr, /failed: HTTP 404\n$/);
});

Deno.test("refetch says what has happened, and names no URL", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using dir = await tempDir();
  const { url } = origin;
  const short = pathsOf("", url).key.slice(0, 12);
  const run = async () =>
    (await cli(["refetch", url, "--dir", dir.path])).stdout;

  const facts = "image/png, 4.9 KiB\n";
  assertEquals(await run(), `${short}  stored, was not there before: ${facts}`);
  assertEquals(await run(), `${short}  unchanged, says the origin: ${facts}`);
});

Deno.test("refetch --platforms finds the entry of a URL with another signature", async () => {
  await using origin = new VersionedOrigin(TAGGED);
  await using dir = await tempDir();
  const signed = (signature: string) =>
    `${origin.url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a` +
    `&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host` +
    `&X-Amz-Signature=${signature}`;
  const results: string[] = [];
  for (const url of [signed("1"), signed("2")]) {
    const args = [url, "--platforms", "--dir", dir.path, "--json"];
    const { stdout } = await cli(["refetch", ...args]);
    const { result, key } = JSON.parse(stdout);
    assertEquals(key, pathsOf("", origin.url).key);
    results.push(result);
  }
  assertEquals(results, ["stored", "notModified"]);
});

Deno.test("refetch takes one URL of http or https", async () => {
  await using dir = await tempDir();
  for (const operands of [[], ["http://a", "http://b"]]) {
    const { code } = await cli(["refetch", ...operands, "--dir", dir.path]);
    assertEquals(code, 2);
  }
  const { code, stderr } = await cli(["refetch", "x", "--dir", dir.path]);
  assertEquals(code, 1);
  assertMatch(stderr, /not an http or https URL/);
});
