/** The manual of the router names the paths and metrics of the router. */
import { assert, assertEquals } from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { statsRouter } from "../../src/hono/stats_router.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";

const manual = await Deno.readTextFile(
  new URL("../../src/hono/README.md", import.meta.url),
);

Deno.test("the router's manual names every metric, and no other", async () => {
  await using dir = await tempDir();
  // `occupied_limit_bytes` is told where there is a limit, `remote_…` with a remote tier.
  const remote = s3Tier({
    endpoint: "http://127.0.0.1:1",
    bucket: "none",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const options = { cacheDir: dir.path, maxDiskMb: 100, remote };
  await using cache = await MediaCache.open(options);

  const response = await statsRouter(cache).request("/metrics");

  const text = await response.text();
  const names = text.matchAll(/^# TYPE media_cache_(\w+) /gm);
  const [, section = ""] = manual.split(/^## Metrics$/m);
  const [first = ""] = section.split(/^## /m);
  const rows = first.match(/^\|.*/gm)?.join("\n") ?? "";
  const told = rows.matchAll(/`([a-z_]+)`/g);
  const labels = ["reason", "operation", "tier", "state"];
  assertEquals(
    [...told].map(([, name]) => name).filter((name) => !labels.includes(name!)),
    [...names].map(([, name]) => name),
  );
});

Deno.test("the router's manual names every path", async () => {
  await using dir = await tempDir();
  await using cache = await MediaCache.open({ cacheDir: dir.path });

  const { routes } = statsRouter(cache, { access: "trusted" });

  // Paths that only the dashboard requests, and the mount with a slash at its
  // end.
  const inner = /^\/(?:dashboard\/|:slash)/;
  const paths = new Set(routes.map(({ path }) => path));
  for (const path of paths) {
    const isTold = new RegExp(`^\\|.*[ \`]${path}\``, "m").test(manual);
    assert(inner.test(path) || isTold, path);
  }
  assert(paths.has("/media/:key"), "no path was looked for");
});
