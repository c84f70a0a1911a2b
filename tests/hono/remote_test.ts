/** What the router tells of a remote tier. */
import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { MediaCache } from "../../mod.ts";
import { s3Tier } from "../../src/s3/s3.ts";
import { pattern } from "../fixtures/bodies/bytes.ts";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";
import { mounted } from "../fixtures/servers/mounted.ts";

const URL = "https://secret-host.example/bot123:token/cat.png";
const FACTS = { data: pattern(5000), mimetype: "image/png" };

/** A bucket with an object of the URL, stored by another host. */
async function filled(): Promise<S3Engine> {
  const engine = new S3Engine();
  await using dir = await tempDir();
  await using other = await MediaCache.open({
    cacheDir: dir.path,
    remote: s3Tier(engine.options),
  });
  await other.put(URL, FACTS.data, FACTS.mimetype, "cat.png");
  await other.close();
  return engine;
}

Deno.test("the router tells numbers of the remote tier, and its name only with full access", async () => {
  await using engine = await filled();
  const { host } = new globalThis.URL(engine.endpoint);
  for (const options of [{}, { access: "trusted" }] as const) {
    const remote = s3Tier(engine.options);
    await using router = await mounted(options, { remote });
    const download = () => Promise.resolve(FACTS);
    await (await router.cache.getOrDownload(URL, download)).bytes();
    const none = await router.cache.getOrDownload(
      `https://b/${router.url}`,
      download,
    );
    await none.bytes();
    await none.stored;

    const named = "access" in options;
    const { media_cache: stats } = await (await router.ask("/stats")).json();
    assertEquals("name" in stats.remote, named);
    const { state, lease, hits, misses, bytes_received: bytes } = stats.remote;
    assertEquals([state, lease, hits, misses], ["up", "off", 1, 1]);
    assertEquals(bytes, 5000);
    const metrics = await (await router.ask("/metrics")).text();
    for (
      const line of [
        "media_cache_remote_hits_total 1",
        "media_cache_remote_misses_total 1",
        "media_cache_remote_received_bytes_total 5000",
        "media_cache_remote_up 1",
        'media_cache_remote_lease{state="off"} 1',
        'media_cache_remote_lease{state="paused"} 0',
        'media_cache_remote_lease{state="on"} 0',
        'media_cache_hit_duration_seconds_count{tier="remote"} 1',
        // The body of the tier was no download.
        "media_cache_download_duration_seconds_count 1",
      ]
    ) assert(metrics.split("\n").includes(line), line);
    assertFalse(metrics.includes(host));
    const page = await (await router.ask("/")).text();
    assertStringIncludes(page, "Shared with other hosts");
    assertMatch(page, /50\.0 %<\/dd>\s*<dd class="note">1 of 2, 4\.9 KiB/);
    assertStringIncludes(page, ">Remote hit<");
    assertEquals(page.includes(host), named);
  }
});

Deno.test("the dashboard says that the remote tier is down, and when it is up again", async () => {
  await using engine = new S3Engine();
  await using router = await mounted({}, {
    remote: s3Tier(engine.options),
    onEvent() {},
  });
  engine.refuse = () => ({ status: 503 });
  for (let i = 0; i < 6; i++) {
    const media = await router.cache.getOrDownload(
      `https://a/${i}`,
      () => Promise.resolve(FACTS),
    );
    await media.bytes();
    await media.stored;
  }

  const page = await (await router.ask("/")).text();
  assertStringIncludes(page, "The bucket is left alone:");
  assertMatch(page, /<div class="card tile bad">\s*<dt>Bucket<\/dt>/);
  assertStringIncludes(page, ">Remote down<");
  assertStringIncludes(page, "HTTP 503");
  const metrics = await (await router.ask("/metrics")).text();
  assertMatch(metrics, /^media_cache_remote_up 0$/m);
  const { media_cache: stats } = await (await router.ask("/stats")).json();
  assertEquals(stats.remote.state, "down");
});

Deno.test("a cache without a remote tier tells nothing of any", async () => {
  await using router = await mounted({ access: "trusted" });

  const { media_cache: stats } = await (await router.ask("/stats")).json();
  assertFalse("remote" in stats);
  for (const path of ["/metrics", "/"]) {
    assertFalse(
      /remote|bucket is/i.test(await (await router.ask(path)).text()),
    );
  }
});
