import { hash } from "node:crypto";
import { inBlocks } from "../disk/blocks.ts";
import { isYoung } from "../disk/file_identity.ts";
import { sidecarBytesOf } from "../disk/sidecar.ts";
import { safeFilename } from "../text/filename.ts";
import { keyOf } from "../text/key.ts";
import { cleanMimetype } from "../text/mimetype.ts";
import type { Entry, EntryState, Use } from "./entry.ts";
import {
  DIGEST,
  type EntryPacker,
  NUMBER,
  RECORD_BYTES,
  WORD,
} from "./packed_entry.ts";

const NUMBERS = RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT;
const WORDS = RECORD_BYTES / Uint32Array.BYTES_PER_ELEMENT;
const KEY_WORDS = DIGEST.bytes / Uint32Array.BYTES_PER_ELEMENT;
const KEY_WORD = DIGEST.key / Uint32Array.BYTES_PER_ELEMENT;

// A byte order mark is a character of the URL: without it the key would not fit.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The sums of all records of a block. */
export interface BlockSums {
  /** The number of records. */
  readonly count: number;
  /** Bytes of their bodies. */
  readonly bytes: number;
  /** Estimated bytes on disk of their files. */
  readonly occupiedBytes: number;
}

/** Records and their texts, as packed_entry.ts describes them. Reads only. */
export class PackedBlock {
  /** The number of records. */
  readonly count: number;
  readonly #records: Uint8Array;
  readonly #texts: Uint8Array;
  readonly #numbers: Float64Array;
  readonly #words: Uint32Array;

  /**
   * Takes over bytes, which begin at a multiple of 8 in their buffer.
   *
   * @param bytes `count` records, and their texts.
   */
  constructor(bytes: Uint8Array<ArrayBuffer>, count: number) {
    const length = count * RECORD_BYTES;
    const { buffer, byteOffset } = bytes;
    this.count = count;
    this.#records = bytes.subarray(0, length);
    this.#texts = bytes.subarray(length);
    this.#numbers = new Float64Array(buffer, byteOffset, count * NUMBERS);
    this.#words = new Uint32Array(buffer, byteOffset, count * WORDS);
  }

  /** Adds up all records; undefined when one of them is such as no entry can have. */
  sums(): BlockSums | undefined {
    let bytes = 0;
    let occupiedBytes = 0;
    let textEnd = 0;
    for (let i = 0; i < this.count; i++) {
      const size = this.#number(i, NUMBER.size);
      const isEntry = Number.isSafeInteger(size) && size > 0 &&
        Number.isFinite(this.#number(i, NUMBER.storedAt)) &&
        Number.isFinite(this.#number(i, NUMBER.lastAccess)) &&
        Number.isFinite(this.mtimeOf(i)) &&
        Number.isFinite(this.#number(i, NUMBER.identity)) &&
        Number.isFinite(this.#number(i, NUMBER.sidecarStamp)) &&
        this.#word(i, WORD.textStart) === textEnd;
      if (!isEntry) return undefined;
      bytes += size;
      occupiedBytes += this.occupiedBytesOf(i);
      textEnd += this.#textBytes(i);
    }
    const isWhole = textEnd === this.#texts.length &&
      Number.isSafeInteger(bytes);
    return isWhole ? { count: this.count, bytes, occupiedBytes } : undefined;
  }

  /** The key of a record. */
  keyOf(i: number): string {
    return this.#digest(i, DIGEST.key);
  }

  /** A word of the key of a record. */
  keyWord(i: number, word: number): number {
    return this.#word(i, KEY_WORD + word);
  }

  /** The words of the key of a record. */
  keyWords(i: number): Uint32Array {
    const at = i * WORDS + KEY_WORD;
    return this.#words.subarray(at, at + KEY_WORDS);
  }

  /** Whether the key of a record consists of these words. */
  hasKey(i: number, words: Uint32Array): boolean {
    for (let word = 0; word < KEY_WORDS; word++) {
      if (this.keyWord(i, word) !== words[word]) return false;
    }
    return true;
  }

  /** Whether the URL of a record hashes to its key. */
  isSound(i: number): boolean {
    const start = this.#word(i, WORD.textStart);
    const end = start + this.#word(i, WORD.urlBytes);
    const url = this.#texts.subarray(start, end);
    const key = new Uint8Array(hash("sha256", url, "buffer"));
    return this.hasKey(i, new Uint32Array(key.buffer));
  }

  /** Bytes of the body of a record. */
  sizeOf(i: number): number {
    return this.#number(i, NUMBER.size);
  }

  /** The mtime of the body of a record, in milliseconds since the epoch. */
  mtimeOf(i: number): number {
    return this.#number(i, NUMBER.mtimeMs);
  }

  /** Estimated bytes on disk of the files of a record. */
  occupiedBytesOf(i: number): number {
    return inBlocks(this.sizeOf(i)) +
      inBlocks(sidecarBytesOf(this.#textBytes(i)));
  }

  /** The file states that a record states. */
  stateOf(i: number): EntryState {
    return {
      size: this.sizeOf(i),
      identity: this.#number(i, NUMBER.identity),
      mtimeMs: this.mtimeOf(i),
      sidecarStamp: this.#number(i, NUMBER.sidecarStamp),
    };
  }

  /**
   * The last use that a record states.
   *
   * @param now A later use, by a wrong clock, counts as this time (ms since the epoch).
   */
  useOf(i: number, now: number): Use {
    return {
      lastAccess: Math.min(this.#number(i, NUMBER.lastAccess), now),
      mtimeMs: this.mtimeOf(i),
      storedAt: this.#number(i, NUMBER.storedAt),
    };
  }

  /**
   * Makes an object of a record. Undefined for a record whose URL does not hash to its
   * key, or whose text is not UTF-8.
   *
   * @param now A later use, by a wrong clock, counts as this time (ms since the epoch).
   */
  unpack(i: number, now: number): Entry | undefined {
    const url = this.#text(i, 0);
    const mimetype = this.#text(i, 1);
    const filename = this.#text(i, 2);
    const key = this.keyOf(i);
    const isEntry = url !== undefined && mimetype !== undefined &&
      filename !== undefined && keyOf(url) === key;
    if (!isEntry) return undefined;
    const state = this.stateOf(i);
    const sha256 = this.#hasDigest(i)
      ? this.#digest(i, DIGEST.sha256)
      : undefined;
    return {
      key,
      url,
      mimetype: cleanMimetype(mimetype),
      filename: safeFilename(filename),
      ...(sha256 !== undefined && { sha256 }),
      ...state,
      ...this.useOf(i, now),
      isYoung: isYoung(state, now),
      seenAtMs: 0,
    };
  }

  /** Adds a record to a packer. */
  copyTo(packer: EntryPacker, i: number): void {
    const start = i * RECORD_BYTES;
    const textStart = this.#word(i, WORD.textStart);
    packer.addPacked(
      this.#records.subarray(start, start + RECORD_BYTES),
      this.#texts.subarray(textStart, textStart + this.#textBytes(i)),
    );
  }

  /** URL, type or name of a record; undefined when it is not UTF-8. */
  #text(i: number, index: 0 | 1 | 2): string | undefined {
    let start = this.#word(i, WORD.textStart);
    for (let j = 0; j < index; j++) {
      start += this.#word(i, WORD.urlBytes + j);
    }
    const end = start + this.#word(i, WORD.urlBytes + index);
    try {
      return decoder.decode(this.#texts.subarray(start, end));
    } catch {
      return undefined;
    }
  }

  #textBytes(i: number): number {
    return this.#word(i, WORD.urlBytes) + this.#word(i, WORD.typeBytes) +
      this.#word(i, WORD.nameBytes);
  }

  #hasDigest(i: number): boolean {
    const at = i * WORDS + DIGEST.sha256 / Uint32Array.BYTES_PER_ELEMENT;
    return this.#words.subarray(at, at + KEY_WORDS).some((word) => word !== 0);
  }

  #digest(i: number, at: number): string {
    const start = i * RECORD_BYTES + at;
    return this.#records.subarray(start, start + DIGEST.bytes).toHex();
  }

  #number(i: number, at: number): number {
    return this.#numbers[i * NUMBERS + at] ?? NaN;
  }

  #word(i: number, at: number): number {
    return this.#words[i * WORDS + at] ?? 0;
  }
}
