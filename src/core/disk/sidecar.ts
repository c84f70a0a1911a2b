/*
 * A sidecar is a JSON object:
 *
 *     {
 *       "url": "https://example.org/cat.png",
 *       "mimetype": "image/png",
 *       "filename": "cat.png",
 *       "size": 52917,
 *       "ts": 1763762612.123456
 *     }
 *
 * The SHA-256 of the URL in UTF-8 names both files of an entry. `size` is the length
 * of the .dat in bytes, `ts` the time of the store in seconds since the epoch. A
 * sidecar may also hold `sha256` (the digest of the .dat), `sourceMimetype`,
 * `sourceSize` and `sourceSha256` (type, bytes and digest of the download, where the
 * .dat is its conversion), `conversion` (why a GIF is still a GIF), `etag` and
 * `lastModified` (the validators that the origin has sent), `resumed` and `retried` (how
 * often the download went on after a break, and began anew after a failure). Unknown
 * members are ignored.
 */
import { safeFilename } from "../text/filename.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import { keyOf } from "../text/key.ts";

/** The longest sidecar in bytes: the cache writes no longer one, and reads none. */
export const MAX_SIDECAR_BYTES = 1_048_576;

/** Room in a sidecar for all members but URL, type and name, in bytes. */
const OTHER_MEMBERS_BYTES = 4096;

/** JSON writes a UTF-16 code unit in at most 6 bytes, as in `\u0000`. */
const MAX_BYTES_PER_UNIT = 6;

/** The members of a sidecar. */
export interface Sidecar {
  /** The URL whose SHA-256 names the files. */
  url: string;
  /** Media type of the body. */
  mimetype: string;
  /** File name to show. */
  filename: string;
  /** Length of the .dat in bytes; 0 where the sidecar lacks it. */
  size: number;
  /** When the entry was stored, in seconds since the epoch. */
  ts: number;
  /** SHA-256 of the .dat, in hexadecimal. */
  sha256?: string;
  /** Media type of the download that the body was converted from. */
  sourceMimetype?: string;
  /** Bytes of the download that the body was converted from. */
  sourceSize?: number;
  /** SHA-256 of the download that the body was converted from, in hexadecimal. */
  sourceSha256?: string;
  /** Why a GIF was kept as it is. */
  conversion?: string;
  /** The entity tag that the origin has sent with the body. */
  etag?: string;
  /** The `Last-Modified` date that the origin has sent with the body. */
  lastModified?: string;
  /** How often the download went on where its body had broken. */
  resumed?: number;
  /** How often the download began anew after a failure. */
  retried?: number;
}

/** A sidecar, and the state of its file when it was read. */
export type StampedSidecar = Sidecar & {
  /** The `stampOf()` of the file. */
  readonly stamp: number;
  /** The mtime of the file, in milliseconds since the epoch. */
  readonly writtenMs: number;
};

/** Writes the text of a sidecar. */
export function formatSidecar(sidecar: Sidecar): string {
  return JSON.stringify(sidecar, null, 2);
}

/** The bytes of a sidecar with empty URL, type and name. */
const FRAME_BYTES = formatSidecar({
  url: "",
  mimetype: "",
  filename: "",
  size: 1_000_000,
  ts: 1763762612.123456,
  sha256: "0".repeat(64),
}).length;

/** Estimates the bytes of a sidecar whose URL, type and name have this length together. */
export function sidecarBytesOf(textLength: number): number {
  return FRAME_BYTES + textLength;
}

/** Whether the sidecar of this URL, type and name is short enough to be read. */
export function fitsSidecar(
  members: Pick<Sidecar, "url" | "mimetype" | "filename">,
): boolean {
  const { url, mimetype, filename } = members;
  const maxBytes = MAX_SIDECAR_BYTES - OTHER_MEMBERS_BYTES;
  const units = url.length + mimetype.length + filename.length;
  if (units * MAX_BYTES_PER_UNIT <= maxBytes) return true;
  if (units > maxBytes) return false;
  const text = JSON.stringify([url, mimetype, filename]);
  return new TextEncoder().encode(text).length <= maxBytes;
}

/**
 * Reads the text of a sidecar by the rules of the Python original: only `url` is
 * required, and the other known members must have their type if they are there. The
 * URL must hash to `key`, or else one entry could pose as another.
 *
 * @returns The sidecar, or the reason, a string, why the text is not a sidecar.
 */
export function parseSidecar(text: string, key: string): Sidecar | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "sidecar is not JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "sidecar is not an object";
  }
  // A missing member gets its default; null is a wrong type.
  const {
    url,
    mimetype = "application/octet-stream",
    filename = "attachment",
    size = 0,
    ts = 0,
    sha256,
    sourceMimetype,
    sourceSize,
    sourceSha256,
    conversion,
    etag,
    lastModified,
    resumed,
    retried,
  }: Record<string, unknown> = { ...value };
  if (typeof url !== "string") return "url is not a string";
  // A lone surrogate hashes as U+FFFD, so two such URLs could have one key.
  if (!url.isWellFormed()) return "url is not Unicode";
  if (typeof mimetype !== "string") return "mimetype is not a string";
  if (typeof filename !== "string") return "filename is not a string";
  if (!isCount(size)) return "size is not a number of bytes";
  if (typeof ts !== "number" || !Number.isFinite(ts)) {
    return "ts is not a number";
  }
  if (keyOf(url) !== key) return "url does not hash to the name of the file";
  const sidecar: Sidecar = {
    url,
    mimetype: cleanMimetype(mimetype),
    filename: safeFilename(filename),
    size,
    ts,
  };
  if (typeof sha256 === "string") sidecar.sha256 = sha256.toLowerCase();
  if (typeof sourceMimetype === "string") {
    sidecar.sourceMimetype = sourceMimetype;
  }
  if (isCount(sourceSize)) sidecar.sourceSize = sourceSize;
  if (typeof sourceSha256 === "string") {
    sidecar.sourceSha256 = sourceSha256.toLowerCase();
  }
  if (typeof conversion === "string") sidecar.conversion = conversion;
  if (typeof etag === "string") sidecar.etag = etag;
  if (typeof lastModified === "string") sidecar.lastModified = lastModified;
  if (isCount(resumed)) sidecar.resumed = resumed;
  if (isCount(retried)) sidecar.retried = retried;
  return sidecar;
}

/** Why a body of `datSize` bytes does not fit a sidecar; undefined when it does. */
export function mismatchOf(
  sidecar: Sidecar,
  datSize: number,
): string | undefined {
  if (sidecar.size !== 0 && sidecar.size !== datSize) {
    return `its .dat must have ${sidecar.size} bytes: found ${datSize}`;
  }
  if (datSize === 0) return "its .dat is empty";
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
