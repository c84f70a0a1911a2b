import { BLOCK_BYTES, inBlocks } from "../disk/blocks.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Entry } from "../catalog/entry.ts";
import { jsonName, pairOf } from "../disk/file_names.ts";
import { GRACE_MS, type Leftovers } from "./leftovers.ts";
import type { OpenFiles } from "../disk/open_files.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { WriteTurns } from "./write_turns.ts";

/** The parts of the cache that a {@linkcode Removal} works on. */
export interface RemovalParts {
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** The open files of entries. */
  readonly files: OpenFiles;
  /** The known leftovers. */
  readonly leftovers: Leftovers;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
}

/** Options of {@linkcode Removal.remove}. */
export interface RemovalOptions {
  /** The reason of the leftover, if the disk fails to remove a file. */
  readonly failure: string;
  /** Asked at the last moment whether to remove the entry. */
  readonly isWanted?: () => boolean;
  /** The entry, if the caller knows that the catalog has it. */
  readonly known?: Entry;
}

/** Removes entries, and restores the catalog after a failed removal or commit. */
export class Removal {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /**
   * Removes an entry, known or not. Needs the lock of the directory.
   *
   * @returns False when there was none, or its removal is not wanted any more.
   * @throws The file system's error; a complete pair is still an entry then.
   */
  async remove(
    url: string,
    key: string,
    { failure, isWanted = () => true, known }: RemovalOptions,
  ): Promise<boolean> {
    const { writes, files, store, catalog } = this.#parts;
    const isThere = (known ?? catalog.peek(url)) !== undefined ||
      pairOf(key).some((name) => store.exists(name));
    // A record of nothing could begin a block that maxDiskMb has no room for.
    if (isThere) await writes.announceRemoval(key);
    await files.rescue(store.datPath(key));
    if (!isWanted()) return false;
    const end = catalog.keyChanges.begin(key);
    const old = known ?? catalog.peek(url);
    catalog.forget(url);
    try {
      return await store.remove(key, old?.size);
    } catch (error) {
      await this.restoreAfterFailure(key, old, failure);
      throw error;
    } finally {
      end();
    }
  }

  /**
   * Restores the catalog after a failed removal or commit: the old pair may still be
   * complete, and is an entry again, or half of it is left, and is a leftover.
   *
   * @param reason The reason of the leftover.
   */
  async restoreAfterFailure(
    key: string,
    old: Entry | undefined,
    reason: string,
  ): Promise<void> {
    const { store, catalog, leftovers } = this.#parts;
    let bytes = old?.size;
    try {
      const facts = await store.bodyFacts(key);
      const isOld = facts !== undefined && facts.identity === old?.identity;
      if (isOld && await store.exists(jsonName(key))) {
        return catalog.insert(old);
      }
      bytes = facts?.size;
    } catch {
      // The disk still fails: a later lookup will find what is left.
    }
    if (bytes === undefined) return;
    leftovers.add({
      names: pairOf(key),
      bytes,
      // The sidecar may be there, too.
      occupiedBytes: inBlocks(bytes) + BLOCK_BYTES,
      mtimeMs: Date.now(),
      graceMs: GRACE_MS,
      reason,
    });
  }
}
