/*
 * `.media-cache.index` lies beside the entries of a directory that has many. It
 * says what the sidecars and the times of the bodies said when it was written, so
 * that opening need not read them all. Numbers are little-endian.
 *
 *   header   64 bytes: checksum of the rest of it, a magic number, the version, how
 *            many entries and blocks there are, bytes of all texts and of all bodies,
 *            the place in the list of changes (see change_log.ts) at which all of it
 *            was true
 *   blocks   the least recently used entries first. Each has a head of 16 bytes, its
 *            records and their texts (see packed_entry.ts). The head says: checksum
 *            of the rest of the block, how many entries it has, bytes of its texts
 *
 * Every byte is covered by a checksum (CRC-32, which takes 1 ms for 25 MB), so that
 * an index that is cut, flipped or of another version is noticed, and the sidecars are
 * read instead. Whoever can write here can make checksums, too: so a record is held to
 * the same rules as a sidecar, and numbers that would cost memory or time to what
 * this file can hold. What is true of an entry stands in its own files only: the
 * index may be deleted at any time.
 */
import { crc32 } from "node:zlib";
import type { LogPlace } from "../sharing/change_log.ts";
import {
  type EntryPacker,
  MAX_TEXT_BYTES,
  RECORD_BYTES,
} from "../catalog/packed_entry.ts";

/** Bytes of the header. */
export const HEADER_BYTES = 64;

/** Bytes of the head of a block. */
export const BLOCK_HEAD_BYTES = 16;

/** The most entries of a block: it takes less than a millisecond to read. */
export const BLOCK_ENTRIES = 1_024;

/** A block that has so many bytes of texts gets no more entries. */
export const BLOCK_TEXT_BYTES = 262_144;

/** The most entries that an index has; their records take 0.5 GiB. */
export const MAX_ENTRIES = 4_194_304;

const MAGIC = 0x78_64_69_6d; // "midx"
/** 1 and 2 had blocks of JSON behind outlines of all entries. */
const VERSION = 3;
const ID_LENGTH = 16;

/** Where things stand in the header. */
const AT = {
  magic: 4,
  version: 8,
  count: 12,
  blocks: 16,
  textBytes: 24,
  bodyBytes: 32,
  position: 40,
  id: 48,
};

/** The positions of the fields in the head of a block. */
const BLOCK_AT = { count: 4, textBytes: 8 };

/** The header of an index. */
export interface IndexHeader {
  /** The number of entries. */
  readonly count: number;
  /** How many blocks hold them. */
  readonly blocks: number;
  /** Bytes of their URLs, types and names. */
  readonly textBytes: number;
  /** Bytes of their bodies. */
  readonly bodyBytes: number;
  /** Where the list of changes ended when that was true. */
  readonly place: LogPlace;
}

/** The bytes of a header. */
export function formatHeader(header: IndexHeader): Uint8Array {
  const { count, blocks, textBytes, bodyBytes, place } = header;
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(AT.magic, MAGIC, true);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.count, count, true);
  view.setUint32(AT.blocks, blocks, true);
  view.setFloat64(AT.textBytes, textBytes, true);
  view.setFloat64(AT.bodyBytes, bodyBytes, true);
  view.setFloat64(AT.position, place.position, true);
  const id = bytes.subarray(AT.id, AT.id + ID_LENGTH);
  new TextEncoder().encodeInto(place.id, id);
  view.setUint32(0, crc32(bytes.subarray(AT.magic)), true);
  return bytes;
}

/** Reads a header; undefined when it is none of ours. */
export function parseHeader(bytes: Uint8Array): IndexHeader | undefined {
  if (bytes.length !== HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(AT.count, true);
  const blocks = view.getUint32(AT.blocks, true);
  const textBytes = view.getFloat64(AT.textBytes, true);
  const isOurs = view.getUint32(AT.magic, true) === MAGIC &&
    view.getUint32(AT.version, true) === VERSION &&
    view.getUint32(0, true) === crc32(bytes.subarray(AT.magic)) &&
    count <= MAX_ENTRIES && blocks <= count &&
    Number.isSafeInteger(textBytes) && textBytes >= 0 &&
    textBytes <= MAX_TEXT_BYTES;
  if (!isOurs) return undefined;
  const id = String.fromCharCode(
    ...bytes.subarray(AT.id, AT.id + ID_LENGTH),
  );
  const position = view.getFloat64(AT.position, true);
  const bodyBytes = view.getFloat64(AT.bodyBytes, true);
  return { count, blocks, textBytes, bodyBytes, place: { id, position } };
}

/** The bytes of a whole index. */
export function lengthOf({ count, blocks, textBytes }: IndexHeader): number {
  return HEADER_BYTES + blocks * BLOCK_HEAD_BYTES + count * RECORD_BYTES +
    textBytes;
}

/** The bytes of a block, of the entries that a packer has. */
export function formatBlock(packer: EntryPacker): Uint8Array {
  const { count, records, texts } = packer;
  const textStart = BLOCK_HEAD_BYTES + records.length;
  const bytes = new Uint8Array(textStart + texts.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(BLOCK_AT.count, count, true);
  view.setUint32(BLOCK_AT.textBytes, texts.length, true);
  bytes.set(records, BLOCK_HEAD_BYTES);
  bytes.set(texts, textStart);
  view.setUint32(0, crc32(bytes.subarray(BLOCK_AT.count)), true);
  return bytes;
}

/** Reads the head of a block, whose bytes are yet to be seen to fit it. */
export function parseBlockHead(
  bytes: Uint8Array,
): { count: number; textBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(BLOCK_AT.count, true);
  const textBytes = view.getUint32(BLOCK_AT.textBytes, true);
  return { count, textBytes };
}

/** Whether these are the records and texts of a block with that head. */
export function isBlock(
  head: Uint8Array,
  records: Uint8Array,
  texts: Uint8Array,
): boolean {
  const view = new DataView(head.buffer, head.byteOffset);
  const checksum = crc32(head.subarray(BLOCK_AT.count));
  return view.getUint32(0, true) === crc32(texts, crc32(records, checksum));
}
