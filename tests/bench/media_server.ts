/**
 * Serves cached files over HTTP, each of the given size, at `/SIZE`. Prints its
 * port. Takes JSON: see {@linkcode MediaServerOptions}.
 */
// deno-lint-ignore-file no-console
import { MediaCache } from "@media-cache/media-cache";
import { statsRouter } from "@media-cache/media-cache/hono";
import { randomBytes } from "./jobs/job.ts";

/** The files to serve, and the way. */
export interface MediaServerOptions {
  /** The cache's directory. */
  readonly dir: string;
  /** Bytes of the file. */
  readonly size: number;
  /** By `media.response()`, the same with nothing in memory, or the router. */
  readonly how: "response" | "disk" | "router";
}

const options: MediaServerOptions = JSON.parse(Deno.args[0] ?? "");
const cache = await MediaCache.open({
  cacheDir: options.dir,
  ...(options.how === "disk" && { maxMemoryItems: 0 }),
});
const url = "http://media.test/clip.mp4";
await cache.put(url, randomBytes(options.size), "video/mp4", "clip.mp4");
const router = statsRouter(cache, { access: "trusted" });
const key = (await cache.get(url))?.key;

async function respond(): Promise<Response> {
  const media = await cache.get(url);
  return media?.response() ?? new Response(null, { status: 404 });
}

function route(request: Request): Response | Promise<Response> {
  const path = new URL(`/media/${key}`, request.url);
  return router.fetch(new Request(path, request));
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, options.how === "router" ? route : respond);
