/** The HTTP cache of undici, Node's own fetch, in a file of SQLite. */
import { join } from "@std/path";
import { Agent, cacheStores, interceptors, request } from "undici";
import { type Contender, drain } from "./contender.ts";

/** Opens the contender. */
export async function open(dir: string): Promise<Contender> {
  await Deno.mkdir(dir, { recursive: true });
  const store = new cacheStores.SqliteCacheStore({
    location: join(dir, "cache.db"),
    // The default would not keep a body of 512 MiB.
    maxEntrySize: 2 ** 30,
    maxCount: 1_000_000,
  });
  const dispatcher = new Agent().compose(interceptors.cache({ store }));
  const get = async (url: string) =>
    (await request(url, { dispatcher })).body as AsyncIterable<Uint8Array>;
  return {
    put: async (url) => await drain(await get(url)),
    bytes: async (url) => await drain(await get(url)),
    stream: async (url) => ReadableStream.from(await get(url)),
    download: async (url) => ({
      body: await get(url),
      stored: Promise.resolve(),
    }),
  };
}
