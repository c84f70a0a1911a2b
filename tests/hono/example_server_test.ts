import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { ExampleServer } from "../fixtures/servers/example_server.ts";
import { statusOf } from "../fixtures/servers/mounted.ts";
import { Origin } from "../fixtures/servers/origin.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

Deno.test("the example server caches for its hosts, shows its entries, and ends on request", async () => {
  await using temp = await tempDir();
  await using origin = new Origin();
  const body = pattern(100_000);
  const url = origin.bytes("/a.png", body, { "Content-Type": "image/png" });
  const away = origin.on("/away", () => Response.redirect("http://a.example/"));
  const inner = origin.on("/inner", () => Response.redirect("http://127.1/"));
  const { host } = new URL(url);
  const dir = join(temp.path, "cache");
  await using server = await ExampleServer.start({
    dir,
    hosts: host,
    env: { MEDIA_CACHE_MAX_MB: "7" },
  });

  for (let i = 0; i < 3; i++) {
    const response = await fetch(server.proxied(url));
    assertEquals(await response.bytes(), body);
    const policy = response.headers.get("Content-Security-Policy");
    assertEquals(policy, "default-src 'none'; sandbox");
  }
  const range = await fetch(server.proxied(url), {
    headers: { Range: "bytes=10-19" },
  });
  assertEquals(range.status, 206);
  assertEquals(await range.bytes(), body.slice(10, 20));
  assertEquals(origin.requests("/a.png"), 1);
  let stats;
  // A body can reach its reader before its entry is stored.
  do ({ media_cache: stats } = await (await server.ask("/stats"))
    .json()); while (stats.in_flight > 0);
  const { entries, hits, coalesced, max_mb: maxMb } = stats;
  assertEquals([entries, hits + coalesced, maxMb], [1, 3, 7]);
  assertEquals(await statusOf(fetch(server.dashboard)), 401);
  assertStringIncludes(await (await server.ask("")).text(), "a.png");

  const ask = (target: string) => statusOf(fetch(server.proxied(target)));
  assertEquals(await ask("no url"), 400);
  assertEquals(await ask(origin.url("/nothing")), 502);
  assertEquals(await ask(away), 502);
  assertEquals(await ask(inner), 403);
  for (
    const foreign of [
      "http://127.0.0.1:1/",
      `http://${host}@other.example/`,
      "file:///etc/passwd",
      `ftp://${host}/`,
    ]
  ) assertEquals(await ask(foreign), 403, foreign);

  // A download that runs when the server is told to end is still stored.
  const { url: slow, tap } = origin.tap("/slow.png");
  const asked = fetch(server.proxied(slow));
  tap.write(pattern(10));
  const response = await asked;
  server.process.kill("SIGTERM");
  tap.write(pattern(10));
  tap.end();
  assertEquals((await response.bytes()).length, 20);
  assert((await server.process.status).success);
  const files = await Array.fromAsync(Deno.readDir(dir));
  const bodies = files.filter(({ name }) => name.endsWith(".dat"));
  assertEquals(bodies.length, 2);
});

Deno.test("the example server reports on the console the operations that a mount refuses", async () => {
  await using temp = await tempDir();
  await using origin = new Origin();
  const url = origin.bytes("/a.png", pattern(10));
  const preload = join(temp.path, "refuse_utime.ts");
  await Deno.writeTextFile(
    preload,
    // A slow machine makes the cache use the asynchronous call.
    `const refused = Object.assign(new Error("refused"), { code: "EPERM" });
    Deno.utime = () => Promise.reject(refused);
    Deno.utimeSync = () => {
      throw refused;
    };`,
  );
  let warnings: Promise<string>;
  {
    await using server = await ExampleServer.start({
      dir: join(temp.path, "cache"),
      hosts: new URL(url).host,
      preload,
      stderr: "piped",
    });
    warnings = new Response(server.process.stderr).text();
    await (await fetch(server.proxied(url))).bytes();
    await (await fetch(server.proxied(url))).bytes();
  }
  assertStringIncludes(await warnings, "utime");
});
