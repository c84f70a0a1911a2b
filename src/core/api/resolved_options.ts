import type { MediaCacheListener } from "./events.ts";
import { pathOfFileUrl } from "../text/file_url.ts";
import {
  type GifToMp4Options,
  type ResolvedGifToMp4,
  resolveGifToMp4,
} from "./gif_options.ts";
import type { MediaCacheOptions } from "./options.ts";

/** The same in bytes, checked and complete. */
export interface ResolvedOptions {
  /** The directory as a path. */
  dir: string;
  /** Cap of committed bytes. */
  maxBytes: number;
  /** Cap of bodies in RAM. */
  maxMemoryItems: number;
  /** Cap of bytes in RAM. */
  maxMemoryBytes: number;
  /** Cap of one body in RAM, in bytes. */
  maxMemoryItemBytes: number;
  /** Cap of one stored body, and of staged bytes in all. */
  maxEntryBytes: number;
  /** Cap of one download, in bytes. */
  maxDownloadBytes: number;
  /** Longest silence of a download. */
  idleTimeoutMs: number;
  /** Longest time of a download. */
  timeoutMs: number;
  /** Downloads at a time. */
  maxConcurrentDownloads: number;
  /** How GIFs are converted; undefined when they are not. */
  gifToMp4: ResolvedGifToMp4 | undefined;
  /** See {@linkcode MediaCacheOptions.canonicalUrl}. */
  canonicalUrl: ((url: string) => string) | undefined;
  /** See {@linkcode MediaCacheOptions.whenAbandoned}. */
  whenAbandoned: "finish" | "abort";
  /** See {@linkcode MediaCacheOptions.durable}. */
  durable: boolean;
  /** See {@linkcode MediaCacheOptions.verifyOnRead}. */
  verifyOnRead: boolean;
  /** See {@linkcode MediaCacheOptions.readOnly}. */
  readOnly: boolean;
  /** See {@linkcode MediaCacheOptions.onEvent}. */
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
  if (typeof options !== "object" || options === null) {
    throw invalid(TypeError, "options", "an object", options);
  }
  const {
    cacheDir = "media_cache",
    maxSizeMb = 500,
    maxMemoryItems = 64,
    maxMemoryMb = 64,
    maxMemoryItemMb = 4,
    maxEntryMb,
    maxDownloadMb = 2048,
    idleTimeoutMs = 30_000,
    timeoutMs = Infinity,
    maxConcurrentDownloads = 64,
    gifToMp4 = true,
    canonicalUrl,
    whenAbandoned = "finish",
    durable = false,
    verifyOnRead = false,
    readOnly = false,
    onEvent,
    ...others
  } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw invalid(TypeError, "each option", "one that is known", unknown);
  }
  const maxBytes = bytes("maxSizeMb", maxSizeMb);
  return {
    dir: directory(cacheDir),
    maxBytes,
    maxMemoryItems: count("maxMemoryItems", maxMemoryItems, 0),
    maxMemoryBytes: bytes("maxMemoryMb", maxMemoryMb),
    maxMemoryItemBytes: bytes("maxMemoryItemMb", maxMemoryItemMb),
    maxEntryBytes: maxEntryMb === undefined
      ? maxBytes
      : Math.min(maxBytes, bytes("maxEntryMb", maxEntryMb)),
    maxDownloadBytes: bytes("maxDownloadMb", maxDownloadMb),
    idleTimeoutMs: time("idleTimeoutMs", idleTimeoutMs),
    timeoutMs: time("timeoutMs", timeoutMs),
    maxConcurrentDownloads: count(
      "maxConcurrentDownloads",
      maxConcurrentDownloads,
      1,
    ),
    gifToMp4: conversion(gifToMp4),
    canonicalUrl: ofType("canonicalUrl", canonicalUrl, "function"),
    whenAbandoned: abandonment(whenAbandoned),
    durable: ofType("durable", durable, "boolean"),
    verifyOnRead: ofType("verifyOnRead", verifyOnRead, "boolean"),
    readOnly: ofType("readOnly", readOnly, "boolean"),
    onEvent: ofType("onEvent", onEvent, "function"),
  };
}

function directory(value: string | URL): string {
  const wanted = "a path or a file: URL of this machine";
  if (value instanceof URL && value.protocol !== "file:") {
    throw invalid(TypeError, "cacheDir", wanted, value.protocol);
  }
  if (typeof value !== "string" && !(value instanceof URL)) {
    throw invalid(TypeError, "cacheDir", wanted, value);
  }
  const path = value instanceof URL || value.startsWith("file://")
    ? pathOfFileUrl(value)
    : value;
  if (path === undefined || path === "" || path.includes("\0")) {
    throw invalid(RangeError, "cacheDir", wanted, value);
  }
  return path;
}

function bytes(name: string, value: number): number {
  return Math.floor(numeric(name, value, "a number of at least 0", 0) * MB);
}

function time(name: string, value: number): number {
  numeric(name, value, "a number above 0", 0);
  if (value === 0) throw invalid(RangeError, name, "a number above 0", value);
  return value;
}

function count(name: string, value: number, min: number): number {
  const wanted = `an integer of at least ${min}`;
  numeric(name, value, wanted, min);
  if (Number.isInteger(value) || value === Infinity) return value;
  throw invalid(RangeError, name, wanted, value);
}

function numeric(
  name: string,
  value: number,
  wanted: string,
  min: number,
): number {
  if (typeof value !== "number") throw invalid(TypeError, name, wanted, value);
  if (!(value >= min)) throw invalid(RangeError, name, wanted, value);
  return value;
}

function conversion(
  value: boolean | GifToMp4Options,
): ResolvedGifToMp4 | undefined {
  if (value === false) return undefined;
  if (value === true) return resolveGifToMp4({});
  if (typeof value !== "object" || value === null) {
    throw invalid(TypeError, "gifToMp4", "a boolean or an object", value);
  }
  return resolveGifToMp4(value);
}

function abandonment(value: string): "finish" | "abort" {
  if (value === "finish" || value === "abort") return value;
  const wanted = '"finish" or "abort"';
  throw invalid(
    typeof value === "string" ? RangeError : TypeError,
    "whenAbandoned",
    wanted,
    value,
  );
}

function ofType<T>(
  name: string,
  value: T,
  type: "boolean" | "function",
): T {
  if (value === undefined || typeof value === type) return value;
  throw invalid(TypeError, name, `a ${type}`, value);
}

function invalid(
  Type: typeof RangeError | typeof TypeError,
  name: string,
  wanted: string,
  value: unknown,
): Error {
  return new Type(
    `Cannot open cache: ${name} must be ${wanted}: received ${
      typeof value === "string" ? JSON.stringify(value) : String(value)
    }`,
  );
}
