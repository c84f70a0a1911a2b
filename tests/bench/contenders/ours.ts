/**
 * This package, as users get it: no option but the directory, and room for
 * every body.
 */
import { type Media, MediaCache } from "@media-cache/media-cache";
import type { Contender } from "./contender.ts";

/** Opens the contender. */
export async function open(cacheDir: string): Promise<Contender> {
  const cache = await MediaCache.open({ cacheDir, maxSizeMb: 4096 });
  const fromDisk = async (url: string): Promise<Media> => {
    const media = await cache.get(url);
    if (media?.source !== "disk") throw new Error(`A ${media?.source} hit`);
    return media;
  };
  return {
    put: (url, data) => cache.put(url, data, "video/mp4", "clip.mp4"),
    bytes: async (url) => (await (await fromDisk(url)).bytes()).length,
    stream: async (url) => (await fromDisk(url)).body,
    download: (url) =>
      cache.getOrDownload(url, ({ url, signal }) => fetch(url, { signal })),
  };
}
