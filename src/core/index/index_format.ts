/*
 * `.media-cache.index` lies beside the entries of a directory that has many. It
 * says what the sidecars and the times of the bodies said when it was written, so
 * that opening need not read them all first. Numbers are little-endian.
 *
 *   header      128 bytes: a magic number, the version, how many entries and how
 *               many blocks, the place in the list of changes (see change_log.ts)
 *               at which all of it was true, the digest of the outlines, and that
 *               of the header itself
 *   outlines    of all entries, the most recent first: sizes, then 64 bits of each
 *               key; of all blocks: lengths, then digests
 *   blocks      JSON, 128 entries each: [[key, url, mimetype, filename, size,
 *               storedAt, mtimeMs, inode, stamp of the sidecar, sha256], …]
 *
 * Opening reads header and outlines, which is enough to count; the blocks follow in
 * the background. Every byte is covered by a digest (SHA-256), so that what is cut,
 * flipped or of another version is noticed, and the sidecars are read instead. Who
 * can write here can make digests, too: so a record is held to the same rules as a
 * sidecar, and numbers that would cost memory or time to what this file can hold.
 * What is true of an entry stands in its own files only: the index may be deleted
 * at any time.
 */
import { hash } from "node:crypto";
import type { LogPlace } from "../sharing/change_log.ts";
import type { Entry } from "../catalog/entry.ts";
import { isYoung } from "../disk/file_identity.ts";
import { safeFilename } from "../text/filename.ts";
import { keyOf } from "../text/key.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import { MAX_SIDECAR_BYTES } from "../disk/sidecar.ts";
import {
  fingerprintOf,
  isSize,
  type Outlines,
} from "../catalog/pending_index.ts";

/** Bytes of the header. */
export const HEADER_BYTES = 128;

/** Entries of a block: it takes less than a millisecond to read. */
export const BLOCK_ENTRIES = 128;

/** The most entries that an index has; their outlines take 67 MB. */
export const MAX_ENTRIES = 4_194_304;

/** The most bytes of a block: of each entry what its sidecar says, and numbers. */
const MAX_BLOCK_BYTES = BLOCK_ENTRIES * (MAX_SIDECAR_BYTES + 512);

const MAGIC = 0x78_64_69_6d; // "midx"
const VERSION = 2;
const DIGEST_BYTES = 32;
const ID_LENGTH = 16;

/** Where things stand in the header. */
const AT = { count: 8, blocks: 12, position: 16, id: 24, outlines: 40 };

/** What the header says. */
export interface IndexHeader {
  /** How many entries there are. */
  readonly count: number;
  /** Where the list of changes ended when that was true. */
  readonly place: LogPlace;
  /** SHA-256 of the outlines. */
  readonly digest: Uint8Array;
}

/** Bytes of the outlines of so many entries. */
export function outlinesBytes(count: number): number {
  return 16 * count + (4 + DIGEST_BYTES) * blocksOf(count);
}

/** How many blocks hold so many entries. */
export function blocksOf(count: number): number {
  return Math.ceil(count / BLOCK_ENTRIES);
}

/** The bytes of a header. */
export function formatHeader(
  { count, place: { id, position }, digest }: IndexHeader,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setUint32(AT.count, count, true);
  view.setUint32(AT.blocks, blocksOf(count), true);
  view.setFloat64(AT.position, position, true);
  new TextEncoder().encodeInto(id, bytes.subarray(AT.id, AT.id + ID_LENGTH));
  bytes.set(digest, AT.outlines);
  bytes.set(digestOf(bytes.subarray(0, -DIGEST_BYTES)), HEADER_BYTES - 32);
  return bytes;
}

/** Reads a header; undefined when it is none of ours. */
export function parseHeader(bytes: Uint8Array): IndexHeader | undefined {
  if (bytes.length !== HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(AT.count, true);
  const isOurs = view.getUint32(0, true) === MAGIC &&
    view.getUint32(4, true) === VERSION &&
    view.getUint32(AT.blocks, true) === blocksOf(count) &&
    count <= MAX_ENTRIES &&
    areEqual(
      digestOf(bytes.subarray(0, -DIGEST_BYTES)),
      bytes.subarray(-DIGEST_BYTES),
    );
  if (!isOurs) return undefined;
  const id = String.fromCharCode(
    ...bytes.subarray(AT.id, AT.id + ID_LENGTH),
  );
  const position = view.getFloat64(AT.position, true);
  const digest = bytes.slice(AT.outlines, AT.outlines + DIGEST_BYTES);
  return { count, place: { id, position }, digest };
}

/** The outlines of entries and blocks, as views of the bytes that are stored. */
export class IndexOutlines implements Outlines {
  /** All of them. */
  readonly bytes: Uint8Array;
  /** See {@linkcode Outlines.sizes}. */
  readonly sizes: Float64Array;
  /** See {@linkcode Outlines.fingerprints}. */
  readonly fingerprints: Uint32Array;
  /** Lengths of the blocks. */
  readonly lengths: Uint32Array;
  readonly #digests: Uint8Array;

  /** Outlines of `count` entries, all zero as yet. */
  constructor(count: number) {
    const buffer = new ArrayBuffer(outlinesBytes(count));
    const blocks = blocksOf(count);
    this.bytes = new Uint8Array(buffer);
    this.sizes = new Float64Array(buffer, 0, count);
    this.fingerprints = new Uint32Array(buffer, 8 * count, 2 * count);
    this.lengths = new Uint32Array(buffer, 16 * count, blocks);
    this.#digests = new Uint8Array(buffer, 16 * count + 4 * blocks);
  }

  /** Bytes of all blocks; NaN when one is too long to be read. */
  get blocksBytes(): number {
    let bytes = 0;
    for (const length of this.lengths) {
      bytes += length <= MAX_BLOCK_BYTES ? length : NaN;
    }
    return bytes;
  }

  /** Whether these are the entries that a block was to hold. */
  match(block: number, entries: readonly Entry[]): boolean {
    const start = block * BLOCK_ENTRIES;
    const count = Math.min(BLOCK_ENTRIES, this.sizes.length - start);
    return entries.length === count && entries.every(({ key, size }, i) => {
      const [high, low] = fingerprintOf(key);
      const at = 2 * (start + i);
      return size === this.sizes[start + i] &&
        high === this.fingerprints[at] && low === this.fingerprints[at + 1];
    });
  }

  /** Notes the entries of a block, and its bytes. */
  note(block: number, entries: readonly Entry[], bytes: Uint8Array): void {
    const start = block * BLOCK_ENTRIES;
    for (const [i, { key, size }] of entries.entries()) {
      this.sizes[start + i] = size;
      this.fingerprints.set(fingerprintOf(key), 2 * (start + i));
    }
    this.lengths[block] = bytes.length;
    this.#digests.set(digestOf(bytes), block * DIGEST_BYTES);
  }

  /** Whether these are the bytes of a block. */
  fits(block: number, bytes: Uint8Array): boolean {
    const start = block * DIGEST_BYTES;
    const digest = this.#digests.subarray(start, start + DIGEST_BYTES);
    return areEqual(digestOf(bytes), digest);
  }
}

/** The bytes of a block. */
export function formatBlock(entries: readonly Entry[]): Uint8Array {
  const rows = entries.map((entry) => [
    entry.key,
    entry.url,
    entry.mimetype,
    entry.filename,
    entry.size,
    entry.storedAt,
    entry.mtimeMs,
    entry.inode,
    entry.sidecarStamp,
    ...entry.sha256 === undefined ? [] : [entry.sha256],
  ]);
  return new TextEncoder().encode(JSON.stringify(rows));
}

/**
 * The entries of a block, whose digest was right; undefined when they can't be.
 *
 * @param now When the index was opened, so that all uses that lie in the future,
 * since the clock was set back, count as the same time.
 */
export function parseBlock(
  bytes: Uint8Array,
  now: number,
): Entry[] | undefined {
  let rows: unknown;
  try {
    rows = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (!Array.isArray(rows)) return undefined;
  const entries: Entry[] = [];
  for (const row of rows) {
    const entry = Array.isArray(row) ? parseRow(row, now) : undefined;
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  return entries;
}

function parseRow(row: readonly unknown[], now: number): Entry | undefined {
  const [key, url, mimetype, filename, ...rest] = row;
  const [size, storedAt, mtimeMs, inode, sidecarStamp, sha256] = rest;
  const isText = typeof key === "string" && typeof url === "string" &&
    typeof mimetype === "string" && typeof filename === "string" &&
    (sha256 === undefined || typeof sha256 === "string");
  const isRecord = isText && isSize(size) && isNumber(storedAt) &&
    isNumber(mtimeMs) && isNumber(inode) && isNumber(sidecarStamp);
  if (!isRecord || !url.isWellFormed() || keyOf(url) !== key) return undefined;
  return {
    key,
    url,
    mimetype: cleanMimetype(mimetype),
    filename: safeFilename(filename),
    size,
    storedAt,
    ...(sha256 !== undefined && { sha256 }),
    inode,
    sidecarStamp,
    lastAccess: Math.min(mtimeMs, now),
    mtimeMs,
    isYoung: isYoung({ inode, mtimeMs }, now),
    seenAtMs: 0,
  };
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Whether two digests are the same. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer");
}
