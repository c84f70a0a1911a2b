import { assert, assertEquals, assertMatch } from "@std/assert";
import { join, resolve } from "@std/path";
import { HOSTILE_NAMES } from "../../fixtures/inputs/hostile_text.ts";
import { runProgram } from "../../fixtures/processes/program.ts";
import { tempDir } from "../../fixtures/directory/temp_dir.ts";

const ROUTER = import.meta.resolve("../../../src/hono/stats_router.ts");

/** Gives the cache every text that a path could be made of. */
const PROGRAM = `
  import { statsRouter } from ${JSON.stringify(ROUTER)};
  const names = ${JSON.stringify(HOSTILE_NAMES)};
  const urls = [
    ...names,
    "file:///etc/passwd",
    "https://example.org/../../../etc/passwd",
    "https://example.org/%2e%2e%2fetc%2fpasswd",
  ];
  const bytes = new Uint8Array(9);
  const cache = await MediaCache.open({ cacheDir, onEvent() {} });
  const router = statsRouter(cache, { access: "trusted" });
  for (const url of urls) {
    await cache.put(url, bytes, "image/png", url);
    await (await cache.get(url))?.bytes();
    await cache.has(url);
    await cache.delete(url);
    const Disposition = 'attachment; filename="' + encodeURIComponent(url.toWellFormed()) + '"';
    for (const answer of [
      { data: bytes, filename: url },
      new Response(bytes, { headers: { "Content-Disposition": Disposition } }),
    ]) {
      const media = await cache.getOrDownload(url, async () => answer);
      await media.bytes();
      await media.stored;
      await cache.delete(url);
    }
    for (const key of [url, "../" + url, "0".repeat(64) + "/../x"]) {
      await cache.getByKey(key);
      await cache.infoByKey(key);
      await cache.deleteByKey(key);
      for (const page of ["media", "view", "preview"]) {
        for (const name of [encodeURIComponent(key.toWellFormed()), key]) {
          const request = URL.parse("http://localhost/" + page + "/" + name);
          if (request === null) continue;
          await (await router.request(request.href)).body?.cancel();
        }
      }
    }
  }
  await cache.put("a", bytes, "image/png", "a.png");
  await cache.verify({ fix: true });
  await cache.clear();
  await cache.close();
  console.log(JSON.stringify(cacheDir));
`;

Deno.test("no name of a body makes the cache touch a file outside its folder", async () => {
  await using dir = await tempDir();
  const audit = join(dir.path, "audit.jsonl");

  const [cacheDir] = await runProgram(PROGRAM, {
    env: { DENO_AUDIT_PERMISSIONS: audit },
  });

  assert(typeof cacheDir === "string");
  const touched = new Set<string>();
  for (const line of (await Deno.readTextFile(audit)).trim().split("\n")) {
    const { permission, value } = JSON.parse(line);
    if (permission === "read" || permission === "write") {
      touched.add(resolve(value));
    } else assertEquals(permission, "env");
  }
  assert(touched.delete(cacheDir));
  assert(touched.size > HOSTILE_NAMES.length);
  for (const path of touched) {
    assertEquals(path.slice(0, cacheDir.length + 1), `${cacheDir}/`);
    assertMatch(
      path.slice(cacheDir.length + 1),
      /^(?:[0-9a-f]{64}\.(?:dat|json|note|[0-9a-z]+\.part)|\.media-cache\.[0-9a-z.]+)$/,
    );
  }
});
