import type { CatalogSnapshot } from "../catalog/catalog_snapshot.ts";
import { PackedEntries } from "../catalog/packed_entries.ts";
import { EntryPacker, RECORD_BYTES } from "../catalog/packed_entry.ts";
import type { LogPlace } from "../sharing/change_log.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { INDEX_NAME, NEW_INDEX_NAME } from "../disk/file_names.ts";
import { isNotFound, isTaken } from "../disk/disk_fault.ts";
import type { FileSystem } from "../disk/file_system.ts";
import {
  BLOCK_ENTRIES,
  BLOCK_HEAD_BYTES,
  BLOCK_TEXT_BYTES,
  formatBlock,
  formatHeader,
  HEADER_BYTES,
  isBlock,
  lengthOf,
  MAX_ENTRIES,
  parseBlockHead,
  parseHeader,
} from "./index_format.ts";
import { Pacer } from "../async/pacer.ts";

/** Bytes to read before the event loop may get a turn. */
const PIECE_BYTES = 1_048_576;

/** Entries to pack before the clock is read. */
const CHECK_EVERY = 128;

/** The content of an index. */
export interface SavedIndex {
  /** The end of the list of changes when the index was written. */
  readonly place: LogPlace;
  /** The entries. */
  readonly entries: PackedEntries;
}

/** The index of a directory on disk. */
export class IndexFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #newPath: string;

  #bytes = 0;

  /** `pathOf` makes the path of a file in the directory. */
  constructor(fs: FileSystem, pathOf: (name: string) => string) {
    this.#fs = fs;
    this.#path = pathOf(INDEX_NAME);
    this.#newPath = pathOf(NEW_INDEX_NAME);
  }

  /** The bytes of the index when it was last read, written or removed here. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the index; undefined when there is none, or it is damaged. */
  async read(): Promise<SavedIndex | undefined> {
    let file: DiskFile;
    try {
      file = await this.#fs.open(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    this.#bytes = file.opened.size;
    try {
      return await read(file);
    } finally {
      file.close();
    }
  }

  /**
   * Writes an index of the entries of a snapshot, taken at a place in the list of
   * changes, in place of any. The list holds the changes since. False when another
   * process writes an index, too, or the entries are too many.
   */
  async write(
    place: LogPlace,
    snapshot: CatalogSnapshot,
    pacer: Pacer,
  ): Promise<boolean> {
    if (snapshot.count > MAX_ENTRIES) return false;
    const file = await this.#createNew();
    if (file === undefined) return false;
    try {
      const bytes = await write(file, place, snapshot, pacer);
      if (bytes === undefined) {
        await this.#fs.remove(this.#newPath);
        return false;
      }
      await this.#fs.rename(this.#newPath, this.#path);
      this.#bytes = bytes;
      return true;
    } catch (error) {
      await this.#fs.remove(this.#newPath).catch(() => {});
      throw error;
    } finally {
      file.close();
    }
  }

  /** Removes the index, if there is one. */
  async remove(): Promise<void> {
    await this.#fs.remove(this.#path);
    this.#bytes = 0;
    await this.removeUnfinished();
  }

  /** Removes the unfinished index of a killed process. */
  async removeUnfinished(): Promise<void> {
    if (await this.#fs.facts(this.#newPath) === undefined) return;
    const file = await this.#createNew();
    if (file === undefined) return;
    try {
      await this.#fs.remove(this.#newPath);
    } finally {
      file.close();
    }
  }

  /** Makes the file of the next index; undefined when another process writes it. */
  async #createNew(): Promise<DiskFile | undefined> {
    let file: DiskFile;
    try {
      file = await this.#fs.create(this.#newPath);
    } catch (error) {
      if (!isTaken(error)) throw error;
      try {
        file = await this.#fs.openToWrite(this.#newPath);
      } catch (error) {
        // The other process has just renamed or removed the file.
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    try {
      if (file.tryLock()) {
        // The writer may have renamed the file just now.
        const [named, ours] = [
          await this.#fs.facts(this.#newPath),
          await file.facts(),
        ];
        // A file with a second name is not the cache's, and must not be cut.
        if (named?.identity === ours.identity && ours.names === 1) {
          if (ours.size > 0) await file.truncate(0);
          return file;
        }
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }
}

/** Reads an index; undefined when it is damaged, or of another format. */
async function read(file: DiskFile): Promise<SavedIndex | undefined> {
  const pacer = new Pacer();
  const head = new Uint8Array(HEADER_BYTES);
  if (!await fill(head, file, 0)) return undefined;
  const header = parseHeader(head);
  if (header === undefined || lengthOf(header) !== file.opened.size) {
    return undefined;
  }
  const { count, blocks, textBytes, bodyBytes, place } = header;
  const entries = new PackedEntries(count, textBytes);
  let position = HEADER_BYTES;
  let recordEnd = 0;
  let textEnd = 0;
  for (let i = 0; i < blocks; i++) {
    if (pacer.due) await pacer.yield();
    const head = new Uint8Array(BLOCK_HEAD_BYTES);
    if (!await fill(head, file, position)) return undefined;
    const block = parseBlockHead(head);
    const recordStart = recordEnd;
    const textStart = textEnd;
    recordEnd += block.count * RECORD_BYTES;
    textEnd += block.textBytes;
    if (recordEnd > entries.records.length || textEnd > textBytes) {
      return undefined;
    }
    position += BLOCK_HEAD_BYTES;
    const records = entries.records.subarray(recordStart, recordEnd);
    const texts = entries.texts.subarray(textStart, textEnd);
    const isWhole = await fill(records, file, position, pacer) &&
      await fill(texts, file, position + records.length, pacer) &&
      isBlock(head, records, texts) && entries.add(block.count);
    if (!isWhole) return undefined;
    position += records.length + texts.length;
  }
  const isAll = entries.count === count && entries.bytes === bodyBytes;
  return isAll ? { place, entries } : undefined;
}

/** Writes an index; returns its length, or undefined when it would be too long. */
async function write(
  file: DiskFile,
  place: LogPlace,
  snapshot: CatalogSnapshot,
  pacer: Pacer,
): Promise<number | undefined> {
  const packer = new EntryPacker(BLOCK_ENTRIES);
  const sum = { count: 0, blocks: 0, textBytes: 0, bodyBytes: 0 };
  let position = HEADER_BYTES;
  const flush = async () => {
    if (packer.count === 0) return;
    const block = formatBlock(packer);
    await file.writeAt(block, position);
    position += block.length;
    sum.count += packer.count;
    sum.blocks++;
    sum.textBytes += packer.textBytes;
    sum.bodyBytes += packer.bodyBytes;
    packer.clear();
  };
  for (const _added of snapshot.packInto(packer)) {
    const isFull = packer.count === BLOCK_ENTRIES ||
      packer.textBytes >= BLOCK_TEXT_BYTES;
    if (isFull) await flush();
    if (packer.isFull) return undefined;
    if (packer.count % CHECK_EVERY === 0 && pacer.due) await pacer.yield();
  }
  await flush();
  await file.writeAt(formatHeader({ ...sum, place }), 0);
  return position;
}

/** Reads until `bytes` are full; false when the file ends before that. */
async function fill(
  bytes: Uint8Array,
  file: DiskFile,
  position: number,
  pacer?: Pacer,
): Promise<boolean> {
  for (let done = 0; done < bytes.length;) {
    if (pacer?.due) await pacer.yield();
    const piece = bytes.subarray(done, done + PIECE_BYTES);
    const count = await file.readAt(piece, position + done);
    if (count === 0) return false;
    done += count;
  }
  return true;
}
