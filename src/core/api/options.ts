import { fromFileUrl } from "@std/path/from-file-url";
import type { MediaCacheListener } from "./events.ts";
import {
  type FailureOptions,
  type ResolvedFailures,
  resolveFailures,
} from "./failure_options.ts";
import {
  type GifToMp4Options,
  type ResolvedGifToMp4,
  resolveGifToMp4,
} from "./gif_options.ts";
import { OptionCheck } from "./option_check.ts";
import { type ResolvedRemote, resolveRemote } from "./remote_option.ts";
import type { RemoteTier } from "./remote_tier.ts";

/** Options of {@linkcode MediaCache}. 1 Mb is 1,048,576 bytes; fractions are allowed. */
export interface MediaCacheOptions extends FailureOptions {
  /**
   * The directory of the files: a path or a `file:` URL. Created if missing.
   *
   * @default {"media_cache"}
   */
  cacheDir?: string | URL;
  /**
   * The most bytes of committed bodies on disk, in Mb. 0 stores nothing.
   * Sidecars, and the blocks to which a disk rounds each file, come on top: of
   * many small bodies they are the larger part, as
   * {@linkcode CacheStats.occupiedBytes} tells.
   *
   * @default {500}
   */
  maxSizeMb?: number;
  /**
   * The most that all files of the directory take on disk, in Mb, as
   * {@linkcode CacheStats.occupiedBytes} tells: bodies, sidecars, what running
   * downloads have written, leftovers, index and list of changes, each in whole
   * blocks. As with `maxSizeMb`, a store first evicts what must go, and nothing is
   * evicted at any other time: until the next store the bytes of running downloads
   * come on top. A body is not stored if all other files leave no room for it, and
   * for the seconds in which the .part files of ended processes wait for their
   * removal, for which nothing is evicted. No limit by default.
   */
  maxDiskMb?: number;
  /**
   * The most bodies that are kept in RAM.
   *
   * @default {64}
   */
  maxMemoryItems?: number;
  /**
   * The most RAM for these bodies, in Mb. As much again, or 1 Mb if that is more,
   * may hold bytes that the readers of downloads that are not stored have not read
   * yet, and a chunk more for each such download.
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
   * default the smaller one of `maxSizeMb` and `maxDiskMb`, which it never exceeds.
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
   * The longest pause between two bytes of a download, in milliseconds. Time in
   * which readers hold the download back, or the event loop is held, does not count.
   *
   * @default {30000}
   */
  idleTimeoutMs?: number;
  /**
   * The longest time of a whole download, in milliseconds. Its conversion does not
   * count, nor the time for which a remote tier is asked. No limit by default.
   */
  timeoutMs?: number;
  /**
   * The most downloads that run at a time; further ones wait. A download that
   * converts a GIF or waits for its readers does not count. A downloader that
   * calls the cache again needs one slot for both downloads. A download that
   * nobody wants any more gives its slot to one that somebody wants, and goes on;
   * of more than this number that go on so, the one that was silent for longest
   * is aborted.
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
   * Whether the first bytes tell the type of a download whose type is missing or
   * `application/octet-stream`: images, audio, video and fonts, and no type that can run
   * script. The type of such a download is certain when a pattern has matched, or none can
   * match any more: after 1,445 bytes at the latest, or at its end.
   *
   * @default {true}
   */
  sniff?: boolean;
  /**
   * The types that `getOrDownload()` and `joinByKey()` return, such as
   * `["image/*", "video/*", "audio/*"]`; for any other type they reject with
   * `UnacceptableTypeError`. Compared with the type that the origin has sent, or that the
   * first bytes have told, before a conversion. `image/*` does not include SVG, which can run
   * script: name it to accept it. A call may have an `accept` of its own. All types by
   * default.
   */
  accept?: readonly string[];
  /**
   * The age from which `getOrDownload()` asks the origin whether stored bytes are still the
   * same, in milliseconds: since they were stored, or since the origin has confirmed them. 0
   * asks each time. `get()`, `getByKey()` and `has()` never ask. With this option every body
   * is hashed when it is stored. A call may have a `maxAgeMs` of its own. Without it media at
   * a URL are taken to stay the same.
   */
  maxAgeMs?: number;
  /**
   * For how long after `maxAgeMs` the stored bytes are returned at once, in milliseconds,
   * while the origin is asked in the background. 0 always waits for the answer.
   *
   * @default {0}
   */
  staleWhileRevalidateMs?: number;
  /**
   * Returns the URL that stands for all URLs of the same media, such as the URL
   * without its signature. That URL is hashed and stored; the downloader gets
   * the caller's URL. The call rejects with the error that this throws, and
   * with a TypeError if it returns anything but a non-empty string. The
   * identity by default. `platforms()` of the subpath `./platforms` knows the
   * URLs of chat platforms.
   */
  canonicalUrl?: (url: string) => string;
  /**
   * Whether a download goes on into the cache when its last reader has left
   * ("finish"), or is aborted ("abort"). Of very many, some are aborted; see
   * `maxConcurrentDownloads`.
   *
   * @default {"finish"}
   */
  whenAbandoned?: "finish" | "abort";
  /**
   * Whether a stored entry must survive a power cut. Each store then waits for
   * the disk.
   *
   * @default {false}
   */
  durable?: boolean;
  /**
   * Whether the bytes of a hit from disk are compared with the SHA-256 in the
   * sidecar before they are served: bodies that enter RAM whenever they are
   * read from disk; larger bodies, in a pass of their own, when this cache
   * first finds their file. An entry that differs is dropped, and the lookup is
   * a miss. With this option every body is hashed when it is stored, otherwise
   * only where that costs little (64 KiB put, 4 Mb downloaded), or there is a `remote` or a
   * `maxAgeMs`. Entries without a digest in their sidecar are served unchecked.
   *
   * @default {false}
   */
  verifyOnRead?: boolean;
  /**
   * Whether the directory is only read: nothing is stored, touched, cleaned or
   * evicted.
   *
   * @default {false}
   */
  readOnly?: boolean;
  /**
   * A tier that several hosts share, such as a bucket of an object store: asked for what
   * this cache does not have before the origin is, and given what this cache stores.
   * `s3Tier()` of the subpath `./s3` makes one. No call of the cache fails for it. With
   * this option every body is hashed when it is stored. No tier by default.
   */
  remote?: RemoteTier;
  /**
   * Called for every event from the start. Without it warnings go to the
   * console, once per kind; with it nothing is printed.
   */
  onEvent?: MediaCacheListener;
}

/** {@linkcode MediaCacheOptions}, checked and complete, with sizes in bytes. */
export interface ResolvedOptions extends ResolvedFailures {
  /** The directory as a path. */
  dir: string;
  /** Cap of committed bytes. */
  maxBytes: number;
  /** Cap of the bytes of all files, in whole blocks. */
  maxDiskBytes: number;
  /** Cap of the number of bodies in RAM. */
  maxMemoryItems: number;
  /** Cap of bytes in RAM. */
  maxMemoryBytes: number;
  /** Cap of one body in RAM, in bytes. */
  maxMemoryItemBytes: number;
  /** Cap of one stored body, and of staged bytes in all, in bytes. */
  maxEntryBytes: number;
  /** Cap of one download, in bytes. */
  maxDownloadBytes: number;
  /** Longest pause between two bytes of a download. */
  idleTimeoutMs: number;
  /** Longest time of a whole download. */
  timeoutMs: number;
  /** The most downloads that run at a time. */
  maxConcurrentDownloads: number;
  /** How GIFs are converted; undefined where they are kept. */
  gifToMp4: ResolvedGifToMp4 | undefined;
  /** Whether the first bytes tell a type that is not named. */
  sniff: boolean;
  /** The types that calls return; undefined for all. */
  accept: readonly string[] | undefined;
  /** Age from which stored bytes are revalidated, in milliseconds; undefined where never. */
  maxAgeMs: number | undefined;
  /** How long after that they are served while they are revalidated, in milliseconds. */
  staleWhileRevalidateMs: number;
  /**
   * Returns the URL that stands for others of the same media; undefined for the
   * identity.
   */
  canonicalUrl: ((url: string) => string) | undefined;
  /** Whether a download that no reader wants goes on. */
  whenAbandoned: "finish" | "abort";
  /** Whether a stored entry must survive a power cut. */
  durable: boolean;
  /** Whether hits from disk are compared with their digests. */
  verifyOnRead: boolean;
  /** Whether the directory is only read. */
  readOnly: boolean;
  /** The remote tier and its limits; undefined where there is none. */
  remote: ResolvedRemote | undefined;
  /** Called for every event; undefined where warnings go to the console. */
  onEvent: MediaCacheListener | undefined;
}

const MB = 1_048_576;

/**
 * Checks options and fills in the defaults.
 *
 * @throws {TypeError} If an option is of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveOptions(options: MediaCacheOptions): ResolvedOptions {
  const check = new OptionCheck("open cache");
  check.object("options", options);
  const {
    cacheDir = "media_cache",
    maxSizeMb = 500,
    maxDiskMb = Infinity,
    maxMemoryItems = 64,
    maxMemoryMb = 64,
    maxMemoryItemMb = 4,
    maxEntryMb,
    maxDownloadMb = 2048,
    idleTimeoutMs = 30_000,
    timeoutMs = Infinity,
    maxConcurrentDownloads = 64,
    gifToMp4 = true,
    sniff = true,
    accept,
    maxAgeMs,
    staleWhileRevalidateMs = 0,
    canonicalUrl,
    retries = 0,
    failureTtlMs = 0,
    whenAbandoned = "finish",
    durable = false,
    verifyOnRead = false,
    readOnly = false,
    remote,
    onEvent,
    ...others
  } = options;
  check.nothingLeft(others);
  const bytes = (name: string, value: number) => {
    const wanted = "a number of at least 0";
    check.value(name, value, "number", wanted, (mb) => mb >= 0);
    return Math.floor(value * MB);
  };
  const time = (name: string, value: number) =>
    check.value(name, value, "number", "a number above 0", (ms) => ms > 0);
  const count = (name: string, value: number, min: number) => {
    const wanted = `an integer of at least ${min}`;
    const isCount = (n: number) =>
      n >= min && (Number.isInteger(n) || n === Infinity);
    return check.value(name, value, "number", wanted, isCount);
  };
  const maxBytes = bytes("maxSizeMb", maxSizeMb);
  const maxDiskBytes = bytes("maxDiskMb", maxDiskMb);
  const mostBytes = Math.min(maxBytes, maxDiskBytes);
  return {
    dir: directory(check, cacheDir),
    maxBytes,
    maxDiskBytes,
    maxMemoryItems: count("maxMemoryItems", maxMemoryItems, 0),
    maxMemoryBytes: bytes("maxMemoryMb", maxMemoryMb),
    maxMemoryItemBytes: bytes("maxMemoryItemMb", maxMemoryItemMb),
    maxEntryBytes: maxEntryMb === undefined
      ? mostBytes
      : Math.min(mostBytes, bytes("maxEntryMb", maxEntryMb)),
    maxDownloadBytes: bytes("maxDownloadMb", maxDownloadMb),
    idleTimeoutMs: time("idleTimeoutMs", idleTimeoutMs),
    timeoutMs: time("timeoutMs", timeoutMs),
    maxConcurrentDownloads: count(
      "maxConcurrentDownloads",
      maxConcurrentDownloads,
      1,
    ),
    gifToMp4: conversion(check, gifToMp4),
    sniff: check.value("sniff", sniff, "boolean"),
    accept: check.mediaRanges("accept", accept),
    maxAgeMs: check.age("maxAgeMs", maxAgeMs),
    staleWhileRevalidateMs: check.age(
      "staleWhileRevalidateMs",
      staleWhileRevalidateMs,
    ),
    canonicalUrl: check.value("canonicalUrl", canonicalUrl, "function"),
    ...resolveFailures(check, retries, failureTtlMs),
    whenAbandoned: check.choice("whenAbandoned", whenAbandoned, [
      "finish",
      "abort",
    ]),
    durable: check.value("durable", durable, "boolean"),
    verifyOnRead: check.value("verifyOnRead", verifyOnRead, "boolean"),
    readOnly: check.value("readOnly", readOnly, "boolean"),
    remote: resolveRemote(check, remote),
    onEvent: check.value("onEvent", onEvent, "function"),
  };
}

function directory(check: OptionCheck, value: string | URL): string {
  const wanted = "a path or a file: URL of this machine";
  if (value instanceof URL) {
    if (value.protocol !== "file:") {
      throw check.error(TypeError, "cacheDir", wanted, `"${value.protocol}"`);
    }
  } else check.value("cacheDir", value, "string", wanted);
  const path = directoryPath(value);
  if (path !== undefined) return path;
  const received = value instanceof URL ? value.href : JSON.stringify(value);
  throw check.error(RangeError, "cacheDir", wanted, received);
}

/**
 * Returns the path of a directory that is given as a path or as a `file:` URL;
 * undefined where no directory of this machine can have it.
 */
export function directoryPath(value: string | URL): string | undefined {
  const isUrl = value instanceof URL || value.startsWith("file://");
  const path = isUrl ? pathOfFileUrl(value) : value;
  return path === "" || path?.includes("\0") ? undefined : path;
}

function pathOfFileUrl(text: string | URL): string | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== "file:") return undefined;
  // `fromFileUrl()` would drop the host of `file://host/dir` where there are no
  // UNC paths, and so name another directory.
  if (url.hostname !== "" && Deno.build.os !== "windows") return undefined;
  try {
    return fromFileUrl(url);
  } catch {
    return undefined; // its escapes are no UTF-8
  }
}

function conversion(
  check: OptionCheck,
  value: boolean | GifToMp4Options,
): ResolvedGifToMp4 | undefined {
  if (typeof value === "boolean") return value ? resolveGifToMp4() : undefined;
  check.object("gifToMp4", value, "a boolean or an object");
  return resolveGifToMp4(value);
}
