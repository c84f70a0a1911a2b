/**
 * A server that fetches media for others through a cache, and shows what the cache does.
 *
 *     MEDIA_CACHE_DIR=media_cache PROXY_HOSTS=upload.wikimedia.org \
 *       deno run --allow-env \
 *       --allow-read=media_cache --allow-write=media_cache --allow-run=ffmpeg \
 *       --allow-net --deny-net=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16 \
 *       examples/stats_server.ts
 *
 * - `/cache` is the dashboard. The password is MEDIA_CACHE_TOKEN, or one that is
 *   made up and printed; the user name does not matter.
 * - `/proxy?url=URL` serves a URL of the hosts in PROXY_HOSTS (a list with commas, or `*`
 *   for all), as long as they, and their redirects, lead to public addresses. Hosts in
 *   PROXY_EXEMPT may be private, and have a port of their own.
 * - MEDIA_CACHE_S3_ENDPOINT, with the other variables that `s3TierFromEnv()` reads, names a
 *   bucket that is shared with other hosts.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import {
  formatEvent,
  HttpStatusError,
  MediaCache,
} from "@media-cache/media-cache";
import { ForbiddenAddressError, guard } from "@media-cache/media-cache/guard";
import { statsRouter } from "@media-cache/media-cache/hono";
import { s3TierFromEnv } from "@media-cache/media-cache/s3";
import { Hono } from "hono";

const hosts = new Set(hostsIn("PROXY_HOSTS"));
const guarded = guard({ exempt: hostsIn("PROXY_EXEMPT") });
const hostname = Deno.env.get("HOST") ?? "127.0.0.1";
const port = numberIn("PORT", 8000);
const givenToken = Deno.env.get("MEDIA_CACHE_TOKEN");
const token = givenToken || crypto.randomUUID();

const TROUBLE: ReadonlySet<string> = new Set([
  "failed",
  "uncached",
  "skipped",
  "diskError",
  "conversionUnavailable",
  "degraded",
  "remoteDown",
  "remoteUp",
]);

const remote = s3TierFromEnv();

const cache = await MediaCache.open({
  cacheDir: Deno.env.get("MEDIA_CACHE_DIR") || "media_cache",
  maxSizeMb: numberIn("MEDIA_CACHE_MAX_MB", 500),
  ...(remote !== undefined && { remote }),
  onEvent: (event) => {
    if (TROUBLE.has(event.type)) console.warn(formatEvent(event));
  },
});

const app = new Hono();
app.get("/", (c) => c.redirect("/cache"));
app.route("/cache", statsRouter(cache, { token }));
app.get("/proxy", async (c) => {
  const url = URL.parse(c.req.query("url") ?? "");
  if (url === null) return c.text("url must be an absolute URL\n", 400);
  if (!hosts.has("*") && !hosts.has(url.host)) {
    return c.text("This host is not in PROXY_HOSTS\n", 403);
  }
  try {
    const media = await cache.getOrDownload(
      url,
      // The guard checks redirects, too, which may lead to any public host.
      ({ url, signal, headers }) => guarded(url, { signal, headers }),
    );
    return media.response({
      request: c.req.raw,
      // Pages of other origins may show what the proxy serves.
      headers: { "Cross-Origin-Resource-Policy": "cross-origin" },
    });
  } catch (error) {
    if (error instanceof ForbiddenAddressError) {
      return c.text("This address is not allowed\n", 403);
    }
    if (error instanceof HttpStatusError) {
      return c.text(`The origin answered ${error.status}\n`, 502);
    }
    return c.text("The origin gave nothing that could be stored\n", 502);
  }
});

const server = Deno.serve({
  hostname,
  port,
  onListen({ hostname, port }) {
    console.log(`http://${hostname}:${port}/cache`);
    if (!givenToken) console.log(`password: ${token}`);
  },
}, app.fetch);

let isEnding = false;
async function shutDown(): Promise<void> {
  // A cache survives that: what was stored is whole, what was not is gone.
  if (isEnding) Deno.exit(130);
  isEnding = true;
  // The cache gives downloads 10 s to finish; whoever still reads then is cut off.
  const requests = server.shutdown();
  const { inFlight } = cache.stats();
  if (inFlight > 0) {
    console.log(
      `Waiting for ${inFlight} downloads: once more ends them at once`,
    );
  }
  await cache.close();
  const cutOff = new Promise((resolve) => setTimeout(resolve, 1_000));
  await Promise.race([requests, cutOff]);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", shutDown);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", shutDown);

/** The hosts in a variable of the environment, with commas between. */
function hostsIn(name: string): string[] {
  const hosts = (Deno.env.get(name) ?? "").split(/[\s,]+/).filter(Boolean);
  for (const host of hosts) {
    if (host === "*") continue;
    if (URL.parse(`https://${host}`)?.host === host) continue;
    fail(`${name} must name hosts, such as example.org: received ${host}`);
  }
  return hosts;
}

/** A number in a variable of the environment. */
function numberIn(name: string, byDefault: number): number {
  const text = Deno.env.get(name) || `${byDefault}`;
  const value = Number(text);
  if (value >= 0) return value;
  fail(`${name} must be a number: received ${text}`);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(2);
}
