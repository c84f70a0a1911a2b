import type { Background } from "../async/background.ts";
import type { DiskTier } from "../disk_tier.ts";
import { CacheClosedError } from "../api/errors.ts";
import type { IndexFile, IndexReader } from "./index_file.ts";
import { INDEXING } from "./indexing.ts";
import { Turns } from "../async/turns.ts";

/**
 * Keeps the index on disk near to what the catalog knows: it is written when a
 * directory was read without one, after so many changes, and at the end. That it
 * can't be written harms nobody.
 */
export class IndexKeeper {
  readonly #index: IndexFile;
  readonly #background: Background;
  readonly #tier: () => DiskTier;
  /** What the index on disk knows of, by the catalog's counts. */
  #saved: { changes: number; uses: number } | undefined;
  /** How many changes there were when it was last tried to write it. */
  #tried = -Infinity;
  #saving: Promise<void> | undefined;

  /** Writes nothing yet; what nobody waits for at the pace of `background`. */
  constructor(
    index: IndexFile,
    background: Background,
    tier: () => DiskTier,
  ) {
    this.#index = index;
    this.#background = background;
    this.#tier = tier;
  }

  /** Opens the index; undefined when there is none that is whole. */
  async open(): Promise<IndexReader | undefined> {
    try {
      return await this.#index.open();
    } catch (error) {
      this.#tier().errors.report("read the index", error);
    }
    return undefined;
  }

  /** The catalog knows what the index knows. */
  tookUp(): void {
    const { changes, uses } = this.#tier().catalog;
    this.#saved = { changes, uses };
    this.#tried = changes;
  }

  /** The index on disk is damaged. */
  lost(): void {
    this.#saved = undefined;
    this.#tried = -Infinity;
  }

  /** All is known: begins to write the index in the background, if it is time. */
  keep(): void {
    const { catalog: { changes, entries }, options } = this.#tier();
    if (options.readOnly || this.#background.stopped) return;
    if (entries < INDEXING.entries) return;
    if (changes - this.#tried < INDEXING.changes) return;
    this.#saving ??= this.#save(this.#background).finally(() => {
      this.#saving = undefined;
    });
  }

  /** Writes the index if there is anything new in it, when all is known. */
  async save(): Promise<void> {
    await this.#saving;
    const { catalog, options } = this.#tier();
    if (options.readOnly) return;
    if (catalog.entries < INDEXING.entries) return await this.forget();
    const isSaved = catalog.changes === this.#saved?.changes &&
      catalog.uses === this.#saved.uses;
    if (!isSaved) await this.#save(new Turns());
  }

  /** Removes what a killed process has left of an index. */
  async tidy(): Promise<void> {
    try {
      await this.#index.removeUnfinished();
    } catch (error) {
      this.#tier().errors.report("remove the index", error);
    }
  }

  /** Removes the index: it tells of entries that are gone. */
  async forget(): Promise<void> {
    this.#saved = undefined;
    const { options, store } = this.#tier();
    if (options.readOnly || !store.ready) return;
    try {
      await this.#index.remove();
    } catch (error) {
      this.#tier().errors.report("remove the index", error);
    }
  }

  async #save(turns: Turns): Promise<void> {
    const { catalog, writes, errors } = this.#tier();
    try {
      this.#tried = catalog.changes;
      const noted = await writes.noted((place) => {
        const { changes, uses } = catalog;
        return { place, entries: catalog.list(), saved: { changes, uses } };
      });
      if (noted === undefined) return;
      const { place, entries, saved } = noted;
      if (await this.#index.write(place, entries, turns)) this.#saved = saved;
    } catch (error) {
      if (error instanceof CacheClosedError) return;
      errors.report("write the index", error);
    }
  }
}
