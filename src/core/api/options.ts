import type { MediaCacheListener } from "./events.ts";
import type { GifToMp4Options } from "./gif_options.ts";

/** Options of {@linkcode MediaCache}. 1 Mb is 1,048,576 bytes; fractions are allowed. */
export interface MediaCacheOptions {
  /**
   * The directory of the files: a path or a `file:` URL. Made when it is missing.
   *
   * @default {"media_cache"}
   */
  cacheDir?: string | URL;
  /**
   * The most bytes of committed bodies on disk, in Mb. 0 stores nothing. Sidecars,
   * and what a disk rounds each file up to, come on top: for many small bodies
   * that is most of it, as {@linkcode CacheStats.occupiedBytes} tells.
   *
   * @default {500}
   */
  maxSizeMb?: number;
  /**
   * The most bodies that are kept in RAM.
   *
   * @default {64}
   */
  maxMemoryItems?: number;
  /**
   * The most RAM that those bodies take, in Mb.
   *
   * @default {64}
   */
  maxMemoryMb?: number;
  /**
   * The largest body that is kept in RAM, in Mb.
   *
   * @default {4}
   */
  maxMemoryItemMb?: number;
  /**
   * The largest body that is stored, in Mb, and the most that running downloads
   * take on disk together. A larger body reaches its callers uncached. By
   * default the same as `maxSizeMb`, which it never exceeds.
   */
  maxEntryMb?: number;
  /**
   * The largest body that is downloaded at all, in Mb. A longer one is cut with
   * a {@linkcode TooLargeError}.
   *
   * @default {2048}
   */
  maxDownloadMb?: number;
  /**
   * The longest a download may go without a byte, in milliseconds. Time in which
   * readers hold it back does not count.
   *
   * @default {30000}
   */
  idleTimeoutMs?: number;
  /** The longest a download may take in all, in milliseconds. None by default. */
  timeoutMs?: number;
  /**
   * The most downloads that run at a time; further ones wait.
   *
   * @default {64}
   */
  maxConcurrentDownloads?: number;
  /**
   * Whether GIFs become MP4, and how.
   *
   * @default {true}
   */
  gifToMp4?: boolean | GifToMp4Options;
  /**
   * The URL that stands for all URLs of the same media, such as one without its
   * signature. It is what is hashed and stored; the downloader is given the
   * caller's own. When it throws, the call rejects; when it returns anything but a
   * string that is not empty, with a TypeError. The identity by default.
   */
  canonicalUrl?: (url: string) => string;
  /**
   * What becomes of a download when its last reader has left: "finish" into the
   * cache, or "abort".
   *
   * @default {"finish"}
   */
  whenAbandoned?: "finish" | "abort";
  /**
   * Whether a stored entry must survive a power cut, at the price of waiting for
   * the disk.
   *
   * @default {false}
   */
  durable?: boolean;
  /**
   * Whether the bytes of a hit from disk are compared with the SHA-256 in the
   * sidecar before they are served: those that enter RAM whenever they are read
   * from disk, larger ones, which takes a pass of its own, when this cache first
   * finds their file. An entry that differs is dropped and the lookup is a miss.
   * With it every body is hashed when it is stored; without it only those where
   * that costs little (64 KiB put, 4 Mb downloaded). Entries whose sidecar has no
   * digest are served unchecked.
   *
   * @default {false}
   */
  verifyOnRead?: boolean;
  /**
   * Whether the directory is only looked at: nothing is stored, touched, cleaned
   * or evicted.
   *
   * @default {false}
   */
  readOnly?: boolean;
  /**
   * Is told every event from the start. Without it warnings go to the console,
   * once per kind; with it nothing is printed.
   */
  onEvent?: MediaCacheListener;
}
