import { BLOCK_BYTES, inBlocks } from "../disk/blocks.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Entry } from "../catalog/entry.ts";
import { datName, jsonName, pairOf } from "../disk/file_names.ts";
import type { Leftovers } from "./leftovers.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { WriteTurns } from "./write_turns.ts";

/** What removing works on. */
export interface RemovalParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** Files that are no entry. */
  readonly leftovers: Leftovers;
  /** The turns of those who change names. */
  readonly writes: WriteTurns;
}

/** How an entry is removed. */
export interface RemovalOptions {
  /** Why what the disk does not remove is no entry. */
  readonly failure: string;
  /** Asked at the last moment. */
  readonly isWanted?: () => boolean;
}

/** Removes entries, and takes back what the disk did half-way. */
export class Removal {
  readonly #parts: RemovalParts;

  /** Works on these parts. */
  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /**
   * Removes an entry, be it known or not. Under the lock of the directory.
   *
   * @returns False when there was none, or when its removal is not wanted any more.
   * @throws The file system's error; what is left is an entry still if it is whole.
   */
  async remove(
    url: string,
    key: string,
    { failure, isWanted = () => true }: RemovalOptions,
  ): Promise<boolean> {
    const { writes, files, store, catalog } = this.#parts;
    await writes.announceRemoval(key);
    await files.rescue(store.datPath(key));
    if (!isWanted()) return false;
    const end = catalog.keyChanges.begin(key);
    const known = catalog.peek(url);
    catalog.forget(url);
    try {
      return await store.remove(key);
    } catch (error) {
      await this.restoreAfterFailure(key, known, failure);
      throw error;
    } finally {
      end();
    }
  }

  /**
   * The disk has failed while the pair of a key was being replaced or removed: the
   * old one may still be there, and then is an entry as before, or half of it.
   *
   * @param reason Why what is left is no entry.
   */
  async restoreAfterFailure(
    key: string,
    old: Entry | undefined,
    reason: string,
  ): Promise<void> {
    const { store, catalog, leftovers } = this.#parts;
    let bytes = old?.size;
    try {
      const facts = await store.facts(datName(key));
      const isOld = facts !== undefined && facts.inode === old?.inode;
      if (isOld && await store.exists(jsonName(key))) {
        return catalog.insert(old);
      }
      bytes = facts?.size;
    } catch {
      // A lookup will tell, when the disk does.
    }
    if (bytes === undefined) return;
    leftovers.add({
      names: pairOf(key),
      bytes,
      // The sidecar may be there, too.
      occupiedBytes: inBlocks(bytes) + BLOCK_BYTES,
      mtimeMs: Date.now(),
      reason,
    });
  }
}
