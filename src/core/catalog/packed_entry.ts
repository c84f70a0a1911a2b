/*
 * An entry as bytes: a record of fixed length, and a text of URL, type and name in
 * UTF-8, one behind the other. Many records followed by their texts are a block. The
 * index on disk has blocks, and a catalog keeps their bytes as they are until an entry is
 * used. Numbers are little-endian.
 *
 *    0  size, storedAt, lastAccess, mtimeMs, identity, sidecarStamp   64-bit floats
 *   48  where the text begins among the texts of the block; bytes of URL, type and name
 *       32 bits each
 *   64  key, sha256 (zeros where there is none)   32 bytes each
 */
import { KEY_REGEXP } from "../text/key.ts";
import type { Entry } from "./entry.ts";

/** Bytes of a record. */
export const RECORD_BYTES = 128;

/** The most entries of a block: to read so many takes about a millisecond (measured). */
export const BLOCK_ENTRIES = 1_024;

/** Where the numbers of a record stand, counted in 64-bit floats. */
export const NUMBER = {
  size: 0,
  storedAt: 1,
  lastAccess: 2,
  mtimeMs: 3,
  identity: 4,
  sidecarStamp: 5,
} as const;

/** Where the start and lengths of the text of a record stand, counted in 32-bit words. */
export const WORD = {
  textStart: 12,
  urlBytes: 13,
  typeBytes: 14,
  nameBytes: 15,
} as const;

/** Where the digests of a record stand, in bytes. */
export const DIGEST = { key: 64, sha256: 96, bytes: 32 } as const;

const NO_DIGEST = "0".repeat(2 * DIGEST.bytes);

/** Turns entries into bytes, one after the other. */
export class EntryPacker {
  /** The number of entries that were added since the last `clear()`. */
  count = 0;
  /** Bytes of their texts. */
  textBytes = 0;
  readonly #records: Uint8Array<ArrayBuffer>;
  readonly #numbers: Float64Array;
  readonly #words: Uint32Array;
  #texts: Uint8Array<ArrayBuffer> = new Uint8Array(65_536);
  readonly #encoder = new TextEncoder();

  /** Makes room for `maxCount` entries between two calls of `clear()`. */
  constructor(maxCount: number) {
    this.#records = new Uint8Array(maxCount * RECORD_BYTES);
    this.#numbers = new Float64Array(this.#records.buffer);
    this.#words = new Uint32Array(this.#records.buffer);
  }

  /** A copy of the records that were added, followed by their texts. */
  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.count * RECORD_BYTES;
    const bytes = new Uint8Array(length + this.textBytes);
    bytes.set(this.#records.subarray(0, length));
    bytes.set(this.#texts.subarray(0, this.textBytes), length);
    return bytes;
  }

  /** Adds an entry, unless its `sha256`, which a stranger may have written, is no SHA-256. */
  add(entry: Entry): void {
    const { key, url, mimetype, filename, sha256 } = entry;
    if (sha256 !== undefined && !KEY_REGEXP.test(sha256)) return;
    const start = this.count * RECORD_BYTES;
    const number = start / Float64Array.BYTES_PER_ELEMENT;
    this.#numbers[number + NUMBER.size] = entry.size;
    this.#numbers[number + NUMBER.storedAt] = entry.storedAt;
    // A use that is on disk counts as the disk tells it, in whole milliseconds, so that
    // it compares with the uses by other processes.
    const isOnDisk = Math.floor(entry.lastAccess) === entry.mtimeMs;
    this.#numbers[number + NUMBER.lastAccess] = isOnDisk
      ? entry.mtimeMs
      : entry.lastAccess;
    this.#numbers[number + NUMBER.mtimeMs] = entry.mtimeMs;
    this.#numbers[number + NUMBER.identity] = entry.identity;
    this.#numbers[number + NUMBER.sidecarStamp] = entry.sidecarStamp;
    const word = this.#beginText();
    this.#words[word + WORD.urlBytes] = this.#addText(url);
    this.#words[word + WORD.typeBytes] = this.#addText(mimetype);
    this.#words[word + WORD.nameBytes] = this.#addText(filename);
    const digests = Uint8Array.fromHex(key + (sha256 ?? NO_DIGEST));
    this.#records.set(digests, start + DIGEST.key);
    this.count++;
  }

  /** Adds the bytes of an entry. */
  addPacked(record: Uint8Array, text: Uint8Array): void {
    this.#records.set(record, this.count * RECORD_BYTES);
    this.#beginText();
    this.#makeRoom(text.length);
    this.#texts.set(text, this.textBytes);
    this.textBytes += text.length;
    this.count++;
  }

  /** Forgets the entries that were added. */
  clear(): void {
    this.count = this.textBytes = 0;
  }

  /** States in the next record where its text begins; returns the record's first word. */
  #beginText(): number {
    const word = this.count * RECORD_BYTES / Uint32Array.BYTES_PER_ELEMENT;
    this.#words[word + WORD.textStart] = this.textBytes;
    return word;
  }

  #addText(text: string): number {
    // UTF-8 takes at most 3 bytes for a UTF-16 code unit.
    this.#makeRoom(3 * text.length);
    const room = this.#texts.subarray(this.textBytes);
    const { written } = this.#encoder.encodeInto(text, room);
    this.textBytes += written;
    return written;
  }

  #makeRoom(bytes: number): void {
    const needed = this.textBytes + bytes;
    if (needed <= this.#texts.length) return;
    const texts = new Uint8Array(2 * needed);
    texts.set(this.#texts);
    this.#texts = texts;
  }
}
