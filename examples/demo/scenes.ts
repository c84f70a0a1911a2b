import type {
  Downloader,
  DownloadProgress,
  Media,
  MediaCache,
} from "@media-cache/media-cache";
import { crypto } from "@std/crypto";
import { basename } from "@std/path/posix/basename";
import {
  accent,
  failure,
  heading,
  line,
  row,
  size,
  startProgress,
  time,
} from "./screen.ts";

const CALLERS = 20;

/** What a cache does, shown. */
export class Scenes {
  readonly #cache: MediaCache;
  readonly #signal: AbortSignal;

  /** The signal ends the scene that is on. */
  constructor(cache: MediaCache, signal: AbortSignal) {
    this.#cache = cache;
    this.#signal = signal;
  }

  /** Downloads each URL; returns those that could be. */
  async download(title: string, urls: readonly string[]): Promise<string[]> {
    heading(title);
    const downloaded: string[] = [];
    for (const url of urls) {
      try {
        await this.#download(url);
        downloaded.push(url);
      } catch (error) {
        if (this.#signal.aborted) throw error;
        failure(`${url}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return downloaded;
  }

  /** Gets each URL, without a downloader. */
  async hit(title: string, urls: readonly string[]): Promise<void> {
    heading(title);
    for (const url of urls) {
      this.#signal.throwIfAborted();
      const start = performance.now();
      await using media = await this.#cache.get(url);
      if (media === undefined) continue;
      const { length } = await media.bytes();
      const took = time(performance.now() - start);
      row(media.filename, length, `${accent(media.source)} in ${took}`);
    }
  }

  /** Callers join one download, from its start to its end. */
  async share(title: string, url: string): Promise<void> {
    heading(title);
    const before = this.#cache.stats();
    const progress = startProgress(basename(url));
    const call = async (onProgress?: (done: DownloadProgress) => void) => {
      await using media = await this.#get(url, onProgress);
      return await digest(media);
    };
    const turns = Array.from(
      { length: CALLERS - 1 },
      () => Promise.withResolvers<void>(),
    );
    const first = call((done) => {
      progress.update(done);
      const { received, total = received } = done;
      for (const [index, { resolve }] of turns.entries()) {
        if (received > total * index / CALLERS) resolve();
      }
    });
    const others = turns.map(({ promise }) => promise.then(() => call()));
    const digests = await Promise.all([first, ...others]).finally(progress.end);
    const { bytesDownloaded, bytesServed } = this.#cache.stats();
    const read = size(bytesServed - before.bytesServed);
    const received = bytesDownloaded - before.bytesDownloaded;
    const result = `${accent("downloaded once")}, ${read} read`;
    row(
      basename(url),
      received,
      `${result}, digests: ${new Set(digests).size}`,
    );
  }

  /** Downloads a GIF. */
  async convert(title: string, url: string): Promise<void> {
    heading(title);
    const unsubscribe = this.#cache.subscribe((event) => {
      if (event.type === "converted") {
        row(basename(url), event.sourceSize, "image/gif");
        const took = time(event.durationMs);
        const result = `${accent(event.mimetype)} after ${took} of ffmpeg`;
        row(event.filename, event.size, result);
      }
      if (event.type === "conversionUnavailable") {
        failure(`It stays a GIF: ${event.reason}`);
      }
    });
    await using media = await this.#get(url);
    await media.stored;
    unsubscribe();
  }

  /** Prints what was counted. */
  showStats(title: string): void {
    heading(title);
    const stats = this.#cache.stats();
    const { hits, misses, coalesced, hitRate } = stats;
    line(
      `  ${hits} hits, ${misses} misses (${coalesced} joined), rate ${hitRate}`,
    );
    const { entries, entriesInMemory, totalMb, maxMb } = stats;
    line(
      `  ${entries} entries (${entriesInMemory} in memory), ${totalMb} of ${maxMb} MiB`,
    );
    const { bytesDownloaded, bytesServed } = stats;
    line(`  ${size(bytesDownloaded)} downloaded, ${size(bytesServed)} served`);
    const { conversions, evictions, diskErrors } = stats;
    line(
      `  GIFs converted: ${conversions}, evictions: ${evictions}, disk errors: ${diskErrors}`,
    );
  }

  /** Prints the entries, the most recent first, by the names of their files. */
  async list(title: string): Promise<void> {
    heading(title);
    for await (const { key, filename, size } of this.#cache.entries()) {
      row(filename, size, `${key.slice(0, 24)}….dat + .json`);
    }
  }

  async #download(url: string): Promise<void> {
    const start = performance.now();
    const progress = startProgress(basename(new URL(url).pathname));
    let first = 0;
    let bytes = 0;
    try {
      await using media = await this.#get(url, progress.update);
      for await (const chunk of media.body) {
        first ||= performance.now() - start;
        bytes += chunk.length;
      }
      const last = performance.now() - start;
      progress.end();
      const times = `first byte ${time(first)}, last byte ${time(last)}`;
      row(media.filename, bytes, `${accent(media.source)}: ${times}`);
    } finally {
      progress.end();
    }
  }

  #get(
    url: string,
    onProgress?: (progress: DownloadProgress) => void,
  ): Promise<Media> {
    const signal = this.#signal;
    const options = { signal, onProgress };
    return this.#cache.getOrDownload(url, download, options);
  }
}

const download: Downloader = ({ url, signal }) => {
  if (!/^https?:/.test(url)) throw new TypeError("not an HTTP URL");
  return fetch(url, { signal });
};

async function digest(media: Media): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", media.body);
  return new Uint8Array(bytes).toHex();
}
