/** `remote status`, `probe` and `sync`, and what `explain` tells of a bucket. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { digestOf } from "../../src/core/bodies/digest.ts";
import { CLI, cli, cliProcess, linesOf } from "../fixtures/processes/cli.ts";
import {
  bytesOf,
  pathsOf,
  snapshotOf,
  writePair,
} from "../fixtures/directory/files.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

const URLS = ["https://a/1?token=s", "https://a/2", "https://a/3"];

/** The variables that name the bucket of an engine. */
function environmentOf(engine: S3Engine): Record<string, string> {
  const { accessKeyId, secretAccessKey } = engine.credentials;
  return {
    MEDIA_CACHE_S3_ENDPOINT: engine.endpoint,
    MEDIA_CACHE_S3_BUCKET: engine.bucket,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

/** A folder of three entries, a bucket, and the tool with the least permissions. */
async function setting() {
  const temp = await tempDir();
  const engine = new S3Engine();
  const dir = temp.path;
  const pairs = [];
  for (const [i, url] of URLS.entries()) {
    const bytes = bytesOf(1000 * (i + 1));
    // The first has no digest, as large bodies and those of the original have none.
    const sidecar = i === 0 ? {} : { sha256: digestOf(bytes) };
    pairs.push(await writePair(dir, url, bytes, { sidecar }));
  }
  const env = environmentOf(engine);
  const permissions = [
    ...[`--allow-read=${dir}`, "--allow-env"],
    `--allow-net=${new URL(engine.endpoint).host}`,
  ];
  return {
    ...{ dir, engine, env, permissions },
    keys: pairs.map(({ key }) => key),
    run: (args: string[]) =>
      cliProcess(permissions, [...args, "--dir", dir], { env }),
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

Deno.test("remote sync uploads what the bucket lacks, with its digest, and changes nothing in the folder", async () => {
  await using all = await setting();
  const before = await snapshotOf(all.dir);

  const run = await all.run(["remote", "sync"]);

  assertEquals(run.stderr, "");
  assertMatch(
    run.stdout,
    /^3 entries pushed \(5\.9 KiB\), 0 already there, in /,
  );
  assertEquals(run.code, 0);
  assertEquals(await snapshotOf(all.dir), before);
  const objects = all.engine.names("v1/");
  assertEquals(
    objects,
    all.keys.map((key) => `v1/${key.slice(0, 2)}/${key}`).sort(),
  );
  for (const name of objects) {
    const { bytes, headers } = all.engine.objects.get(name)!;
    const text = JSON.stringify(headers);
    assert(text.includes(digestOf(bytes)), "the digest is that of the bytes");
    assert(!text.includes("token"), "no URL");
  }
});

Deno.test("remote sync asks first, and goes on where a run has stopped", async () => {
  await using all = await setting();
  assertEquals((await all.run(["remote", "sync"])).code, 0);
  const [first] = all.engine.names("v1/");
  all.engine.objects.delete(first!);
  const puts = all.engine.count("PUT");

  const again = await all.run(["remote", "sync", "--json"]);

  const { bytes, ...counts } = JSON.parse(again.stdout);
  assertEquals(counts, {
    ...{ result: "done", entries: 3, pushed: 1 },
    ...{ present: 2, skipped: 0, failed: 0 },
  });
  assert(bytes > 0);
  assertEquals(all.engine.count("PUT"), puts + 1);
});

Deno.test("remote sync ends at Ctrl-C in the middle of an upload, and the next run does the rest", async () => {
  await using all = await setting();
  const { dir, engine, env, permissions } = all;
  engine.hangs = ({ method }) => method === "PUT";
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--quiet", ...permissions, CLI],
      ...["remote", "sync", "--dir", dir, "--json"],
    ],
    ...{ env, stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  await engine.hung();
  process.kill("SIGINT");
  const { code, stdout } = await process.output();

  assertEquals(code, 130);
  const { result, pushed, failed } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  assertEquals([result, pushed, failed], ["interrupted", 0, 0]);
  engine.hangs = () => false;
  engine.resume();

  const rest = await all.run(["remote", "sync", "--json"]);
  assertEquals(JSON.parse(rest.stdout).failed, 0);
  assertEquals(engine.names("v1/").length, 3);
});

Deno.test("remote sync counts what fails and goes on; it gives up on a bucket that is down", async () => {
  await using all = await setting();
  const [broken] = all.keys;
  all.engine.refuse = ({ method, name }) =>
    method === "PUT" && name.endsWith(broken!)
      ? { status: 403, code: "AccessDenied" }
      : undefined;

  const run = await all.run(["remote", "sync"]);

  assertEquals(run.code, 1);
  assertMatch(run.stdout, /^2 entries pushed .* 1 failed/);
  assertMatch(run.stderr, new RegExp(`can't upload ${broken!.slice(0, 12)}: `));
  assertEquals(linesOf(run.stderr).length, 1);

  for (let i = 0; i < 10; i++) {
    await writePair(all.dir, `https://b/${i}`, bytesOf(10));
  }
  all.engine.refuse = () => ({ status: 500 });
  const requests = all.engine.requests.length;
  const down = await all.run(["remote", "sync", "--concurrency", "1"]);
  assertEquals(down.code, 1);
  assertMatch(down.stdout, /5 failed, 8 not done/);
  assertMatch(down.stderr, /gave up after 5 failures in a row/);
  assert(all.engine.requests.length - requests < 13);
});

Deno.test("remote sync leaves a body alone that is not that of its digest", async () => {
  await using all = await setting();
  const { dat } = pathsOf(all.dir, URLS[1]!);
  await Deno.writeFile(dat, new Uint8Array(2000));

  const run = await all.run(["remote", "sync", "--json"]);

  assertEquals(run.code, 1);
  assertEquals(JSON.parse(run.stdout).failed, 1);
  assertEquals(all.engine.names("v1/").length, 2);
});

Deno.test("remote status tells how much of the folder the bucket has, and writes nothing", async () => {
  await using all = await setting();
  await all.run(["remote", "sync"]);
  all.engine.objects.delete(all.engine.names("v1/")[0]!);
  const writes = () => all.engine.count("PUT") + all.engine.count("DELETE");
  const before = writes();

  const text = await all.run(["remote", "status"]);
  const json = await all.run(["remote", "status", "--json"]);

  assertEquals([text.code, text.stderr], [0, ""]);
  const { host } = new URL(all.engine.endpoint);
  const lines = linesOf(text.stdout).map((line) =>
    line.replace(/\d+ ms/, "N ms")
  );
  assertEquals(lines, [
    `Bucket         ${host}/media`,
    "Answers        yes, in N ms",
    "Entries here   3",
    "In the bucket  2 of 3 looked for",
    "Changes        0 by all hosts",
  ]);
  const { tookMs, ...facts } = JSON.parse(json.stdout);
  assert(tookMs >= 0);
  assertEquals(facts, {
    ...{ name: `${host}/media`, answers: true, reason: null },
    ...{ entries: 3, lookedFor: 3, present: 2, changes: 0 },
  });
  assertEquals(writes(), before);
});

Deno.test("remote status and probe say why a bucket can't be used", async () => {
  await using all = await setting();
  all.env["AWS_SECRET_ACCESS_KEY"] = "hunter2";

  for (const word of ["status", "probe"]) {
    const run = await all.run(["remote", word]);

    assertEquals(run.code, 1, word);
    assertMatch(
      run.stdout,
      word === "probe"
        ? /Reason .*403 SignatureDoesNotMatch$/m
        : /Reason .*403; 'media-cache remote probe' tells more$/m,
    );
    assert(!(run.stdout + run.stderr).includes("hunter2"));
  }
  const { code, stderr } = await all.run(["remote", "sync"]);
  assertEquals(code, 1);
  assertMatch(stderr, /403; 'media-cache remote probe' tells more$/m);
  assert(!stderr.includes("hunter2"));
});

Deno.test("remote probe tells whether leases hold, and leaves nothing behind", async () => {
  await using all = await setting();

  const held = await all.run(["remote", "probe"]);
  assertEquals([held.code, held.stderr], [0, ""]);
  assertMatch(held.stdout, /^Usable +yes$/m);
  assertMatch(held.stdout, /^Leases +can be relied on$/m);
  assertEquals(all.engine.names(), []);

  all.engine.conditions = "ignored";
  const ignored = await all.run(["remote", "probe", "--json"]);
  const { reachable, lease, reason } = JSON.parse(ignored.stdout);
  assertEquals([ignored.code, reachable, lease], [0, true, false]);
  assertMatch(reason, /If-None-Match/);
});

Deno.test("explain tells of the object in the bucket where the environment names one", async () => {
  await using all = await setting();
  const [url] = URLS;
  await all.run(["remote", "sync"]);

  const text = await all.run(["explain", url!]);
  assertMatch(text.stdout, /^In the bucket +image\/png, 1000 B, stored /m);
  const json = await all.run(["explain", url!, "--json"]);
  const { stored, mimetype, size, sha256 } = JSON.parse(json.stdout).remote;
  assertEquals([stored, mimetype, size], [true, "image/png", 1000]);
  assertEquals(sha256, digestOf(bytesOf(1000)));

  const none = await all.run(["explain", "https://a/none"]);
  assertMatch(none.stdout, /^In the bucket +no: it has no object of the key$/m);
  all.engine.refuse = () => ({ status: 503 });
  const down = await all.run(["explain", url!]);
  assertEquals(down.code, 0);
  assertMatch(down.stdout, /^In the bucket +unknown: .*503/m);
  const unknown = await all.run(["explain", url!, "--json"]);
  assertEquals(JSON.parse(unknown.stdout).remote.stored, null);

  // Without the permission there is no bucket, and no question.
  const { host } = new URL(all.engine.endpoint);
  const [read = ""] = all.permissions;
  const args = ["explain", url!, "--dir", all.dir];
  const least = await cliProcess([read], args, { env: all.env });
  assertEquals([least.code, least.stdout.includes(host)], [0, false]);
  assert(!least.stdout.includes("In the bucket"));
});

Deno.test("remote needs a word, a bucket and a folder", async () => {
  await using temp = await tempDir();
  for (const args of [[], ["nothing"], ["sync", "probe"], ["toString"]]) {
    const { code, stderr } = await cli(["remote", ...args, "--dir", temp.path]);
    assertEquals(code, 2);
    assertMatch(stderr, /needs one of status, probe, sync: received /);
  }
  const permissions = [`--allow-read=${temp.path}`];
  for (const word of ["status", "probe", "sync"]) {
    const args = ["remote", word, "--dir", temp.path];
    const { code, stderr } = await cliProcess(permissions, args);
    assertEquals(code, 1);
    assertMatch(stderr, /no bucket: MEDIA_CACHE_S3_ENDPOINT must be set/);
  }
});
