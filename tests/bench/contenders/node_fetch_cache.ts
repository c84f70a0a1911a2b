/** node-fetch-cache, on disk. */
import NodeFetchCache, { FileSystemCache } from "node-fetch-cache";
import type { Contender } from "./contender.ts";

/** Opens the contender. */
export function open(cacheDirectory: string): Promise<Contender> {
  const cache = new FileSystemCache({ cacheDirectory });
  const get = NodeFetchCache.create({ cache });
  const bytes = async (url: string) =>
    (await (await get(url)).arrayBuffer()).byteLength;
  const bodyOf = async (url: string) => {
    const { body } = await get(url);
    if (body === null) throw new Error("No body");
    return body as AsyncIterable<Uint8Array>;
  };
  return Promise.resolve({
    put: bytes,
    bytes,
    stream: async (url) => ReadableStream.from(await bodyOf(url)),
    download: async (url) => ({
      body: await bodyOf(url),
      stored: Promise.resolve(),
    }),
  });
}
