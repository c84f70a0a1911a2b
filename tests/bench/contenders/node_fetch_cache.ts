/** node-fetch-cache, on disk. */
import NodeFetchCache, { FileSystemCache } from "node-fetch-cache";
import type { Contender } from "./contender.ts";

/** Opens it. */
export function open(cacheDirectory: string): Promise<Contender> {
  const cache = new FileSystemCache({ cacheDirectory });
  const get = NodeFetchCache.create({ cache });
  const bytes = async (url: string) =>
    (await (await get(url)).arrayBuffer()).byteLength;
  return Promise.resolve({
    put: bytes,
    bytes,
    async download(url) {
      const { body } = await get(url);
      if (body === null) throw new Error("No body");
      return {
        body: body as AsyncIterable<Uint8Array>,
        stored: Promise.resolve(),
      };
    },
  });
}
