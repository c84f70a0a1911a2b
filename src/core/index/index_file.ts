import { createHash } from "node:crypto";
import type { LogPlace } from "../sharing/change_log.ts";
import type { Entry } from "../catalog/entry.ts";
import type { DiskFile } from "../disk/disk_file.ts";
import { type FileSystem, isNotFound, isTaken } from "../disk/file_system.ts";
import {
  areEqual,
  BLOCK_ENTRIES,
  blocksOf,
  formatBlock,
  formatHeader,
  HEADER_BYTES,
  IndexOutlines,
  MAX_ENTRIES,
  outlinesBytes,
  parseBlock,
  parseHeader,
} from "./index_format.ts";
import { INDEX_NAME, NEW_INDEX_NAME } from "../disk/file_names.ts";
import { PendingIndex } from "../catalog/pending_index.ts";
import { Pacer } from "../async/pacer.ts";

/** How much is read and hashed before the event loop may get a turn. */
const PIECE_BYTES = 1_048_576;

/** The index of a directory on disk. */
export class IndexFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #newPath: string;

  #bytes = 0;

  /** Opens nothing yet; `pathOf` tells where a file of that name lies. */
  constructor(fs: FileSystem, pathOf: (name: string) => string) {
    this.#fs = fs;
    this.#path = pathOf(INDEX_NAME);
    this.#newPath = pathOf(NEW_INDEX_NAME);
  }

  /** The bytes of the index, when it was last opened, written or removed here. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Opens the index; undefined when there is none, or one that is damaged. */
  async open(): Promise<IndexReader | undefined> {
    let file: DiskFile;
    try {
      file = await this.#fs.open(this.#path);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    this.#bytes = file.opened.size;
    let reader: IndexReader | undefined;
    try {
      return reader = await openReader(file);
    } finally {
      if (reader === undefined) file.close();
    }
  }

  /**
   * Puts an index in place of any: of these entries, the most recent first, as
   * they were at that place in the list of changes. What has changed meanwhile
   * stands in the list behind it. False when another process is at it, too.
   */
  async write(
    place: LogPlace,
    entries: readonly Entry[],
    pacer: Pacer,
  ): Promise<boolean> {
    if (entries.length > MAX_ENTRIES) return false;
    const file = await this.#claim();
    if (file === undefined) return false;
    try {
      const bytes = await write(file, place, entries, pacer);
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

  /** Removes one that a process was writing when it was killed. */
  async removeUnfinished(): Promise<void> {
    if (await this.#fs.facts(this.#newPath) === undefined) return;
    const file = await this.#claim();
    if (file === undefined) return;
    try {
      await this.#fs.remove(this.#newPath);
    } finally {
      file.close();
    }
  }

  /** A new file that nobody else writes, or undefined. */
  async #claim(): Promise<DiskFile | undefined> {
    let file: DiskFile;
    try {
      file = await this.#fs.create(this.#newPath);
    } catch (error) {
      if (!isTaken(error)) throw error;
      try {
        file = await this.#fs.openToWrite(this.#newPath);
      } catch (error) {
        // Another process has just given it its final name, or removed it.
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    try {
      if (file.tryLock()) {
        // Its writer may have given it its final name just now.
        const [named, ours] = [
          await this.#fs.facts(this.#newPath),
          await file.facts(),
        ];
        // Nor may it be another file by a second name, which is not ours to cut.
        if (named?.inode === ours.inode && ours.names === 1) {
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

/** An index that is open, of which all but the records was read. */
export class IndexReader {
  /** Where the list of changes ended when it was true. */
  readonly place: LogPlace;
  /**
   * When it was opened, in milliseconds since the epoch. One time for all, so that
   * those that were used in the future, by a wrong clock, are equally recent.
   */
  readonly openedAt: number = Date.now();
  /** How many blocks of records there are. */
  readonly blocks: number;
  /** What it counts. */
  readonly pending: PendingIndex;
  readonly #file: DiskFile;
  readonly #outlines: IndexOutlines;
  #position: number;

  /** Takes over an open file. */
  constructor(
    file: DiskFile,
    place: LogPlace,
    outlines: IndexOutlines,
    pending: PendingIndex,
  ) {
    this.#file = file;
    this.place = place;
    this.#outlines = outlines;
    this.pending = pending;
    this.blocks = outlines.lengths.length;
    this.#position = HEADER_BYTES + outlines.bytes.length;
  }

  /** The place of a block's first entry among all. */
  ordinalOf(block: number): number {
    return block * BLOCK_ENTRIES;
  }

  /** The entries of the next block; undefined when it is damaged. */
  async read(block: number): Promise<Entry[] | undefined> {
    const bytes = new Uint8Array(this.#outlines.lengths[block] ?? 0);
    const isWhole = await fill(bytes, this.#file, this.#position, new Pacer());
    if (!isWhole || !this.#outlines.fits(block, bytes)) return undefined;
    this.#position += bytes.length;
    const entries = parseBlock(bytes, this.openedAt);
    const isTrue = entries && this.#outlines.match(block, entries);
    return isTrue ? entries : undefined;
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

async function openReader(file: DiskFile): Promise<IndexReader | undefined> {
  const pacer = new Pacer();
  const head = new Uint8Array(HEADER_BYTES);
  if (!await fill(head, file, 0, pacer)) return undefined;
  const header = parseHeader(head);
  if (header === undefined) return undefined;
  const { count, place, digest } = header;
  if (file.opened.size < HEADER_BYTES + outlinesBytes(count)) return undefined;
  const outlines = new IndexOutlines(count);
  const isWhole = await fill(outlines.bytes, file, HEADER_BYTES, pacer);
  if (!isWhole || !areEqual(await digestOf(outlines.bytes, pacer), digest)) {
    return undefined;
  }
  const length = HEADER_BYTES + outlines.bytes.length + outlines.blocksBytes;
  if (length !== file.opened.size) return undefined;
  const pending = await PendingIndex.of(outlines);
  return pending && new IndexReader(file, place, outlines, pending);
}

/** Writes an index; returns its length. */
async function write(
  file: DiskFile,
  place: LogPlace,
  entries: readonly Entry[],
  pacer: Pacer,
): Promise<number> {
  const outlines = new IndexOutlines(entries.length);
  const { bytes } = outlines;
  let position = HEADER_BYTES + bytes.length;
  for (let block = 0; block < blocksOf(entries.length); block++) {
    if (pacer.due) await pacer.yield();
    const start = block * BLOCK_ENTRIES;
    const some = entries.slice(start, start + BLOCK_ENTRIES);
    const text = formatBlock(some);
    outlines.note(block, some, text);
    await file.writeAt(text, position);
    position += text.length;
  }
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    if (pacer.due) await pacer.yield();
    const piece = bytes.subarray(start, start + PIECE_BYTES);
    await file.writeAt(piece, HEADER_BYTES + start);
  }
  const digest = await digestOf(bytes, pacer);
  const count = entries.length;
  await file.writeAt(formatHeader({ count, place, digest }), 0);
  return position;
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

async function digestOf(bytes: Uint8Array, pacer: Pacer): Promise<Uint8Array> {
  const digest = createHash("sha256");
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    if (pacer.due) await pacer.yield();
    digest.update(bytes.subarray(start, start + PIECE_BYTES));
  }
  return digest.digest();
}
