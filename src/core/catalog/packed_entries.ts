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

/**
 * The most slots that a key may find taken. Digests do not crowd so: of four million
 * keys the longest search took 50 tries (measured, with half of the slots free).
 */
const MAX_TRIES = 1024;

// A byte order mark is a character of the URL: without it the key would not fit.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether an entry can have that size. */
function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/**
 * The entries of an index on disk, least recently used first. An entry becomes an
 * object when it is asked for, and leaves when it is used, replaced or deleted; its
 * record keeps its ordinal and its bytes, for snapshots.
 */
export class PackedEntries {
  /**
   * When the index was read, in milliseconds since the epoch. Future uses, by a wrong
   * clock, all count as this time.
   */
  readonly readAt: number;
  /** The bytes of all records; the caller fills them before `add()`. */
  readonly records: Uint8Array<ArrayBuffer>;
  /** The bytes of all texts; the caller fills them before `add()`. */
  readonly texts: Uint8Array<ArrayBuffer>;
  readonly #numbers: Float64Array;
  readonly #words: Uint32Array;
  /** Open addressing by the first word of a key: ordinal + 1, or 0 in a free slot. */
  readonly #slots: Uint32Array;
  /** 1 for each record whose entry has left. */
  readonly #gone: Uint8Array;
  readonly #unpacked = new Map<number, Entry>();
  #added = 0;
  #textEnd = 0;
  /** No entry before this ordinal is left. */
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  #occupiedBytes = 0;

  /** Makes room for `count` records and `textBytes` bytes of texts. */
  constructor(count: number, textBytes: number, readAt: number = Date.now()) {
    this.readAt = readAt;
    this.records = new Uint8Array(count * RECORD_BYTES);
    this.texts = new Uint8Array(textBytes);
    this.#numbers = new Float64Array(this.records.buffer);
    this.#words = new Uint32Array(this.records.buffer);
    this.#gone = new Uint8Array(count);
    this.#slots = new Uint32Array(2 ** (Math.ceil(Math.log2(count + 1)) + 1));
  }

  /** How many entries are left. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of their bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Estimated bytes on disk of their files. */
  get occupiedBytes(): number {
    return this.#occupiedBytes;
  }

  /**
   * Adds the entries of the next records, whose bytes and texts are filled in.
   *
   * @returns False for a record that no entry can have; then all records are unusable.
   */
  add(count: number): boolean {
    for (const end = this.#added + count; this.#added < end; this.#added++) {
      if (!this.#add(this.#added)) return false;
    }
    return true;
  }

  /** Whether an entry of that key is left. */
  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  /** The entry of a key, the same object each time; undefined when there is none. */
  peek(key: string): Entry | undefined {
    const ordinal = this.#find(key);
    return ordinal === undefined ? undefined : this.#entry(ordinal);
  }

  /** The file states of the entry of a key, as of when the index was written. */
  stateOf(key: string): EntryState | undefined {
    const ordinal = this.#find(key);
    if (ordinal === undefined) return undefined;
    if (!this.#isSound(ordinal)) {
      this.#drop(ordinal);
      return undefined;
    }
    return {
      size: this.#number(ordinal, NUMBER.size),
      identity: this.#number(ordinal, NUMBER.identity),
      mtimeMs: this.#number(ordinal, NUMBER.mtimeMs),
      sidecarStamp: this.#number(ordinal, NUMBER.sidecarStamp),
    };
  }

  /** Removes the entry of a key; false when there is none. */
  drop(key: string): boolean {
    const ordinal = this.#find(key);
    if (ordinal !== undefined) this.#drop(ordinal);
    return ordinal !== undefined;
  }

  /** The keys, least recently used first; entries may leave during the iteration. */
  *keys(): Generator<string> {
    for (let ordinal = this.#oldest; ordinal < this.#added; ordinal++) {
      if (this.#gone[ordinal] === 0) yield this.#digest(ordinal, DIGEST.key);
    }
  }

  /** The entries, least recently used first. */
  *oldestFirst(): Generator<Entry> {
    for (let ordinal = this.#oldest; ordinal < this.#added; ordinal++) {
      if (this.#gone[ordinal] !== 0) continue;
      const entry = this.#entry(ordinal);
      if (entry !== undefined) yield entry;
    }
  }

  /** The latest mtime of a body up to `now`; 0 without entries. */
  latestMtime(now: number): number {
    let latest = 0;
    for (let ordinal = this.#oldest; ordinal < this.#added; ordinal++) {
      const mtimeMs = this.#number(ordinal, NUMBER.mtimeMs);
      const counts = mtimeMs > latest && mtimeMs <= now;
      if (counts && this.#gone[ordinal] === 0) latest = mtimeMs;
    }
    return latest;
  }

  /** The entries whose bodies have a later mtime, least recently used first. */
  datedAfter(timeMs: number): Entry[] {
    const entries: Entry[] = [];
    for (let ordinal = this.#oldest; ordinal < this.#added; ordinal++) {
      const isLater = this.#number(ordinal, NUMBER.mtimeMs) > timeMs;
      if (!isLater || this.#gone[ordinal] !== 0) continue;
      const entry = this.#entry(ordinal);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** A copy of the marks of the records: 1 for each whose entry has left. */
  gone(): Uint8Array {
    return this.#gone.slice(0, this.#added);
  }

  /** The last use that a record states, also after its entry has left. */
  useOf(ordinal: number): Use {
    const lastAccess = this.#number(ordinal, NUMBER.lastAccess);
    return {
      lastAccess: Math.min(lastAccess, this.readAt),
      mtimeMs: this.#number(ordinal, NUMBER.mtimeMs),
      storedAt: this.#number(ordinal, NUMBER.storedAt),
    };
  }

  /**
   * Makes a new object of a record, also after its entry has left. Undefined for a
   * record whose URL does not hash to its key, or whose text is not UTF-8.
   */
  unpack(ordinal: number): Entry | undefined {
    const url = this.#text(ordinal, 0);
    const mimetype = this.#text(ordinal, 1);
    const filename = this.#text(ordinal, 2);
    const key = this.#digest(ordinal, DIGEST.key);
    const isEntry = url !== undefined && mimetype !== undefined &&
      filename !== undefined && keyOf(url) === key;
    if (!isEntry) return undefined;
    const identity = this.#number(ordinal, NUMBER.identity);
    const { lastAccess, mtimeMs, storedAt } = this.useOf(ordinal);
    const sha256 = this.#hasDigest(ordinal)
      ? this.#digest(ordinal, DIGEST.sha256)
      : undefined;
    return {
      key,
      url,
      mimetype: cleanMimetype(mimetype),
      filename: safeFilename(filename),
      size: this.#number(ordinal, NUMBER.size),
      storedAt,
      ...(sha256 !== undefined && { sha256 }),
      identity,
      sidecarStamp: this.#number(ordinal, NUMBER.sidecarStamp),
      lastAccess,
      mtimeMs,
      isYoung: isYoung({ identity, mtimeMs }, this.readAt),
      seenAtMs: 0,
    };
  }

  /** Adds a record to a packer, also after its entry has left. */
  copyTo(packer: EntryPacker, ordinal: number): void {
    const start = ordinal * RECORD_BYTES;
    packer.addPacked(
      this.records.subarray(start, start + RECORD_BYTES),
      this.#textOf(ordinal),
    );
  }

  #entry(ordinal: number): Entry | undefined {
    const known = this.#unpacked.get(ordinal);
    if (known !== undefined) return known;
    const entry = this.unpack(ordinal);
    if (entry === undefined) this.#drop(ordinal);
    else this.#unpacked.set(ordinal, entry);
    return entry;
  }

  #add(ordinal: number): boolean {
    const size = this.#number(ordinal, NUMBER.size);
    const textStart = this.#word(ordinal, WORD.textStart);
    const textBytes = this.#textBytes(ordinal);
    const isEntry = isSize(size) && isSize(this.#bytes + size) &&
      Number.isFinite(this.#number(ordinal, NUMBER.storedAt)) &&
      Number.isFinite(this.#number(ordinal, NUMBER.lastAccess)) &&
      Number.isFinite(this.#number(ordinal, NUMBER.mtimeMs)) &&
      Number.isFinite(this.#number(ordinal, NUMBER.identity)) &&
      Number.isFinite(this.#number(ordinal, NUMBER.sidecarStamp)) &&
      textStart === this.#textEnd &&
      textStart + textBytes <= this.texts.length;
    if (!isEntry) return false;
    const mask = this.#slots.length - 1;
    let slot = this.#word(ordinal, KEY_WORD) & mask;
    for (let tries = 0; this.#slots[slot] !== 0; tries++) {
      if (tries === MAX_TRIES) return false;
      if (this.#areAlike((this.#slots[slot] ?? 0) - 1, ordinal)) return false;
      slot = slot + 1 & mask;
    }
    this.#slots[slot] = ordinal + 1;
    this.#textEnd += textBytes;
    this.#count++;
    this.#bytes += size;
    this.#occupiedBytes += this.#occupiedBytesOf(ordinal);
    return true;
  }

  #find(key: string): number | undefined {
    const words = new Uint32Array(Uint8Array.fromHex(key).buffer);
    const mask = this.#slots.length - 1;
    for (let slot = (words[0] ?? 0) & mask;; slot = slot + 1 & mask) {
      const ordinal = (this.#slots[slot] ?? 0) - 1;
      if (ordinal < 0) return undefined;
      if (!this.#hasKey(ordinal, words)) continue;
      return this.#gone[ordinal] === 0 ? ordinal : undefined;
    }
  }

  #drop(ordinal: number): void {
    this.#gone[ordinal] = 1;
    this.#unpacked.delete(ordinal);
    this.#count--;
    this.#bytes -= this.#number(ordinal, NUMBER.size);
    this.#occupiedBytes -= this.#occupiedBytesOf(ordinal);
    while (this.#gone[this.#oldest] === 1) this.#oldest++;
  }

  /** Whether the URL of a record hashes to its key. */
  #isSound(ordinal: number): boolean {
    const start = this.#word(ordinal, WORD.textStart);
    const url = this.texts.subarray(
      start,
      start + this.#word(ordinal, WORD.urlBytes),
    );
    const key = new Uint8Array(hash("sha256", url, "buffer"));
    return this.#hasKey(ordinal, new Uint32Array(key.buffer));
  }

  #hasKey(ordinal: number, words: Uint32Array): boolean {
    const at = ordinal * WORDS + KEY_WORD;
    for (let i = 0; i < KEY_WORDS; i++) {
      if (this.#words[at + i] !== words[i]) return false;
    }
    return true;
  }

  #areAlike(a: number, b: number): boolean {
    const at = b * WORDS + KEY_WORD;
    return this.#hasKey(a, this.#words.subarray(at, at + KEY_WORDS));
  }

  #occupiedBytesOf(ordinal: number): number {
    return inBlocks(this.#number(ordinal, NUMBER.size)) +
      inBlocks(sidecarBytesOf(this.#textBytes(ordinal)));
  }

  #textBytes(ordinal: number): number {
    return this.#word(ordinal, WORD.urlBytes) +
      this.#word(ordinal, WORD.typeBytes) +
      this.#word(ordinal, WORD.nameBytes);
  }

  #textOf(ordinal: number): Uint8Array {
    const start = this.#word(ordinal, WORD.textStart);
    return this.texts.subarray(start, start + this.#textBytes(ordinal));
  }

  /** URL, type or name of a record; undefined when it is not UTF-8. */
  #text(ordinal: number, index: 0 | 1 | 2): string | undefined {
    let start = this.#word(ordinal, WORD.textStart);
    for (let i = 0; i < index; i++) {
      start += this.#word(ordinal, WORD.urlBytes + i);
    }
    const end = start + this.#word(ordinal, WORD.urlBytes + index);
    try {
      return decoder.decode(this.texts.subarray(start, end));
    } catch {
      return undefined;
    }
  }

  #hasDigest(ordinal: number): boolean {
    const at = ordinal * WORDS +
      DIGEST.sha256 / Uint32Array.BYTES_PER_ELEMENT;
    return this.#words.subarray(at, at + KEY_WORDS).some((word) => word !== 0);
  }

  #digest(ordinal: number, at: number): string {
    const start = ordinal * RECORD_BYTES + at;
    return this.records.subarray(start, start + DIGEST.bytes).toHex();
  }

  #number(ordinal: number, at: number): number {
    return this.#numbers[ordinal * NUMBERS + at] ?? NaN;
  }

  #word(ordinal: number, at: number): number {
    return this.#words[ordinal * WORDS + at] ?? 0;
  }
}
