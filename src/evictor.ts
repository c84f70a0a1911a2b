import type { Catalog } from "./catalog.ts";
import type { DiskStore } from "./disk_store.ts";
import type { Entry } from "./entry.ts";
import type { FileSystem } from "./file_system.ts";
import type { OpenFiles } from "./open_files.ts";
import { GRACE_MS, type Orphans } from "./orphans.ts";
import { Turns } from "./turns.ts";

/** What an evictor works on. */
export interface EvictorOptions {
  /** The file system. */
  fs: FileSystem;
  /** The directory. */
  store: DiskStore;
  /** The entries. */
  catalog: Catalog;
  /** Their open files. */
  files: OpenFiles;
  /** What could not be removed. */
  orphans: Orphans;
  /** An entry is gone. */
  onEvicted(entry: Entry): void;
  /** The file system failed. */
  onError(operation: string, error: unknown): void;
}

/** Removes the least recently used entries from disk. */
export class Evictor {
  readonly #options: EvictorOptions;

  /** Evicts nothing yet. */
  constructor(options: EvictorOptions) {
    this.#options = options;
  }

  /**
   * Evicts until the entries take at most `maxBytes`. Each victim is looked at
   * once more before it goes: another process may have used it.
   */
  async makeRoom(maxBytes: number): Promise<void> {
    const { fs, store, catalog } = this.#options;
    const turns = new Turns();
    while (catalog.totalBytes > maxBytes) {
      const victim = catalog.oldest();
      if (victim === undefined) return;
      if (turns.due) await turns.next();
      const facts = await fs.facts(store.datPath(victim.key));
      if (facts === undefined) catalog.forget(victim.url);
      else if (facts.mtimeMs > victim.mtimeMs) {
        catalog.usedElsewhere(victim, facts.mtimeMs);
      } else await this.#evict(victim);
    }
  }

  async #evict(victim: Entry): Promise<void> {
    const { store, catalog, files, orphans, onEvicted, onError } =
      this.#options;
    const { key, size } = victim;
    await files.rescue(store.datPath(key));
    catalog.forget(victim.url);
    try {
      await store.remove(key);
    } catch (error) {
      orphans.add({
        names: [`${key}.json`, `${key}.dat`],
        bytes: size,
        mtimeMs: Date.now() - GRACE_MS,
        reason: "it could not be evicted",
      });
      onError("evict an entry", error);
    }
    onEvicted(victim);
  }
}
