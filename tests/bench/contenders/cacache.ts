/**
 * npm's own disk cache. It hashes every stored body, and checks the hash on
 * each read.
 */
import cacache from "cacache";
import { Buffer } from "node:buffer";
import type { Contender } from "./contender.ts";

/** Opens the contender, without its cache in memory. */
export function open(dir: string): Promise<Contender> {
  const metadata = { mimetype: "video/mp4", filename: "clip.mp4" };
  return Promise.resolve({
    put: (url, data) =>
      cacache.put(dir, url, Buffer.from(data.buffer), { metadata }),
    bytes: async (url) => {
      const { data } = await cacache.get(dir, url, { memoize: false });
      return data.length;
    },
    stream: (url) => {
      const stream = cacache.get.stream(dir, url, { memoize: false });
      return Promise.resolve(ReadableStream.from<Uint8Array>(stream));
    },
  });
}
