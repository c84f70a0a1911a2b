import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { mounted } from "../fixtures/servers/mounted.ts";

const SECRET = "https://secret-host.example/bot123:token/cat.png?sig=abc";
const OPENMETRICS = {
  headers: { Accept: "application/openmetrics-text;version=1.0.0,*/*;q=0.1" },
};

Deno.test("/metrics sends OpenMetrics to clients that accept it", async () => {
  await using router = await mounted();

  const response = await router.ask("/metrics", OPENMETRICS);
  const text = await response.text();

  assertEquals(
    response.headers.get("Content-Type"),
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
  assert(text.endsWith("\n# EOF\n"));
  const seen = new Set<string>();
  const families = text.split(/^(?=# HELP )/m);
  for (const family of families) {
    const lines = family.trimEnd().split("\n").filter((l) => l !== "# EOF");
    const [, name, help] = lines[0]!.match(/^# HELP (\w+) (\S.*\.)$/)!;
    const [, type] = lines[1]!.match(RegExp(`^# TYPE ${name} (\\w+)$`))!;
    assert(help);
    assertFalse(seen.has(name!), "a family is told once");
    seen.add(name!);
    const unit = name!.match(/_(bytes|seconds)$/)?.[1];
    if (unit) assertEquals(lines[2], `# UNIT ${name} ${unit}`);
    for (const sample of lines.slice(unit ? 3 : 2)) {
      const suffix = sample.slice(name!.length).match(/^(_\w+)?/)![0];
      const allowed = {
        counter: ["_total"],
        gauge: [""],
        histogram: ["_bucket", "_count", "_sum"],
      }[type!];
      assert(allowed?.includes(suffix), sample);
      assertMatch(sample, /^\w+(\{(\w+="[^"]*",?)+\})? \d+(\.\d+)?(e-?\d+)?$/);
    }
  }
  assert(families.length > 20);
});

Deno.test("/metrics sends the older text format to all others", async () => {
  await using router = await mounted();

  const response = await router.ask("/metrics");
  const text = await response.text();

  assertEquals(
    response.headers.get("Content-Type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  assertMatch(text, /^# TYPE media_cache_hits_total counter$/m);
  assertMatch(text, /^media_cache_hits_total 0$/m);
});

Deno.test("/metrics contains times and sizes, and no URL, host or name", async () => {
  await using router = await mounted();
  const { cache } = router;
  const media = await cache.getOrDownload(
    SECRET,
    () => Promise.resolve({ data: pattern(5000), mimetype: "image/png" }),
  );
  await media.bytes();
  await media.stored;
  await (await cache.get(SECRET))?.bytes();
  await cache.put("a:", pattern(2_000_000), "image/png", "b.png");
  await assertRejects(() =>
    cache.getOrDownload("b:", () => Promise.reject(new Error(SECRET)))
  );

  const text = await (await router.ask("/metrics", OPENMETRICS)).text();
  const value = (sample: string) =>
    Number(
      text.split("\n").find((l) => l.startsWith(`${sample} `))?.slice(
        sample.length,
      ),
    );

  assertEquals(value("media_cache_hits_total"), 1);
  assertEquals(value("media_cache_misses_total"), 2);
  assertEquals(
    value('media_cache_download_failures_total{reason="Error"}'),
    1,
  );
  assertEquals(value("media_cache_downloaded_bytes_total"), 5000);
  assertEquals(value("media_cache_served_bytes_total"), 10_000);
  assertEquals(value("media_cache_entries"), 2);
  assertEquals(value("media_cache_disk_bytes"), 2_005_000);
  assertEquals(value("media_cache_disk_limit_bytes"), 500 * 1_048_576);
  const { occupiedBytes } = router.cache.stats();
  assertEquals(value("media_cache_occupied_bytes"), occupiedBytes);
  assertFalse(text.includes("media_cache_occupied_limit_bytes"));
  assertEquals(value("media_cache_download_duration_seconds_count"), 1);
  assertEquals(value("media_cache_time_to_first_byte_seconds_count"), 1);
  assertEquals(
    value('media_cache_hit_duration_seconds_count{tier="memory"}'),
    1,
  );
  assertEquals(value("media_cache_body_size_bytes_sum"), 2_005_000);
  assertEquals(value('media_cache_body_size_bytes_bucket{le="4096.0"}'), 0);
  assertEquals(value('media_cache_body_size_bytes_bucket{le="16384.0"}'), 1);
  assertEquals(value('media_cache_body_size_bytes_bucket{le="+Inf"}'), 2);
  for (const secret of ["secret-host", "token", "cat.png", "sig"]) {
    assertFalse(text.includes(secret), secret);
  }
});

Deno.test("the limit of maxDiskMb is in /metrics and on the page", async () => {
  await using router = await mounted({}, { maxDiskMb: 64 });

  const metrics = await (await router.ask("/metrics")).text();
  const page = await (await router.ask("/")).text();

  assertMatch(metrics, /^media_cache_occupied_limit_bytes 67108864$/m);
  assertMatch(page, /all files take about 0 B of 64\.0 MiB/);
});
