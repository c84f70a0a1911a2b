/**
 * A server that fetches media for others through a cache, and shows what the cache does.
 *
 *     MEDIA_CACHE_DIR=media_cache PROXY_HOSTS=upload.wikimedia.org \
 *       deno run --allow-env=MEDIA_CACHE_DIR,MEDIA_CACHE_MAX_MB,MEDIA_CACHE_TOKEN,PROXY_HOSTS,HOST,PORT \
 *       --allow-read=media_cache --allow-write=media_cache --allow-run=ffmpeg \
 *       --allow-net=127.0.0.1:8000,upload.wikimedia.org examples/stats_server.ts
 *
 * - `/cache` is the dashboard. The password is MEDIA_CACHE_TOKEN, or one that is
 *   made up and printed; the user name does not matter.
 * - `/proxy?url=URL` serves a URL of the hosts in PROXY_HOSTS (a list with commas).
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { HttpStatusError, MediaCache } from "@media-cache/media-cache";
import { statsRouter } from "@media-cache/media-cache/hono";
import { Hono } from "hono";

const hosts = new Set((Deno.env.get("PROXY_HOSTS") ?? "").split(/[\s,]+/));
const hostname = Deno.env.get("HOST") ?? "127.0.0.1";
const port = Number(Deno.env.get("PORT") || 8000);
const givenToken = Deno.env.get("MEDIA_CACHE_TOKEN");
const token = givenToken || crypto.randomUUID();

const cache = await MediaCache.open({
  cacheDir: Deno.env.get("MEDIA_CACHE_DIR") || "media_cache",
  maxSizeMb: Number(Deno.env.get("MEDIA_CACHE_MAX_MB") || 500),
});

const app = new Hono();
app.get("/", (c) => c.redirect("/cache"));
app.route("/cache", statsRouter(cache, { token }));
app.get("/proxy", async (c) => {
  const url = URL.parse(c.req.query("url") ?? "");
  if (url === null) return c.text("url must be an absolute URL\n", 400);
  if (!/^https?:$/.test(url.protocol) || !hosts.has(url.host)) {
    return c.text("This host is not in PROXY_HOSTS\n", 403);
  }
  try {
    const media = await cache.getOrDownload(
      url,
      // A redirect could lead to a host that is not in the list.
      ({ url, signal }) => fetch(url, { signal, redirect: "error" }),
    );
    return media.response({
      headers: { "Content-Security-Policy": "default-src 'none'; sandbox" },
    });
  } catch (error) {
    if (error instanceof HttpStatusError) {
      return c.text(`The origin answered ${error.status}\n`, 502);
    }
    return c.text("The origin can't be reached\n", 502);
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

async function shutDown(): Promise<void> {
  // The cache gives downloads 10 s to finish; whoever still reads then is cut off.
  const requests = server.shutdown();
  await cache.close();
  const cutOff = new Promise((resolve) => setTimeout(resolve, 1_000));
  await Promise.race([requests, cutOff]);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", shutDown);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", shutDown);
