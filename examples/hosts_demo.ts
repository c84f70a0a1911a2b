/**
 * Three hosts that share a bucket, on one machine: each is a process with a folder and a
 * dashboard of its own, and chats that want media. Ctrl-C ends it.
 *
 *     deno run --allow-all examples/hosts_demo.ts [--once]
 *
 * The bucket is that of MEDIA_CACHE_S3_ENDPOINT and MEDIA_CACHE_S3_BUCKET; without them a
 * Ceph is started, from a clone of the repository. With --once each host wants each medium
 * once, and the demo ends.
 */
import { startOrigin } from "./demo/origin.ts";
import { findBucket } from "./demo/bucket.ts";
import { DemoHost } from "./demo/host.ts";
import { accent, failure, heading, line } from "./demo/screen.ts";

const HOSTS = 3;

/** Kinds of media, and how many there are of each. */
const NAMES = ["cat.png", "photo.jpg", "voice.mp3", "cradle.gif"] as const;
const EACH = 4;

/** The time between two requests of a host, and between two reports, in milliseconds. */
const PAUSE_MS = 250;
const REPORT_MS = 10_000;

const isOnce = Deno.args[0] === "--once";
if (Deno.args.length > (isOnce ? 1 : 0)) {
  line("Usage: hosts_demo.ts [--once]");
  Deno.exit(2);
}

const interrupt = new AbortController();
const { signal } = interrupt;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => interrupt.abort());
}
try {
  await show();
} catch (error) {
  if (!signal.aborted) {
    failure(error instanceof Error ? error.message : String(error));
    Deno.exitCode = 1;
  }
}
if (signal.aborted) Deno.exitCode = 130;
Deno.exit();

async function show(): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "media-cache-hosts-" });
  ends.defer(() => Deno.remove(dir, { recursive: true }));
  const bucket = ends.use(await findBucket());
  const origin = ends.use(await startOrigin({ bytesPerSecond: 4 * 1_048_576 }));
  const urls = NAMES.flatMap((name) =>
    Array.from({ length: EACH }, (_, i) => `${origin.url(name)}?${i}`)
  );
  const token = crypto.randomUUID();
  const environment = {
    MEDIA_CACHE_S3_PREFIX: Deno.env.get("MEDIA_CACHE_S3_PREFIX") ??
      "media-cache-demo/",
    MEDIA_CACHE_S3_LEASE: Deno.env.get("MEDIA_CACHE_S3_LEASE") ?? "bucket",
    ...bucket.environment,
  };
  const hosts: DemoHost[] = [];
  for (let i = 1; i <= HOSTS; i++) {
    const host = await DemoHost.start({
      ...{ dir: `${dir}/${i}`, token, environment },
      origin: new URL(origin.url("cat.png")).host,
    });
    hosts.push(ends.use(host));
  }
  heading("Dashboards");
  for (const { dashboard } of hosts) line(`  ${accent(dashboard)}`);
  line(`  password: ${token}, with any name`);

  if (isOnce) await wantOnce(hosts, urls);
  else await wantOn(hosts, urls);
  line("");
}

/** Each host wants each medium, one host after the other. */
async function wantOnce(
  hosts: readonly DemoHost[],
  urls: readonly string[],
): Promise<void> {
  for (const host of hosts) {
    for (const url of urls) await host.want(url, signal);
    await host.uploaded();
  }
  await report(hosts);
}

/** All hosts want media, the first ones most, until Ctrl-C. */
async function wantOn(
  hosts: readonly DemoHost[],
  urls: readonly string[],
): Promise<void> {
  line("  Ctrl-C ends all of it");
  const chats = hosts.map(async (host) => {
    while (!signal.aborted) {
      const url = urls[Math.floor(Math.random() ** 2 * urls.length)];
      if (url !== undefined) await host.want(url, signal);
      await pause(PAUSE_MS);
    }
  });
  const reports = async () => {
    while (!signal.aborted) {
      await pause(REPORT_MS);
      await report(hosts);
    }
  };
  await Promise.all([...chats, reports()]);
}

async function report(hosts: readonly DemoHost[]): Promise<void> {
  heading("Host  had it  bucket  downloaded");
  for (const [i, host] of hosts.entries()) {
    const { hits, remoteHits, downloads } = await host.numbers();
    const columns = [
      ...[`${i + 1}`.padStart(4), `${hits}`.padStart(8)],
      ...[`${remoteHits}`.padStart(8), `${downloads}`.padStart(12)],
    ];
    line(columns.join(""));
  }
}

/** Waits; ends at once at Ctrl-C. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
