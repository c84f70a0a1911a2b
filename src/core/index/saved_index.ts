import { Pacer } from "../async/pacer.ts";
import { PackedBlock } from "../catalog/packed_block.ts";
import { PackedEntries } from "../catalog/packed_entries.ts";
import { RECORD_BYTES } from "../catalog/packed_entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import type { IoMode } from "../disk/io_mode.ts";
import type { LogPlace } from "../sharing/change_log.ts";
import {
  checksumOf,
  HEADER_BYTES,
  type ListedBlock,
  listLength,
  listStart,
  parseHeader,
  parseList,
} from "./index_format.ts";

/**
 * Bytes to read before the event loop may get a turn: to write to fresh memory takes 16 µs
 * a page of 4 KiB (measured).
 */
const PIECE_BYTES = 262_144;

/** An index on disk. */
export interface SavedIndex {
  /** The place in the list of changes up to which its changes are in. */
  readonly place: LogPlace;
  /** The entries. */
  readonly entries: PackedEntries;
  /** Closes the file, which is open until all blocks are in memory. Idempotent. */
  close(): void;
}

/**
 * Opens an index; undefined when it is damaged, or of another version.
 *
 * @param file The caller closes the file unless the result has it.
 * @param io On a slow disk all blocks are read now: later that would hold the event loop.
 * @param onFault Called when a block can't be read later.
 */
export async function openIndex(
  file: DiskFile,
  io: IoMode,
  onFault: (error: unknown) => void,
): Promise<SavedIndex | undefined> {
  const pacer = new Pacer();
  const headerBytes = new Uint8Array(HEADER_BYTES);
  if (!await fill(headerBytes, file, 0, pacer)) return undefined;
  const header = parseHeader(headerBytes);
  if (header === undefined) return undefined;
  const [start, length] = [listStart(header), listLength(header)];
  if (start + length !== file.opened.size) return undefined;
  const listBytes = new Uint8Array(length);
  if (!await fill(listBytes, file, start, pacer)) return undefined;
  const list = parseList(listBytes, header);
  if (list === undefined) return undefined;
  const reader = new BlockReader(file, list.blocks, onFault);
  if (io.isSlow) await reader.readAll(pacer);
  const load = (number: number) => reader.read(number);
  const entries = new PackedEntries({ ...list, load });
  return { place: header.place, entries, close: () => reader.close() };
}

/** Reads the blocks of an index, each once, and then closes the file. */
class BlockReader {
  readonly #file: DiskFile;
  readonly #blocks: readonly ListedBlock[];
  readonly #onFault: (error: unknown) => void;
  /** The positions of the blocks. */
  readonly #starts: number[] = [];
  /** Bytes of blocks that were read before they were needed. */
  readonly #ahead = new Map<number, Uint8Array<ArrayBuffer>>();
  /** The number of blocks that nobody has needed yet. */
  #unread: number;
  #isClosed = false;

  constructor(
    file: DiskFile,
    blocks: readonly ListedBlock[],
    onFault: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#blocks = blocks;
    this.#onFault = onFault;
    this.#unread = blocks.length;
    let start = HEADER_BYTES;
    for (const block of blocks) {
      this.#starts.push(start);
      start += lengthOf(block);
    }
    if (blocks.length === 0) this.close();
  }

  /** Reads all blocks ahead, without holding the event loop, and closes the file. */
  async readAll(pacer: Pacer): Promise<void> {
    for (const [number, block] of this.#blocks.entries()) {
      const bytes = new Uint8Array(lengthOf(block));
      const start = this.#starts[number] ?? NaN;
      if (!await fill(bytes, this.#file, start, pacer)) break;
      this.#ahead.set(number, bytes);
    }
    this.close();
  }

  /** Reads a block; undefined when that fails, or the block is damaged. */
  read(number: number): PackedBlock | undefined {
    const block = this.#blocks[number];
    if (block === undefined) return undefined;
    const bytes = this.#ahead.get(number) ?? this.#readNow(number, block);
    this.#ahead.delete(number);
    if (--this.#unread === 0) this.close();
    if (bytes === undefined || checksumOf(bytes) !== block.checksum) {
      return undefined;
    }
    return new PackedBlock(bytes, block.count);
  }

  close(): void {
    this.#isClosed = true;
    this.#file.close();
  }

  #readNow(
    number: number,
    block: ListedBlock,
  ): Uint8Array<ArrayBuffer> | undefined {
    if (this.#isClosed) return undefined;
    const bytes = new Uint8Array(lengthOf(block));
    const start = this.#starts[number] ?? NaN;
    try {
      for (let done = 0; done < bytes.length;) {
        const room = bytes.subarray(done);
        const count = this.#file.readAtSync(room, start + done);
        if (count === 0) return undefined;
        done += count;
      }
      return bytes;
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }
}

function lengthOf({ count, textBytes }: ListedBlock): number {
  return count * RECORD_BYTES + textBytes;
}

/** Reads until `bytes` are full; false when the file ends before that. */
async function fill(
  bytes: Uint8Array,
  file: DiskFile,
  position: number,
  pacer: Pacer,
): Promise<boolean> {
  for (let done = 0; done < bytes.length;) {
    if (pacer.due) await pacer.yield();
    const piece = bytes.subarray(done, done + PIECE_BYTES);
    const count = await file.readAt(piece, position + done);
    if (count === 0) return false;
    done += count;
  }
  return true;
}
