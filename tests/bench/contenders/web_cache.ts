/** Deno's own Web Cache API. */
import type { Contender } from "./contender.ts";

/** Opens the contender; its files lie in `DENO_DIR`. */
export async function open(): Promise<Contender> {
  const cache = await caches.open("bench");
  const headers = { "Content-Type": "video/mp4" };
  const match = async (url: string): Promise<Response> => {
    const response = await cache.match(url);
    if (response === undefined) throw new Error("Not stored");
    return response;
  };
  return {
    put: (url, data) => cache.put(url, new Response(data, { headers })),
    bytes: async (url) => (await (await match(url)).bytes()).length,
    stream: async (url) => {
      const { body } = await match(url);
      if (body === null) throw new Error("Not stored");
      return body;
    },
    async download(url) {
      const response = await fetch(url);
      const stored = cache.put(url, response.clone());
      if (response.body === null) throw new Error("No body");
      return { body: response.body, stored };
    },
  };
}
