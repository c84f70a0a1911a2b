import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { WriteTurns } from "../entries/write_turns.ts";
import type { Background } from "../async/background.ts";
import { CacheClosedError } from "../api/errors.ts";
import type { IndexFile } from "./index_file.ts";
import { INDEXING } from "./indexing.ts";
import { Pacer } from "../async/pacer.ts";
import type { SavedIndex } from "./saved_index.ts";

/** The parts of the cache that an {@linkcode IndexKeeper} works on. */
export interface IndexKeeperParts {
  /** The index. */
  readonly index: IndexFile;
  /** The files of the directory. */
  readonly store: PairStore;
  /** The known entries. */
  readonly catalog: Catalog;
  /** Turns for changes of names in the directory. */
  readonly writes: WriteTurns;
  /** Paces background work. */
  readonly background: Background;
  /** Counts and reports disk errors. */
  readonly errors: DiskErrors;
}

/**
 * Keeps the index on disk close to the catalog: writes it after a directory was read
 * without an index, after many changes, and at the end. A failure to write it is only
 * reported.
 */
export class IndexKeeper {
  readonly #parts: IndexKeeperParts;
  readonly #readOnly: boolean;
  readonly #room: () => number;
  /** The catalog's counts when the index was written. */
  #saved: { changes: number; uses: number } | undefined;
  /** The catalog's count of changes from which on `keep()` writes the index. */
  dueAt = 0;
  #saving: Promise<void> | undefined;
  #opened: SavedIndex | undefined;

  /**
   * A `readOnly` cache writes no index.
   *
   * @param room Returns the most bytes that an index may take now.
   */
  constructor(
    parts: IndexKeeperParts,
    readOnly: boolean,
    room: () => number,
  ) {
    this.#parts = parts;
    this.#readOnly = readOnly;
    this.#room = room;
  }

  /** Opens the index; undefined when there is none, or it is damaged. */
  async open(): Promise<SavedIndex | undefined> {
    const report = (error: unknown) =>
      this.#parts.errors.report("read the index", error);
    try {
      this.close();
      return this.#opened = await this.#parts.index.open(report);
    } catch (error) {
      report(error);
    }
    return undefined;
  }

  /** Closes the index; its blocks that are not in memory can't be read after that. */
  close(): void {
    this.#opened?.close();
    this.#opened = undefined;
  }

  /** Notes that the catalog has taken in the whole index. */
  tookUp(): void {
    const { changes, uses } = this.#parts.catalog;
    this.#saved = { changes, uses };
    this.dueAt = changes + INDEXING.changes;
  }

  /**
   * Begins to write the index in the background, after enough changes. Needs all entries
   * counted.
   */
  keep(): void {
    if (this.#parts.background.stopped) return;
    if (!this.#isDue) {
      // Each further entry is a change.
      const { changes, entries } = this.#parts.catalog;
      this.dueAt = Math.max(this.dueAt, changes + INDEXING.entries - entries);
      return;
    }
    this.#saving ??= this.#save(this.#parts.background).finally(() => {
      this.#saving = undefined;
    });
  }

  /**
   * Writes the index after enough changes, at the end of a cache that was not compared
   * with the disk.
   */
  async saveIfDue(): Promise<void> {
    await this.#saving;
    if (this.#isDue) await this.#save(new Pacer());
  }

  /** Writes the index if anything has changed. Needs all entries known. */
  async save(): Promise<void> {
    await this.#saving;
    const { catalog } = this.#parts;
    if (this.#readOnly) return;
    if (catalog.entries < INDEXING.entries) return await this.forget();
    const isSaved = catalog.changes === this.#saved?.changes &&
      catalog.uses === this.#saved.uses;
    if (!isSaved) await this.#save(new Pacer());
  }

  /** Removes the unfinished index of a killed process. */
  async tidy(): Promise<void> {
    try {
      await this.#parts.index.removeUnfinished();
    } catch (error) {
      this.#parts.errors.report("remove the index", error);
    }
  }

  /** Removes the index, which names deleted entries. */
  async forget(): Promise<void> {
    this.#saved = undefined;
    if (this.#readOnly || !this.#parts.store.ready) return;
    try {
      await this.#parts.index.remove();
    } catch (error) {
      this.#parts.errors.report("remove the index", error);
    }
  }

  /** Whether so many entries have changed that opening by the index would take long. */
  get #isDue(): boolean {
    const { changes, entries } = this.#parts.catalog;
    return !this.#readOnly && entries >= INDEXING.entries &&
      changes >= this.dueAt;
  }

  async #save(pacer: Pacer): Promise<void> {
    const { catalog, writes, errors } = this.#parts;
    try {
      this.dueAt = catalog.changes + INDEXING.changes;
      const noted = await writes.atLogEnd((place) => {
        const { changes, uses } = catalog;
        return {
          place,
          snapshot: catalog.snapshot(),
          saved: { changes, uses },
        };
      });
      if (noted === undefined) return;
      const { place, snapshot, saved } = noted;
      const { index } = this.#parts;
      if (await index.write(place, snapshot, pacer, this.#room)) {
        this.#saved = saved;
      }
    } catch (error) {
      if (error instanceof CacheClosedError) return;
      errors.report("write the index", error);
    }
  }
}
