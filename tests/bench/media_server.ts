/**
 * Serves a file of the given size over HTTP, at any path; the router at its own path
 * alone. Prints its port. Takes JSON: see {@linkcode MediaServerOptions}.
 */
// deno-lint-ignore-file no-console
import { MediaCache } from "@media-cache/media-cache";
import { statsRouter } from "@media-cache/media-cache/hono";
import { join } from "@std/path";
import { randomBytes } from "./jobs/job.ts";

/** The file to serve, and the way. */
export interface MediaServerOptions {
  /** The cache's directory. */
  readonly dir: string;
  /** The URL that the cache stores the file under. */
  readonly url: string;
  /** Bytes of the file. */
  readonly size: number;
  /** The handler of requests. */
  readonly how: keyof typeof HANDLERS;
}

const HANDLERS = {
  /** By `media.response()`. */
  response: () => respond({}),
  /** The same with nothing in memory. */
  disk: () => respond({ maxMemoryItems: 0 }),
  /** Through the Hono router. */
  router: async () => {
    const cache = await filled({});
    const router = statsRouter(cache, { access: "trusted" });
    return (request: Request) => router.fetch(request);
  },
  /** Without a cache, from an array. */
  array: () => () => new Response(data, { headers }),
  /** Without a cache, from a file. */
  file: async () => {
    await Deno.mkdir(options.dir);
    const path = join(options.dir, "clip.mp4");
    await Deno.writeFile(path, data);
    return () => new Response(Deno.openSync(path).readable, { headers });
  },
} as const;

type Handler = (request: Request) => Response | Promise<Response>;

const options: MediaServerOptions = JSON.parse(Deno.args[0] ?? "");
const data = randomBytes(options.size);
const headers = {
  "Content-Type": "video/mp4",
  "Content-Length": `${options.size}`,
};

const handler: Handler = await HANDLERS[options.how]();
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, handler);

async function filled(limits: { maxMemoryItems?: number }) {
  const cache = await MediaCache.open({ cacheDir: options.dir, ...limits });
  await cache.put(options.url, data, "video/mp4", "clip.mp4");
  return cache;
}

async function respond(limits: { maxMemoryItems?: number }): Promise<Handler> {
  const cache = await filled(limits);
  return async () => {
    const media = await cache.get(options.url);
    return media?.response() ?? new Response(null, { status: 404 });
  };
}
