/** The operations whose calls in `src` are counted. */
import { MediaCache, type MediaCacheOptions } from "@media-cache/media-cache";

/** An operation, and its goals. */
export interface Operation {
  /** The name in the table. */
  readonly title: string;
  /** The most calls of functions of `src` that one operation should take. */
  readonly calls: number;
  /** The most files of `src` that these functions should lie in. */
  readonly files: number;
  /**
   * Opens a cache and does the operation `count` times, after its preparation.
   */
  run(cacheDir: string, count: number): Promise<void>;
}

const BYTES = crypto.getRandomValues(new Uint8Array(10_240));

/** Entries that a measured hit finds, and that are stored before it. */
const KNOWN = 8;

/** By the names that the command line accepts. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "ram-hit": {
    title: "hit in RAM, with its bytes",
    calls: 20,
    files: 8,
    run: (cacheDir, count) => hits({ cacheDir }, count),
  },
  "disk-hit": {
    title: "hit on disk, known entry, 10 KB",
    calls: 50,
    files: 12,
    run: (cacheDir, count) => hits({ cacheDir, maxMemoryItems: 0 }, count),
  },
  "put": {
    title: "put 10 KB",
    calls: 75,
    files: 16,
    run: (cacheDir, count) => puts({ cacheDir }, 0, count),
  },
  "put-evict": {
    title: "put that evicts",
    calls: 105,
    files: 18,
    run: async (cacheDir, count) => {
      const maxSizeMb = KNOWN * BYTES.length / 1_048_576;
      await puts({ cacheDir, maxSizeMb }, KNOWN, count);
    },
  },
  "miss": {
    title: "miss of 10 KB, read and stored",
    calls: 170,
    files: 26,
    run: misses,
  },
};

async function hits(
  options: MediaCacheOptions,
  count: number,
): Promise<void> {
  await using cache = await MediaCache.open(options);
  for (let i = 0; i < KNOWN; i++) await put(cache, i);
  for (let i = 0; i < count; i++) {
    const media = await cache.get(urlOf(i % KNOWN));
    await media?.bytes();
  }
}

async function puts(
  options: MediaCacheOptions,
  before: number,
  count: number,
): Promise<void> {
  await using cache = await MediaCache.open(options);
  for (let i = 0; i < before + count; i++) await put(cache, i);
}

async function misses(cacheDir: string, count: number): Promise<void> {
  await using origin = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(BYTES, { headers: { "Content-Type": "image/png" } }),
  );
  await using cache = await MediaCache.open({ cacheDir });
  for (let i = 0; i < count; i++) {
    const url = `http://127.0.0.1:${origin.addr.port}/${i}`;
    const media = await cache.getOrDownload(
      url,
      ({ url, signal }) => fetch(url, { signal }),
    );
    await media.bytes();
    await media.stored;
  }
}

async function put(cache: MediaCache, i: number): Promise<void> {
  await cache.put(urlOf(i), BYTES, "image/png", "picture.png");
}

function urlOf(i: number): string {
  return `https://example.org/${i}`;
}
