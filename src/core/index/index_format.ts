/*
 * `.media-cache.index` lies beside the entries of a directory that has many. The index
 * repeats the sidecars and the mtimes of the bodies as of when it was written, so that
 * opening need not read them all. Numbers are little-endian.
 *
 *   header     64 bytes: checksum of the rest of the header, a magic number, the version;
 *              the numbers of entries, blocks and slots; bytes of all texts; checksum of
 *              list and table; the place in the list of changes (change_log.ts) up to
 *              which its changes are in
 *   blocks     the least recently used entries first: records and their texts
 *              (packed_entry.ts)
 *   list       32 bytes a block: checksum of the block, the number of its records, bytes
 *              of its texts, of their bodies, and on disk of their files
 *   table      32 bits a slot: finds the record of a key (key_table.ts)
 *
 * Every byte is covered by a checksum (CRC-32, which takes 1 ms for 25 MB), so that
 * an index that is cut, flipped or of another version is noticed, and the sidecars are
 * read instead. Strangers who can write here can make checksums, too: so a record is held
 * to the same rules as a sidecar, and numbers that would cost memory or time to what this
 * file can hold. The truth about an entry stands in its own files only: the index may be
 * deleted at any time.
 *
 * Opening reads header, list and table. Each block is read when one of its entries is
 * needed, from the file that was opened: an index is replaced by rename, and its file never
 * changes. A block that is damaged or can't be read costs its own entries only, which the
 * comparison with the directory then finds.
 */
import { crc32 } from "node:zlib";
import type { LogPlace } from "../sharing/change_log.ts";
import { KeyTable, slotsFor } from "../catalog/key_table.ts";
import type { BlockSums } from "../catalog/packed_block.ts";
import { BLOCK_ENTRIES, RECORD_BYTES } from "../catalog/packed_entry.ts";
import { MAX_SIDECAR_BYTES } from "../disk/sidecar.ts";

/** Bytes of the header. */
export const HEADER_BYTES = 64;

/** Bytes of a block in the list. */
const LISTED_BYTES = 32;

/** Bytes of a slot of the table. */
const SLOT_BYTES = Uint32Array.BYTES_PER_ELEMENT;

/** A block that has so many bytes of texts gets no more entries. */
export const BLOCK_TEXT_BYTES = 262_144;

/** The most bytes of texts of a block: the last text may be as long as a sidecar. */
const MAX_BLOCK_TEXT_BYTES = BLOCK_TEXT_BYTES + MAX_SIDECAR_BYTES;

/** The most bytes of all texts: 1 GiB, twice as much as 4 million usual entries need. */
export const MAX_TEXT_BYTES = 1_073_741_824;

/** The most entries that an index has; their records take 0.5 GiB. */
export const MAX_ENTRIES = 4_194_304;

const MAGIC = 0x78_64_69_6d; // "midx"
/**
 * 1 and 2 had blocks of JSON behind outlines of all entries; 3 had neither list nor table,
 * so that all blocks had to be read.
 */
const VERSION = 4;
const ID_LENGTH = 16;

/** The positions of the fields in the header. */
const AT = {
  magic: 4,
  version: 8,
  count: 12,
  blocks: 16,
  slots: 20,
  textBytes: 24,
  checksum: 32,
  position: 40,
  id: 48,
};

/** The positions of the fields of a block in the list. */
const LISTED_AT = { count: 4, textBytes: 8, bytes: 16, occupiedBytes: 24 };

/** The header of an index. */
export interface IndexHeader {
  /** The number of entries. */
  readonly count: number;
  /** The number of blocks that hold them. */
  readonly blocks: number;
  /** The number of slots of the table. */
  readonly slots: number;
  /** Bytes of their URLs, types and names. */
  readonly textBytes: number;
  /** The checksum of list and table. */
  readonly checksum: number;
  /** The place in the list of changes up to which its changes are in. */
  readonly place: LogPlace;
}

/** A block, as the list describes it. */
export interface ListedBlock extends BlockSums {
  /** The checksum of the block. */
  readonly checksum: number;
  /** Bytes of its texts. */
  readonly textBytes: number;
}

/** The bytes of a header. */
export function formatHeader(header: IndexHeader): Uint8Array {
  const { count, blocks, slots, textBytes, checksum, place } = header;
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(AT.magic, MAGIC, true);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.count, count, true);
  view.setUint32(AT.blocks, blocks, true);
  view.setUint32(AT.slots, slots, true);
  view.setFloat64(AT.textBytes, textBytes, true);
  view.setUint32(AT.checksum, checksum, true);
  view.setFloat64(AT.position, place.position, true);
  const id = bytes.subarray(AT.id, AT.id + ID_LENGTH);
  new TextEncoder().encodeInto(place.id, id);
  view.setUint32(0, crc32(bytes.subarray(AT.magic)), true);
  return bytes;
}

/** Reads a header; undefined when it is not that of an index of this version. */
export function parseHeader(bytes: Uint8Array): IndexHeader | undefined {
  if (bytes.length !== HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(AT.count, true);
  const blocks = view.getUint32(AT.blocks, true);
  const slots = view.getUint32(AT.slots, true);
  const textBytes = view.getFloat64(AT.textBytes, true);
  const isOurs = view.getUint32(AT.magic, true) === MAGIC &&
    view.getUint32(AT.version, true) === VERSION &&
    view.getUint32(0, true) === crc32(bytes.subarray(AT.magic)) &&
    count <= MAX_ENTRIES && Number.isSafeInteger(textBytes) &&
    textBytes >= 0 && textBytes <= MAX_TEXT_BYTES &&
    blocks <= 1 + count / BLOCK_ENTRIES + textBytes / BLOCK_TEXT_BYTES &&
    slots > count && Number.isInteger(Math.log2(slots)) &&
    slots <= slotsFor(MAX_ENTRIES);
  if (!isOurs) return undefined;
  const id = String.fromCharCode(
    ...bytes.subarray(AT.id, AT.id + ID_LENGTH),
  );
  const position = view.getFloat64(AT.position, true);
  const checksum = view.getUint32(AT.checksum, true);
  return { count, blocks, slots, textBytes, checksum, place: { id, position } };
}

/** Where list and table begin. */
export function listStart({ count, textBytes }: IndexHeader): number {
  return HEADER_BYTES + count * RECORD_BYTES + textBytes;
}

/** The bytes of list and table. */
export function listLength({ blocks, slots }: IndexHeader): number {
  return blocks * LISTED_BYTES + slots * SLOT_BYTES;
}

/** The bytes of list and table. */
export function formatList(
  blocks: readonly ListedBlock[],
  { slots }: KeyTable,
): Uint8Array {
  const tableStart = blocks.length * LISTED_BYTES;
  const bytes = new Uint8Array(tableStart + slots.byteLength);
  for (const [i, block] of blocks.entries()) {
    const view = new DataView(bytes.buffer, i * LISTED_BYTES, LISTED_BYTES);
    view.setUint32(0, block.checksum, true);
    view.setUint32(LISTED_AT.count, block.count, true);
    view.setUint32(LISTED_AT.textBytes, block.textBytes, true);
    view.setFloat64(LISTED_AT.bytes, block.bytes, true);
    view.setFloat64(LISTED_AT.occupiedBytes, block.occupiedBytes, true);
  }
  bytes.set(new Uint8Array(slots.buffer), tableStart);
  return bytes;
}

/** Reads list and table; undefined when they do not fit the header. */
export function parseList(
  bytes: Uint8Array<ArrayBuffer>,
  header: IndexHeader,
): { blocks: ListedBlock[]; table: KeyTable } | undefined {
  if (checksumOf(bytes) !== header.checksum) return undefined;
  const blocks: ListedBlock[] = [];
  const sum = { count: 0, textBytes: 0, bytes: 0 };
  for (let i = 0; i < header.blocks; i++) {
    const view = new DataView(bytes.buffer, i * LISTED_BYTES, LISTED_BYTES);
    const block = {
      checksum: view.getUint32(0, true),
      count: view.getUint32(LISTED_AT.count, true),
      textBytes: view.getUint32(LISTED_AT.textBytes, true),
      bytes: view.getFloat64(LISTED_AT.bytes, true),
      occupiedBytes: view.getFloat64(LISTED_AT.occupiedBytes, true),
    };
    sum.count += block.count;
    sum.textBytes += block.textBytes;
    sum.bytes += block.bytes;
    const isBlock = block.count <= BLOCK_ENTRIES &&
      block.textBytes <= MAX_BLOCK_TEXT_BYTES && block.bytes >= 0 &&
      Number.isSafeInteger(sum.bytes) && block.occupiedBytes >= 0 &&
      Number.isSafeInteger(block.occupiedBytes);
    if (!isBlock) return undefined;
    blocks.push(block);
  }
  const isAll = sum.count === header.count &&
    sum.textBytes === header.textBytes;
  const slots = new Uint32Array(bytes.buffer, header.blocks * LISTED_BYTES);
  return isAll ? { blocks, table: new KeyTable(slots) } : undefined;
}

/** The checksum of bytes, with which an index tells damage. */
export function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes);
}
