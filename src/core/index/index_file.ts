import type { CatalogSnapshot } from "../catalog/catalog_snapshot.ts";
import { KeyTable, slotsFor } from "../catalog/key_table.ts";
import { PackedBlock } from "../catalog/packed_block.ts";
import { BLOCK_ENTRIES, EntryPacker } from "../catalog/packed_entry.ts";
import type { LogPlace } from "../sharing/change_log.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { inBlocks } from "../disk/blocks.ts";
import { INDEX_NAME, NEW_INDEX_NAME } from "../disk/file_names.ts";
import { isNotFound, isTaken } from "../disk/disk_fault.ts";
import type { FileSystem } from "../disk/file_system.ts";
import {
  BLOCK_TEXT_BYTES,
  checksumOf,
  formatHeader,
  formatList,
  HEADER_BYTES,
  type ListedBlock,
  MAX_ENTRIES,
  MAX_TEXT_BYTES,
} from "./index_format.ts";
import { openIndex, type SavedIndex } from "./saved_index.ts";
import type { Pacer } from "../async/pacer.ts";

/** Entries to pack before the clock is read. */
const CHECK_EVERY = 128;

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

  /**
   * Opens the index; undefined when there is none, or it is damaged. The caller closes
   * it.
   *
   * @param onFault Called when a block can't be read later.
   */
  async open(
    onFault: (error: unknown) => void,
  ): Promise<SavedIndex | undefined> {
    let file: DiskFile;
    try {
      file = await this.#fs.open(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    this.#bytes = file.opened.size;
    let index: SavedIndex | undefined;
    try {
      return index = await openIndex(file, this.#fs.io, onFault);
    } finally {
      if (index === undefined) file.close();
    }
  }

  /**
   * Writes an index of the entries of a snapshot, taken at a place in the list of
   * changes, in place of any. The list holds the changes since.
   *
   * @param room Returns the most bytes that the index may take on disk.
   * @returns False when another process writes an index, too, or the entries are too
   * many, or the index would take too much room.
   */
  async write(
    place: LogPlace,
    snapshot: CatalogSnapshot,
    pacer: Pacer,
    room: () => number = () => Infinity,
  ): Promise<boolean> {
    if (snapshot.count > MAX_ENTRIES) return false;
    const file = await this.#createNew();
    if (file === undefined) return false;
    try {
      const bytes = await write(file, place, snapshot, pacer);
      if (bytes === undefined || inBlocks(bytes) > room()) {
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

/** Writes an index; returns its length, or undefined when it would be too long. */
async function write(
  file: DiskFile,
  place: LogPlace,
  snapshot: CatalogSnapshot,
  pacer: Pacer,
): Promise<number | undefined> {
  const packer = new EntryPacker(BLOCK_ENTRIES);
  const slots = slotsFor(snapshot.count);
  const table = new KeyTable(new Uint32Array(slots));
  const blocks: ListedBlock[] = [];
  let count = 0;
  let textBytes = 0;
  let position = HEADER_BYTES;
  const flush = async () => {
    const bytes = packer.bytes();
    const listed = listBlock(bytes, packer, table, blocks.length);
    if (listed === undefined) return false;
    await file.writeAt(bytes, position);
    position += bytes.length;
    count += packer.count;
    textBytes += packer.textBytes;
    blocks.push(listed);
    packer.clear();
    return textBytes <= MAX_TEXT_BYTES;
  };
  for (const _added of snapshot.packInto(packer)) {
    const isFull = packer.count === BLOCK_ENTRIES ||
      packer.textBytes >= BLOCK_TEXT_BYTES;
    if (isFull && !await flush()) return undefined;
    if (packer.count % CHECK_EVERY === 0 && pacer.due) await pacer.yield();
  }
  if (packer.count > 0 && !await flush()) return undefined;
  const list = formatList(blocks, table);
  await file.writeAt(list, position);
  const checksum = checksumOf(list);
  const sums = { count, blocks: blocks.length, slots, textBytes };
  await file.writeAt(formatHeader({ ...sums, checksum, place }), 0);
  return position + list.length;
}

/**
 * Describes a block for the list, and adds its keys to the table; undefined when that is
 * impossible.
 */
function listBlock(
  bytes: Uint8Array<ArrayBuffer>,
  { count, textBytes }: EntryPacker,
  table: KeyTable,
  number: number,
): ListedBlock | undefined {
  const block = new PackedBlock(bytes, count);
  const sums = block.sums();
  if (sums === undefined) return undefined;
  for (let i = 0; i < count; i++) {
    const [first, second] = [block.keyWord(i, 0), block.keyWord(i, 1)];
    const ordinal = number * BLOCK_ENTRIES + i;
    if (!table.add(first, second, ordinal)) return undefined;
  }
  return { ...sums, textBytes, checksum: checksumOf(bytes) };
}
