import type { Catalog } from "../catalog/catalog.ts";
import type { DiskErrors } from "../reporting/disk_errors.ts";
import type { PairStore } from "../disk/pair_store.ts";
import type { WriteTurns } from "../entries/write_turns.ts";
import type { Background } from "../async/background.ts";
import { CacheClosedError } from "../api/errors.ts";
import type { IndexFile, SavedIndex } from "./index_file.ts";
import { INDEXING } from "./indexing.ts";
import { Pacer } from "../async/pacer.ts";

/** What keeping the index works on. */
export interface IndexKeeperParts {
  /** The index. */
  readonly index: IndexFile;
  /** The files of the directory. */
  readonly store: PairStore;
  /** What is known of the entries. */
  readonly catalog: Catalog;
  /** The turns of those who change names. */
  readonly writes: WriteTurns;
  /** The pace of what nobody waits for. */
  readonly background: Background;
  /** Where failures go. */
  readonly errors: DiskErrors;
}

/**
 * Keeps the index on disk near to what the catalog knows: it is written when a
 * directory was read without one, after so many changes, and at the end. That it
 * can't be written harms nobody.
 */
export class IndexKeeper {
  readonly #parts: IndexKeeperParts;
  readonly #readOnly: boolean;
  /** What the index on disk knows of, by the catalog's counts. */
  #saved: { changes: number; uses: number } | undefined;
  /** How many changes there were when it was last tried to write it. */
  #tried = -Infinity;
  #saving: Promise<void> | undefined;

  /** Works on these parts; a `readOnly` cache writes no index. */
  constructor(parts: IndexKeeperParts, readOnly: boolean) {
    this.#parts = parts;
    this.#readOnly = readOnly;
  }

  /** Reads the index; undefined when there is none that is whole. */
  async read(): Promise<SavedIndex | undefined> {
    try {
      return await this.#parts.index.read();
    } catch (error) {
      this.#parts.errors.report("read the index", error);
    }
    return undefined;
  }

  /** The catalog knows what the index knows. */
  tookUp(): void {
    const { changes, uses } = this.#parts.catalog;
    this.#saved = { changes, uses };
    this.#tried = changes;
  }

  /** All entries count: begins to write the index in the background, if it is time. */
  keep(): void {
    if (!this.#isDue || this.#parts.background.stopped) return;
    this.#saving ??= this.#save(this.#parts.background).finally(() => {
      this.#saving = undefined;
    });
  }

  /** Writes the index if it is time, at the end of a cache that was not compared with the disk. */
  async saveIfDue(): Promise<void> {
    await this.#saving;
    if (this.#isDue) await this.#save(new Pacer());
  }

  /** Writes the index if there is anything new in it, when all is known. */
  async save(): Promise<void> {
    await this.#saving;
    const { catalog } = this.#parts;
    if (this.#readOnly) return;
    if (catalog.entries < INDEXING.entries) return await this.forget();
    const isSaved = catalog.changes === this.#saved?.changes &&
      catalog.uses === this.#saved.uses;
    if (!isSaved) await this.#save(new Pacer());
  }

  /** Removes what a killed process has left of an index. */
  async tidy(): Promise<void> {
    try {
      await this.#parts.index.removeUnfinished();
    } catch (error) {
      this.#parts.errors.report("remove the index", error);
    }
  }

  /** Removes the index: it tells of entries that are gone. */
  async forget(): Promise<void> {
    this.#saved = undefined;
    if (this.#readOnly || !this.#parts.store.ready) return;
    try {
      await this.#parts.index.remove();
    } catch (error) {
      this.#parts.errors.report("remove the index", error);
    }
  }

  /** Whether so much has changed that opening by the index would take long. */
  get #isDue(): boolean {
    const { changes, entries } = this.#parts.catalog;
    return !this.#readOnly && entries >= INDEXING.entries &&
      changes - this.#tried >= INDEXING.changes;
  }

  async #save(pacer: Pacer): Promise<void> {
    const { catalog, writes, errors } = this.#parts;
    try {
      this.#tried = catalog.changes;
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
      if (await this.#parts.index.write(place, snapshot, pacer)) {
        this.#saved = saved;
      }
    } catch (error) {
      if (error instanceof CacheClosedError) return;
      errors.report("write the index", error);
    }
  }
}
